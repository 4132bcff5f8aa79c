"""The content of a release report, before it is put into any language.

    ReleaseReport
    ├── decision      ReleaseDecision: outcome, winner, gates of every variant
    ├── variants      ComparedModels, one for each of decision.variants, beside its champion
    ├── pictures      ReportPicture: PNG or JPEG, drawn by the caller
    ├── conditions    measurements.Conditions of what was timed
    ├── lineage       where data, code and models come from
    └── journal       JournalEntry of every model whose champion was changed

Intervals are at decision.confidence, but those of latency and speed-up, which are at 95 %.
Frozen values; nothing here draws or writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...contracts.data_warnings import DataWarning
from ...contracts.measurements import Conditions
from ...contracts.releases import JournalEntry, ReleaseDecision
from ..models import ComparedModels

ALARM_MISSES, ALARM_CURVE = ALARM_ROLES = ("alarm_misses", "alarm_curve")
"""Pictures that belong to alarms."""
PICTURE_ROLES = (
    *("leaks", "differences", "precision_recall", "slices", "latency", "misses"),
    *ALARM_ROLES,
)
"""In the order of the report."""
LEAKS, DIFFERENCES, PRECISION_RECALL, SLICES, LATENCY, MISSES = PICTURE_ROLES[:6]
PHOTO_ROLES = (MISSES, ALARM_MISSES)


@dataclass(frozen=True)
class ReportPicture:
    """A picture of the report.

    Args:
        role: one of PICTURE_ROLES.
        image: PNG or JPEG, its bytes or its file.
        variant: whose it is; '' for one of all variants together.
    """

    role: str
    image: bytes | Path
    variant: str = ""


@dataclass(frozen=True)
class Lineage:
    """The origin of everything; '' where it is not known.

    Args:
        data_name, data_version, data_path: of the data set judged on.
        data_fingerprint: LocalDataset.fingerprint, sha256 in hex.
        code_version: of GuardianFlow, e.g. '0.3.0'.
        evaluator: name and version of what judged accuracy.
        release_run_id: the run this report belongs to.
        parent_run_id: the pipeline it belongs to.
        source_runs: what it is, as the run's own name says → run id.
        tracking_uri: the MLflow store; never with a password in it.
    """

    data_name: str = ""
    data_version: str = ""
    data_path: str = ""
    data_fingerprint: str = ""
    code_version: str = ""
    evaluator: str = ""
    release_run_id: str = ""
    parent_run_id: str = ""
    source_runs: Mapping[str, str] = field(default_factory=dict)
    tracking_uri: str = ""


@dataclass(frozen=True)
class ReleaseReport:
    """Everything a release report says.

    Args:
        decision: what was decided and why.
        variants: one for each of decision.variants, the same names.
        scenario, scenario_version: its name and version.
        site: as people write it: 'donghwa-entec/busan-plant1/welding'.
        task: 'ppe', 'fall' …
        class_names: index = class id; the order of the tables.
        made_at: ISO 8601 with time zone.
        conf_threshold: the deployed confidence that precision and recall are taken at.
        instances: class name → true objects in the split; empty where they were not counted.
        conditions: of what was timed; None where nothing was.
        device: what the models ran on, e.g. 'cpu, openvino 2026.4.1'; '' where it is not known.
        journal: model name (slash form) → its changes, newest last; only of those in
            decision.promoted.
        data_warnings: what is odd about the data judged on.
    """

    decision: ReleaseDecision
    variants: tuple[ComparedModels, ...]
    scenario: str
    scenario_version: str
    site: str
    task: str
    class_names: tuple[str, ...]
    made_at: str
    conf_threshold: float = 0.25
    instances: Mapping[str, int] = field(default_factory=dict)
    pictures: tuple[ReportPicture, ...] = ()
    conditions: Conditions | None = None
    device: str = ""
    lineage: Lineage = field(default_factory=Lineage)
    journal: Mapping[str, tuple[JournalEntry, ...]] = field(default_factory=dict)
    data_warnings: tuple[DataWarning, ...] = ()
