"""What an earlier release left: a store, its files and a box, made with the code of 75815ba.

    demo/seoul-plant1/full/ppe                  ONNX; v1 champion, v2 candidate, each passed by a
                                                release (v2 against v1)
    demo/seoul-plant1/full/ppe__openvino_fp32   OpenVINO, candidate
    demo/seoul-plant1/gate/ppe                  PyTorch, candidate
    box/                                        v1 as that release pulled it

Pictures, reports and predictions were taken out of the runs to keep the archive small. A second
archive holds a pipeline whose training failed, with its scenario and its experiment's code.
"""

from __future__ import annotations

import sqlite3
import tarfile
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).resolve().parents[1] / "data"
REGISTERED, FAILED = "registered-at-75815ba", "failed-at-75815ba"
FAILED_PIPELINE = "827154f07f804760a79013ae4353a1de"
PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
NAME = "demo/seoul-plant1/full/ppe"
OPENVINO = f"{NAME}__openvino_fp32"
PYTORCH = "demo/seoul-plant1/gate/ppe"


@dataclass(frozen=True)
class RegisteredBefore:
    """The archive, unpacked at a place of its own."""

    root: Path

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.root / 'mlflow.db'}"

    @property
    def box(self) -> Path:
        return self.root / "box"


def unpack(folder: Path, name: str = REGISTERED) -> RegisteredBefore:
    """Unpack an archive into a folder and let the store find its files there."""
    with tarfile.open(DATA / f"{name.replace('-', '_')}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    root = folder / name
    connection = sqlite3.connect(root / "mlflow.db")
    with connection:
        for table, column in PLACES:
            connection.execute(
                f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (f"/{name}", str(root))
            )
    connection.close()
    return RegisteredBefore(root)
