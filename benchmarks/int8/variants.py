"""Makes a detector's variants, judges them, and keeps both: a later run goes on from there."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardianflow.backends.catalogue import get_backend
from guardianflow.backends.weights.packages import package_from_weights
from guardianflow.backends.weights.ultralytics_models import import_ultralytics
from guardianflow.contracts.results import DetectorPackage, ExportRequest, LabelledImage
from guardianflow.detector import Detector
from guardianflow.evaluation.accuracy.detection import collect_predictions, evaluate_detections
from guardianflow.evaluation.images.preprocessing import LetterboxedImages

from .subjects import Subject

JUDGED = "judged.json"


@dataclass(frozen=True)
class Variant:
    """A model that was made of a detector, and what it was judged to be.

    Args:
        made_by: for people: the recipe, or who made it.
    """

    package: DetectorPackage
    mAP50: float  # noqa: N815
    mAP50_95: float  # noqa: N815
    made_by: str = ""


@dataclass
class Variants:
    """The variants of one detector in a directory.

    Args:
        images: they are judged on.
        calibration: images of the train split.
    """

    subject: Subject
    folder: Path
    images: list[LabelledImage]
    calibration: LetterboxedImages

    def reference(self) -> Variant:
        """The float32 detector, as OpenVINO runs it."""
        return self.exported("openvino", "fp32")

    def exported(self, backend: str, precision: str) -> Variant:
        def make(place: Path) -> DetectorPackage:
            images = self.calibration if precision == "int8" else None
            request = ExportRequest(precision)
            return get_backend(backend).export(self.subject.source, request, place, images)

        return self.variant(f"{backend}-{precision}", make)

    def ultralytics(self) -> Variant:
        """Ultralytics' own INT8 export to OpenVINO."""

        def make(place: Path) -> DetectorPackage:
            return package_from_weights(
                self.their_export(),
                place,
                input_size=self.subject.side,
                class_names=self.subject.source.spec.class_names,
            )

        return self.variant("ultralytics", make)

    def their_export(self) -> Path:
        """The directory that Ultralytics' export makes; made where it is missing."""
        folder = self.folder / "their-export"
        if found := next(folder.glob("*_openvino_model"), None):
            return found
        folder.mkdir(parents=True, exist_ok=True)
        copy = folder / "theirs.pt"
        copy.write_bytes(self.subject.source.weights_path.read_bytes())
        with contextlib.chdir(folder), contextlib.redirect_stdout(sys.stderr):
            made = (
                import_ultralytics()
                .YOLO(str(copy))
                .export(
                    format="openvino",
                    int8=True,
                    data=str(self.subject.data),
                    imgsz=self.subject.side,
                    verbose=False,
                )
            )
        return folder / Path(made).name

    def variant(
        self, name: str, make: Callable[[Path], DetectorPackage], made_by: str = ""
    ) -> Variant:
        """A variant of this name: what was kept, else made and judged now."""
        place, kept = self.folder / name, self.kept()
        if name in kept:
            return Variant(DetectorPackage.load(place), **kept[name])
        package = DetectorPackage.load(place) if place.exists() else make(place)
        with Detector.open(package) as detector:
            found = collect_predictions(detector, self.images)
            metrics = evaluate_detections(found, self.images, detector.class_names)
        judged = Variant(package, metrics.mAP50, metrics.mAP50_95, made_by)
        self.note(name, judged)
        print(f"{self.subject.name} {name} {made_by}: mAP50 {judged.mAP50:.4f}  "
              f"mAP50-95 {judged.mAP50_95:.4f}", flush=True)  # fmt: skip
        return judged

    def kept(self) -> dict[str, dict[str, Any]]:
        """Name → figures of what was judged."""
        file = self.folder / JUDGED
        return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}

    def note(self, name: str, variant: Variant) -> None:
        rows: Mapping[str, Any] = self.kept() | {
            name: {key: value for key, value in vars(variant).items() if key != "package"}
        }
        (self.folder / JUDGED).write_text(json.dumps(rows, indent=1), encoding="utf-8")
