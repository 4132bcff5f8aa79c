"""The logged model itself: every form of input, in processes with and without this project."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from databases import copy_database
from small_detectors import runtime_with

from guardianflow.contracts.results import DetectorPackage, RunRequest
from guardianflow.detector import Detector
from guardianflow.run_tracking.mlflow_store import MlflowStore
from guardianflow.run_tracking.registry import MlflowRegistry

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # mlflow.pyfunc warns of its own hints when it is imported
    import mlflow
    import mlflow.pyfunc
    from mlflow.exceptions import MlflowException

NAME = "동화/부산-1공장/용접/ppe"
URI = "models:/동화.부산-1공장.용접.ppe@champion"
# A white square image: the box of the tiny detector, twice as large as in its 32 px input.
WHITE = np.full((64, 64, 3), 255, np.uint8)
ROW = {
    "x1": 16.0,
    "y1": 24.0,
    "x2": 48.0,
    "y2": 40.0,
    "confidence": 1.0,
    "class_id": 1,
    "class_name": "안전모",
}
BLACK = np.zeros((48, 80, 3), np.uint8)


@dataclass
class Registered:
    tracking_uri: str
    run_id: str
    package: DetectorPackage
    files: tuple[Path, ...]  # before anybody loaded it: Python then writes its caches beside


@pytest.fixture(scope="module")
def registered(
    empty_store: Path,
    tmp_path_factory: pytest.TempPathFactory,
    make_detector: Callable[[Path], DetectorPackage],
) -> Registered:
    folder = tmp_path_factory.mktemp("현장 모델")
    copy_database(empty_store, folder / "mlflow.db")
    uri = f"sqlite:///{folder}/mlflow.db"
    package = make_detector(folder / "package")
    run_id = MlflowStore(uri).start_run(RunRequest("동화/부산-1공장/용접", "ppe-tiny-train-v1"))
    registry = MlflowRegistry(uri, runtime_with("numpy", "opencv-python-headless"))
    registry.register(run_id, package, NAME, alias="champion")
    return Registered(uri, run_id, package, tuple(folder.rglob("*")))


@pytest.fixture(scope="module")
def logged(registered: Registered) -> Iterator[Any]:
    """The model as its users load it."""
    mlflow.set_tracking_uri(registered.tracking_uri)
    yield mlflow.pyfunc.load_model(URI)
    mlflow.set_tracking_uri(None)  # also takes it out of the environment again


@pytest.fixture(scope="module", params=["logged", "in the project"])
def model(request: pytest.FixtureRequest, registered: Registered) -> Any:
    """The model as its users load it, and its code as it stands in this project."""
    if request.param == "logged":
        return request.getfixturevalue("logged")
    from guardianflow.run_tracking.detector_model import DetectorModel

    here = DetectorModel()
    here.load_context(
        SimpleNamespace(
            model_config={"runtime": "guardianflow", "sha256": registered.package.digest},
            artifacts={"detector": str(registered.package.directory)},
        )
    )
    return here


def png(image: np.ndarray) -> bytes:
    content: bytes = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
    return content


def text(image: np.ndarray) -> str:
    return base64.b64encode(png(image)).decode()


def rows(*indices: int) -> list[dict[str, Any]]:
    return [{"image": index, **ROW} for index in indices]


FORMS: dict[str, tuple[Callable[[Path], Any], list[int]]] = {
    "one array": (lambda folder: WHITE, [0]),
    "a batch": (lambda folder: np.stack([WHITE, WHITE]), [0, 1]),
    "arrays of different sizes": (lambda folder: [BLACK, WHITE, BLACK], [1]),
    "integers as JSON has them": (lambda folder: WHITE.astype(np.int64), [0]),
    "pixel lists": (lambda folder: [WHITE.tolist(), WHITE.tolist()], [0, 1]),
    "one image's pixel list": (lambda folder: WHITE.tolist(), [0]),
    "a path": (lambda folder: str(folder / "흰색 1.png"), [0]),
    "paths": (lambda folder: [folder / "검정.png", str(folder / "흰색 1.png")], [1]),
    "bytes": (lambda folder: png(WHITE), [0]),
    "several bytes": (lambda folder: [png(WHITE), bytearray(png(WHITE))], [0, 1]),
    "base64": (lambda folder: text(WHITE), [0]),
    "base64 in lines": (lambda folder: base64.encodebytes(png(WHITE)).decode(), [0]),
    "a data URI": (lambda folder: ["data:image/png;base64," + text(WHITE)], [0]),
    "an array of texts": (lambda folder: np.array([text(WHITE), text(BLACK)]), [0]),
    "a table of base64": (lambda folder: pd.DataFrame({"image": [text(BLACK), text(WHITE)]}), [1]),
    "a table of arrays": (lambda folder: pd.DataFrame({"image": [WHITE, BLACK]}), [0]),
    "a table of bytes, indexed": (
        lambda folder: pd.DataFrame({"image": [png(WHITE)], "camera": [7]}, index=[99]),
        [0],
    ),
    "a column": (lambda folder: pd.Series([text(WHITE)], index=[5]), [0]),
    "a mapping": (lambda folder: {"image": [text(WHITE), text(WHITE)]}, [0, 1]),
    "records": (lambda folder: [{"image": text(BLACK)}, {"image": text(WHITE)}], [1]),
    "nothing": (lambda folder: [], []),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_image_is_taken(model: Any, form: str, tmp_path: Path) -> None:
    (tmp_path / "흰색 1.png").write_bytes(png(WHITE))
    (tmp_path / "검정.png").write_bytes(png(BLACK))
    given, found_in = FORMS[form]
    table = model.predict(given(tmp_path))
    assert table.to_dict("records") == rows(*found_in)


def test_an_image_in_which_nothing_is_found_gives_a_table_without_rows(model: Any) -> None:
    table = model.predict(BLACK)
    assert len(table) == 0
    assert list(table.columns) == ["image", *ROW]
    assert dict(table.dtypes) == dict(model.predict(WHITE).dtypes)


def test_it_finds_what_the_detector_finds(model: Any, registered: Registered) -> None:
    images = [
        np.random.default_rng(seed).integers(0, 256, (30 + seed, 50, 3), np.uint8)
        for seed in range(3)
    ]
    with Detector.open(registered.package) as detector:
        expected = detector.predict(images)
    table = model.predict(images)
    assert list(table["image"]) == [0, 1, 2]
    for row, detections in zip(table.itertuples(), expected, strict=True):
        np.testing.assert_array_equal(
            [row.x1, row.y1, row.x2, row.y2], detections.boxes_xyxy[0].astype(np.float64)
        )
        assert row.confidence == pytest.approx(detections.scores[0])


def test_thresholds_are_parameters_and_default_to_the_deployed_ones(model: Any) -> None:
    grey = np.full((32, 32, 3), 102, np.uint8)  # score 0.4; deployed threshold 0.25
    assert len(model.predict(grey)) == 1
    assert len(model.predict(grey, params={"confidence": 0.5})) == 0
    assert len(model.predict(grey, params={"confidence": 0, "iou": 1})) >= 1
    with pytest.raises(MlflowException, match=r"confidence must lie in 0…1 but is 1\.5"):
        model.predict(grey, params={"confidence": 1.5})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((4, 4, 3), np.float32), r"image 0, float32 of shape \(4, 4, 3\)"),
        (np.zeros((4, 4), np.uint8), r"uint8 of shape \(4, 4\)"),
        (np.zeros((0, 4, 3), np.uint8), "shape"),
        ([WHITE, np.full((2, 2, 3), 256)], "image 1, with values from 256 to 256"),
        ([WHITE, "no such file.png"], "image 1, 'no such file.png': neither a file"),
        ("?" * 5000, "neither a file"),
        (b"", "0 bytes that are no image"),
        (b"these are not pixels", "20 bytes that are no image"),
        (base64.b64encode(b"neither are these").decode(), "no image"),
        ([[[1, 2, 3], [4, 5]]], "uneven rows"),
        (5, "of type int"),
        ([None], "of type NoneType"),
        (pd.DataFrame({"picture": [WHITE]}), "a table with the columns picture"),
    ],
    ids=range(13),
)
def test_what_is_no_image_is_named(model: Any, wrong: Any, message: str) -> None:
    with pytest.raises(MlflowException, match=message) as caught:
        model.predict(wrong)
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
    assert "an image must be a uint8 array" in str(caught.value)


def test_the_model_describes_itself(logged: Any, registered: Registered) -> None:
    metadata = logged.metadata.metadata
    assert metadata["class_names"] == ["머리", "안전모"]
    assert metadata["input_size"] == 32
    assert metadata["sha256"] == registered.package.digest
    assert (metadata["conf_threshold"], metadata["iou_threshold"]) == (0.25, 0.45)
    signature = logged.metadata.signature
    assert [column.name for column in signature.outputs] == ["image", *ROW]
    assert [param.name for param in signature.params] == ["confidence", "iou"]
    assert logged.metadata.run_id == registered.run_id


def test_it_is_loaded_from_the_run_too(logged: Any, registered: Registered) -> None:
    again = mlflow.pyfunc.load_model(
        f"runs:/{registered.run_id}/detector", model_config={"device": "cpu", "batch_size": 4}
    )
    assert again.predict([WHITE] * 5).to_dict("records") == rows(0, 1, 2, 3, 4)


def test_the_model_holds_one_backend_and_asks_for_its_libraries(registered: Registered) -> None:
    (mlmodel,) = (path for path in registered.files if path.name == "MLmodel")
    files = [path for path in registered.files if mlmodel.parent in path.parents]
    held = {path.name for path in files}
    assert {"detector_model.py", "detector.py", "postprocessing.py"} <= held
    assert {path.parent.name for path in files if path.name == "runtime.py"} == {"onnx"}
    assert not held & {"pytorch.py", "tensorrt_runtime.py", "mlflow_store.py", "registry.py"}
    assert "__pycache__" not in held
    asked = (mlmodel.parent / "requirements.txt").read_text().split()
    assert {"numpy", "opencv-python-headless"} <= set(asked)
    assert any(line.startswith("mlflow==") for line in asked)
    (example,) = mlmodel.parent.glob("input_example.json")
    assert example.stat().st_size < 2000


WITHOUT_PROJECT = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("guardianflow", "pipelines", "scenario", "apps"):
            raise ModuleNotFoundError(f"{name} is not installed here", name=name)

sys.meta_path.insert(0, Blocked())
import numpy as np
import mlflow
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
table = model.predict(np.full((64, 64, 3), 255, np.uint8))
assert not any(name.split(".")[0] == "guardianflow" for name in sys.modules)
print(table.to_json(orient="records", force_ascii=False))
"""


