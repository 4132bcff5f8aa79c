"""The scenario's rules and recordings as a stage takes them: found, read and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardianflow.contracts.errors import (
    ConfigurationError,
    DatasetError,
    Problem,
    Problems,
    ScenarioError,
)
from guardianflow.contracts.given import given_path
from guardianflow.contracts.recordings.alarm_results import Counting
from guardianflow.contracts.recordings.alarms import AlarmRule, Recording
from guardianflow.contracts.recordings.groups import EvidenceUnit
from guardianflow.support.suggestions import did_you_mean
from guardianflow.support.text.spelling import nfc
from scenario.alarm_conflicts import unknown_classes

from ...stage.stage import StageContext
from ..evidence import asked_unit

if TYPE_CHECKING:
    from scenario import AlarmConfig, RecordingsParams

VAL, TEST = "val", "test"
SPLITS = (VAL, TEST)
DEMO = "demo://"


@dataclass(frozen=True)
class AlarmInputs:
    """What alarms are judged on, and how.

    Args:
        split: 'val', 'test', or '' for recordings without splits.
        unit: that intervals count as one piece of evidence.
    """

    rules: tuple[AlarmRule, ...]
    recordings: tuple[Recording, ...]
    split: str
    counting: Counting
    recall_bias: float
    unit: EvidenceUnit = EvidenceUnit.RECORDING

    @property
    def rule_names(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.rules)

    def identity(self) -> dict[str, Any]:
        """Everything that figures depend on beside the model; JSON-able."""
        return {
            "rules": [asdict(each) for each in self.rules],
            "recordings": {each.name: [each.fingerprint, each.camera] for each in self.recordings},
            "split": self.split,
            "tolerance_s": self.counting.tolerance_s,
            "recall_bias": self.recall_bias,
            "unit": str(self.unit),
        }


def identity_of(inputs: AlarmInputs | None) -> dict[str, Any]:
    """The part of a stage's identity that alarms are; empty where the scenario has none."""
    return {} if inputs is None else {"alarms": inputs.identity()}


def resolve_alarms(
    context: StageContext, class_names: Sequence[str], default_split: str
) -> AlarmInputs | None:
    """The scenario's alarms, read and checked; None where it has none.

    A relative path is looked for beside the scenario, then in the working directory.

    Args:
        class_names: of the model and the data.
        default_split: of the stage, where neither alarms.recordings.split nor dataset.split says.

    Raises:
        ScenarioError: a rule on a class that there is not, a split that there is not.
        DatasetError: everything wrong with any recording or its truth.
    """
    asked = context.scenario.dataset.split
    return read_alarms(context, class_names, asked if asked in SPLITS else default_split)


def read_alarms(
    context: StageContext, class_names: Sequence[str], split: str
) -> AlarmInputs | None:
    """The same for a split, where alarms.recordings.split names no other."""
    alarms = context.scenario.alarms
    if alarms is None:
        return None
    check_classes(alarms, class_names)
    recordings, taken = find_recordings(context, alarms, split)
    return AlarmInputs(
        rules=alarms.alarm_rules(),
        recordings=recordings,
        split=taken,
        counting=Counting(alarms.tolerance_s),
        recall_bias=alarms.recall_bias,
        unit=_unit(context),
    )


def _unit(context: StageContext) -> EvidenceUnit:
    """The camera where release.unit says so; an alarm has no image of its own to count."""
    asked = asked_unit(context.scenario) is EvidenceUnit.CAMERA
    return EvidenceUnit.CAMERA if asked else EvidenceUnit.RECORDING


def check_recordings(context: StageContext, class_names: Sequence[str]) -> None:
    """Before a pipeline trains: all that its later stages would refuse.

    Raises:
        DatasetError: everything wrong with rules, recordings or truth of any split.
    """
    problems = Problems()
    for split in SPLITS:
        try:
            read_alarms(context, class_names, split)
        except ConfigurationError as exc:
            problems += [each for each in exc.problems if each not in problems]
    if problems:
        raise DatasetError(problems)


