"""Alarms for people: every alarm and every incident in a table, and all figures as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from guardianflow.support.text.csv_files import write_csv

from ..timing import save_json
from .judging import JudgedAlarms

ALARM_COLUMNS = (
    "model", "recording", "camera", "rule", "at_s", "frame", "outcome", "incident_start_s",
)  # fmt: skip
INCIDENT_COLUMNS = (
    "model", "recording", "camera", "rule", "start_s", "end_s", "outcome", "delay_s",
)  # fmt: skip


def save_alarms(judged: Mapping[str, JudgedAlarms], outputs: Path) -> None:
    """`results/alarms.csv`, `results/incidents.csv`, `results/alarms.json`.

    Args:
        judged: name of the model, for people → its alarms.
        outputs: the run's artifacts.
    """
    if not judged:
        return
    results = outputs / "results"
    results.mkdir(parents=True, exist_ok=True)
    alarms = [row for name, each in judged.items() for row in alarm_rows(name, each)]
    incidents = [row for name, each in judged.items() for row in incident_rows(name, each)]
    _write(results / "alarms.csv", ALARM_COLUMNS, alarms)
    _write(results / "incidents.csv", INCIDENT_COLUMNS, incidents)
    table = {
        "inputs": next(iter(judged.values())).inputs.identity(),
        "figures": {name: each.figures.to_dict() for name, each in judged.items()},
    }
    save_json(results / "alarms.json", table)


def _write(file: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        write_csv(file, rows)
    else:
        file.write_text(",".join(columns) + "\n", encoding="utf-8-sig")


def alarm_rows(name: str, judged: JudgedAlarms) -> list[dict[str, Any]]:
    """A row an alarm."""
    rows = []
    for outcome in judged.outcomes:
        for each in outcome.alarms:
            incident = None if each.incident is None else outcome.incidents[each.incident].incident
            values = (
                name,
                outcome.recording,
                outcome.camera,
                each.alarm.rule,
                round(each.alarm.at_s, 3),
                each.alarm.frame,
                each.outcome.value,
                incident and incident.start_s,
            )
            rows.append(dict(zip(ALARM_COLUMNS, values, strict=True)))
    return rows


def incident_rows(name: str, judged: JudgedAlarms) -> list[dict[str, Any]]:
    """A row a true incident."""
    rows = []
    for outcome in judged.outcomes:
        for each in outcome.incidents:
            delay = None if each.delay_s is None else round(each.delay_s, 3)
            values = (
                name,
                outcome.recording,
                outcome.camera,
                each.incident.rule,
                each.incident.start_s,
                each.incident.end_s,
                "hit" if each.is_hit else "missed",
                delay,
            )
            rows.append(dict(zip(INCIDENT_COLUMNS, values, strict=True)))
    return rows
