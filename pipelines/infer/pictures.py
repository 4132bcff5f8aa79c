"""Pictures of an infer run."""

from __future__ import annotations

from pathlib import Path

from ..measuring.accuracy import Evaluated, draw_misses


def draw_accuracy(judged: Evaluated, plots: Path) -> None:
    """Curves, bars, confusions and misses of what was found, whoever found it."""
    from guardianflow.evaluation.accuracy.confusion_matrix import confusion_matrix
    from guardianflow.evaluation.accuracy.detection import precision_recall_curves
    from guardianflow.evaluation.pictures import accuracy as pictures

    names, deployed = judged.class_names, judged.metrics.conf_threshold
    curves = precision_recall_curves(judged.predictions, judged.images, names)
    pictures.precision_recall_curve(curves, plots / "precision_recall.png")
    pictures.average_precision_bars(
        judged.metrics.ap, judged.metrics.ap50, plots / "average_precision.png"
    )
    matrix = confusion_matrix(judged.predictions, judged.images, names, conf_threshold=deployed)
    pictures.confusion_matrix_picture(matrix, names, plots / "confusion_matrix.png")
    draw_misses(judged, plots / "detections.png")
