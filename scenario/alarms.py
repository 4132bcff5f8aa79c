"""The section `alarms`: rules, the recordings they are judged on, and how alarms are counted.

    AlarmConfig        the section
    RecordingsParams   which recordings, and where their truth stands
    AlarmRuleParams    one rule; AlarmConfig.alarm_rules() gives them as the core takes them

docs/alarms.md says what it means.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from guardianflow.contracts.recordings.alarms import TOLERANCE_S, AlarmRule, Hold
from guardianflow.support.text.spelling import nfc

from .alarm_conflicts import is_in_pixels
from .fields import values as kind
from .sections import Section

RULE_LIKE = "a mapping like {name: no_helmet, class: person, without: helmet, hold: {seconds: 2}}"


def check_camera_pattern(value: str) -> str:
    """A regular expression that finds a camera's name in a recording's."""
    try:
        pattern = re.compile(kind.check_text(value))
    except re.error as exc:
        raise ValueError(f"it is no regular expression: {exc}") from exc
    if "camera" not in pattern.groupindex:
        raise ValueError("it has no group (?P<camera>…)")
    return value


Coordinate = Annotated[float, Field(strict=True, allow_inf_nan=False), kind.Expected("a number")]
Corner = Annotated[
    tuple[Coordinate, ...],
    Field(min_length=2, max_length=2),
    kind.Expected("a corner like [0.2, 0.5]"),
]
Zone = Annotated[
    tuple[Corner, ...],
    BeforeValidator(lambda value: () if value is None else value),
    kind.Expected("a list of corners like [[0, 0.5], [1, 0.5], [1, 1], [0, 1]]"),
]
CameraPattern = Annotated[
    kind.Written,
    AfterValidator(check_camera_pattern),
    kind.Expected("a regular expression with a group (?P<camera>…)"),
]
Names = Annotated[
    tuple[kind.Text, ...],
    AfterValidator(kind.check_no_repeats),
    kind.Expected("a list of recordings' names, which may hold *, like [cam1/2026030*]"),
]

Labels = Annotated[
    dict[kind.Text, kind.NamePart],
    BeforeValidator(kind.null_is_empty),
    kind.Expected("a mapping of the truth's labels to rules like {No_Helmet: no_helmet}"),
]


class RecordingsParams(Section):
    """The recordings that rules are judged on.

    `path`: a video, a folder of pictures, a folder of such, or demo://incidents. Folders val and
    test in it are its splits; where there are none, `val` names those for choosing. `split`: judge
    on these; None takes test for infer and release, val for quant, and all where there is no split.
    `labels`: the truth's own label → rule, for truth of an annotation tool.
    """

    path: kind.Text
    truth: kind.Text | None = None
    split: Literal["val", "test"] | None = None
    val: Names = ()
    camera: CameraPattern | None = None
    fps: kind.PositiveNumber | None = None
    labels: Labels = Field(default_factory=dict)


class HoldParams(Section):
    """How long a rule's condition must hold: in `frames` of the last `of`, or for `seconds`."""

    frames: kind.Positive | None = None
    of: kind.Positive | None = None
    seconds: kind.NotNegativeNumber | None = None

    def as_hold(self) -> Hold:
        if self.seconds is not None:
            return Hold(None, None, self.seconds)
        frames = self.frames or 1
        return Hold(frames, self.of or frames)

    def __str__(self) -> str:
        hold = self.as_hold()
        if hold.seconds is not None:
            return f"{hold.seconds:g} s"
        return f"{hold.frames} of {hold.of} frames"


class AlarmRuleParams(Section):
    """One rule. Corners of `zone` that all lie in 0…1 are shares of the picture, else pixels."""

    model_config = ConfigDict(populate_by_name=True)

    name: kind.NamePart
    class_name: kind.ClassName = Field(alias="class")
    without: kind.ClassName | None = None
    zone: Zone = ()
    min_confidence: kind.Fraction = 0.25
    hold: HoldParams = Field(default_factory=HoldParams)
    cooldown_s: kind.NotNegativeNumber = 0.0

    @property
    def zone_in_pixels(self) -> bool:
        return is_in_pixels(self.zone)

    def as_rule(self) -> AlarmRule:
        return AlarmRule(
            name=nfc(self.name),
            class_name=self.class_name,
            zone=tuple((x, y) for x, y in self.zone),
            zone_in_pixels=self.zone_in_pixels,
            min_confidence=self.min_confidence,
            hold=self.hold.as_hold(),
            cooldown_s=self.cooldown_s,
            without=self.without or "",
        )


class AlarmConfig(Section):
    """Alarms over recordings: rules, recordings, and how near an incident's start is a hit."""

    recordings: RecordingsParams
    rules: Annotated[
        tuple[Annotated[AlarmRuleParams, kind.Expected(RULE_LIKE)], ...],
        AfterValidator(kind.check_not_empty),
        kind.Expected(f"a list of at least one rule, each {RULE_LIKE}"),
    ]
    tolerance_s: kind.PositiveNumber = TOLERANCE_S
    recall_bias: kind.PositiveNumber = 1.0

    def alarm_rules(self) -> tuple[AlarmRule, ...]:
        """The rules as they are evaluated."""
        return tuple(each.as_rule() for each in self.rules)

    def to_params(self) -> dict[str, str | int | float]:
        """'alarms.tolerance_s', 'alarms.no_helmet.hold', …: each rule by its name."""
        params: dict[str, str | int | float] = {
            "alarms.recordings": self.recordings.path,
            "alarms.rules": ",".join(each.name for each in self.rules),
            "alarms.tolerance_s": self.tolerance_s,
            "alarms.recall_bias": self.recall_bias,
        }
        for rule in self.rules:
            own: dict[str, str | int | float] = {
                "class": rule.class_name,
                "without": rule.without or "",
                "zone": json.dumps(rule.zone) if rule.zone else "",
                "min_confidence": rule.min_confidence,
                "hold": str(rule.hold),
                "cooldown_s": rule.cooldown_s,
            }
            params |= {f"alarms.{rule.name}.{key}": v for key, v in own.items() if v != ""}
        return params
