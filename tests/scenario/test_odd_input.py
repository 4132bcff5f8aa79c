"""Whatever stands in a scenario or an override: a scenario, or a ScenarioError. Nothing else."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardianflow.contracts.errors import ScenarioError
from scenario import Scenario, dump_scenario, load_scenario

BASE = """\
name: odd
site: {customer: c, region: r}
task: {type: ppe}
model: {architecture: yolo11n}
dataset: {path: demo://ppe}
training: {epochs: 1}
quantization: [{backend: openvino, precision: int8}]
"""
LARGE = "0x" + "f" * 4300
ODD = [
    "[train]", "{}", "{a: b}", "[[1]]", "[openvino]", "{backend: [x], precision: {}}",
    "[{backend: [x], precision: {}}]", "{variants: [[1]]}", LARGE, f"[{LARGE}]", f"{{a: {LARGE}}}",
    "0x" + "f" * 900, "9" * 5000, "1e999999", "-.inf", ".nan", "1" + "_0" * 5000, "0b" + "1" * 9999,
    "!!int foo", "!!int ''", "!!float x", "!!bool x", "!!binary aGk=", "!!set {a, b}",
    "!!python/object:os.system x", "&a [*a]", '"\\ud800"', '"\\x00"', '"\\e[31m"', "~", "true",
    "2020-99-99", '""', "=", "<<", "!!map a", "? a", "models:/[", "runs:/[", "s3://[",
    "git+https://[::1", "[" * 60, "'" + "a" * 2000 + "'",
]  # fmt: skip
FIELDS = [
    "name", "version", "experiment_type", "design", "site", "site.customer", "task", "task.classes",
    "model", "model.input_size", "model.num_classes", "dataset", "dataset.path", "dataset.version",
    "environment", "environment.seed", "training", "training.epochs", "training.learning_rate",
    "training.optimizer", "training.options", "training.options.x", "benchmark",
    "benchmark.batch_sizes", "benchmark.sequences", "quantization", "quantization.0",
    "quantization.0.backend", "quantization.precision", "quantization.variants",
    "quantization.calibration_size", "comparison", "comparison.quantization_variants",
    "comparison.architectures", "comparison.datasets", "comparison.run_ids",
    "comparison.model_versions", "sweep", "sweep.parameters", "sweep.parameters.lr",
    "sweep.parameters.training.epochs", "sweep.metric", "sweep.direction", "sweep.max_runs",
    "ablation", "ablation.components", "ablation.components.augmentation", "ablation.baseline",
    "release.min_recall", "release.max_drop_vs_champion", "release.min_fps", "tags",
    "source_run_id",
]  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("odd") / "s.yaml"
    file.write_text(BASE, encoding="utf-8")
    return file


@contextlib.contextmanager
def told() -> Iterator[None]:
    try:
        yield
    except ScenarioError as error:
        assert error.exit_code == 2 and len(str(error)) < 6000


def use(scenario: Scenario) -> None:
    """What every command does with it."""
    dump_scenario(scenario)
    json.dumps(scenario.model_dump(mode="json"))
    scenario.to_all_params()
    scenario.to_all_tags()
    scenario.get_run_name()


@pytest.mark.parametrize("field", FIELDS)
def test_odd_values_of_every_kind_of_field(field: str, base: Path) -> None:
    for value in ODD:
        for experiment_type in (None, "train", "quant"):
            with told():
                use(
                    load_scenario(
                        base, overrides=[f"{field}={value}"], experiment_type=experiment_type
                    )
                )


@settings(deadline=None, max_examples=150)
@given(
    key=st.text(st.characters(), max_size=12) | st.sampled_from(FIELDS),
    value=st.text(st.characters(), max_size=20) | st.sampled_from(ODD),
)
def test_any_override(base: Path, key: str, value: str) -> None:
    with told():
        use(load_scenario(base, overrides=[f"{key}={value}"], experiment_type="train"))


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.binary(max_size=60)
    | st.tuples(st.sampled_from(BASE.splitlines()), st.sampled_from(ODD)).map(
        lambda pair: BASE.replace(pair[0], f"{pair[0].partition(':')[0]}: {pair[1]}").encode()
    )
)
def test_any_file(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "s.yaml"
    file.write_bytes(content)
    with told():
        use(load_scenario(file, experiment_type="train"))


@pytest.mark.parametrize("path", ["~no-such-user/s.yaml", "a" * 300, "a/" * 3000, "\udcff", "a\0b"])
def test_a_path_that_no_file_can_have(path: str) -> None:
    with pytest.raises(ScenarioError):
        load_scenario(path)


@pytest.mark.parametrize("key", ["\ud800", "site.\ud800", "training.options.\ud800"])
def test_half_a_character_in_a_key(base: Path, key: str) -> None:
    with pytest.raises(ScenarioError, match="broken character"):
        load_scenario(base, overrides=[f"{key}=1"])


def test_a_large_number_is_told_with_its_length(base: Path) -> None:
    with pytest.raises(ScenarioError, match="a number of 4302 characters"):
        load_scenario(base, overrides=[f"model.num_classes={LARGE}"])