def check_classes(alarms: AlarmConfig, class_names: Sequence[str]) -> None:
    """Raises ScenarioError for rules on classes that the model does not know."""
    found = unknown_classes(alarms, tuple(class_names), "the model")
    if problems := [Problem(message, ".".join(map(str, at))) for at, message in found]:
        raise ScenarioError(problems)


def find_recordings(
    context: StageContext, alarms: AlarmConfig, default: str
) -> tuple[tuple[Recording, ...], str]:
    """The recordings of a split, and its name.

    Args:
        default: the split where the section names none.

    Raises:
        ScenarioError: a split that there is not, a pattern of `val` that fits no recording.
        DatasetError: everything wrong with any recording or its truth.
    """
    wanted = alarms.recordings
    path = _path_of(context, wanted)
    split = wanted.split or default
    there = [each for each in SPLITS if path.is_dir() and (path / each).is_dir()]
    if there:
        if split not in there:
            if wanted.split:
                raise ScenarioError(
                    f"alarms.recordings.split is '{split}' but {path} has {' and '.join(there)} "
                    "alone; add the folder, or leave split out"
                )
            context.events.message(
                f"alarms are judged on the {there[0]} recordings: there are no {split} ones"
            )
            split = there[0]
        truth = wanted.truth and str(path / split / given_path(wanted.truth))
        found = _opened(context, alarms, path / split, given_path(truth) if truth else None)
        return found, split
    truth_file = _truth_of(context, wanted.truth, path) if wanted.truth else None
    found = _opened(context, alarms, path, truth_file)
    if wanted.val:
        return _of_split(wanted, found, split), split
    if wanted.split:
        raise ScenarioError(
            f"alarms.recordings.split is '{split}' but {path} has no splits; make folders val and "
            "test in it, or name the recordings for choosing in alarms.recordings.val"
        )
    return found, ""


def _path_of(context: StageContext, wanted: RecordingsParams) -> Path:
    if wanted.path.startswith(DEMO):
        from guardianflow.site_data.demo import demo_recordings

        return demo_recordings(wanted.path, context.settings.datasets_dir)
    if "://" in wanted.path:
        raise ScenarioError(
            f"alarms.recordings.path must be a file, a folder or {DEMO}incidents but got "
            f"'{wanted.path}'"
        )
    places = context.places_of(given_path(wanted.path))
    return next((each for each in places if each.exists()), places[0])


def _truth_of(context: StageContext, truth: str, path: Path) -> Path:
    """Beside the scenario or in the working directory, else among the recordings."""
    folder = path if path.is_dir() else path.parent
    places = [*context.places_of(given_path(truth)), folder / given_path(truth)]
    return next((each for each in places if each.exists()), places[0])


def _opened(
    context: StageContext, alarms: AlarmConfig, path: Path, truth: Path | None
) -> tuple[Recording, ...]:
    from guardianflow.site_data.footage.recordings import open_recordings

    wanted = alarms.recordings
    return open_recordings(
        path,
        truth,
        rules=[rule.name for rule in alarms.alarm_rules()],
        labels={label: nfc(rule) for label, rule in wanted.labels.items()} or None,
        fps=wanted.fps,
        camera_pattern=wanted.camera,
        cache_dir=context.settings.footage_dir,
    )


def _of_split(
    wanted: RecordingsParams, recordings: Sequence[Recording], split: str
) -> tuple[Recording, ...]:
    """Those that `val` names, or all others."""
    names = [each.name for each in recordings]
    patterns = [nfc(each) for each in wanted.val]
    idle = [each for each in patterns if not any(fnmatchcase(name, each) for name in names)]
    if idle:
        raise ScenarioError(
            [
                Problem(
                    f"'{each}' fits no recording{did_you_mean(each, names)}",
                    "alarms.recordings.val",
                )
                for each in idle
            ]
        )
    chosen = {name for name in names if any(fnmatchcase(name, each) for each in patterns)}
    kept = tuple(each for each in recordings if (each.name in chosen) == (split == VAL))
    if not kept:
        raise DatasetError(
            f"alarms.recordings.val takes all {len(names)} recordings, so none is left for test"
        )
    return kept
