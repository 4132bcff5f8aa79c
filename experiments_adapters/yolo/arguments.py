"""A scenario's words in Ultralytics' words; every disagreement is found before training starts."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardianflow.backends.catalogue import device_for
from guardianflow.backends.hardware import no_such_gpu
from guardianflow.contracts.backends import SOURCE
from guardianflow.contracts.errors import Problem, Problems, ScenarioError
from guardianflow.contracts.system import gpu_list
from guardianflow.support.suggestions import did_you_mean

if TYPE_CHECKING:
    from scenario import DatasetConfig, EnvironmentConfig, ModelConfig, TrainingParams

# Heads whose raw output is one of the two that GuardianFlow's detectors speak.
DETECTION_HEADS = ("Detect", "v10Detect")
OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "auto": "auto"}
# Ultralytics' names for what a scenario says in words of its own. As an option they would make
# the run's recorded parameters untrue, so they are refused.
SAID_ELSEWHERE = {
    "model": "model.architecture or model.weights_path",
    "data": "dataset.path",
    "epochs": "training.epochs",
    "batch": "training.batch_size",
    "lr0": "training.learning_rate",
    "optimizer": "training.optimizer",
    "cos_lr": "training.scheduler",
    "patience": "training.early_stopping",
    "imgsz": "model.input_size",
    "device": "environment.device",
    "seed": "environment.seed",
}
CPU_RANKS_VARIABLE = "GUARDIANFLOW_TRY_CPU_RANKS"
"""How many processes share a training on the CPU: to try that where there are no GPUs."""
_NOT_TO_BE_SET = ("project", "name", "save_dir", "exist_ok", "resume", "mode", "task", "cfg")


def plan_training(
    model: ModelConfig,
    training: TrainingParams,
    dataset: DatasetConfig,
    environment: EnvironmentConfig | None,
    save_dir: Path,
) -> tuple[str, dict[str, Any]]:
    """The source that Ultralytics builds the model from, and the keyword arguments of its `train`.

    Args:
        environment: None means device auto and seed 42.
        save_dir: absolute path; `weights/`, `results.csv` and plots are written into it.

    Returns:
        A .pt to fine-tune or a .yaml to start from scratch; the arguments.

    Raises:
        ScenarioError: with every problem: a model that is not there or no plain detector, options
            that are said elsewhere or unknown, values out of range, a device or data.yaml that is
            not here.
    """
    problems = Problems()
    source = _model_source(model, problems)
    arguments: dict[str, Any] = {
        "data": _data_yaml(dataset.path, problems),
        "epochs": training.epochs,
        "batch": training.batch_size,
        "imgsz": model.input_size,
        "optimizer": OPTIMIZERS.get(training.optimizer, training.optimizer),
        "cos_lr": training.scheduler == "cosine",
        "patience": training.early_stopping,
        "seed": environment.seed if environment else 42,
        "device": _device(environment.device if environment else "auto", problems),
        "plots": True,
        "save_dir": str(save_dir),
    }
    if training.optimizer != "auto":
        arguments["lr0"] = training.learning_rate
    if training.scheduler == "constant":
        arguments["lrf"] = 1.0  # the linear scheduler, going from lr0 to lr0
    _add_options(arguments, training.options, training.scheduler, problems)
    _check_shares(arguments, problems)
    if problems:
        raise ScenarioError(problems)
    return source, arguments


def _model_source(model: ModelConfig, problems: Problems) -> str:
    if model.weights_path is not None:
        return _weights_file(str(model.weights_path), problems)
    name = str(model.architecture)
    if name.endswith(".pt"):
        scratch = name.removesuffix(".pt")
        problems.add(
            f"is '{name}', but pretrained weights are not downloaded: put the file on this "
            f"machine and give its path as model.weights_path, or write '{scratch}' to train "
            "from scratch",
            "model.architecture",
        )
        return name
    if name.endswith((".yaml", ".yml")) and Path(name).is_file():
        return name
    name = name.removesuffix(".yaml")
    known = known_architectures()
    if name not in known:
        hint = did_you_mean(name, known) or "; for example yolo11n, yolo11s"
        problems.add(
            "must be a detector that Ultralytics can build, with its size in the name, but is "
            f"'{name}'{hint}",
            "model.architecture",
        )
    return f"{name}.yaml"


def known_architectures() -> list[str]:
    """Names of the detectors that this Ultralytics builds from scratch, each with its size."""
    from ultralytics.utils import ROOT, YAML

    names = []
    for file in sorted((ROOT / "cfg" / "models").rglob("*.yaml")):
        content = YAML.load(file)
        head = content.get("head") or [[None, None, ""]]
        if head[-1][2] not in DETECTION_HEADS:
            continue
        sizes = "".join(content.get("scales") or {})
        if sizes and re.search(r"\d$|\d-", file.stem):
            names += [
                re.sub(r"(\d+)(?=$|-)", rf"\g<1>{size}", file.stem, count=1) for size in sizes
            ]
        else:
            names.append(file.stem)
    return names


def _weights_file(path: str, problems: Problems) -> str:
    fault = ""
    if not path.endswith((".pt", ".yaml", ".yml")):
        fault = f"must be an Ultralytics .pt to fine-tune or a .yaml to build but is '{path}'"
    elif not Path(path).is_file():
        fault = (
            f"'{path}' does not exist, and weights are not downloaded: give the path of a .pt on "
            "this machine, or leave it out to train from scratch"
        )
    if fault:
        problems.add(fault, "model.weights_path")
    return str(Path(path).absolute())


def _data_yaml(path: object, problems: Problems) -> str:
    if not str(path).endswith((".yaml", ".yml")) or not Path(str(path)).is_file():
        problems.add(f"must be a data.yaml on this machine but is '{path}'", "dataset.path")
    return str(path)


def _device(name: object, problems: Problems) -> str:
    """Ultralytics' name of the device. Where a model shall run later does not bind training."""
    import torch

    text = device_for(str(name), SOURCE)
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if text in ("auto", "None", ""):
        return "0" if gpus else "cpu"
    if text in ("cpu", "mps"):
        return text
    text = "0" if text == "cuda" else text.removeprefix("cuda:")
    several = gpu_list(text)
    fault = ""
    if len(set(several)) < len(several):
        fault = f"must name each GPU once but is '{name}'"
    elif not several and not text.isdecimal():
        fault = f"must be auto, cpu, cuda, a GPU's number or several ('0,1') but is '{name}'"
    elif max(several or [int(text)]) >= gpus:
        fault = no_such_gpu(str(name), gpus)
    if fault:
        problems.add(fault, "environment.device")
    return ",".join(map(str, several)) or text


