"""What each inference backend can do, as data, and where to find it.

Importing this module loads no inference library; asking for a backend loads only its own.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from ..contracts.errors import (
    BackendUnavailableError,
    ConfigurationError,
    MissingDependencyError,
)
from ..contracts.ports import Backend, Session
from ..contracts.results import DetectorPackage, ExportRequest
from ..support.suggestions import did_you_mean

if TYPE_CHECKING:
    from ..contracts.ports import ImageArray
    from ..contracts.quantisation import RecipeExporter

METHODS = ("static", "dynamic", "qat")
PRECISIONS = ("fp32", "fp16", "int8")
CALIBRATION_METHODS = ("entropy", "minmax", "percentile")
ALIASES = MappingProxyType({"native": "pytorch", "onnxruntime": "onnx"})


@dataclass(frozen=True)
class BackendInfo:
    """One backend, described.

    Args:
        name: as in DetectorSpec.backend.
        label: for people.
        library: module that runs the files.
        precisions: precision → int8 methods it can make; () where methods don't apply. 'qat'
            is made by its exporter, not by an export.
        file_kind: suffix of the file it opens.
        module, class_name: where it is implemented, relative to this package.
        requirements: distributions needed to run (not to make) its files.
        install: command that installs them.
        exporter: module and class that make int8 packages by recipes; () where there is none.
    """

    name: str
    label: str
    library: str
    precisions: Mapping[str, tuple[str, ...]]
    file_kind: str
    module: str
    class_name: str
    requirements: tuple[str, ...]
    install: str
    recipe_exporter: tuple[str, str] | tuple[()] = ()

    def supports(self, precision: str, method: str = "static") -> bool:
        """Whether it can export this precision (and, for int8, by this method)."""
        methods = self.precisions.get(precision)
        return methods is not None and (not methods or method in methods)


CATALOGUE: Mapping[str, BackendInfo] = MappingProxyType(
    {
        "pytorch": BackendInfo(
            name="pytorch",
            label="PyTorch",
            library="ultralytics",
            precisions={"fp32": (), "fp16": ()},
            file_kind=".pt",
            module="pytorch",
            class_name="PytorchBackend",
            # ultralytics itself brings this OpenCV; the headless one would overwrite its files
            requirements=("torch", "torchvision", "ultralytics", "numpy", "opencv-python"),
            install="pip install ultralytics torch torchvision",
        ),
        "onnx": BackendInfo(
            name="onnx",
            label="ONNX Runtime",
            library="onnxruntime",
            precisions={"fp32": (), "fp16": (), "int8": ("static", "dynamic")},
            file_kind=".onnx",
            module="onnx.runtime",
            class_name="OnnxBackend",
            requirements=("onnxruntime", "numpy", "opencv-python-headless"),
            install="pip install onnx onnxruntime onnxslim",
            recipe_exporter=("onnx.recipes", "OnnxRecipeExporter"),
        ),
        "openvino": BackendInfo(
            name="openvino",
            label="OpenVINO",
            library="openvino",
            precisions={"fp32": (), "fp16": (), "int8": ("static", "qat")},
            file_kind=".xml",
            module="openvino.runtime",
            class_name="OpenvinoBackend",
            requirements=("openvino", "numpy", "opencv-python-headless"),
            install="pip install openvino nncf",
            recipe_exporter=("openvino.recipes", "OpenvinoRecipeExporter"),
        ),
        "tensorrt": BackendInfo(
            name="tensorrt",
            label="TensorRT",
            library="tensorrt",
            precisions={"fp32": (), "fp16": (), "int8": ("static",)},
            file_kind=".engine",
            module="tensorrt_runtime",
            class_name="TensorrtBackend",
            requirements=(
                "tensorrt",
                "torch",
                "nvidia-ml-py",
                "numpy",
                "opencv-python-headless",
            ),
            install="pip install guardianflow[tensorrt]",
        ),
    }
)

OPENCV_DISTRIBUTIONS = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
)


def backend_info(name: str) -> BackendInfo:
    """Look a backend up by name or alias.

    Raises:
        ConfigurationError: unknown; names the nearest.
    """
    known = ALIASES.get(name.strip().lower(), name.strip().lower())
    if known in CATALOGUE:
        return CATALOGUE[known]
    choices = [*CATALOGUE, *ALIASES]
    raise ConfigurationError(unknown("backend", name, choices))


def get_backend(name: str) -> Backend:
    """The backend of this name, ready to export and open.

    Raises:
        ConfigurationError: unknown name; says which was probably meant.
        MissingDependencyError: its library is not installed.
    """
    info = backend_info(name)
    if importlib.util.find_spec(info.library) is None:
        raise MissingDependencyError(info.library, f"the {info.label} backend", info.install)
    module = importlib.import_module(f".{info.module}", __package__)
    return cast(Backend, getattr(module, info.class_name)())


def open_session(
    package: DetectorPackage, *, batch_size: int = 1, device: str = "auto", mode: str = "latency"
) -> Session:
    """Open a package with the backend it was made for; raises as `Backend.open` does."""
    backend = get_backend(package.spec.backend)
    return backend.open(package, batch_size=batch_size, device=device, mode=mode)


def open_recipe_exporter(
    backend: str, source: DetectorPackage, calibration: Sequence[ImageArray], cache_dir: Path
) -> RecipeExporter:
    """What makes int8 packages of `source` by recipes, to be closed when done with.

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
        able = ", ".join(other.name for other in CATALOGUE.values() if other.recipe_exporter)
        raise BackendUnavailableError(
            f"{info.label} makes no int8 by recipes; a search needs one of {able}. Leave "
            "quantization.search out to export this backend's own precisions"
        )
    if importlib.util.find_spec(info.library) is None:
        raise MissingDependencyError(info.library, f"the {info.label} backend", info.install)
    module_name, class_name = info.recipe_exporter
    module = importlib.import_module(f".{module_name}", __package__)
    return cast("RecipeExporter", getattr(module, class_name)(source, calibration, cache_dir))


