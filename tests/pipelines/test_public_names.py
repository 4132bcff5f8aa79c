"""What users import: names that must stay where docs and their code have them."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module

import pytest

FACES = {
    "pipelines": ("ModelRegistry", "create_runner"),
    "scenario": (
        "BaseScenario", "ComparisonConfig", "DatasetConfig", "EnvironmentConfig",
        "InferenceBenchmarkParams", "InferenceBenchmarkScenario", "ModelConfig",
        "QuantizationParams", "QuantizationScenario", "ReleaseParams", "SiteConfig", "TaskConfig",
        "TrainingParams", "TrainingScenario", "load_scenario",
    ),
    "experiments_adapters.base": ("BaseTrainer",),
}  # fmt: skip
METHODS = {
    "BaseTrainer": ("train", "get_best_model_path", "on_epoch_end", "on_batch_end"),
    "ModelRegistry": ("register", "promote", "rollback", "get_champion_uri", "list_versions"),
    "BaseScenario": (
        "get_experiment_name", "get_run_name", "get_registered_model_name", "to_all_tags",
        "to_all_params",
    ),
    "QuantizationScenario": ("with_quant_comparison",),
    "SiteConfig": ("to_experiment_name", "to_tags"),
    "TaskConfig": ("to_tags",),
    "DatasetConfig": ("to_tags",),
    "ModelConfig": ("to_params",),
}  # fmt: skip


@pytest.mark.parametrize(("room", "name"), [(r, n) for r, names in FACES.items() for n in names])
def test_a_public_name_is_there_with_its_methods(room: str, name: str) -> None:
    found = getattr(import_module(room), name)
    for method in METHODS.get(name, ()):
        assert callable(getattr(found, method))
    assert inspect.getdoc(found)


@pytest.mark.parametrize("room", ["pipelines", "scenario"])
def test_a_face_exports_what_it_lists_and_nothing_else(room: str) -> None:
    face = import_module(room)
    assert set(FACES[room]) <= set(face.__all__)
    assert all(getattr(face, name) is not None for name in face.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = face.no_such_name


def test_create_runner_takes_what_users_pass() -> None:
    parameters = inspect.signature(import_module("pipelines").create_runner).parameters
    assert list(parameters)[:2] == ["scenario", "tracking_uri"]
    assert {"experiment_code_path", "source_run_id", "backend", "force", "register"} <= set(
        parameters
    )


def test_a_face_loads_nothing_until_a_name_is_used() -> None:
    code = (
        "import sys, pipelines, scenario\n"
        "print(sorted({'mlflow', 'torch', 'pydantic'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
