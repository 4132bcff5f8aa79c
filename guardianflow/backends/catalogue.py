"""The inference backends there are: an entry each, and what opens them.

An entry says all that other rooms need to know of a backend; `contracts.backends.BackendInfo` says
what that is. A backend of a package of its own has its entry there, as an entry point.

Importing this module loads no inference library; asking for a backend loads only its own.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..contracts.backends import DEFAULT, ENTRY_POINTS, SOURCE, BackendInfo, BackendRuntime
from ..contracts.detector_package import PRECISIONS
from ..contracts.errors import (
    BackendUnavailableError,
    ConfigurationError,
    MissingDependencyError,
)
from ..contracts.ports import Backend, Session
from ..contracts.quantisation import HARDSWISH, PRESETS, RELU
from ..contracts.results import DetectorPackage, ExportRequest
from ..support.suggestions import did_you_mean

if TYPE_CHECKING:
    from ..contracts.ports import ImageArray
    from ..contracts.quantisation import RecipeExporter

METHODS = ("static", "dynamic", "qat")
CALIBRATION_METHODS = ("entropy", "minmax", "percentile")
LOGGER = logging.getLogger(__name__)

OURS = (
    BackendInfo(
        name=SOURCE,
        label="PyTorch",
        library="ultralytics",
        distribution="torch",
        aliases=("native",),
        precisions={"fp32": (), "fp16": ()},
        file_kind=".pt",
        module=".pytorch",
        class_name="PytorchBackend",
        # ultralytics itself brings this OpenCV; the headless one would overwrite its files
        requirements=("torch", "torchvision", "ultralytics", "numpy", "opencv-python"),
        install="pip install ultralytics torch torchvision",
        hardware=("cpu", "cuda"),
        gpu_precisions=("fp16",),
        reader=(".weights.weight_files", "read_pt"),
        pickled=True,
    ),
    BackendInfo(
        name="onnx",
        label="ONNX Runtime",
        library="onnxruntime",
        aliases=("onnxruntime",),
        precisions={"fp32": (), "fp16": (), "int8": ("static", "dynamic")},
        file_kind=".onnx",
        module=".onnx.runtime",
        class_name="OnnxBackend",
        requirements=("onnxruntime", "numpy"),
        install="pip install onnx onnxruntime onnxslim",
        hardware=("cpu", "cuda"),
        recipe_exporter=(".onnx.recipes", "OnnxRecipeExporter"),
        activations=(HARDSWISH, RELU),
        reader=(".weights.weight_files", "read_onnx"),
    ),
    BackendInfo(
        name="openvino",
        label="OpenVINO",
        library="openvino",
        precisions={"fp32": (), "fp16": (), "int8": ("static", "qat")},
        file_kind=".xml",
        module=".openvino.runtime",
        class_name="OpenvinoBackend",
        requirements=("openvino", "numpy"),
        install="pip install openvino nncf",
        is_device=True,
        recipe_exporter=(".openvino.recipes", "OpenvinoRecipeExporter"),
        activations=(HARDSWISH,),
        presets=PRESETS,
        reader=(".weights.weight_files", "read_xml"),
    ),
    BackendInfo(
        name="tensorrt",
        label="TensorRT",
        library="tensorrt",
        precisions={"fp32": (), "fp16": (), "int8": ("static",)},
        file_kind=".engine",
        module=".tensorrt_runtime",
        class_name="TensorrtBackend",
        requirements=("tensorrt", "torch", "nvidia-ml-py", "numpy"),
        install="pip install guardianflow[tensorrt]",
        hardware=("cuda",),
        is_device=True,
        reader=(".weights.weight_files", "read_engine"),
    ),
)


class _Catalogue(Mapping[str, BackendInfo]):
    """Name → entry: ours, then those that installed packages bring.

    Read when it is first asked: a package's entry may lie beside code that imports this module.
    """

    @cached_property
    def _entries(self) -> dict[str, BackendInfo]:
        found = {info.name: info for info in OURS}
        for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
            try:
                info = entry.load()
                found.setdefault(info.name, info)  # nobody replaces ours
            except Exception as exc:  # somebody else's code
                told = f"{entry.name} = {entry.value}"
                LOGGER.warning("entry point %s is no backend and is left out: %s", told, exc)
        return found

    def __getitem__(self, name: str) -> BackendInfo:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


CATALOGUE = _Catalogue()


def made_names() -> tuple[str, ...]:
    """Backends that files are made for from a trained detector, the usual one first."""
    return tuple(sorted((name for name in CATALOGUE if name != SOURCE), key=DEFAULT.__ne__))


def device_names() -> tuple[str, ...]:
    """Backends that `environment.device` may name."""
    return tuple(info.name for info in CATALOGUE.values() if info.is_device)


HEADLESS_OPENCV = "opencv-python-headless"
OPENCV_DISTRIBUTIONS = (
    HEADLESS_OPENCV,
    "opencv-python",
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
)


def backend_info(name: str) -> BackendInfo:
    """Look a backend up by name or alias.

    Raises:
        ConfigurationError: unknown; names the nearest.
    """
    aliases = {alias: info.name for info in CATALOGUE.values() for alias in info.aliases}
    known = name.strip().lower()
    known = aliases.get(known, known)
    if known in CATALOGUE:
        return CATALOGUE[known]
    raise ConfigurationError(unknown("backend", name, [*CATALOGUE, *aliases]))


def device_for(device: str, backend: str) -> str:
    """`environment.device` for one backend; another backend, or a device of its, is none there."""
    owner = device.partition(":")[0]
    return "auto" if owner in device_names() and owner != backend else device


def own_device(device: str) -> tuple[str, str]:
    """The backend that a device belongs to and its name there: 'openvino:GPU' → openvino, GPU.

    ('', '') for any other device.
    """
    owner, _, name = device.partition(":")
    return (owner, name) if name and owner in device_names() else ("", "")


def load(place: tuple[str, ...]) -> Any:
    """Import what an entry names by module and attribute."""
    module, attribute = place
    return getattr(importlib.import_module(module, __package__), attribute)


def _require_library(info: BackendInfo) -> None:
    if importlib.util.find_spec(info.library) is None:
        raise MissingDependencyError(info.library, f"the {info.label} backend", info.install)


def get_backend(name: str) -> Backend:
    """The backend of this name, ready to export and open.

    Raises:
        ConfigurationError: unknown name; says which was probably meant.
        MissingDependencyError: its library is not installed.
    """
    info = backend_info(name)
    _require_library(info)
    return cast(Backend, load((info.module, info.class_name))())


def open_session(
    package: DetectorPackage, *, batch_size: int = 1, device: str = "auto", mode: str = "latency"
) -> Session:
    """Open a package with the backend it was made for; raises as `Backend.open` does."""
    backend = get_backend(package.spec.backend)
    return backend.open(package, batch_size=batch_size, device=device, mode=mode)


def open_recipe_exporter(
    backend: str, source: DetectorPackage, calibration: Sequence[ImageArray], cache_dir: Path
) -> RecipeExporter:
    """Open what makes int8 packages of `source` by recipes; to be closed when done with.

    Args:
        backend: name or alias.
        source: a PyTorch package.
        calibration: letterboxed images of the train split, uint8 S×S×3 RGB; read lazily.
        cache_dir: where calibrations are kept; made where it is missing.

    Raises:
        ConfigurationError: unknown backend, no images, a source of another kind.
        BackendUnavailableError: the backend knows no recipes; names those that do.
        MissingDependencyError: its library, or what quantises for it, is not installed.
    """
    info = backend_info(backend)
    if not info.recipe_exporter:
        able = ", ".join(other.name for other in CATALOGUE.values() if other.searchable)
        raise BackendUnavailableError(
            f"{info.label} makes no int8 by recipes; a search needs one of {able}. Leave "
            "quantization.search out to export this backend's own precisions"
        )
    _require_library(info)
    exporter: RecipeExporter = load(info.recipe_exporter)(source, calibration, cache_dir)
    return exporter


def check_request(info: BackendInfo, request: ExportRequest) -> None:
    """Check that a backend can make what is asked, before any work.

    Raises:
        ConfigurationError: words that mean nothing here; all of them at once.
        BackendUnavailableError: they mean something this backend can't do; names what it can.
    """
    check_words(
        ("precision", request.precision, PRECISIONS),
        ("method", request.method, METHODS),
        ("calibration_method", request.calibration_method, CALIBRATION_METHODS),
    )
    if request.precision == "int8" and request.method == "qat":
        raise BackendUnavailableError(
            no_training(info.name)
            if not info.trainable
            else "method 'qat' trains, which an export can't: run a quant stage with "
            "quantization.method 'qat', or use a recipe exporter's make_trained"
        )
    if not info.supports(request.precision, request.method):
        can = [
            f"{precision} ({', '.join(methods)})" if methods else precision
            for precision, methods in info.precisions.items()
        ]
        asked = request.precision
        asked += f" by method '{request.method}'" if request.precision == "int8" else ""
        raise BackendUnavailableError(f"{info.label} can't make {asked}; it makes {', '.join(can)}")


def no_training(backend: str) -> str:
    """Says why this backend's networks can't be trained on quantised, and what to do."""
    able = " or ".join(info.name for info in CATALOGUE.values() if info.trainable)
    return (
        f"method 'qat' (quantisation-aware training) is not available for {backend}, only for "
        f"{able}; use method 'static', which calibrates on images of the train split"
    )


def library_version(distribution: str) -> str:
    """Installed version without its local part ('2.14.1+cpu' → '2.14.1').

    Raises:
        MissingDependencyError: not installed.
    """
    try:
        return importlib.metadata.version(distribution).partition("+")[0]
    except importlib.metadata.PackageNotFoundError as exc:
        raise MissingDependencyError(
            distribution, "pinning a detector's requirements", f"pip install {distribution}"
        ) from exc


def runtime_of(backend: str) -> BackendRuntime:
    """The module and pinned requirements ('openvino==2026.4.1') that run a backend elsewhere.

    Images are decoded by OpenCV there. Whichever build of it is installed here gives the version;
    all builds share their numbers.

    Raises:
        ConfigurationError: unknown backend.
        MissingDependencyError: one of them is not installed, so no version is known to work.
    """
    info = backend_info(backend)
    needed = list(info.requirements)
    if not any(name in OPENCV_DISTRIBUTIONS for name in needed):
        needed.append(HEADLESS_OPENCV)
    versions = {
        name: library_version(_installed_opencv() if name in OPENCV_DISTRIBUTIONS else name)
        for name in needed
    }
    return BackendRuntime(info.module, tuple(f"{n}=={version}" for n, version in versions.items()))


def _installed_opencv() -> str:
    there = (n for n in OPENCV_DISTRIBUTIONS if any(importlib.metadata.distributions(name=n)))
    return next(there, HEADLESS_OPENCV)


def check_words(*asked: tuple[str, str, Sequence[str]]) -> None:
    """Raises ConfigurationError for words that are not among their choices; all of them at once.

    Args:
        asked: field, word and choices of each.
    """
    problems = [unknown(*each) for each in asked if each[1] not in each[2]]
    if problems:
        raise ConfigurationError(problems)


def unknown(field: str, value: str, choices: Sequence[str]) -> str:
    """'field must be one of … but got …', with the nearest choice."""
    hint = did_you_mean(value, choices, 1)
    return f"{field} must be one of {', '.join(choices)} but got '{value}'{hint}"
