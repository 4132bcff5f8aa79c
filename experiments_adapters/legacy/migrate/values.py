"""The values a script trains with → fields of a scenario, each with its origin.

A field whose value the script leaves to Ultralytics gets Ultralytics' own default, written down.
What can't be known gets a value that lets the file be read, and a TODO beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from experiments_adapters.yolo.arguments import OPTIMIZERS, SAID_ELSEWHERE

from ..scan.syntax import UNKNOWN
from ..weights import SIZE_NAMES
from .train_calls import Argument, TrainCall, is_number

# Ultralytics' own, of a call that says nothing. lr0 matters only where an optimizer is named.
EPOCHS, BATCH, IMGSZ, PATIENCE, SEED, LR0 = 100, 16, 640, 100, 0, 0.01
FIELDS = {
    argument: field.rpartition(".")[2]
    for argument, field in SAID_ELSEWHERE.items()
    if argument != "model"
}
"""Argument of Ultralytics → the field in which a scenario says the same."""
PLACES = ("project", "name", "exist_ok", "save_dir", "save", "mode", "task")
"""Arguments that say where results go: GuardianFlow gives each run its own place."""
TODO = "TODO"
_ARCHITECTURE = re.compile(r"(?:^|[^a-z])(yolo(?:v\d+|\d+)[nslmxctbe])(?![a-z])", re.I)
_KINDS_OF_NETWORKS = {
    "-seg": "a network that segments",
    "-pose": "a network for poses",
    "-obb": "a network of turned boxes",
    "-cls": "a classifier",
    "yoloe": "an open-vocabulary YOLOE",
    "world": "an open-vocabulary YOLO-World",
    "rtdetr": "an RT-DETR",
    "yolo_nas": "a YOLO-NAS",
    "sam": "a SAM",
}
_NO_DETECTOR = re.compile(
    r"(-(?:seg|pose|obb|cls)(?![a-z])|yoloe(?![a-z])|world(?=v?\d|$)|rtdetr|yolo_nas"
    r"|(?<![a-z])sam(?![a-z]))",
    re.I,
)


@dataclass(frozen=True)
class Value:
    """A field's value.

    Args:
        note: what the script says, or what somebody must do.
        todo: somebody must look at it.
        unsaid: the script says none, so it is what Ultralytics would take.
    """

    value: object
    note: str = ""
    todo: bool = False
    unsaid: bool = False


@dataclass
class Fields:
    """A scenario's sections as far as a script decides them; see scenario_text.py."""

    model: dict[str, Value] = field(default_factory=dict)
    dataset: dict[str, Value] = field(default_factory=dict)
    environment: dict[str, Value] = field(default_factory=dict)
    training: dict[str, Value] = field(default_factory=dict)
    options: dict[str, Value] = field(default_factory=dict)
    not_taken: list[str] = field(default_factory=list)


def fields_of_call(call: TrainCall, directory: Path) -> Fields:
    """The fields of one call of `train`.

    Args:
        directory: where the script runs: relative paths begin there.
    """
    given = {FIELDS[each.name]: each for each in call.arguments if each.name in FIELDS}
    fields = _fields(given, call.weights, directory)
    training = fields.training
    training["optimizer"] = optimizer = _optimizer(given.get("optimizer"))
    rate = given.get("learning_rate")
    if optimizer.value != "auto":
        training["learning_rate"] = _rate(rate)
    elif rate is not None:
        fields.not_taken.append(f"lr0={rate.code}: without an optimizer Ultralytics ignores it")
    ending = next((each for each in call.arguments if each.name == "lrf"), None)
    constant = (
        ending is not None and ending.value in (1, 1.0) and not isinstance(ending.value, bool)
    )
    training["scheduler"] = _scheduler(given.get("scheduler"), constant=constant)
    training["early_stopping"] = _whole(given.get("early_stopping"), PATIENCE, at_least=0)
    for each in call.arguments:
        if each.name in PLACES:
            fields.not_taken.append(f"{each.name}={each.code}: GuardianFlow gives the place")
        elif each.name == "resume":
            fields.not_taken.append(f"resume={each.code}: this draft always starts anew")
        elif each.name not in FIELDS and not (
            each is ending and training["scheduler"].value == "constant"
        ):
            _option(fields, each)
    return fields


