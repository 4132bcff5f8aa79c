"""`guardianflow mot`: judge result files of any tracker against ground truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.table import Table

from guardianflow.contracts.given import given_path
from guardianflow.contracts.sequences import MotResult
from guardianflow.evaluation.mot.scores import evaluate_tracks
from guardianflow.site_data.mot.track_results import read_truth_and_results
from guardianflow.support.terminal import make_console, print_json

from .options import MotCommand

RATES = ("HOTA", "DetA", "AssA", "MOTA", "IDF1")
COUNTS = ("IDSW", "Frag", "MT", "PT", "ML", "CLR_FP", "CLR_FN")
LEFT_OUT_FIRST = ("PT", "Frag", "AssA", "DetA")
"""In a terminal too narrow for all."""


def show_mot(asked: MotCommand) -> int:
    """Print scores per sequence, per class where there are several, and combined."""
    truth, results = given_path(asked.truth), given_path(asked.results)
    sequences, tracks = read_truth_and_results(truth, results)
    result = evaluate_tracks(sequences, tracks)
    if asked.as_json:
        print_json(result.to_dict())
    else:
        print_result(result)
    return 0


def print_result(result: MotResult) -> None:
    """Rates in per cent, as TrackEval itself prints them."""
    console = make_console()
    columns = [*RATES, *COUNTS]
    table = make_table(result, columns)
    unbounded = console.options.update(width=1000)
    for name in LEFT_OUT_FIRST:
        if console.measure(table, options=unbounded).maximum > console.width:
            columns.remove(name)
            table = make_table(result, columns)
    console.print(table)
    console.print(
        f"{result.frames} frames, judged by {result.evaluator}; HOTA to IDF1 in %. "
        f"Every field: --json",
        highlight=False,
    )
    for name, count in result.unjudged.items():
        console.print(
            f"{count} boxes of class '{name}' were left out: no true object of it counts",
            highlight=False,
            markup=False,
        )


def make_table(result: MotResult, columns: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", overflow="fold")
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for name, scores in result.sequences.items():
        table.add_row(name, *cells(scores, columns))
    table.add_section()
    if len(result.classes) > 1:
        for name, scores in result.classes.items():
            table.add_row(f"class {name}", *cells(scores, columns))
        table.add_section()
    table.add_row("combined", *cells(result.combined, columns), style="bold")
    return table


def cells(scores: Mapping[str, float], columns: Sequence[str]) -> list[str]:
    """A row of the table; '–' for what can't be said."""
    return [
        "–"
        if name not in scores
        else f"{100 * scores[name]:.5g}"
        if name in RATES
        else str(scores[name])
        for name in columns
    ]
