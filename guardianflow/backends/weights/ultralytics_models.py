"""Ultralytics checkpoints, opened without Ultralytics' side effects.

Left to itself the library looks for updates, installs packages, writes a settings file into the
user's configuration and sets OMP_NUM_THREADS for every child process. Here it is imported in an
environment that forbids all four; the environment is put back afterwards, and what the user has
set stays as the user has set it.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...contracts.errors import BackendError, SourceError
from ...support.foreign_libraries import loggers_to_log, quiet_ultralytics
from ..exporting import require
from . import checkpoints
from .pickle_archives import is_tar

INSTALL = "pip install ultralytics torch torchvision"
_OPENING = threading.Lock()


def import_ultralytics() -> Any:
    """The `ultralytics` package, imported without touching the user's settings or the network.

    Raises:
        MissingDependencyError: it is not installed.
    """
    require("torch", "a PyTorch detector", INSTALL)
    with quiet_ultralytics():
        return require("ultralytics", "a PyTorch detector", INSTALL)


def load_detector(
    weights: Path, accepted: Collection[str] = (), seen: checkpoints.Look | None = None
) -> Any:
    """The float32 model of a detection checkpoint, in eval mode on the CPU, not yet fused.

    A checkpoint is a pickle, and unpickling runs code. So it is looked at first and refused where
    it names anything that detectors don't need; see `checkpoints`.

    Args:
        accepted: names beyond those that somebody vouches for: the user, or a registered
            package's lineage (`checkpoints.accepted_by`).
        seen: what was found in the file already; None looks now.

    Raises:
        SourceError: not a checkpoint of an Ultralytics detector; says what it is. Or it would run
            something else; names it.
    """
    if not weights.is_file():
        raise SourceError(f"{weights} does not exist; name a .pt file on this machine")
    seen = seen or checkpoints.look(weights)
    if known := _no_checkpoint(seen):
        raise SourceError(f"{weights} is not an Ultralytics checkpoint: {known}")
    if seen.unknown(accepted):
        raise SourceError(checkpoints.refusal(seen, accepted))
    import_ultralytics()
    from ultralytics.nn.modules import Detect
    from ultralytics.nn.tasks import load_checkpoint

    try:
        with loggers_to_log("ultralytics"), _loading(seen):
            model, content = load_checkpoint(str(weights.resolve()))
    except SourceError:
        raise
    except (ModuleNotFoundError, AttributeError) as exc:
        raise SourceError(
            f"{weights} was pickled with code that is not here ({exc}); install what it was "
            "trained with, or export it to ONNX there"
        ) from exc
    except Exception as exc:
        raise SourceError(
            f"{weights} is not an Ultralytics checkpoint: {_what_it_holds(seen)} "
            f"({_first_line(exc)})"
        ) from exc
    task = getattr(model, "task", None)
    head = model.model[-1]
    # Subclasses of Detect put masks, keypoints or angles behind the class scores.
    plain = isinstance(head, Detect) and type(head).__name__ in ("Detect", "v10Detect")
    if task != "detect" or not plain:
        raise SourceError(
            f"{weights} must be a detection model but is a model for '{task}' with head "
            f"{type(head).__name__}"
        )
    # model.args has Ultralytics' own default, 640, where a checkpoint says nothing
    said = content.get("train_args")
    model.trained_size = square_side(said.get("imgsz") if isinstance(said, dict) else None)
    return model


def square_side(said: Any) -> int | None:
    """The side of an input, said by one number or by one for each side; None for anything else."""
    if isinstance(said, (list, tuple)):
        said = said[0] if said and all(each == said[0] for each in said) else None
    return said if isinstance(said, int) and said > 0 else None


def trained_size(model: Any) -> int | None:
    """The input size that a loaded detector was trained with; None where its file says none."""
    size: int | None = model.trained_size
    return size


@contextmanager
def _loading(seen: checkpoints.Look) -> Iterator[None]:
    """Let Ultralytics take what was looked at, instead of opening the file once more.

    Ultralytics knows what older versions called its classes, and corrects what they left out.
    """
    from ultralytics.nn import tasks

    def torch_load(*_: object, **__: object) -> Any:
        return checkpoints.load(seen)

    with _OPENING:
        before = tasks.torch_load
        tasks.torch_load = torch_load
        try:
            yield
        finally:
            tasks.torch_load = before


def is_end_to_end(model: Any) -> bool:
    """Whether the model has a one-to-one head, which needs no NMS (YOLOv10, YOLO26)."""
    head = model.model[-1]
    return getattr(head, "one2one_cv2", None) is not None or getattr(head, "cv2", 0) is None


def prepare(model: Any, output: str, input_size: int) -> Any:
    """Choose the head that `output` names, fuse batch norms, make the head return one tensor.

    Args:
        output: 'grid' or 'end_to_end', as in DetectorSpec.
        input_size: side of the input, pixels; bounds the detections of an end-to-end head.

    Raises:
        BackendError: the model has no such head.
    """
    head = model.model[-1]
    if output == "end_to_end" and not is_end_to_end(model):
        raise BackendError("output 'end_to_end' needs a one-to-one head, which this model lacks")
    if is_end_to_end(model):
        model.end2end = output == "end_to_end"  # before fusing, which drops the other head
    with loggers_to_log("ultralytics"):
        model = model.fuse(verbose=False).eval()
    head = model.model[-1]
    anchors = sum((input_size // int(stride)) ** 2 for stride in model.stride.tolist())
    head.export = True
    head.format = "onnx"
    head.dynamic = False
    head.max_det = min(300, anchors)
    head.shape = None  # anchors of an earlier input size are not valid for this one
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model


def class_names(model: Any) -> tuple[str, ...]:
    """Class names by class id."""
    names = model.names
    return tuple(str(names[i]) for i in range(len(names)))


def architecture(model: Any) -> str:
    """'yolo11n' where the checkpoint remembers the file it was built from; '' otherwise."""
    description = getattr(model, "yaml", None) or {}
    return Path(str(description.get("yaml_file", ""))).stem


def activations_in(model: Any) -> tuple[str, ...]:
    """Which of 'hardswish', 'relu', 'relu6' and 'silu' a network has, in this order."""
    found = {type(module).__name__.lower() for module in model.modules()}
    return tuple(sorted(found & {"hardswish", "relu", "relu6", "silu"}))


def _no_checkpoint(seen: checkpoints.Look) -> str:
    """Names what a file is that has not even the form of a checkpoint; '' for all others."""
    start = seen.content[:4]
    if not seen.content:
        return "the file is empty"
    if seen.torchscript:
        return "it is a TorchScript archive"
    if seen.unreadable and not start.startswith((b"PK", b"\x80")) and not is_tar(seen.content):
        return f"it starts with the bytes {start!r}"
    return ""


def _what_it_holds(seen: checkpoints.Look) -> str:
    try:
        content = checkpoints.load(seen)
    except Exception:
        return "it is a zip archive or pickle of something else"
    return f"it holds a {type(content).__name__}, as torch.save of a state_dict gives"


def _first_line(exc: BaseException) -> str:
    lines = str(exc).strip().splitlines()
    return f"{type(exc).__name__}: {lines[0][:200]}" if lines else type(exc).__name__
