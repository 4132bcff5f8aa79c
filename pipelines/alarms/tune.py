"""Tunes rules: chosen on val recordings within a limit of false alarms, judged on test ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from io import StringIO
from typing import TYPE_CHECKING, Any

from guardianflow.contracts.errors import ConfigurationError, ScenarioError
from guardianflow.contracts.recordings.alarm_results import AlarmFigures, TunedRules
from guardianflow.contracts.recordings.alarms import AlarmRule, Hold
from guardianflow.support.suggestions import did_you_mean

from ..measuring.alarms.inputs import SPLITS
from ..measuring.alarms.judging import JudgedAlarms, judge_found
from .watch import Watch, Watched

if TYPE_CHECKING:
    from scenario import AlarmConfig

UNSEEN = (
    "There are no recordings beside those that the rules were chosen on, so what they do elsewhere "
    "is not known: they look better here than they are. Make folders val and test, or name those "
    "for choosing in alarms.recordings.val."
)


@dataclass(frozen=True)
class Tuning:
    """Rules as chosen, and what they and the given ones do.

    Args:
        tuned: on the recordings for choosing; of one rule alone where one was named.
        before, after: the figures of all rules as given and as chosen, on the others.
        unseen: they were judged on other recordings than they were chosen on.
    """

    tuned: TunedRules
    given: tuple[AlarmRule, ...]
    rules: tuple[AlarmRule, ...]
    before: JudgedAlarms
    after: JudgedAlarms
    unseen: bool


def tune_rules(watch: Watch, max_false_per_day: float, rule: str = "") -> Tuning:
    """Choose confidence and hold of each rule, or of one.

    Args:
        max_false_per_day: of a camera; of all rules that are tuned, together.
        rule: name of the only one to tune; '' tunes all.

    Raises:
        ScenarioError: there is no such rule.
        ConfigurationError: a rule without an incident, a limit that nothing keeps.
    """
    from guardianflow.evaluation.alarms.curve import tune

    config = watch.context.scenario.alarms
    assert config is not None  # Watch has been made of it
    _check_asked(config, rule)
    chosen_on, judged_on = _both(watch)
    given = chosen_on.inputs.rules
    wanted = [each for each in given if rule in ("", each.name)]
    tuned = tune(
        chosen_on.inputs.recordings,
        chosen_on.detections,
        wanted,
        max_false_per_day,
        counting=chosen_on.inputs.counting,
    )
    made = {each.name: each for each in tuned.rules}
    rules = tuple(made.get(each.name, each) for each in given)
    before = judge_found(judged_on.inputs, judged_on.detections)
    after = judge_found(replace(judged_on.inputs, rules=rules), judged_on.detections)
    return Tuning(tuned, given, rules, before, after, judged_on is not chosen_on)


def _check_asked(config: AlarmConfig, rule: str) -> None:
    names = [each.name for each in config.alarm_rules()]
    if rule and rule not in names:
        raise ScenarioError(
            f"--rule must name one of {', '.join(names)} but got '{rule}'"
            f"{did_you_mean(rule, names)}"
        )
    if config.recordings.split is not None:
        raise ConfigurationError(
            "alarms.recordings.split is set, but rules are chosen on val and judged on test; leave "
            "it out: -p alarms.recordings.split="
        )


def _both(watch: Watch) -> tuple[Watched, Watched]:
    """Recordings for choosing and for judging; the same twice where there are no splits."""
    inputs = [watch.inputs(split) for split in SPLITS]
    if [each.split for each in inputs] != list(SPLITS):
        del inputs[1]
    found = watch.look(inputs)
    return found[0], found[-1]


# --- for people -----------------------------------------------------------------------------------


def tuning_as_dict(tuning: Tuning) -> dict[str, Any]:
    """JSON-able."""
    return {
        "limit": tuning.tuned.limit,
        "rules": [asdict(each) for each in tuning.rules],
        "chosen": [asdict(each) for each in tuning.tuned.points],
        "false_per_camera_day": tuning.tuned.false_per_camera_day,
        "missed": tuning.tuned.missed,
        "ties": tuning.tuned.ties,
        "unseen": tuning.unseen,
        "before": tuning.before.figures.to_dict(),
        "after": tuning.after.figures.to_dict(),
        "yaml": tuned_yaml(tuning),
    }


def tuned_yaml(tuning: Tuning) -> str:
    """The lines of alarms.rules to paste: those of the tuned rules that are other than before."""
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap

    rows = []
    given = {each.name: each for each in tuning.given}
    for rule in tuning.rules:
        if rule == given[rule.name]:
            continue
        hold = CommentedMap(_hold_values(rule.hold))
        hold.fa.set_flow_style()
        values = {"name": rule.name, "min_confidence": rule.min_confidence, "hold": hold}
        rows.append(CommentedMap(values))
    if not rows:
        return ""
    yaml = YAML(typ="rt", pure=True)
    yaml.allow_unicode = True
    stream = StringIO()
    yaml.dump({"alarms": {"rules": rows}}, stream)
    return stream.getvalue()


def _hold_values(hold: Hold) -> dict[str, float | int | None]:
    if hold.seconds is not None:
        return {"seconds": hold.seconds}
    return {"frames": hold.frames, "of": hold.of}


def hold_text(hold: Hold) -> str:
    """'5 of 8 frames', '2 s'."""
    return f"{hold.seconds:g} s" if hold.seconds is not None else f"{hold.frames} of {hold.of}"


def tuning_rows(tuning: Tuning) -> list[dict[str, str]]:
    """A row a rule: as it was, as chosen, and what it does where it was chosen."""
    given = {each.name: each for each in tuning.given}
    rows = []
    for point in tuning.tuned.points:
        before, now = given[point.rule.name], point.rule
        rows.append(
            {
                "rule": now.name,
                "confidence": f"{before.min_confidence:g} → {now.min_confidence:g}",
                "hold": f"{hold_text(before.hold)} → {hold_text(now.hold)}",
                "missed": f"{point.incidents - point.hits} of {point.incidents}",
                "false a day": "–"
                if point.false_per_camera_day is None
                else f"{point.false_per_camera_day:.3g} ({point.false})",
            }
        )
    return rows


def beside(before: AlarmFigures, after: AlarmFigures, keys: Sequence[str]) -> list[dict[str, str]]:
    """A row a figure: rules as given, rules as chosen."""
    from .score import NAMES, shown

    return [
        {"": NAMES[key], "as given": shown(before[key]), "as chosen": shown(after[key])}
        for key in keys
    ]
