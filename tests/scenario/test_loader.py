"""Files, flags and the way back: load_scenario, build_scenario, dump_scenario."""

from __future__ import annotations

import os
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardianflow.contracts.errors import ScenarioError
from scenario import (
    QuantizationScenario,
    Scenario,
    TrainingScenario,
    build_scenario,
    dump_scenario,
    load_scenario,
)
from scenario.designs.contradictions import type_of_runs
from scenario.files import MAX_BYTES
from scenario.naming import check_part

BASE = """\
name: demo
site: {customer: sampyo, region: gimhae}
task: {type: ppe, classes: [a, b]}
model: {architecture: yolo11n}
dataset: {path: demo://ppe}
"""


def told(path: Path | str, **how: object) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path, **how)  # type: ignore[arg-type]
    assert caught.value.exit_code == 2
    return [str(problem) for problem in caught.value.problems]


def write(folder: Path, text: str | bytes, name: str = "s.yaml") -> Path:
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


# --- shipped files ----------------------------------------------------------------------------


SHIPPED = sorted((Path(__file__).resolve().parents[2] / "configs" / "scenarios").glob("*.yaml"))


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_shipped_scenario_loads_and_comes_back(file: Path, tmp_path: Path) -> None:
    made = load_scenario(file)
    assert made.source_path == file
    assert load_scenario(write(tmp_path, dump_scenario(made))) == made
    fitting = made.experiment_type or type_of_runs(made.__dict__) or "infer"
    typed = load_scenario(file, experiment_type=fitting)
    assert isinstance(typed, Scenario) and type(typed) is not Scenario
    assert typed.source_path == file


def test_the_four_scenarios_are_shipped() -> None:
    assert {file.stem for file in SHIPPED} >= {
        "demo", "donghwa_welding_v1", "donghwa_welding_quant_v1", "sampyo_bct_v1",
    }  # fmt: skip
    by_name = {file.stem: load_scenario(file) for file in SHIPPED}
    assert by_name["donghwa_welding_v1"].get_registered_model_name() == (
        by_name["donghwa_welding_quant_v1"].get_registered_model_name()
    ), "the quantised formats belong to the model that is trained"
    demo = by_name["demo"]
    assert demo.experiment_type is None, "one file serves every entry point"
    assert [v.variant for v in demo.quantization_variants] == [
        "openvino_fp16",
        "openvino_int8",
        "onnx_fp32",
        "onnx_int8",
    ]


# --- what is wrong in a file ------------------------------------------------------------------


def test_everything_wrong_is_told_in_one_pass_with_its_place(tmp_path: Path) -> None:
    text = """\
name: welding.v1
site:
  custmer: donghwa-entec
  region: busan
task:
  type: ppe
  classes: [helmet, head, helmet]
model:
  architecture: yolo11l
  input_size: 600
  num_classes: 5
training:
  epoch: 100
  batch_size: many
  optimizer: adamx
  epochs: 1
  epochs: 2
  learning_rate:
zone: welding
quantization:
  calibration_size: no
  variants:
    - {backend: openvin}
    - {calibration_size: 8, precision: int4}
tags:
  exp.type: x
"""
    found = told(write(tmp_path, text), overrides=["benchmark.batch_sizes=8"])
    places = [each.removeprefix(f"{tmp_path}/s.yaml:") for each in found]
    assert [place.split(": ")[0] for place in places] == [
        "1:1",  # dataset is missing: the enclosing section
        "1:7",
        "3:3",
        "7:12",
        "10:15",
        "11:16",
        "13:3",
        "14:15",
        "15:14",
        "17:3",
        "18:3",
        "19:1",
        "21:21",
        "23:17",
        "24:40",
        "26:3",
        "override 'benchmark.batch_sizes=8'",
    ]
    assert "section 'dataset' is missing; it needs path" in places[0]
    assert "it contains '.'" in places[1]
    assert "did you mean 'customer'?" in places[2]
    assert "did you mean 'epochs'?" in places[6]
    assert places[7].endswith('training.batch_size must be a whole number ≥ 1 but got "many"')
    assert "given twice; first on line 16" in places[9]
    assert "must be a number > 0 but got nothing" in places[10]
    assert "quantization.calibration_size must be" in places[12], "once, where it is shared"


