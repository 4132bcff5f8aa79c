"""A store of each kind, and a tiny real detector."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from databases import copy_database
from mlflow_server import start_server

from guardianflow.contracts.results import DetectorPackage, DetectorSpec
from guardianflow.run_tracking import launcher


@pytest.fixture
def sqlite_uri(empty_store: Path, tmp_path: Path) -> str:
    """The URI of an empty store of this test's own."""
    path = tmp_path / "store" / "mlflow.db"
    path.parent.mkdir()
    copy_database(empty_store, path)
    return f"sqlite:///{path}"


@dataclass
class Server:
    """An MLflow server on loopback that keeps its runs in a SQLite file of its own."""

    url: str
    database: Path
    template: Path

    def empty(self) -> None:
        """Put every table back as in a new store, under the running server."""
        connection = sqlite3.connect(self.database, isolation_level=None, timeout=30)
        connection.execute("ATTACH ? AS template", (str(self.template),))
        tables = connection.execute(
            "SELECT name FROM template.sqlite_master WHERE type = 'table' AND sql NOT NULL"
        ).fetchall()
        connection.execute("BEGIN IMMEDIATE")
        for (name,) in tables:
            columns = ", ".join(
                f'"{column}"'
                for _, column, *_, hidden in connection.execute(f'PRAGMA table_xinfo("{name}")')
                if not hidden  # a computed column can't be written
            )
            connection.execute(f'DELETE FROM main."{name}"')
            connection.execute(
                f'INSERT INTO main."{name}" ({columns}) SELECT {columns} FROM template."{name}"'
            )
        connection.execute("COMMIT")
        connection.close()


@pytest.fixture(scope="session")
def running_server(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    database = folder / "server.db"
    copy_database(empty_store, database)
    with start_server(database, folder / "artifacts") as (url, _):
        yield Server(url, database, empty_store)


@pytest.fixture
def server(running_server: Server) -> Server:
    """The server, with nothing in its store."""
    running_server.empty()
    return running_server


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test sees a launcher's run of another one, in the environment or remembered."""
    monkeypatch.setattr(launcher, "_taken", None)
    before = dict(os.environ)
    yield
    for name in set(os.environ) - set(before):
        if "MLFLOW" in name:
            del os.environ[name]


INPUT_SIZE = 32


def write_detector(directory: Path) -> DetectorPackage:
    """A real detector without training: one box in the middle, as sure as the image is bright.

    ONNX, N×3×32×32 → N×6×1: centre 16, 16, size 16×8, the mean of the pixels as the score of
    the second class.
    """
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    directory.mkdir(parents=True)
    size = INPUT_SIZE
    box = np.array([16, 16, 16, 8, 0], np.float32).reshape(1, 5, 1)
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=1),
            helper.make_node("Squeeze", ["mean", "last"], ["score"]),
            helper.make_node("Sub", ["score", "score"], ["zero"]),
            helper.make_node("Add", ["box", "zero"], ["boxes"]),
            helper.make_node("Concat", ["boxes", "score"], ["output0"], axis=1),
        ],
        "detector",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, size, size])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["batch", 6, 1])],
        [
            numpy_helper.from_array(box, "box"),
            numpy_helper.from_array(np.array([3], np.int64), "last"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(directory / "model.onnx"))
    return DetectorPackage.create(
        directory,
        DetectorSpec(
            backend="onnx",
            precision="fp32",
            architecture="tiny",
            class_names=("머리", "안전모"),
            input_size=size,
            output="grid",
            weights="model.onnx",
            files={},
        ),
    )


@pytest.fixture
def package(tmp_path: Path) -> DetectorPackage:
    return write_detector(tmp_path / "검출기 1")


@pytest.fixture(scope="session")
def make_detector() -> Callable[[Path], DetectorPackage]:
    return write_detector


@pytest.fixture(scope="session")
def serving() -> Callable[
    [Path, Path], AbstractContextManager[tuple[str, subprocess.Popen[bytes]]]
]:
    return start_server