def check_request(info: BackendInfo, request: ExportRequest) -> None:
    """Check that a backend can make what is asked, before any work.

    Raises:
        ConfigurationError: words that mean nothing here; all of them at once.
        BackendUnavailableError: they mean something this backend can't do; names what it can.
    """
    problems = [
        unknown(field, value, choices)
        for field, value, choices in (
            ("precision", request.precision, PRECISIONS),
            ("method", request.method, METHODS),
            ("calibration_method", request.calibration_method, CALIBRATION_METHODS),
        )
        if value not in choices
    ]
    if problems:
        raise ConfigurationError(problems)
    if request.precision == "int8" and request.method == "qat":
        raise BackendUnavailableError(
            no_training(info.name)
            if not info.supports("int8", "qat")
            else "method 'qat' trains, which an export can't: run a quant stage with "
            "quantization.method 'qat', or use a exporter's make_trained"
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
    """Why this backend's networks can't be trained on quantised, and what to do."""
    able = " or ".join(info.name for info in CATALOGUE.values() if info.supports("int8", "qat"))
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


def requirements_for(backend: str) -> list[str]:
    """Pinned pip requirements to run a package of this backend, e.g. 'openvino==2026.4.1'.

    Whichever build of OpenCV is installed gives the version; all builds share their numbers.

    Raises:
        ConfigurationError: unknown backend.
        MissingDependencyError: one of them is not installed, so no version is known to work.
    """
    pinned = []
    for name in backend_info(backend).requirements:
        source = _installed_opencv() if name.startswith("opencv-") else name
        pinned.append(f"{name}=={library_version(source)}")
    return pinned


def _installed_opencv() -> str:
    installed = {d.metadata["Name"] for d in importlib.metadata.distributions()}
    return next((n for n in OPENCV_DISTRIBUTIONS if n in installed), OPENCV_DISTRIBUTIONS[0])


def unknown(field: str, value: str, choices: Sequence[str]) -> str:
    """'field must be one of … but got …', with the nearest choice."""
    hint = did_you_mean(value, choices, 1)
    return f"{field} must be one of {', '.join(choices)} but got '{value}'{hint}"
