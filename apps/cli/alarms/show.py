"""`guardianflow alarms score` and `alarms tune`: run them and print what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import TimeElapsedColumn

from guardianflow.contracts.errors import ScenarioError
from guardianflow.contracts.given import given_path
from guardianflow.support.terminal import print_json, say, write
from pipelines.alarms.score import score, score_as_dict, score_notes, score_rows
from pipelines.alarms.tune import (
    UNSEEN,
    Tuning,
    beside,
    tune_rules,
    tuned_yaml,
    tuning_as_dict,
    tuning_rows,
)
from pipelines.alarms.watch import Watch, require_alarms, watching
from pipelines.console import StderrProgress
from pipelines.measuring.alarms.files import save_alarms
from pipelines.measuring.alarms.pictures import draw_alarms, draw_tuning
from pipelines.measuring.timing import save_json
from pipelines.settings import PROJECT_ROOT, load_settings
from pipelines.stage.events import EventSink
from scenario import load_scenario

from ..listing import print_rows
from .commands import AlarmsCommand

SHOWN = ("missed", "false_per_camera_day", "delay_p50_s", "precision", "recall", "f1")


class TerminalSink(EventSink):
    """Tells what is going on to a terminal."""

    def __init__(self, progress: StderrProgress) -> None:
        super().__init__(None)
        self._progress = progress

    def progress(self, done: int, total: int, note: str = "") -> None:  # noqa: ARG002 - of EventSink
        self._progress(done, total)

    def message(self, text: str) -> None:
        say(f"note: {text}")

    def notice(self, text: str) -> None:
        say(f"note: {text}")


def show_score(asked: AlarmsCommand) -> int:
    """Judge the rules as they are, and print the figures."""
    split = [f"alarms.recordings.split={asked.split}"] if asked.split else []
    with opened(asked, split) as watch:
        judged = score(watch)
    if asked.to:
        save_alarms({"model": judged}, given_path(asked.to))
        draw_alarms(judged, given_path(asked.to) / "plots")
    if asked.as_json:
        print_json(score_as_dict(judged))
        return 0
    print_rows([dict(row) for row in score_rows(judged.figures)])
    for note in score_notes(judged):
        write(note)
    return 0


def show_tuning(asked: AlarmsCommand) -> int:
    """Tune the rules, and print what was chosen, what it does, and the lines to paste.

    Raises:
        ScenarioError: no limit, or one that is not above 0.
    """
    limit = asked.limit
    if limit is None:
        raise ScenarioError(
            "tune needs a limit to keep: give --max-false-per-day 2, false alarms a day of a camera"
        )
    if not limit > 0:
        raise ScenarioError(f"--max-false-per-day must be above 0 but got {limit:g}")
    with opened(asked, []) as watch:
        tuning = tune_rules(watch, limit, asked.rule)
    if asked.to:
        save_tuning(tuning, given_path(asked.to))
    print_json(tuning_as_dict(tuning)) if asked.as_json else print_tuning(tuning)
    return 0


def print_tuning(tuning: Tuning) -> None:
    tuned = tuning.tuned
    inputs = tuning.before.inputs
    where = "val recordings" if tuning.unseen else "the recordings"
    write(f"Chosen on {where}, at most {tuned.limit:g} false alarms a day of a camera:")
    print_rows([dict(row) for row in tuning_rows(tuning)])
    if tuned.ties:
        write(f"{tuned.ties} other settings do as well there; the one nearest yours was taken.")
    if not tuning.unseen:
        write(UNSEEN)
    judged = f"{len(inputs.recordings)} {inputs.split or 'same'} recordings"
    write(f"Judged on {judged}, all rules together:")
    figures = tuning.before.figures, tuning.after.figures
    print_rows([dict(row) for row in beside(*figures, SHOWN)])
    for note in score_notes(tuning.after):
        write(note)
    lines = tuned_yaml(tuning)
    if not lines:
        write("The rules are at the best point already: nothing has to be changed.")
        return
    write("Paste over the same keys of these rules:")
    write(lines.rstrip("\n"))


def save_tuning(tuning: Tuning, folder: Path) -> None:
    """`rules.yaml`, `tuning.json`, `curve.png`, and results/ and plots/ of the rules as chosen."""
    folder.mkdir(parents=True, exist_ok=True)
    draw_tuning(tuning.tuned, folder / "curve.png")
    draw_alarms(tuning.after, folder / "plots")
    (folder / "rules.yaml").write_text(tuned_yaml(tuning), encoding="utf-8")
    save_json(folder / "tuning.json", tuning_as_dict(tuning))
    save_alarms({"as given": tuning.before, "as chosen": tuning.after}, folder)


@contextmanager
def opened(asked: AlarmsCommand, more: list[str]) -> Iterator[Watch]:
    """The model and recordings that a command names.

    Args:
        more: overrides of the scenario.
    """
    if asked.source and asked.model:
        raise ScenarioError("name a model with -m or a run with -s, not both")
    overrides = [*asked.overrides, *more]
    scenario = load_scenario(asked.scenario, overrides=overrides, search_dirs=[PROJECT_ROOT])
    require_alarms(scenario)
    columns = (TimeElapsedColumn(),)
    line = "{} of {} s of footage watched".format
    with (
        StderrProgress("watching", columns, line) as progress,
        watching(scenario, asked.start, load_settings(), TerminalSink(progress)) as watch,
    ):
        yield watch
