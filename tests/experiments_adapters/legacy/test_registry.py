"""configs/experiments.yaml: what it admits, what it refuses, and which script it selects."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest

from experiments_adapters.legacy.registry import LegacyExperiment, load_registry, parse_registry
from experiments_adapters.legacy.registry_schema import EntryPoint, placeholders
from guardianflow.contracts.errors import ConfigurationError
from scenario.sections import Section

FULL = r"""
experiments:
  donghwa-entec-ppe:
    path: scripts
    site: {customer: donghwa-entec, region: busan, plant: plant1, zone: full}
    task: {type: ppe, classes: [helmet, head]}
    entry_points:
      train:
        default: train_yolov11_v2.py
        patterns: ["train*.py", "학습*.py"]
        args_template: "--epochs {epochs} --batch {batch_size}"
        defaults: {epochs: 100, batch_size: 16}
    env: {python: ~/venvs/old, variables: {CUDA_VISIBLE_DEVICES: "0"}}
    working_dir: .
    timeout: 24h
    artifacts: {include: ["runs/**"], exclude: ["data/**"], max_file_mb: 500}
    metrics:
      files: ["runs/**/results.csv"]
      patterns: ['mAP50=(?P<mAP50>[\d.]+)']
    register: false
  삼표 김해:
    path: ${EXPERIMENTS_BASE}/삼표 김해
    site: {customer: TODO, region: gimhae}
    task: {type: TODO}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    for name in ("train_yolov11_v2.py", "train_v3.py", "학습_최종_v3.py", "train_1214.py"):
        (scripts / name).write_text("", "utf-8")
    path = tmp_path / "experiments.yaml"
    path.write_text(FULL, "utf-8")
    return path


def problems_of(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        parse_registry(text, Path("e.yaml"))
    return [str(each) for each in caught.value.problems]


def test_every_key_is_read(file: Path) -> None:
    entry = load_registry(file).get("donghwa-entec-ppe")
    assert entry.name == "donghwa-entec-ppe"
    assert entry.directory == file.parent / "scripts" == entry.run_directory
    assert entry.timeout_s == 86400
    assert entry.register_models is False
    assert entry.require_site().to_experiment_name() == "donghwa-entec/busan-plant1/full"
    assert entry.require_task().classes == ("helmet", "head")
    assert entry.entry_point("train").placeholders == ("epochs", "batch_size")
    assert entry.todos() == []


def test_todo_loads_and_is_refused_where_it_is_needed(file: Path) -> None:
    registry = load_registry(file)
    entry = registry.get("삼표 김해")
    assert entry.todos() == ["site.customer", "task.type"]
    with pytest.raises(
        ConfigurationError, match=r"site\.customer of '삼표 김해' must be filled in"
    ):
        entry.require_site()
    with pytest.raises(ConfigurationError, match=r"experiments\.yaml:21:3: task\.type"):
        entry.require_task()
    assert [each.name for each in registry.find_by_customer("donghwa-entec")] == [
        "donghwa-entec-ppe"
    ]


def test_variables_and_home_are_filled_in(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = load_registry(file).get("삼표 김해")
    monkeypatch.delenv("EXPERIMENTS_BASE", raising=False)
    assert entry.directory == Path.home() / "experiments/삼표 김해"
    monkeypatch.setenv("EXPERIMENTS_BASE", "/srv/old")
    assert entry.directory == Path("/srv/old/삼표 김해")
    other = parse_registry("experiments: {a: {path: $NO_SUCH_PLACE/x}}", file).get("a")
    with pytest.raises(ConfigurationError, match="NO_SUCH_PLACE, which is not set"):
        _ = other.directory


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, "train_yolov11_v2.py"),
        ({"version": "v2"}, "train_yolov11_v2.py"),
        ({"version": "1214"}, "train_1214.py"),
        ({"version": "최종"}, "학습_최종_v3.py"),
        ({"script": "train_v3.py"}, "train_v3.py"),
    ],
)
def test_a_script_is_selected(file: Path, asked: dict[str, str], found: str) -> None:
    entry = load_registry(file).get("donghwa-entec-ppe")
    assert entry.select_script("train", **asked).name == found


@pytest.mark.parametrize(
    ("script_type", "asked", "said"),
    [
        ("train", {"version": "v3"}, "2 train scripts of donghwa-entec-ppe are called v3"),
        ("train", {"version": "v9"}, "no train script of donghwa-entec-ppe is called 'v9'; there"),
        ("train", {"script": "../other.py"}, "must lie inside"),
        ("train", {"script": "/etc/passwd"}, "must lie inside"),
        ("train", {"script": "train_v4.py"}, "did you mean 'train_v3.py'"),
        ("train", {"script": "a.py", "version": "v1"}, "not both"),
        ("quant", {}, "has no entry point 'quant'; it has train"),
        ("export", {}, "must be one of train, infer, quant but got 'export'"),
    ],
)
def test_a_script_that_is_not_there_is_refused(
    file: Path, script_type: str, asked: dict[str, str], said: str
) -> None:
    entry = load_registry(file).get("donghwa-entec-ppe")
    with pytest.raises(ConfigurationError) as caught:
        entry.select_script(script_type, **asked)  # type: ignore[arg-type]
    assert said in str(caught.value)


