"""A backend of a package of its own: this file, and an entry point that names ENTRY in it.

Networks are kept compressed and run by onnx's reference evaluator, which computes every operator in
numpy: slow, and right.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from guardianflow.backends import interchange
from guardianflow.backends.base import BaseBackend, ExportJob
from guardianflow.backends.sessions import CheckedSession
from guardianflow.contracts.backends import BackendInfo
from guardianflow.contracts.results import DetectorPackage, SessionInfo

ENTRY = BackendInfo(
    name="reference",
    label="ONNX's reference",
    library="onnx",
    precisions={"fp32": ()},
    file_kind=".onnxz",
    module="reference_backend",
    class_name="ReferenceBackend",
    requirements=("onnx", "numpy"),
    install="pip install onnx",
)


class ReferenceBackend(BaseBackend):
    name = ENTRY.name
    weights = f"model{ENTRY.file_kind}"
    libraries = ("torch", "ultralytics", "onnx", "onnxslim")

    def _write(self, job: ExportJob) -> dict[str, str]:
        graph = job.scratch / "float.onnx"
        interchange.to_onnx(job.source, graph)
        job.target.write_bytes(zlib.compress(graph.read_bytes()))
        return {"compressed_with": "zlib"}

    def _open(
        self, package: DetectorPackage, batch_size: int, device: str, mode: str
    ) -> CheckedSession:
        return ReferenceSession(package, batch_size)


class ReferenceSession(CheckedSession):
    def __init__(self, package: DetectorPackage, batch_size: int) -> None:
        import onnx
        from onnx.reference import ReferenceEvaluator

        content = zlib.decompress(package.weights_path.read_bytes())
        self._network: Any = ReferenceEvaluator(onnx.load_model_from_string(content))
        spec = package.spec
        info = SessionInfo(
            backend=ENTRY.name,
            precision=spec.precision,
            execution_precision="f32",
            device="cpu",
            input_size=spec.input_size,
            batch_size=batch_size,
            threads=1,
            library=f"onnx {onnx.__version__}",
        )
        super().__init__(spec, info)

    def _run(self, images: np.ndarray) -> np.ndarray:
        values = images.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
        return self._network.run(None, {interchange.INPUT_NAME: values})[0]

    def _release(self) -> None:
        self._network = None
