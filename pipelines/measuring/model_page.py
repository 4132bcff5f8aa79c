"""Shows what a stage measured of a detector on that detector's page in MLflow."""

from __future__ import annotations

from functools import partial

from guardianflow.contracts.results import DataInput, DetectorPackage

from ..stage.inputs.sources import (
    MODEL_REFERENCE,
    RUN_REFERENCE,
)
from ..stage.stage import StageContext
from ..stage.tracked_run import Extra


def show_with_model(
    context: StageContext, run_id: str, reference: str, package: DetectorPackage, data: DataInput
) -> None:
    """Once the run has ended; a store that can't is told, and the run is not touched.

    Nothing is done for what has no page: files, and the weights of a run by their path.
    """
    named_file = reference.startswith(RUN_REFERENCE) and "/" in reference[len(RUN_REFERENCE) :]
    if not reference.startswith((RUN_REFERENCE, MODEL_REFERENCE)) or named_file:
        return
    do = partial(context.ports.registry.show_metrics, run_id, reference, package, data)
    context.extras.append(Extra("show the metrics with the model", do))
