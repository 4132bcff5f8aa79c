"""The code of a logged detector: mlflow runs this file where it loads the model.

It runs on its own, not as part of this project: nothing of ours is imported here by name. The
modules that find objects lie beside it in the model under `code/`, as the package that the
model's configuration names in 'runtime'.

    model = mlflow.pyfunc.load_model("models:/NAME@champion")
    model.predict(images)                                  one row per object found
    model.predict(images, params={"confidence": 0.5, "iou": 0.45})

`images` may be a uint8 array H×W×3 or N×H×W×3 (RGB), a list of such arrays of any sizes, image
files' paths, their content as bytes or base64 text, a list of these, or a table with a column
'image' of these. A server started by `mlflow models serve` takes base64 text and pixel lists
and opens no path: who may call it may not read its files.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import importlib
import importlib.util
import os
import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

COLUMNS = {
    "image": "int64",
    "x1": "float64",
    "y1": "float64",
    "x2": "float64",
    "y2": "float64",
    "confidence": "float64",
    "class_id": "int64",
    "class_name": "object",
}
_EXPECTED = (
    "a uint8 array H×W×3 (RGB), a path of an image file, or its content as bytes or base64 text"
)
# A path longer than this is none, and asking the file system would raise.
_PATH_LIMIT = 4096


class DetectorModel(PythonModel):  # type: ignore[misc]  # mlflow has no types
    """Runs the detector package under the model's artifacts."""

    def load_context(self, context: Any) -> None:
        """Check the package's files and open them.

        The configuration may name a 'device' and a 'batch_size' for this machine:
        `load_model(uri, model_config={"device": "cpu"})`.
        """
        settings = context.model_config
        runtime = settings["runtime"]
        _check_runtime(runtime)
        detector = importlib.import_module(f"{runtime}.detector")
        results = importlib.import_module(f"{runtime}.contracts.results")
        self._errors = importlib.import_module(f"{runtime}.contracts.errors")
        self._decode = importlib.import_module(f"{runtime}.support.pictures.decoding").decode
        try:
            package = results.DetectorPackage.load(Path(context.artifacts["detector"]), alone=True)
        except self._errors.SourceError as exc:
            raise _changed("its files or its detector.json", str(exc)) from exc
        if package.digest != settings["sha256"]:
            raise _changed(
                "its detector.json", f"sha256 {package.digest}, not {settings['sha256']}"
            )
        self._detector = detector.Detector.open(
            package,
            batch_size=int(settings.get("batch_size", 1)),
            device=str(settings.get("device", "auto")),
        )
        # A server calls from several threads; a backend's session serves one at a time.
        self._one_at_a_time = threading.Lock()

    # mlflow can infer no schema from an array's hint, and so lets every form above through.
    def predict(
        self, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Find objects.

        Args:
            model_input: see the module's head.
            params: 'confidence' and 'iou', each in 0…1; the deployed thresholds where absent.

        Returns:
            A row per object, best first within an image: image (index in the input), x1, y1,
            x2, y2 (pixels of the image as given), confidence, class_id, class_name. No rows
            when nothing is found.

        Raises:
            MlflowException: INVALID_PARAMETER_VALUE; says which image is wrong and how.
        """
        images = [
            _decoded(item, index, self._decode) for index, item in enumerate(_items(model_input))
        ]
        wanted = params or {}
        try:
            with self._one_at_a_time:
                found = self._detector.predict(
                    images, confidence=wanted.get("confidence"), iou=wanted.get("iou")
                )
        except self._errors.EvaluationError as exc:
            raise MlflowException.invalid_parameter_value(str(exc)) from exc
        return _table(found, self._detector.class_names)


def _check_runtime(name: str) -> None:
    """Compare the modules under `code/` with the digits at the end of their package's name.

    Nothing of them has run yet: finding a package does not import it.
    """
    digits = re.search("_([0-9a-f]{12})$", name)
    if digits is None:  # not a copy: the project itself, from a test of this module
        return
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise _changed("its code", f"no package {name}")
    folder = Path(found.origin).parent
    digest = hashlib.sha256()
    for module in sorted(folder.rglob("*.py")):
        digest.update(f"{module.relative_to(folder).as_posix()}\0".encode())
        digest.update(module.read_bytes())
    if digest.hexdigest()[:12] != digits[1]:
        raise _changed("its code", f"sha256 {digest.hexdigest()[:12]}, not as in {name}")


def _changed(what: str, how: str) -> MlflowException:
    return MlflowException(
        f"this model is not what was registered: {what} was changed ({how}). Load another "
        "version, or fetch it again from the registry"
    )


def _table(found: list[Any], class_names: tuple[str, ...]) -> pd.DataFrame:
    rows = [
        (index, *map(float, box), float(score), int(class_id), class_names[int(class_id)])
        for index, detections in enumerate(found)
        for box, score, class_id in zip(
            detections.boxes_xyxy, detections.scores, detections.class_ids, strict=True
        )
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _items(given: Any) -> list[Any]:
    """The input as a list with one entry per image, not decoded yet."""
    if isinstance(given, (pd.DataFrame, Mapping)):
        if "image" not in given:
            raise _refused(f"a table with the columns {', '.join(map(str, given))}")
        return _items(list(np.atleast_1d(np.asarray(given["image"], dtype=object))))
    if isinstance(given, pd.Series):
        return list(given)
    if isinstance(given, np.ndarray):
        if given.dtype.kind in "OSU":
            return list(given.ravel())
        if given.ndim == 4:
            return list(given)
        return [given]
    if isinstance(given, (list, tuple)):
        if _depth(given) == 3:  # one image's pixels, as JSON brings them
            return [given]
        return [item["image"] if _is_record(item) else item for item in given]
    return [given]


def _is_record(item: Any) -> bool:
    return isinstance(item, Mapping) and "image" in item


def _depth(given: Any) -> int:
    depth = 0
    while isinstance(given, (list, tuple)) and given:
        given, depth = given[0], depth + 1
    return depth


def _decoded(item: Any, index: int, decode: Callable[[bytes], np.ndarray]) -> np.ndarray:
    """One image as uint8, H×W×3, RGB."""
    where = f"image {index}"
    if isinstance(item, (list, tuple)):
        try:
            item = np.asarray(item)
        except ValueError as exc:  # rows of different lengths
            raise _refused(f"{where}, a list of uneven rows", exc) from exc
    if isinstance(item, (bytes, bytearray, memoryview)):
        return _from_content(bytes(item), where, decode)
    if isinstance(item, os.PathLike):
        item = os.fspath(item)
    if isinstance(item, str):
        return _from_content(_content_of_text(item, where), where, decode)
    if not isinstance(item, np.ndarray):
        raise _refused(f"{where}, of type {type(item).__name__}")
    pixels = item
    if pixels.dtype.kind in "iu" and pixels.dtype != np.uint8 and pixels.size:
        if pixels.min() < 0 or pixels.max() > 255:
            raise _refused(f"{where}, with values from {pixels.min()} to {pixels.max()}")
        pixels = pixels.astype(np.uint8)  # JSON knows no uint8
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise _refused(f"{where}, {pixels.dtype} of shape {pixels.shape}")
    return pixels


def _content_of_text(text: str, where: str) -> bytes:
    shown = text if len(text) <= 60 else text[:60] + "…"
    serving = os.environ.get("_MLFLOW_IS_IN_SERVING_ENVIRONMENT", "").lower() == "true"
    if not serving and len(text) < _PATH_LIMIT and "\x00" not in text:
        try:
            return Path(text).read_bytes()
        except OSError:
            pass  # not a file that can be read: then it must be base64
    encoded = text.partition("base64,")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as exc:
        kinds = "no base64 text" if serving else "neither a file that can be read nor base64 text"
        raise _refused(f"{where}, '{shown}': {kinds}", exc) from exc


def _from_content(content: bytes, where: str, decode: Callable[[bytes], np.ndarray]) -> np.ndarray:
    """The pixels of an image file, as where the detector was judged."""
    try:
        return decode(content)
    except ValueError as exc:
        raise _refused(f"{where}, {len(content)} bytes that are no image to use", exc) from exc


def _refused(what: str, cause: Exception | None = None) -> MlflowException:
    reason = f" ({cause})" if cause is not None else ""
    return MlflowException.invalid_parameter_value(
        f"an image must be {_EXPECTED}; a table has them in a column 'image'. Got {what}{reason}"
    )


set_model(DetectorModel())
