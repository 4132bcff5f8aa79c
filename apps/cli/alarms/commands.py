"""The commands about alarms: `guardianflow alarms …`. Only click is imported here."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.options import number, option, switch

from ..flags import Command

SCENARIO = ("scenario", "model", "source", "overrides")


@dataclass(frozen=True)
class AlarmsCommand:
    """The options of `alarms score` and `alarms tune`.

    Args:
        limit: false alarms a day of a camera.
        to: directory for a picture, tables and the tuned rules; '' writes none.
    """

    scenario: str = option("scenario", required=True)
    model: str = option("-m --model", "runs:/ID, models:/NAME@champion, a file or a package.")
    source: str = option("-s --source-run-id --run-id", "Train or quant run.", metavar="ID")
    overrides: tuple[str, ...] = option(
        "-p --param",
        "Override a field of the scenario: -p alarms.tolerance_s=5. Repeatable.",
        default=(),
        metavar="FIELD=VALUE",
    )
    split: str = option("--split", "Recordings to judge.", choices=("", "val", "test"))
    limit: float | None = number(
        "--max-false-per-day",
        "Needed: false alarms a day of a camera that the rules may raise together.",
    )
    rule: str = option("--rule", "Tune this rule alone.", metavar="NAME")
    to: str = option("--to", "Write tables and pictures into this directory.", metavar="DIR")
    as_json: bool = switch("--json", "End stdout with one object.")

    @property
    def start(self) -> str:
        """The run or model to start from; '' where only the scenario says."""
        return self.source or self.model


ALARM_COMMANDS: tuple[Command, ...] = (
    Command(
        "score",
        "apps.cli.alarms.show:show_score",
        AlarmsCommand,
        """Judge the scenario's rules over its recordings: missed incidents, false alarms, delay.

The model looks at each recording once; what it finds is kept in the work directory, so rules are
tried again in no time. No run is made.
""",
        """\
  guardianflow alarms score site.yaml -m models:/NAME@champion
  guardianflow alarms score site.yaml -s RUN_ID -p alarms.rules.0.min_confidence=0.5
  guardianflow alarms score site.yaml -m best.pt --split val --to alarms/ --json

\b
Exit codes: 0 judged; 1 a failure at work; 2 bad input.
""",
        (*SCENARIO, "split", "to", "as_json"),
    ),
    Command(
        "tune",
        "apps.cli.alarms.show:show_tuning",
        AlarmsCommand,
        """Choose confidence and hold of the rules: fewest misses within a limit of false alarms.

They are chosen on the val recordings and judged on the test ones. The lines to paste into the
scenario are printed; nothing is changed.
""",
        """\
  guardianflow alarms tune site.yaml -m models:/NAME@champion --max-false-per-day 2
  guardianflow alarms tune site.yaml -s RUN_ID --max-false-per-day 0.5 --rule no_helmet
  guardianflow alarms tune site.yaml -m best.pt --max-false-per-day 2 --to tuned/ --json

\b
Exit codes: 0 chosen; 1 a failure at work; 2 bad input, or no setting keeps the limit.
""",
        (*SCENARIO, "limit", "rule", "to", "as_json"),
    ),
)
