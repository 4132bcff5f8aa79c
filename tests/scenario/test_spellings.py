"""Other ways to write a scenario: each gives what the plain spelling gives, or a clear error."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardianflow.contracts.errors import ScenarioError
from scenario import Scenario, build_scenario, dump_scenario, load_scenario, parse_scenario
from scenario.spellings import FLAT

TOP = """\
name: demo
task: {type: ppe, classes: [a, b]}
dataset: {path: demo://ppe}
"""
SITE = "site: {customer: sampyo, region: gimhae}\n"
MODEL = "model: {architecture: yolov8s}\n"
BASE = TOP + SITE + MODEL


def read(text: str) -> Scenario:
    return parse_scenario(text, "s.yaml")


def told(text: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        read(text)
    return [str(problem) for problem in caught.value.problems]


SAME = {
    "weights": (
        TOP + SITE + "model: {architecture: yolov8s.pt}",
        TOP + SITE + "model: {architecture: yolov8s, weights_path: yolov8s.pt}",
    ),
    "weights said twice": (
        TOP + SITE + "model: {architecture: yolov8s.pt, weights_path: /w/yolov8s.pt}",
        TOP + SITE + "model: {architecture: yolov8s, weights_path: /w/yolov8s.pt}",
    ),
    "infer": (
        BASE + "experiment_type: infer\nbatch_sizes: [1, 4]\nwarmup_runs: 2\nbenchmark_runs: 9\n"
        "conf_threshold: 0.3\nprecision: fp16\n",
        BASE + "experiment_type: infer\nenvironment: {precision: fp16}\nbenchmark: {batch_sizes: "
        "[1, 4], warmup_runs: 2, benchmark_runs: 9, conf_threshold: 0.3}\n",
    ),
    "quant": (
        BASE + "experiment_type: quant\nbackend: onnx\nprecision: int8\ncalibration_size: 32\n",
        BASE + "experiment_type: quant\nquantization: {backend: onnx, precision: int8, "
        "calibration_size: 32}\n",
    ),
    "each variant": (
        BASE + "calibration_size: 32\nquantization: [{backend: onnx}, {backend: openvino}]\n",
        BASE + "quantization: {calibration_size: 32, variants: [{backend: onnx}, "
        "{backend: openvino}]}\n",
    ),
    "preprocess": (
        BASE + "preprocess: {image_size: [320, 320], augmentations: {mosaic: false, hflip: 0.5}}\n",
        TOP + SITE + "model: {architecture: yolov8s, input_size: 320}\n"
        "training: {options: {mosaic: 0.0, fliplr: 0.5}}\n",
    ),
    "nothing to preprocess": (BASE + "preprocess:\n", BASE),
    "shares": (
        BASE.replace("demo://ppe}", "demo://ppe, split_ratio: 80/10/10}"),
        BASE.replace("demo://ppe}", "demo://ppe, split_ratio: {train: 0.8, val: 0.1, test: 0.1}}"),
    ),
    "two shares": (
        BASE.replace("demo://ppe}", "demo://ppe, split_ratio: 0.75}"),
        BASE.replace("demo://ppe}", "demo://ppe, split_ratio: [3, 1]}"),
    ),
}


@pytest.mark.parametrize(("written", "plain"), SAME.values(), ids=SAME)
def test_it_is_what_the_plain_spelling_is(written: str, plain: str) -> None:
    assert dump_scenario(read(written)) == dump_scenario(read(plain))
    assert read(dump_scenario(read(written))) == read(plain)


def test_every_flat_key_reaches_its_section() -> None:
    values = {"batch_sizes": [2], "backend": "onnx", "precision": "int8", "method": "dynamic"}
    values |= {"calibration_method": "minmax", "conf_threshold": 0.4, "iou_threshold": 0.6}
    for key, section in FLAT.items():
        value = values.get(key, 7)
        made = build_scenario({**plain_values(), key: value})
        found = getattr(getattr(made, section), key)
        assert (list(found) if isinstance(found, tuple) else found) == value


def plain_values() -> dict[str, object]:
    return {
        "name": "demo",
        "site": {"customer": "sampyo", "region": "gimhae"},
        "task": {"type": "ppe"},
        "model": {"architecture": "yolov8s"},
        "dataset": {"path": "demo://ppe"},
    }


WRONG = {
    "flat and section": (
        BASE + "batch_sizes: [1]\nbenchmark: {batch_sizes: [1, 8]}\n",
        ["s.yaml:6:14: batch_sizes is [1], but benchmark.batch_sizes is [1, 8] (s.yaml:7:26); "
         "they mean the same, keep one"],
    ),
    "flat and variant": (
        BASE + "backend: onnx\nquantization: {variants: [{backend: openvino}]}\n",
        ['s.yaml:6:10: backend is "onnx", but quantization.variants.0.backend is "openvino" '
         "(s.yaml:7:37); they mean the same, keep one"],
    ),
    "size": (
        TOP + SITE + "model: {architecture: yolov8s, input_size: 640}\n"
        "preprocess: {image_size: 320}\n",
        ["s.yaml:6:26: preprocess.image_size is 320, but model.input_size is 640 (s.yaml:5:44); "
         "they mean the same, keep one"],
    ),
    "not square": (
        BASE + "preprocess: {image_size: [640, 480]}\n",
        ["s.yaml:6:26: preprocess.image_size must be one number, the side of a square in pixels, "
         "but got [640, 480]"],
    ),
    "wrong value at its own place": (
        BASE + "batch_sizes: many\n",
        ['s.yaml:6:14: benchmark.batch_sizes must be a list of different whole numbers ≥ 1 like '
         '[1, 8] but got "many"'],
    ),
    "augmentations": (
        BASE + "preprocess: {augmentations: {mosiac: 1.0, mixup: true}, normalise: 1}\n",
        ["s.yaml:6:38: unknown augmentation 'mosiac'; did you mean 'mosaic'? (what a trainer "
         "of your own knows goes to training.options)",
         "s.yaml:6:50: preprocess.augmentations.mixup must be a value that says how much, like "
         "0.5, but got true",
         "s.yaml:6:68: unknown key 'normalise' in 'preprocess'; known are image_size, "
         "augmentations"],
    ),
    "list of augmentations": (
        BASE + "preprocess: {augmentations: [mosaic]}\n",
        ["s.yaml:6:29: preprocess.augmentations must be a mapping of Ultralytics' names to their "
         'values like {mosaic: 1.0, fliplr: 0.5} but got ["mosaic"]'],
    ),
    "other weights": (
        TOP + SITE + "model: {architecture: yolov8s.pt, weights_path: best.pt}\n",
        ["s.yaml:5:23: model.architecture must be the name of an architecture like yolo11l but got "
         '"yolov8s.pt"; it names weights, but weights_path names other ones; keep one of the two'],
    ),
    "shares": (
        BASE.replace("demo://ppe}", "demo://ppe, split_ratio: [0.8, 0.1]}"),
        ["s.yaml:3:42: dataset.split_ratio must be shares of train, val and test like [0.8, 0.1, "
         "0.1] but got [0.8, 0.1]; they add up to 0.9, not to 1"],
    ),
    "training has no flat keys": (
        BASE + "experiment_type: train\nbatch_sizes: [1]\n",
        ["s.yaml:7:1: unknown key 'batch_sizes'; it belongs to 'benchmark'"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("written", "expected"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_where_it_stands(written: str, expected: list[str]) -> None:
    assert told(written) == expected


@pytest.mark.parametrize(
    "shares", ["[1.0]", "[0, 1]", "[-1, 2]", "[0.5, true]", "much", "{train: 1, valid: 1}", "[]"]
)
def test_what_is_no_share(shares: str) -> None:
    (problem,) = told(BASE.replace("demo://ppe}", f"demo://ppe, split_ratio: {shares}}}"))
    assert "dataset.split_ratio must be shares of train, val and test" in problem


# --- overrides --------------------------------------------------------------------------------


def test_overrides_reach_either_spelling(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(BASE + "batch_sizes: [1, 8]\npreprocess: {image_size: 320}\n")
    given = ["batch_sizes=[2]", "preprocess.image_size=640", "preprocess.augmentations.hflip=0.1"]
    plain = ["benchmark.batch_sizes=[2]", "model.input_size=640", "training.options.fliplr=0.1"]
    assert load_scenario(file, overrides=given) == load_scenario(file, overrides=plain)
    made = load_scenario(file, overrides=["model.architecture=yolov8m.pt", "precision=fp16"])
    assert (made.model.architecture, made.model.weights_path) == ("yolov8m", "yolov8m.pt")
    assert made.quantization_variants[0].precision == "fp16"


# --- sites ------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """configs/scenarios/s.yaml, whose site is the welding shop of configs/sites."""
    folder = tmp_path / "configs"
    (folder / "sites").mkdir(parents=True)
    (folder / "scenarios").mkdir()
    text = "customer: donghwa-entec\nregion: busan\nzone: welding\n"
    (folder / "sites" / "용접.yaml").write_text(text, encoding="utf-8")
    text = TOP + MODEL + "site: 용접\n"
    (folder / "scenarios" / "s.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_site_by_its_name(project: Path) -> None:
    file = project / "configs" / "scenarios" / "s.yaml"
    plain = TOP + MODEL + "site: {customer: donghwa-entec, region: busan, zone: welding}\n"
    assert load_scenario(file) == read(plain)
    changed = load_scenario(file, overrides=["site.zone=paint"])
    assert changed.get_experiment_name() == "donghwa-entec/busan-plant1/paint"
    decomposed = project / "configs" / "scenarios" / "mac.yaml"
    decomposed.write_text(file.read_text("utf-8").replace("용접", "\u110b\u116d\u11bc접"), "utf-8")
    assert load_scenario(decomposed) == read(plain)


def test_a_site_named_by_an_override_or_from_elsewhere(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = project / "elsewhere.yaml"
    other.write_text(BASE)
    made = load_scenario(other, overrides=["site=용접"])
    assert made.site.customer == "donghwa-entec"
    monkeypatch.chdir(project)
    assert read(TOP + MODEL + "site: 용접\n").site.region == "busan"


def test_a_site_that_is_not_there_or_is_wrong(project: Path) -> None:
    sites, file = project / "configs" / "sites", project / "configs" / "scenarios" / "s.yaml"
    (sites / "bad.yaml").write_text("customer: a.b\nregon: busan\n")

    def problems(name: str) -> list[str]:
        with pytest.raises(ScenarioError) as caught:
            load_scenario(file, overrides=[f"site={name}"])
        return [str(problem) for problem in caught.value.problems]

    assert problems("bda") == [
        "override 'site=bda': site 'bda': there is no bda.yaml; did you mean 'bad'?"
    ]
    assert problems("../bad")[0].startswith("override 'site=../bad': site must be a mapping, or")
    assert [each.partition(": ")[0] for each in problems("bad")] == [
        f"{sites / 'bad.yaml'}:1:11", f"{sites / 'bad.yaml'}:2:1"
    ]  # fmt: skip


def test_tags_and_params_have_short_names() -> None:
    made = read(BASE.replace("demo://ppe}", "demo://ppe, name: gate, split_ratio: [8, 2]}"))
    assert made.to_tags("infer") == made.to_all_tags("infer")
    assert made.to_params("quant") == made.to_all_params("quant")
    assert made.to_tags()["data.name"] == "gate"
    assert made.to_tags()["data.split_ratio"] == "0.8/0.2/0"