def ranks_of(device: str) -> tuple[str, ...]:
    """The devices of a training, one for each of its processes: '0,1' → ('0', '1').

    Args:
        device: in Ultralytics' words.
    """
    count = os.environ.get(CPU_RANKS_VARIABLE, "")
    if device == "cpu" and count.isdecimal():
        return (device,) * max(int(count), 1)
    return tuple(map(str, gpu_list(device))) or (device,)


def _check_shares(arguments: Mapping[str, Any], problems: Problems) -> None:
    """What several processes can't share out evenly: Ultralytics would leave the rest out."""
    count, batch = len(ranks_of(arguments["device"])), arguments["batch"]
    if batch % count:
        below = batch // count * count
        near = f"{below} or {below + count}" if below else str(count)
        problems.add(
            f"must be a multiple of {count}, as each of the {count} devices takes its share, but "
            f"is {batch}; the nearest is {near}",
            "training.batch_size",
        )
    if count > 1 and arguments.get("rect"):
        problems.add("must be false on several GPUs", "training.options.rect")


def _add_options(
    arguments: dict[str, Any],
    options: Mapping[str, Any],
    scheduler: str,
    problems: Problems,
) -> None:
    elsewhere = dict(SAID_ELSEWHERE)
    if scheduler == "constant":
        elsewhere["lrf"] = "training.scheduler (constant keeps the learning rate)"
    for name, value in options.items():
        where = f"training.options.{name}"
        if name in elsewhere:
            problems.add(f"set {elsewhere[name]} instead", where)
        elif name in _NOT_TO_BE_SET:
            problems.add("is GuardianFlow's own business; leave it out", where)
        else:
            problems += [Problem(text, where) for text in _refused(name, value)]
            arguments[name] = value


def _refused(name: str, value: object) -> list[str]:
    """Ultralytics' own words where it does not know an option or refuse its value."""
    from ultralytics.cfg import get_cfg
    from ultralytics.utils import LOGGER

    was_disabled = LOGGER.disabled
    LOGGER.disabled = True  # it would print its whole command-line help
    try:
        get_cfg(overrides={name: value})
    except (SyntaxError, TypeError, ValueError) as exc:
        return [" ".join(str(exc).split())]
    finally:
        LOGGER.disabled = was_disabled
    return []
