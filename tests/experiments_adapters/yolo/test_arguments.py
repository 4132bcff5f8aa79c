from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from experiments_adapters.yolo.arguments import known_architectures, plan_training
from guardianflow.contracts.errors import ScenarioError

Configs = Callable[..., dict[str, Any]]


@pytest.fixture
def plan(configs: Configs, tmp_path: Path) -> Callable[..., tuple[str, dict[str, Any]]]:
    def plan(**changes: Any) -> tuple[str, dict[str, Any]]:
        given = configs(**changes)
        return plan_training(
            given["model_config"],
            given["training_config"],
            given["dataset_config"],
            given["environment_config"],
            tmp_path,
        )

    return plan


Plan = Callable[..., tuple[str, dict[str, Any]]]


def test_a_scenarios_words_become_ultralytics_words(
    plan: Plan, data_yaml: Path, tmp_path: Path
) -> None:
    source, arguments = plan(options={"mosaic": 0.5, "close_mosaic": 3, "freeze": [0, 1]})
    assert source == "yolo11n.yaml"
    assert arguments == {
        "data": str(data_yaml),
        "epochs": 2,
        "batch": 4,
        "imgsz": 96,
        "lr0": 0.002,
        "optimizer": "AdamW",
        "cos_lr": True,
        "patience": 0,
        "seed": 1,
        "device": "cpu",
        "plots": True,
        "save_dir": str(tmp_path),
        "mosaic": 0.5,
        "close_mosaic": 3,
        "freeze": [0, 1],
    }


def test_an_optimizer_that_ultralytics_chooses_gets_no_learning_rate(plan: Plan) -> None:
    _, arguments = plan(optimizer="auto")
    assert arguments["optimizer"] == "auto"
    assert "lr0" not in arguments


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"optimizer": "adam"}, {"optimizer": "Adam"}),
        ({"optimizer": "sgd"}, {"optimizer": "SGD"}),
        ({"scheduler": "linear"}, {"cos_lr": False}),
        ({"scheduler": "constant"}, {"cos_lr": False, "lrf": 1.0}),
        ({"scheduler": "linear", "options": {"lrf": 0.1}}, {"lrf": 0.1}),
        ({"early_stopping": 5}, {"patience": 5}),
        ({"options": {"plots": False, "workers": 2}}, {"plots": False, "workers": 2}),
    ],
)
def test_single_settings(plan: Plan, changes: dict[str, Any], expected: dict[str, Any]) -> None:
    _, arguments = plan(**changes)
    assert {name: arguments.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("device", "gpus", "expected"),
    [
        ("auto", 0, "cpu"),
        ("auto", 2, "0"),
        ("cuda", 1, "0"),
        ("cuda:1", 2, "1"),
        ("1", 2, "1"),
        ("0,1", 2, "0,1"),
        ("3,1", 4, "3,1"),
        (0, 1, "0"),
        ("cpu", 1, "cpu"),
        ("openvino", 0, "cpu"),
        ("tensorrt", 1, "0"),
    ],
)
def test_devices(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, device: object, gpus: int, expected: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpus > 0)
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    assert plan(device=device)[1]["device"] == expected


def test_a_batch_that_gpus_cant_share_evenly_is_refused_with_the_nearest(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    assert plan(device="0,1,2", batch_size=6)[1]["batch"] == 6
    for batch, nearest in ((16, "15 or 18"), (2, "3")):
        with pytest.raises(ScenarioError, match="must be a multiple of 3, as each") as found:
            plan(device="0,1,2", batch_size=batch, options={"rect": True})
        assert f"but is {batch}; the nearest is {nearest}" in str(found.value)
        assert "training.options.rect: must be false on several GPUs" in str(found.value)


def test_a_gpu_of_several_that_is_not_here_is_told(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(ScenarioError, match="is '2,0', but this machine has GPUs 0 to 1"):
        plan(device="2,0")


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("0", "this machine has no GPU that torch can use; use auto"),
        ("0,1", "is '0,1', but this machine has no GPU that torch can use"),
        ("npu", "must be auto, cpu, cuda, a GPU's number or several .* but is 'npu'"),
        ("0,x", "must be auto, cpu, cuda, a GPU's number or several .* but is '0,x'"),
        ("0,0", "must name each GPU once but is '0,0'"),
    ],
)
def test_devices_that_are_not_here(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, device: str, words: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ScenarioError, match=words):
        plan(device=device)