def test_missing_keys_point_at_the_enclosing_section(tmp_path: Path) -> None:
    text = BASE.replace("{customer: sampyo, region: gimhae}", "\n  plant: p")
    found = told(write(tmp_path, text))
    assert [each.split(": ")[0].rpartition("s.yaml:")[2] for each in found] == ["2:1", "2:1"]
    assert "'customer' is missing in 'site'; it must be a name of 1 to 45" in found[0]


@pytest.mark.parametrize("text", ["", "a: b: c", "[1]", "\ta: 1", "a: 1\na: 2\n", "name: x"])
def test_no_sentence_is_pydantics_and_none_is_without_a_place(tmp_path: Path, text: str) -> None:
    for each in told(write(tmp_path, text)):
        assert each.startswith(f"{tmp_path}/s.yaml")
        message = each.removeprefix(str(tmp_path))
        for foreign in ("Input should", "Field required", "Extra inputs", "pydantic"):
            assert foreign not in message


def test_bad_syntax_and_bad_overrides_are_told_together(tmp_path: Path) -> None:
    found = told(write(tmp_path, "a: b: c"), overrides=["training.epochs=5", "x"])
    assert len(found) == 2, "the sections of a file that can't be read are not called missing"


def test_text_of_another_encoding(tmp_path: Path) -> None:
    korean = BASE.replace("sampyo", "삼표")
    assert load_scenario(write(tmp_path, korean)).site.customer == "삼표"
    assert load_scenario(write(tmp_path, korean.encode("utf-8-sig"))).site.customer == "삼표"
    assert load_scenario(write(tmp_path, korean.replace("\n", "\r\n"))).site.customer == "삼표"
    (found,) = told(write(tmp_path, korean.encode("cp949")))
    assert "is not UTF-8 (line 2) but looks like CP949 (EUC-KR)" in found
    assert "iconv -f CP949 -t UTF-8 s.yaml > s.yaml.utf8" in found
    (found,) = told(write(tmp_path, korean.encode("utf-16")))
    assert "looks like UTF-16" in found
    (found,) = told(write(tmp_path, b"\x89PNG\r\n\x1a\n\xff\xff\xff"))
    assert "is not UTF-8 text (line 1)" in found


