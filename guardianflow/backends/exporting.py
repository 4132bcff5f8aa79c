"""What every exporter does alike: check the request, work out of sight, appear complete."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..contracts.errors import (
    BackendError,
    BackendUnavailableError,
    ConfigurationError,
    GuardianFlowError,
    MissingDependencyError,
)
from ..contracts.results import DetectorPackage, DetectorSpec, ExportRequest
from ..support.files import whole_directory
from ..support.foreign_libraries import environment as environment
from ..support.foreign_libraries import loggers_to_log as loggers_to_log
from ..support.foreign_libraries import prints_to_log as prints_to_log
from .quantisation.detection_tail import FLOAT_TAIL_RULE

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..contracts.ports import ImageArray


def require(module: str, needed_for: str, install: str) -> Any:
    """Import an optional library.

    Raises:
        MissingDependencyError: it is not installed.
        BackendUnavailableError: it is, and can't be loaded.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as exc:
        if exc.name != module.partition(".")[0]:
            raise BackendUnavailableError(
                f"{module} is installed but misses {exc.name}; reinstall it with: {install}"
            ) from exc
        raise MissingDependencyError(module.partition(".")[0], needed_for, install) from exc
    except (ImportError, OSError) as exc:
        raise BackendUnavailableError(
            f"{module} is installed but can't be loaded here ({exc}); reinstall it with: {install}"
        ) from exc


@contextlib.contextmanager
def foreign_errors(doing: str) -> Iterator[None]:
    """Turn a library's own exceptions into BackendError; ours pass as they are."""
    try:
        yield
    except GuardianFlowError:
        raise
    except Exception as exc:
        text = str(exc).strip() or type(exc).__name__
        raise BackendError(f"{doing} failed: {text}") from exc


@contextlib.contextmanager
def complete_or_absent(destination: Path) -> Iterator[Path]:
    """A directory to work in that becomes `destination` when all went well, else vanishes.

    Raises:
        ConfigurationError: `destination` exists already.
    """
    if destination.exists():
        raise ConfigurationError(
            f"{destination} exists already; choose another directory or remove it first"
        )
    destination.parent.mkdir(parents=True, exist_ok=True)
    with whole_directory(destination) as work:
        yield work


def finished_package(
    work: Path, destination: Path, source: DetectorSpec, **changes: Any
) -> DetectorPackage:
    """Describe the files in `work`; the package returned names `destination`, its future place."""
    spec = DetectorPackage.create(work, replace(source, **changes)).spec
    return DetectorPackage(destination, spec)


def check_source(source: DetectorPackage) -> None:
    """Raises ConfigurationError unless `source` is a PyTorch fp32 package."""
    if source.spec.backend != "pytorch":
        raise ConfigurationError(
            f"an export starts from a PyTorch detector but got one of '{source.spec.backend}'; "
            "name the training run, or a .pt file"
        )


class CalibrationImages:
    """Calibration images as float32 network inputs, checked one by one as they are read.

    Iterating gives float32, 1×3×S×S, 0…1, one after another, any number of times.

    Args:
        images: uint8, S×S×3, RGB, letterboxed.
        side: S.

    Raises:
        ConfigurationError: none given, or one of another shape or type.
    """

    def __init__(self, images: Sequence[ImageArray] | None, side: int) -> None:
        if images is None or len(images) == 0:
            raise ConfigurationError(
                "static int8 needs calibration images of the train split but got none; set "
                "quantization.calibration_size to 1 or more, or use method 'dynamic' or fp16"
            )
        self._images, self._side = images, side
        self.image(0)  # the others are checked as they are read; this one before any work is done

    def __len__(self) -> int:
        return len(self._images)

    def __iter__(self) -> Iterator[npt.NDArray[np.float32]]:
        for index in range(len(self)):
            yield network_input(self.image(index))

    def image(self, index: int) -> ImageArray:
        """One image, uint8 S×S×3, checked."""
        image = self._images[index]
        wanted = (self._side, self._side, 3)
        if image.dtype != np.uint8 or image.shape != wanted:
            raise ConfigurationError(
                f"calibration image {index} must be uint8 of shape {wanted} but is "
                f"{image.dtype} of {image.shape}; letterbox it to the detector's input_size"
            )
        return image


def network_input(image: ImageArray) -> npt.NDArray[np.float32]:
    """uint8 S×S×3 → float32 1×3×S×S in 0…1."""
    scaled = image.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
    return np.ascontiguousarray(scaled)


def lineage(
    source: DetectorPackage, libraries: Iterable[str], **facts: object
) -> Mapping[str, str]:
    """The source's lineage, what was done to it, and the versions of what did it."""
    versions = " ".join(f"{name}=={importlib.metadata.version(name)}" for name in libraries)
    done = {"source_digest": source.digest, "export_versions": versions}
    return {
        **source.spec.lineage,
        **done,
        **{name: str(value) for name, value in facts.items() if value is not None},
    }


def int8_facts(request: ExportRequest, done: Mapping[str, str], images: int) -> dict[str, str]:
    """Lineage of a quantisation: what was asked, what was really used.

    Args:
        done: 'used' (the calibration as the library did it), 'float_nodes', and where the graph
            is of no known structure 'structure_not_found'.
        images: number of calibration images; 0 where there are none.
    """
    missing = done.get("structure_not_found")
    return {
        "recipe": FLOAT_TAIL_RULE,
        **({"structure_not_found": missing} if missing else {}),
        "quantization_method": request.method,
        "calibration_method": request.calibration_method if images else "none",
        "calibration_method_used": done["used"],
        "calibration_images": str(images),
        "float_nodes": done["float_nodes"],
    }
