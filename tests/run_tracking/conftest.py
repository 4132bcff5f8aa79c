"""A store of each kind, and a tiny real detector."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guardianflow.run_tracking import launcher


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store whose tables exist: mlflow takes seconds to make them, a copy none."""
    from guardianflow.run_tracking.mlflow_store import MlflowStore

    path = tmp_path_factory.mktemp("migrated") / "mlflow.db"
    MlflowStore(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_uri(migrated_database: Path, tmp_path: Path) -> str:
    """The URI of an empty store of this test's own."""
    path = tmp_path / "store" / "mlflow.db"
    path.parent.mkdir()
    shutil.copy(migrated_database, path)
    return f"sqlite:///{path}"


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


def write_detector(directory: Path, *, threshold: float = 0.25, lineage: dict | None = None) -> Any:
    """A real detector without training: one box in the middle, as sure as the image is bright.

    ONNX, N×3×32×32 → N×6×1: centre 16, 16, size 16×8, the mean of the pixels as the score of
    the second class.
    """
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from guardianflow.contracts.results import DetectorPackage, DetectorSpec

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
            conf_threshold=threshold,
            lineage=lineage or {},
        ),
    )


@pytest.fixture
def package(tmp_path: Path) -> Any:
    return write_detector(tmp_path / "검출기 1")