@pytest.mark.parametrize(
    ("changes", "where", "words"),
    [
        ({"architecture": "yolo11n.pt"}, "model.architecture", "or write 'yolo11n' to train from"),
        ({"architecture": "yolo11q"}, "model.architecture", "did you mean 'yolo11"),
        ({"architecture": "yolo11"}, "model.architecture", "with its size in the name"),
        ({"architecture": "yolo11n-seg"}, "model.architecture", "must be a detector"),
        ({"architecture": "resnet"}, "model.architecture", "for example yolo11n"),
        ({"weights_path": "yolo11n.pt"}, "model.weights_path", "weights are not downloaded"),
        ({"weights_path": "model.onnx"}, "model.weights_path", "must be an Ultralytics .pt"),
        ({"path": "demo://ppe"}, "dataset.path", "must be a data.yaml on this machine"),
        ({"options": {"lr0": 0.1}}, "training.options.lr0", "set training.learning_rate instead"),
        ({"options": {"imgsz": 64}}, "training.options.imgsz", "set model.input_size instead"),
        ({"options": {"project": "x"}}, "training.options.project", "own business"),
        ({"options": {"moasic": 1}}, "training.options.moasic", "'moasic' is not a valid YOLO"),
        ({"options": {"mosaic": "much"}}, "training.options.mosaic", "'mosaic=much' is of invalid"),
        (
            {"scheduler": "constant", "options": {"lrf": 0.1}},
            "training.options.lrf",
            "constant keeps the learning rate",
        ),
    ],
)
def test_what_ultralytics_could_not_do_is_refused(
    plan: Plan, changes: dict[str, Any], where: str, words: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        plan(**changes)
    (problem,) = caught.value.problems
    assert problem.where == where
    assert words in problem.message


def test_all_problems_come_at_once(plan: Plan) -> None:
    with pytest.raises(ScenarioError) as caught:
        plan(architecture="yolo", path="nowhere.yaml", device="x", options={"a": 1, "batch": 2})
    assert [problem.where for problem in caught.value.problems] == [
        "model.architecture",
        "dataset.path",
        "environment.device",
        "training.options.a",
        "training.options.batch",
    ]


def test_a_model_may_be_given_as_a_file(plan: Plan, tmp_path: Path) -> None:
    weights, description = tmp_path / "mine.pt", tmp_path / "mine.yaml"
    weights.touch()
    description.touch()
    assert plan(weights_path=str(weights))[0] == str(weights)
    assert plan(architecture=str(description))[0] == str(description)
    assert plan(architecture="yolov8s.yaml")[0] == "yolov8s.yaml"


def test_known_architectures_are_detectors_with_a_size() -> None:
    known = known_architectures()
    assert {"yolo11n", "yolo11l", "yolov8s", "yolo26n", "yolov10n", "yolov9c"} <= set(known)
    assert not [name for name in known if "seg" in name or "rtdetr" in name]
    assert "yolo11" not in known


def test_without_an_environment_there_is_a_seed(configs: Configs, tmp_path: Path) -> None:
    given = configs()
    sections = (given["model_config"], given["training_config"], given["dataset_config"])
    _, arguments = plan_training(*sections, None, tmp_path)
    assert arguments["seed"] == 42


def test_the_namespaces_of_these_tests_have_the_fields_of_the_scenario(configs: Configs) -> None:
    import scenario

    real = {
        "model_config": scenario.ModelConfig,
        "training_config": scenario.TrainingParams,
        "dataset_config": scenario.DatasetConfig,
        "environment_config": scenario.EnvironmentConfig,
    }
    for name, section in configs().items():
        assert isinstance(section, SimpleNamespace)
        assert set(vars(section)) <= set(real[name].model_fields)