def test_large_and_unreadable_files(tmp_path: Path) -> None:
    (found,) = told(write(tmp_path, b"#" * (MAX_BYTES + 1)))
    assert "has 256 KiB, and a scenario has at most 256: is it the right file?" in found
    (found,) = told("a" * 5_000)
    assert "it has 5000 bytes" in found and len(found) < 500
    assert "must be given" in told("  ")[0] and "must be given" in told("")[0]
    assert "holds a null character" in told("a\0b")[0]
    fifo = tmp_path / "pipe.yaml"
    os.mkfifo(fifo)
    assert "is not a regular file" in told(fifo)[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    file = write(tmp_path, BASE)
    file.chmod(0)
    assert "can't be read: Permission denied" in told(file)[0]


# --- finding the file -------------------------------------------------------------------------


def test_a_relative_path_is_looked_for_here_then_in_the_search_dirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir(), there.mkdir()
    monkeypatch.chdir(here)
    write(there, BASE)
    assert load_scenario("s.yaml", search_dirs=[there]).source_path == there / "s.yaml"
    write(here, BASE)
    assert load_scenario("s.yaml", search_dirs=[there]).source_path == here / "s.yaml"
    assert load_scenario(Path("s.yaml")).dataset.path == "demo://ppe"


def test_a_missing_file_suggests_near_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "configs"
    folder.mkdir()
    write(folder, BASE, "donghwa_welding_v1.yaml")
    write(folder, BASE, "other.yaml")
    assert told("configs/donghwa_weldin_v1.yaml") == [
        "configs/donghwa_weldin_v1.yaml: there is no such file; "
        "did you mean configs/donghwa_welding_v1.yaml?"
    ]
    assert "did you mean configs/other.yaml?" in told("configs/other")[0]
    assert "did you mean configs/other.yaml?" in told("othr.yaml", search_dirs=[Path("configs")])[0]
    assert "the directory nowhere does not exist" in told("nowhere/other.yaml")[0]
    assert f"looked in {folder}" in told("configs/zzz.yaml")[0]
    assert told("configs") == [
        "configs: is a directory; it holds donghwa_welding_v1.yaml, other.yaml: name one YAML file"
    ]
    (tmp_path / "empty").mkdir()
    assert "without scenarios in it" in told("empty")[0]
    for uri in ("s3://bucket/s.yaml", "runs:/abc/s.yaml"):
        assert "not a file on this machine" in told(uri)[0]


def test_a_missing_file_suggests_no_file_that_has_another_name_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    project = tmp_path / "project"
    project.mkdir()
    write(project, BASE, "conda.yaml")
    write(project, BASE, "site.yaml")
    for asked in ("/nope.yaml", "nope.yaml", "/siet.yaml"):
        assert "did you mean" not in told(asked, search_dirs=[project])[0]
    assert f"did you mean {project}/site.yaml?" in told("siet.yaml", search_dirs=[project])[0]
    assert f"did you mean {project}/site.yaml?" in told("/site.yaml", search_dirs=[project])[0]
    assert f"did you mean {project}/site.yaml?" in told("/site", search_dirs=[project])[0]


# --- types ------------------------------------------------------------------------------------


def test_the_type_asked_for(tmp_path: Path) -> None:
    free = write(tmp_path, BASE)
    assert type(load_scenario(free)) is Scenario
    assert type(load_scenario(free, experiment_type="train")) is TrainingScenario
    train = write(tmp_path, BASE + "experiment_type: train\n", "t.yaml")
    assert load_scenario(train).experiment_type == "train"
    assert type(load_scenario(train, experiment_type="train")) is TrainingScenario
    changed = load_scenario(train, experiment_type="quant", overrides=["experiment_type=quant"])
    assert type(changed) is QuantizationScenario


def test_another_type_is_told_with_the_other_problems(tmp_path: Path) -> None:
    file = write(tmp_path, BASE + "experiment_type: train\ntraning: {}\n")
    found = told(file, experiment_type="quant")
    assert len(found) == 2
    assert found[0].startswith(f"{file}:6:18: this scenario is for 'train' but 'quant' was asked")
    assert "did you mean 'training'?" in found[1]
    assert told(write(tmp_path, BASE), experiment_type="sweep") == [
        "experiment_type must be one of train, infer, quant but 'sweep' was asked"
    ]


# --- flags ------------------------------------------------------------------------------------

FLAGS = {
    "name": "e",
    "site.customer": "sampyo",
    "site": {"region": "gimhae"},
    "task": {"type": "ppe"},
    "model.architecture": "yolov11s",
    "dataset.path": "data.yaml",
}


def test_flags_make_the_scenario_that_a_file_makes(tmp_path: Path) -> None:
    flags = {k: v for k, v in FLAGS.items() if k not in ("site.customer", "site")}
    flags["site"] = {"customer": "sampyo", "region": "gimhae"}
    made = build_scenario(flags | {"training.epochs": 5}, overrides=["training.options.mosaic=0"])
    assert made.training.epochs == 5 and made.training.options == {"mosaic": 0}
    assert made.source_path is None
    assert load_scenario(write(tmp_path, dump_scenario(made))) == made
    assert type(build_scenario(flags, experiment_type="train")) is TrainingScenario


def test_wrong_flags_name_their_origin() -> None:
    with pytest.raises(ScenarioError) as caught:
        build_scenario(
            FLAGS | {"training.epochs": "x", "name.a": 1}, "flags", overrides=["training.epoch=2"]
        )
    assert [str(problem) for problem in caught.value.problems] == [
        "flags: 'name' is \"e\", so nothing can be set under it",
        "flags: 'customer' is missing in 'site'; it must be a name of 1 to 45 characters without "
        ". / : % __ \\ @ # ? or '_' at an end",
        'flags: training.epochs must be a whole number ≥ 1 but got "x"',
        "override 'training.epoch=2': unknown key 'epoch' in 'training'; did you mean 'epochs'?",
    ]


@pytest.mark.parametrize(
    "text", ["\x85", "a\nb\n", "\u2028", "\ufeff", "a\tb", " a ", "'\"", "# x"]
)
def test_text_of_any_kind_comes_back(tmp_path: Path, text: str) -> None:
    file = write(tmp_path, BASE)
    options = {"training.options": {f"k{text}": [text, {"x": text}]}, "tags.team": text}
    made = load_scenario(file, overrides=options)
    assert load_scenario(write(tmp_path, dump_scenario(made))) == made


# --- the way back -----------------------------------------------------------------------------


def is_part(text: str) -> bool:
    try:
        return check_part(text) == text
    except ValueError:
        return False


def line(text: str) -> bool:
    return bool(text) and text == text.strip() and all(c == " " or c.isprintable() for c in text)


PARTS = (
    st.text(string.ascii_letters + string.digits + "-_ 동화엔텍", min_size=1, max_size=10)
    | st.sampled_from(["no", "yes", "null", "1", "012", "1e5", "0x1F", "true", "2026-11-21", "~"])
).filter(is_part)
LINES = st.text(min_size=1, max_size=20).filter(line)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
KEYS = st.text(min_size=1, max_size=6).filter(str.strip) | st.sampled_from(["<<", "~", "1", "?"])
OPTIONS = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
VARIANTS = st.lists(
    st.fixed_dictionaries(
        {
            "backend": st.sampled_from(["openvino", "onnx", "tensorrt"]),
            "precision": st.sampled_from(["fp32", "fp16", "int8"]),
            "calibration_size": st.integers(1, 10**6),
        }
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda each: (each["backend"], each["precision"]),
)
SCENARIOS = st.fixed_dictionaries(
    {
        "name": PARTS,
        "site": st.fixed_dictionaries({"customer": PARTS, "region": PARTS}),
        "task": st.fixed_dictionaries(
            {"type": PARTS}, optional={"classes": st.lists(PARTS, min_size=1, unique=True)}
        ),
        "model": st.fixed_dictionaries(
            {"architecture": st.just("yolov11l")},
            optional={"input_size": st.integers(1, 60).map(lambda n: 32 * n)},
        ),
        "dataset": st.fixed_dictionaries({"path": LINES}, optional={"version": LINES}),
    },
    optional={
        "version": PARTS,
        "experiment_type": st.sampled_from(["train", "infer", "quant"]),
        "environment": st.fixed_dictionaries({"seed": st.integers(0, 2**32 - 1)}),
        "training": st.fixed_dictionaries(
            {
                "learning_rate": st.floats(0, 10, exclude_min=True),
                "options": st.dictionaries(KEYS, OPTIONS, max_size=4),
            }
        ),
        "benchmark": st.fixed_dictionaries(
            {"batch_sizes": st.lists(st.integers(1, 99), min_size=1, unique=True)}
        ),
        "quantization": VARIANTS | VARIANTS.map(lambda several: several[0]),
        "source_run_id": LINES,
        "tags": st.dictionaries(
            st.from_regex(r"(team|담당)[a-z0-9_.]{0,8}", fullmatch=True),
            st.text(max_size=30),
            max_size=3,
        ),
    },
)


@settings(deadline=None, max_examples=60)
@given(SCENARIOS)
def test_what_is_dumped_loads_to_the_same_scenario(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, object]
) -> None:
    made = build_scenario(values)
    text = dump_scenario(made)
    file = write(tmp_path_factory.getbasetemp(), text, "dumped.yaml")
    again = load_scenario(file)
    assert again == made
    assert dump_scenario(again) == text
    if made.experiment_type:
        typed = made.as_type(made.experiment_type)
        write(file.parent, dump_scenario(typed), file.name)
        assert load_scenario(file, experiment_type=made.experiment_type) == typed
