"""The files of a logged detector: what `mlflow.pyfunc.load_model` loads and serves.

    MLmodel, requirements.txt, …   signature, description and requirements, by mlflow
    detector_model.py              the model's code
    code/guardianflow_detector_…   the modules of ours that it needs
    artifacts/detector/            the package: weights and detector.json
    input_example.json             one image as base64 text

The signature names outputs and parameters, and no inputs. With an input schema mlflow 3.17 would
force every input into it: a tensor schema refuses base64 text and lists of images of different
sizes, a column schema refuses arrays of four dimensions. Without one every form reaches the
model, which checks it itself.
"""

from __future__ import annotations

import base64
import shutil
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..contracts.backends import BackendRuntime
from ..contracts.detector_package import SPEC_FILE, DetectorPackage, DetectorSpec
from ..support.files import scratch_folder
from .identity import DIGEST_TAG, description
from .runtime_copy import copy_runtime

if TYPE_CHECKING:
    from mlflow.models import Model, ModelSignature

PACKAGE_FOLDER = "detector"
PACKAGE_PATH = f"artifacts/{PACKAGE_FOLDER}"
MODEL_CODE = Path(__file__).with_name("detector_model.py")
_replacing = threading.Lock()

_OUTPUTS = {
    "image": "long",
    "x1": "double",
    "y1": "double",
    "x2": "double",
    "y2": "double",
    "confidence": "double",
    "class_id": "long",
    "class_name": "string",
}


def save_detector_model(
    package: DetectorPackage,
    destination: Path,
    runtime: BackendRuntime,
    model: Model,
) -> None:
    """Write the model's files.

    Args:
        package: verified; only the files that its description names are taken.
        destination: a directory that does not exist yet.
        runtime: what runs the package's backend.
        model: mlflow's record with the ids of the logged model and its run.
    """
    pyfunc = _pyfunc()
    with scratch_folder("guardianflow-model-") as scratch:
        files = scratch / PACKAGE_FOLDER
        for name in (*package.spec.files, SPEC_FILE):
            (files / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(package.directory / name, files / name)
        copied = copy_runtime(runtime.module, scratch)
        with _requirements_not_compared():
            pyfunc.save_model(
                path=str(destination),
                python_model=str(MODEL_CODE),
                artifacts={"detector": str(files)},
                code_paths=[str(copied)],
                model_config={
                    "runtime": copied.name,
                    DIGEST_TAG: package.digest,
                    "device": "auto",
                    "batch_size": 1,
                },
                signature=_signature(package.spec),
                input_example=[_example(package.spec.input_size)],
                pip_requirements=list(runtime.requirements),
                metadata=description(package),
                mlflow_model=model,
            )
    for cache in list(destination.rglob("__pycache__")):
        shutil.rmtree(cache)


@contextmanager
def _requirements_not_compared() -> Iterator[None]:
    """mlflow warns where this machine lacks a requirement; the model's own machine counts.

    To find that out it would list every file of every installed package: a second each time.
    """
    import mlflow.utils.environment as environment

    with _replacing:  # one thread could put back what another one had put there
        before = environment.warn_dependency_requirement_mismatches
        environment.warn_dependency_requirement_mismatches = lambda _: None
        try:
            yield
        finally:
            environment.warn_dependency_requirement_mismatches = before


def _pyfunc() -> Any:
    """mlflow.pyfunc; importing it warns of a hint in mlflow's own classes, which is not ours."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Any type hint is inferred as AnyType")
        import mlflow.pyfunc
    return mlflow.pyfunc


def said_in(mlmodel: Path) -> Mapping[str, Any]:
    """Reads what a logged model says of itself in its downloaded MLmodel file; {} for nothing."""
    from mlflow.models import Model

    return dict(Model.load(str(mlmodel)).metadata or {})


def _signature(spec: DetectorSpec) -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    return ModelSignature(
        outputs=Schema([ColSpec(kind, name) for name, kind in _OUTPUTS.items()]),
        params=ParamSchema(
            [
                ParamSpec("confidence", "double", spec.conf_threshold),
                ParamSpec("iou", "double", spec.iou_threshold),
            ]
        ),
    )


def _example(size: int) -> str:
    """A grey PNG as base64 text: how a client of the server sends an image."""
    import cv2

    written, content = cv2.imencode(".png", np.full((size, size, 3), 114, np.uint8))
    if not written:
        raise RuntimeError("OpenCV could not encode a grey PNG")
    return base64.b64encode(content.tobytes()).decode("ascii")