def network_that_is_no_detector(weights: object) -> str:
    """What a network by this name is, where it is none of the detectors of a scenario; else ''."""
    found = _NO_DETECTOR.search(Path(weights).stem) if isinstance(weights, str) else None
    return _KINDS_OF_NETWORKS[found[1].lower()] if found else ""


def fields_of_script(
    values: Mapping[str, object], data: tuple[str, ...], weights: tuple[str, ...], directory: Path
) -> Fields:
    """The fields of a script that is run as it is, from its options and the paths in its code.

    Args:
        values: of its options, by name; UNKNOWN where one has none.
    """
    given = {
        name: Argument(each, each, values[each])
        for name, called in OPTION_NAMES.items()
        for each in called[::-1]  # of two options the first name wins
        if each in values
    }
    for name, written, found in (("weights_path", "weights", weights), ("path", "data", data)):
        if len(found) == 1:
            given.setdefault(name, Argument(written, repr(found[0]), found[0]))
    start = given.get("weights_path", Argument("weights", "?", UNKNOWN))
    fields = _fields(given, start, directory)
    if "weights_path" not in given:
        fields.model["weights_path"] = Value(None, "where the script starts from weights", True)
    fields.training["learning_rate"] = _rate(given.get("learning_rate"))
    unsaid = {"optimizer": "adamw", "scheduler": "linear", "early_stopping": 0}
    fields.training |= {name: _unsaid(usual) for name, usual in unsaid.items()}
    for section in (fields.model, fields.environment, fields.training):
        for name, value in section.items():
            if value.unsaid:  # what Ultralytics would do says nothing of this script
                section[name] = Value(value.value, "what the script really uses", True)
    return fields


OPTION_NAMES = {
    "epochs": ("epochs", "epoch", "num_epochs", "n_epochs", "max_epochs"),
    "batch_size": ("batch_size", "batch", "batchsize", "bs"),
    "learning_rate": ("learning_rate", "lr", "lr0"),
    "input_size": SIZE_NAMES,
    "path": ("data", "data_yaml", "dataset", "data_path"),
    "weights_path": ("weights", "model", "pretrained", "checkpoint"),
    "device": ("device", "gpu"),
    "seed": ("seed",),
}
"""Field of a scenario → what scripts call the option that says the same."""


def _fields(given: Mapping[str, Argument], weights: Argument, directory: Path) -> Fields:
    """Fields that a call's arguments and a script's options decide alike; `given` by field."""
    fields = Fields()
    _model(fields, weights, given.get("input_size"), directory)
    fields.dataset["path"] = _data(given.get("path"), directory)
    fields.environment["device"] = _device(given.get("device"))
    fields.environment["seed"] = _whole(given.get("seed"), SEED, at_least=0)
    fields.training["epochs"] = _whole(given.get("epochs"), EPOCHS, at_least=1)
    fields.training["batch_size"] = _whole(given.get("batch_size"), BATCH, at_least=1)
    return fields


# --- single fields --------------------------------------------------------------------------------


def _unsaid(usual: object) -> Value:
    return Value(usual, "Ultralytics' default: the script says none", unsaid=True)


