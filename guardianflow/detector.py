"""A detector one can call on images: a backend's session with the shared pre/post-processing.

    decoded images → preprocess → infer (the session) → postprocess → Detections

This file travels inside logged models together with contracts/, evaluation/images/ and the files of
one backend.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

import numpy as np

from .contracts.errors import EvaluationError
from .contracts.results import DetectorPackage, DetectorSpec, SessionInfo
from .evaluation.images.postprocessing import decode
from .evaluation.images.preprocessing import Letterbox, letterbox

if TYPE_CHECKING:
    from .contracts.ports import ImageArray, RawOutput, Session
    from .contracts.results import Detections


class Detector:
    """Finds objects in decoded images; implements the ObjectDetector port.

    Args:
        session: an open session of the model; the detector closes it.
        spec: describes the model.

    Raises:
        EvaluationError: the session was opened for another input size than the spec's.
    """

    def __init__(self, session: Session, spec: DetectorSpec) -> None:
        if session.info.input_size != spec.input_size:
            raise EvaluationError(
                f"the session takes images of {session.info.input_size} px but the detector's "
                f"description says {spec.input_size} px; export the model anew"
            )
        self._session = session
        self._spec = spec

    @classmethod
    def open(
        cls,
        package: DetectorPackage,
        *,
        batch_size: int = 1,
        device: str = "auto",
        mode: str = "latency",
    ) -> Detector:
        """Open a package's files with the backend they were made for; see the Backend port.

        Args:
            batch_size: most images a call of the session takes.
            mode: 'latency', or 'throughput' to have several calls under way at once.
        """
        from .backends.catalogue import open_session

        session = open_session(package, batch_size=batch_size, device=device, mode=mode)
        return cls(session, package.spec)

    @property
    def spec(self) -> DetectorSpec:
        """The model's description."""
        return self._spec

    @property
    def info(self) -> SessionInfo:
        """The session's own report of what it really runs on."""
        return self._session.info

    @property
    def class_names(self) -> tuple[str, ...]:
        """Index = class id."""
        return self._spec.class_names

    def predict(
        self,
        images: Sequence[ImageArray],
        *,
        confidence: float | None = None,
        iou: float | None = None,
        multi_label: bool = False,
    ) -> list[Detections]:
        """Find objects; see the ObjectDetector port.

        More images than the session takes at once go through in turns.

        Raises:
            EvaluationError: an image, a threshold or the network's output is not as promised.
        """
        found: list[Detections] = []
        step = self._session.info.batch_size
        for start in range(0, len(images), step):
            batch, letterboxes = self.preprocess(images[start : start + step])
            raw = self.infer(batch)
            found += self.postprocess(
                raw, letterboxes, confidence=confidence, iou=iou, multi_label=multi_label
            )
        return found

    def preprocess(self, images: Sequence[ImageArray]) -> tuple[ImageArray, list[Letterbox]]:
        """Letterbox images into one batch.

        Args:
            images: at least one; each uint8, H×W×3, RGB.

        Returns:
            uint8, N×S×S×3, RGB, and how each image was fitted.
        """
        size = self._spec.input_size
        batch = np.empty((len(images), size, size, 3), dtype=np.uint8)
        letterboxes: list[Letterbox] = []
        for index, image in enumerate(images):
            _, fit = letterbox(image, size, batch[index])
            letterboxes.append(fit)
        return batch, letterboxes

    def infer(self, batch: ImageArray) -> RawOutput:
        """Run the network alone; see the Session port."""
        return self._session.infer(batch)

    def submit(self, batch: ImageArray) -> Future[RawOutput]:
        """Run the network alone, beside other calls; see the Session port."""
        return self._session.submit(batch)

    def postprocess(
        self,
        raw: RawOutput,
        letterboxes: Sequence[Letterbox],
        *,
        confidence: float | None = None,
        iou: float | None = None,
        multi_label: bool = False,
    ) -> list[Detections]:
        """Read a batch's raw output; arguments as in predict().

        Raises:
            EvaluationError: as many outputs as images did not come, or one can't be read.
        """
        confidence = self._spec.conf_threshold if confidence is None else confidence
        iou = self._spec.iou_threshold if iou is None else iou
        for name, value in (("confidence", confidence), ("iou", iou)):
            if not 0 <= value <= 1:
                raise EvaluationError(f"{name} must lie in 0…1 but is {value}")
        if len(raw) != len(letterboxes):
            raise EvaluationError(
                f"the session returned outputs for {len(raw)} images but got {len(letterboxes)}"
            )
        return [
            decode(
                raw_one,
                self._spec.output,
                letterbox=fit,
                confidence=confidence,
                iou=iou,
                multi_label=multi_label,
                classes=len(self._spec.class_names),
            )
            for raw_one, fit in zip(raw, letterboxes, strict=True)
        ]

    def close(self) -> None:
        """Free what the session holds."""
        self._session.close()

    def __enter__(self) -> Detector:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
