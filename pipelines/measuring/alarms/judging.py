"""Rules over what was found in recordings, counted against the truth: figures and metrics.

judge_alarms(context, inputs, detector, …)   looks at every recording, once, and counts
differences(before, after)                   what two models' alarms differ by, paired
untold(figures)                              sentences: what could not be measured, and why
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guardianflow.contracts.recordings.alarm_results import (
    KISA,
    AlarmFigure,
    AlarmFigures,
    NoFigure,
    RecordingOutcome,
)
from guardianflow.contracts.recordings.alarms import RecordingDetections

from ...stage.stage import StageContext
from .detecting import detect_all, model_identity
from .inputs import AlarmInputs

if TYPE_CHECKING:
    from guardianflow.contracts.ports import ObjectDetector
    from guardianflow.detector import Detector

CONFIDENCE = 0.95
COMPARED = {
    "missed": "comparison.rise_alarm_missed",
    "false_per_camera_day": "comparison.rise_alarm_false_per_camera_day",
}
"""Difference → the metric of a variant beside its original; above 0 is worse."""
_WHY = {
    NoFigure.NO_INCIDENTS: "the recordings show no incident of the rules",
    NoFigure.NO_ALARMS: "no alarm was raised",
    NoFigure.NO_HITS: "no incident was alarmed",
    NoFigure.TOO_SHORT: "there is too little footage",
    NoFigure.FEW_RECORDINGS: "there are fewer than 5 recordings",
    NoFigure.FEW_HITS: "too few incidents were alarmed",
}


@dataclass(frozen=True)
class JudgedAlarms:
    """The alarms of one model over the recordings.

    Args:
        detections: recording → what the model found in it.
        outcomes: of each recording, in the order of the inputs.
    """

    inputs: AlarmInputs
    detections: Mapping[str, RecordingDetections]
    outcomes: tuple[RecordingOutcome, ...]
    figures: AlarmFigures


def judge_alarms(
    context: StageContext,
    inputs: AlarmInputs | None,
    detector: Detector,
    label: str,
    *,
    confidence: float = CONFIDENCE,
) -> JudgedAlarms | None:
    """Look at every recording with a detector, once, and count its alarms; None without inputs.

    Args:
        label: of the progress that is told.
        confidence: of the intervals.
    """
    if inputs is None:
        return None
    identity = model_identity(context, detector)
    found = detect_all(context, detector, inputs.recordings, identity, label)
    return judge_found(inputs, found, confidence=confidence)


def judge_found_by(
    context: StageContext, inputs: AlarmInputs | None, detector: ObjectDetector, label: str
) -> JudgedAlarms | None:
    """The same with somebody else's detector, of which nothing is kept."""
    if inputs is None:
        return None
    return judge_found(inputs, detect_all(context, detector, inputs.recordings, "", label))


def judge_found(
    inputs: AlarmInputs,
    detections: Mapping[str, RecordingDetections],
    *,
    confidence: float = CONFIDENCE,
) -> JudgedAlarms:
    """Count the alarms that the rules raise over what was found.

    Raises:
        ScenarioError: rules that can't be evaluated.
    """
    from guardianflow.evaluation.alarms.counting import judge_recording
    from guardianflow.evaluation.alarms.rates import alarm_figures

    outcomes, by_kisa = [], []
    for recording in inputs.recordings:
        found = detections[recording.name]
        outcomes.append(judge_recording(recording, found, inputs.rules, inputs.counting))
        by_kisa.append(judge_recording(recording, found, inputs.rules, KISA))
    figures = alarm_figures(
        outcomes,
        rules=inputs.rule_names,
        kisa_outcomes=by_kisa,
        counting=inputs.counting,
        confidence=confidence,
        recall_bias=inputs.recall_bias,
        unit=inputs.unit,
    )
    return JudgedAlarms(inputs, detections, tuple(outcomes), figures)


def differences(
    before: JudgedAlarms,
    after: JudgedAlarms,
    *,
    confidence: float = CONFIDENCE,
) -> dict[str, AlarmFigure]:
    """'missed', 'false_per_camera_day': after − before, paired by recording; above 0 is worse."""
    from guardianflow.evaluation.alarms.differences import paired_differences

    return paired_differences(
        before.outcomes, after.outcomes, confidence=confidence, unit=after.inputs.unit
    )


def beside_original(alarms: Mapping[str, JudgedAlarms]) -> dict[str, float]:
    """`alarm.original.*`, `alarm.quantized.*`, and what they differ by; empty without alarms.

    Args:
        alarms: of 'original' and 'quantized'.
    """
    metrics: dict[str, float] = {}
    for name, each in alarms.items():
        metrics |= each.figures.as_metrics(f"alarm.{name}.")
    if alarms:
        changes = differences(alarms["original"], alarms["quantized"])
        for key, name in COMPARED.items():
            change = changes[key]
            named = {"": change.value, "_low": change.low, "_high": change.high}
            metrics |= {f"{name}{part}": v for part, v in named.items() if v is not None}
    return metrics


def untold(figures: AlarmFigures) -> Iterator[str]:
    """A sentence for each reason why figures, or their intervals, are absent."""
    absent: dict[NoFigure, list[str]] = {}
    bare: dict[NoFigure, list[str]] = {}
    for key, figure in figures.figures.items():
        if figure.cause is not None:
            (absent if figure.value is None else bare).setdefault(figure.cause, []).append(key)
    for cause, keys in absent.items():
        yield f"alarms: {', '.join(keys)} not measured: {_WHY[cause]}"
    for cause, keys in bare.items():
        yield f"alarms: no interval of {', '.join(keys)}: {_WHY[cause]}"


def tags_of(judged: JudgedAlarms | None) -> dict[str, str]:
    """Tags of a run: the recordings' split and how many there are."""
    if judged is None:
        return {}
    split = {"alarm.split": judged.inputs.split} if judged.inputs.split else {}
    return split | {"alarm.rules": ",".join(judged.inputs.rule_names)}