def _model(fields: Fields, weights: Argument, size: Argument | None, directory: Path) -> None:
    written = weights.value
    architecture, start = Value(TODO, "the network, like yolo11n", True), None
    if not isinstance(written, str):
        start = Value(TODO, f"the weights it starts from: {weights.code}", True)
    else:
        name = written if Path(written).suffix else f"{written}.pt"
        place = directory / Path(name).expanduser()
        if found := _ARCHITECTURE.search(Path(name).stem):
            architecture = Value(found[1].lower(), f"of {written}")
        if place.is_file():
            start = Value(str(place), f"{written} of the script")
        elif name.endswith((".yaml", ".yml")) and "/" in name:
            start = Value(str(place), "there is no such file", True)
        elif name.endswith((".yaml", ".yml")):  # one of Ultralytics' own, built from its name
            architecture = Value(Path(name).stem, f"{written} of the script")
        else:
            start = Value(
                str(place), "put the file there: unlike in the script, nothing is downloaded", True
            )
    fields.model["architecture"] = architecture
    fields.model["input_size"] = _whole(size, IMGSZ, at_least=32, step=32)
    if start is not None:
        fields.model["weights_path"] = start


def _data(given: Argument | None, directory: Path) -> Value:
    if given is None or not isinstance(given.value, str) or not given.value:
        said = f": {given.code}" if given else ""
        return Value(TODO, f"the data.yaml of the training{said}", True)
    if "://" in given.value:
        return Value(given.value)
    place = directory / Path(given.value).expanduser()
    if place.exists():
        return Value(str(place), f"{given.value} of the script")
    return Value(str(place), "there is no such file", True)


def _device(given: Argument | None) -> Value:
    if given is None or given.value in (None, ""):
        return Value("auto")
    text = str(given.value)
    if isinstance(given.value, (list, tuple)) or re.fullmatch(r"\d+(?:\s*,\s*\d+)+", text):
        return Value(
            "0", f"it was {text}: several GPUs report no epochs while they train; one is used", True
        )
    if given.value is not UNKNOWN and re.fullmatch(r"cpu|cuda|\d+|cuda:\d+", text):
        return Value(text, f"device={given.code}")
    return Value("auto", f"the script says {given.code}", True)


def _whole(given: Argument | None, usual: int, *, at_least: int, step: int = 1) -> Value:
    """A whole number that a scenario takes; else the usual one, to be looked at."""
    return _number(given, usual, lambda value: value >= at_least and not value % step)


def _rate(given: Argument | None) -> Value:
    return _number(given, LR0, lambda value: value > 0)


def _number(given: Argument | None, usual: float, fits: Callable[[float], bool]) -> Value:
    """A number of the usual one's type that fits; else the usual one, to be looked at."""
    if given is None:
        return _unsaid(usual)
    if is_number(given.value) and fits(given.value):
        return Value(type(usual)(given.value), f"{given.name}={given.code}")
    known = given.value is not UNKNOWN and repr(given.value) != given.code
    said = f"the script says {given.name}={given.code}{f': {given.value}' if known else ''}"
    return Value(usual, said, True)


def _optimizer(named: Argument | None) -> Value:
    """The optimizer; where none is named Ultralytics chooses it, and the learning rate with it."""
    if named is None:
        return Value("auto", "Ultralytics' default: it chooses the learning rate too", unsaid=True)
    optimizer = Value(str(named.value).lower(), f"optimizer={named.code}")
    if optimizer.value not in OPTIMIZERS:
        return Value("adamw", f"the script says optimizer={named.code}", True)
    return optimizer


def _scheduler(given: Argument | None, *, constant: bool = False) -> Value:
    cosine = given is not None and given.value is not False
    if constant and not cosine:
        return Value("constant", "lrf=1: it ends with the learning rate that it begins with")
    if given is None:
        return _unsaid("linear")
    if isinstance(given.value, bool):
        return Value("cosine" if given.value else "linear", f"cos_lr={given.code}")
    return Value("linear", f"the script says cos_lr={given.code}", True)


def _option(fields: Fields, given: Argument) -> None:
    if given.name == "**":
        fields.options["**"] = Value(None, f"the script passes **{given.code} on", True)
    elif given.name in ("cfg", "trainer", "model") or not _is_plain(given.value):
        fields.options[given.name] = Value(None, f"the script says {given.name}={given.code}", True)
    else:
        fields.options[given.name] = Value(given.value)


def _is_plain(value: object) -> bool:
    """Whether YAML can hold it."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(each) for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))