@pytest.mark.slow
def test_it_loads_where_this_project_is_not_installed(
    registered: Registered, tmp_path: Path
) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-I", "-c", WITHOUT_PROJECT, registered.tracking_uri, URI],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == rows(0)


def post(url: str, payload: dict[str, Any]) -> tuple[int, str]:
    request = urllib.request.Request(
        url, json.dumps(payload).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, exc.read().decode()


@pytest.mark.slow
def test_a_server_takes_base64_and_opens_no_path(registered: Registered, tmp_path: Path) -> None:
    (tmp_path / "white.png").write_bytes(png(WHITE))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": registered.tracking_uri,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    log = (tmp_path / "server.log").open("w")
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "mlflow", "models", "serve", "-m", URI),
            *("--env-manager", "local", "-h", "127.0.0.1", "-p", str(port), "--workers", "1"),
        ],
        cwd=tmp_path,
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{url}/ping", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, (tmp_path / "server.log").read_text()
                time.sleep(0.5)
        for payload in (
            {"inputs": [text(WHITE), text(BLACK), text(WHITE)]},
            {"inputs": {"image": [text(WHITE), text(BLACK), text(WHITE)]}},
            {"instances": [text(WHITE), text(BLACK), text(WHITE)]},
            {
                "dataframe_split": {
                    "columns": ["image"],
                    "data": [[text(WHITE)], [text(BLACK)], [text(WHITE)]],
                }
            },
            {"dataframe_records": [{"image": text(image)} for image in (WHITE, BLACK, WHITE)]},
            {"inputs": np.stack([WHITE, np.zeros_like(WHITE), WHITE]).tolist()},
        ):
            status, answer = post(f"{url}/invocations", payload)
            assert status == 200, answer
            assert json.loads(answer)["predictions"] == rows(0, 2)
        status, answer = post(
            f"{url}/invocations", {"inputs": [text(BLACK)], "params": {"confidence": 0.0}}
        )
        assert (status, len(json.loads(answer)["predictions"])) == (200, 1)
        status, answer = post(f"{url}/invocations", {"inputs": [str(tmp_path / "white.png")]})
        assert status == 400
        assert "no base64 text" in answer
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
        log.close()
