"""docs/scenario.md says what the schema does: fields, defaults, names and the errors it shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import scenario
from guardianflow.contracts.errors import ScenarioError
from scenario import Scenario, build_scenario, dump_scenario, load_scenario
from scenario.explain import _annotation_at, _choices, _section_of
from scenario.naming import FORBIDDEN, MAX_PART_LENGTH

SECTIONS: dict[str, type[BaseModel]] = {
    "site": scenario.SiteConfig,
    "task": scenario.TaskConfig,
    "model": scenario.ModelConfig,
    "dataset": scenario.DatasetConfig,
    "environment": scenario.EnvironmentConfig,
    "training": scenario.TrainingParams,
    "benchmark": scenario.InferenceBenchmarkParams,
    "quantization": scenario.QuantizationParams,
    "sweep": scenario.SweepConfig,
    "comparison": scenario.ComparisonConfig,
    "ablation": scenario.AblationConfig,
    "release": scenario.ReleaseParams,
    "alarms": scenario.AlarmConfig,
}


@pytest.fixture(scope="module")
def text(repository: Path) -> str:
    return (repository / "docs" / "scenario.md").read_text(encoding="utf-8")


def chapter(text: str, title: str) -> str:
    (found,) = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    return str(found)


def rows(text: str) -> dict[str, tuple[str, str]]:
    found = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) ?\|$", text, re.M)
    return {name: (default, what) for name, default, what in found}


def default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{list(value)}`" if isinstance(value, tuple) else f"`{value}`"


@pytest.mark.parametrize("name", SECTIONS)
def test_every_field_stands_there_with_its_default(text: str, name: str) -> None:
    documented = rows(chapter(text, name))
    fields = SECTIONS[name].model_fields
    assert list(documented) == list(fields)
    for field_name, field in fields.items():
        default, what = documented[field_name]
        if (name, field_name) == ("task", "classes"):
            assert (default, field.default) == ("those of the data set", ())
            continue
        assert default == default_of(field)
        for choice in _choices(_annotation_at(Scenario, (name, field_name))[0]):
            assert f"`{choice}`" in what


@pytest.mark.parametrize(
    ("section", "name", "model"),
    [
        ("benchmark", "cameras", scenario.CameraParams),
        ("quantization", "search", scenario.SearchParams),
        ("quantization", "qat", scenario.QatParams),
        ("sweep", "parameters", scenario.ParameterRange),
        ("comparison", "quantization_variants", scenario.ComparisonVariant),
        ("alarms", "recordings", scenario.RecordingsParams),
    ],
)
def test_sections_within_sections_stand_there(
    text: str, section: str, name: str, model: type[BaseModel]
) -> None:
    found = rf"^\| `{name}\.(\w+)` \| (.*?) \|"
    table = dict(re.findall(found, chapter(text, section), re.M))
    assert table == {key: default_of(field) for key, field in model.model_fields.items()}


def test_the_top_stands_there(text: str) -> None:
    documented = rows(chapter(text, "The top"))
    assert set(documented) | set(SECTIONS) == set(Scenario.model_fields)
    for name, (default, _) in documented.items():
        assert default == default_of(Scenario.model_fields[name])
    assert all(f"`{name}`" in chapter(text, "The top") for name in SECTIONS)


def test_every_field_has_words_for_what_it_must_be() -> None:
    def walk(path: tuple[str, ...], model: type[BaseModel]) -> None:
        for name, field in model.model_fields.items():
            here = (*path, name)
            annotation, expected = _annotation_at(Scenario, here)
            section = _section_of(annotation)
            assert expected or section or get_origin(annotation) is Literal, here
            if get_origin(field.annotation) is tuple:
                assert _annotation_at(Scenario, (*here, 0))[1], here
            if section:
                walk(here, section)

    walk((), Scenario)
    assert get_args(_annotation_at(Scenario, ("training", "optimizer"))[0])


def test_the_rule_for_names_stands_there(text: str) -> None:
    assert f"1 to {MAX_PART_LENGTH} characters, none of `{' '.join(FORBIDDEN)}`" in text


def test_the_examples_work(text: str, tmp_path: Path) -> None:
    whole, variants, *_ = re.findall(r"```yaml\n(.*?)```", text, re.S)
    file = tmp_path / "s.yaml"
    file.write_text(whole + variants, encoding="utf-8")
    overrides = re.findall(r"^-p '?(.*?)'?(?: +#.*)?$", chapter(text, "Overrides"), re.M)
    assert len(overrides) == 6
    made = load_scenario(file, overrides=overrides)
    assert made.training.epochs == 5
    assert [v.variant for v in made.quantization_variants] == ["openvino_fp16", "onnx_fp32"]
    assert {v.calibration_size for v in made.quantization_variants} == {32}


def test_the_errors_shown_are_the_real_ones(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = chapter(text, "When something is wrong")
    broken, shown = re.findall(r"```(?:yaml)?\n(.*?)```", part, re.S)
    (override,) = re.findall(r"`-p (.*?)`", part)
    monkeypatch.chdir(tmp_path)
    Path("welding.yaml").write_text(broken, encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        load_scenario("welding.yaml", overrides=[override])
    assert str(caught.value) == shown.strip()


def test_the_python_shown_is_true(text: str, repository: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    made = load_scenario(repository / "configs" / "scenarios" / "demo.yaml")
    for call, value in re.findall(r"^scenario\.(get_\w+\(.*?\)) +# ('.*?')$", code, re.M):
        assert repr(eval(f"made.{call}", {"made": made})) == value
    assert build_scenario and dump_scenario(made)
