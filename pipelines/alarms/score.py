"""The alarms of a scenario's rules over its recordings, counted; no run is made."""

from __future__ import annotations

from typing import Any

from guardianflow.contracts.recordings.alarm_results import KEYS, AlarmFigure, AlarmFigures

from ..measuring.alarms.files import alarm_rows, incident_rows
from ..measuring.alarms.judging import JudgedAlarms, judge_found, untold
from .watch import Watch

NAMES = {
    "missed": "missed",
    "false_per_camera_day": "false a day",
    "delay_p50_s": "delay p50 s",
    "delay_p95_s": "delay p95 s",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "kisa_score": "KISA",
}


def score(watch: Watch, split: str = "") -> JudgedAlarms:
    """Judge the recordings of a split; '' takes those that an infer run is judged on."""
    (watched,) = watch.look([watch.inputs(split)])
    return judge_found(watched.inputs, watched.detections)


def score_as_dict(judged: JudgedAlarms) -> dict[str, Any]:
    """JSON-able: figures, every incident and every alarm."""
    return {
        "split": judged.inputs.split,
        "figures": judged.figures.to_dict(),
        "incidents": incident_rows("model", judged),
        "alarms": alarm_rows("model", judged),
    }


def score_rows(figures: AlarmFigures) -> list[dict[str, str]]:
    """A row a figure, a column a rule; all rules together first."""
    of_all = {"all rules": figures, **figures.rules}
    names = of_all if len(figures.rules) > 1 else {"value": figures}
    return [
        {"": NAMES[key], **{name: shown(each[key]) for name, each in names.items()}} for key in KEYS
    ]


def score_notes(judged: JudgedAlarms) -> list[str]:
    """What the figures rest on, and what could not be told."""
    figures = judged.figures
    split = f"{judged.inputs.split} " if judged.inputs.split else ""
    rest = (
        f"{figures.recordings} {split}recordings of {figures.cameras} "
        f"camera{'' if figures.cameras == 1 else 's'}, {figures.camera_days * 24:.3g} hours: "
        f"{figures.incidents} incidents, {figures.hits} alarmed; {figures.false} false alarms, "
        f"{figures.neither} that count neither way. [ ]: {100 * figures.confidence:g} % interval "
        "over recordings."
    )
    return [rest, *untold(figures)]


def shown(figure: AlarmFigure) -> str:
    """'0.125 [0.034 … 0.310]', or '–'."""
    if figure.value is None:
        return "–"
    value = number(figure.value)
    if figure.low is None or figure.high is None:
        return value
    return f"{value} [{number(figure.low)} … {number(figure.high)}]"


def number(value: float) -> str:
    """Three digits, never as a power of ten."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}" if value >= 0.001 else "0"