def test_hangul_decomposed_by_macos_is_found(file: Path) -> None:
    (file.parent / "scripts" / unicodedata.normalize("NFD", "학습_v7.py")).write_text("")
    entry = load_registry(file).get("donghwa-entec-ppe")
    assert entry.select_script("train", version="v7").is_file()
    assert entry.select_script("train", script="학습_v7.py").is_file()
    (file.parent / "scripts" / "추론_v8.py").write_text("")
    typed = unicodedata.normalize("NFD", "추론_v8.py")
    assert entry.select_script("train", script=typed).name == "추론_v8.py"
    assert load_registry(file).get(unicodedata.normalize("NFD", "삼표 김해")).name == "삼표 김해"


def test_all_problems_are_told_at_once_with_their_places() -> None:
    text = """experiments:
  a:
    path: x
    epochs: 5
    timeout: 24
    registr: true
    entry_points:
      tarin: {default: a.py}
      train:
        default: ../a.py
        args_template: "--epochs {epochs:d}"
        defaults: {epochs: [1]}
      infer: {args_template: "--name 'x"}
    metrics: {patterns: ["(", "mAP"]}
  b:
    site: {customer: a/b}
"""
    told = "\n".join(problems_of(text))
    for part in (
        "e.yaml:4:5: unknown key 'epochs' in 'experiments.a'; known are",
        "e.yaml:5:14: experiments.a.timeout must be a time > 0 with its unit",
        "unknown key 'registr' in 'experiments.a'; did you mean 'register'?",
        "unknown key 'tarin' in 'experiments.a.entry_points'; did you mean 'train'?",
        "it leads out of the experiment's directory",
        "{epochs} is no placeholder",
        "defaults.epochs must be text, a number, true or false but got",
        "quotes come in pairs",
        "'path' is missing in 'experiments.b'",
        "it contains '/'",
        "it has no named group like (?P<mAP50>…)",
    ):
        assert part in told, told
    assert "belongs to" not in told


def test_a_name_given_twice_is_refused() -> None:
    assert "key 'a' is given twice" in problems_of("experiments: {a: {path: x}, a: {path: y}}")[0]
    twins = [unicodedata.normalize(form, "학습") for form in ("NFC", "NFD")]
    text = f"experiments: {{{twins[0]}: {{path: x}}, {twins[1]}: {{path: y}}}}"
    assert "is there twice, once in decomposed Hangul" in problems_of(text)[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty; a registry of experiments has one key"),
        ("- a", "a registry of experiments must be a mapping"),
        ("experiments: [a]", "experiments must be a mapping of names to experiments"),
        ("experiment: {}", "did you mean 'experiments'?"),
        ("experiments: {a: [", "not valid YAML"),
        ("experiments: {a/b: {path: x}}", "it contains a slash"),
    ],
)
def test_a_file_of_another_shape_is_refused(text: str, said: str) -> None:
    assert said in problems_of(text)[0]


def test_no_experiments_is_a_registry_without_any(file: Path) -> None:
    assert parse_registry("experiments:\n", file).list_all() == []


def test_a_missing_file_and_an_unknown_name_say_what_to_do(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="make it with: guardianflow scan DIR"):
        load_registry(file.parent / "none.yaml")
    with pytest.raises(ConfigurationError, match="did you mean 'donghwa-entec-ppe'"):
        load_registry(file).get("donghwa-entec-pp")


def test_placeholders_come_once_in_order() -> None:
    assert placeholders("--a {x} {y} --b={x} {{no}}") == ("x", "y")


def test_the_documentation_names_every_key_and_its_example_loads(repository: Path) -> None:
    text = (repository / "docs" / "legacy.md").read_text("utf-8")
    sections = [LegacyExperiment, *(f.annotation for f in LegacyExperiment.model_fields.values())]
    for section in [*sections, EntryPoint]:
        if isinstance(section, type) and issubclass(section, Section):
            for name, field in section.model_fields.items():
                assert f"`{field.alias or name}`" in text, name
    (example,) = re.findall(r"```yaml\n(experiments:.*?)```", text, re.S)
    entry = parse_registry(example, Path("e.yaml")).get("donghwa-entec-ppe")
    assert entry.todos() == []
