"""`guardianflow data check`: what of val and test is in train already."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from rich import box
from rich.progress import MofNCompleteColumn
from rich.table import Table

from guardianflow.contracts.errors import ConfigurationError, DatasetError
from guardianflow.contracts.given import given_path
from guardianflow.contracts.recordings.leaks import DataLeaks, LeakKind, SplitLeaks
from guardianflow.contracts.results import LocalDataset
from guardianflow.support.terminal import make_console, print_json, write
from pipelines.console import StderrProgress
from pipelines.measuring.leaks import draw_pairs, top_of
from pipelines.settings import load_settings

from .check_options import DataCheckCommand
from .rules import asked_rule, table_beside

TABLE, SHEET = "leaks.csv", "leaks.png"
HEADINGS = {
    LeakKind.SAME_FILE: "same file",
    LeakKind.TWIN: "twin",
    LeakKind.NEIGHBOUR: "next frame",
    LeakKind.SAME_RECORDING: "same recording",
    LeakKind.SAME_CAMERA: "same camera",
    LeakKind.SAME_SCENE: "same view",
}
BY_GROUPS = (LeakKind.NEIGHBOUR, LeakKind.SAME_RECORDING, LeakKind.SAME_CAMERA)


def show_check(asked: DataCheckCommand) -> int:
    """Look for leaks, and print what was found.

    Returns:
        0 where no judged split has more of itself in train than may be, 1 where one has.

    Raises:
        ConfigurationError: a share that is none, an output that is a file, a data set that is none
            or has only one split.
    """
    if not (math.isfinite(asked.most) and 0 <= asked.most <= 1):
        raise ConfigurationError(f"--max must be a number from 0 to 1 but got {asked.most:g}")
    output = given_path(asked.output) if asked.output else None
    if output is not None and output.exists() and not output.is_dir():
        raise ConfigurationError(f"-o must be a directory but {output} is a file")
    dataset, found = look(asked.data, asked.groups)
    files = save(found, dataset, output) if output is not None else []
    if asked.as_json:
        print_json(as_dict(dataset, found, asked.most, files))
    else:
        print_found(found, asked.most, files)
    return int(any(each.share > asked.most for each in judged_splits(found)))


def look(data: str, groups: str = "") -> tuple[LocalDataset, DataLeaks]:
    """A data set, and what crosses its splits; progress is shown.

    Args:
        groups: the rule of --groups; '' takes the table beside the data, where there is one.
    """
    from guardianflow.site_data.datasets import resolve_dataset
    from guardianflow.site_data.twins.leaks import find_leaks

    cache_dir = load_settings().datasets_dir
    rule = asked_rule(groups, data) if groups or table_beside(data) else None
    dataset = resolve_dataset(data, cache_dir=cache_dir, groups=rule)
    if not dataset.splits.get("train") or len(dataset.splits) < 2:
        raise DatasetError(
            f"{dataset.name} has nothing that could leak: it takes train and val or test, but it "
            f"has {', '.join(dataset.splits)}"
        )
    columns = (MofNCompleteColumn(),)
    with (
        StderrProgress("reading", columns, lambda a, b: f"read {a} of {b} images") as reading,
        StderrProgress("comparing", columns, lambda a, b: f"compared {a} of {b}") as searching,
    ):
        return dataset, find_leaks(dataset, cache_dir, progress=reading, searching=searching)


def judged_splits(found: DataLeaks) -> list[SplitLeaks]:
    """Those looked for in train."""
    return [each for each in found.splits if each.among == "train"]


def save(found: DataLeaks, dataset: LocalDataset, output: Path) -> list[Path]:
    from guardianflow.site_data.twins.table import write_leaks

    files = [write_leaks(output / TABLE, found.leaks, top_of(dataset))]
    sheet = draw_pairs(found, output / SHEET)
    return [*files, sheet] if sheet is not None else files


def as_dict(
    dataset: LocalDataset, found: DataLeaks, most: float, files: list[Path]
) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "max": most,
        "leaks": any(each.share > most for each in judged_splits(found)),
        "splits": [
            {
                "split": each.split,
                "among": each.among,
                "images": each.images,
                "share": each.share,
                "twins": len(each.twins),
                "untouched": each.images - len(each.touched),
                "counts": {str(kind): each.counts.get(kind, 0) for kind in kinds_of(found)},
            }
            for each in found.splits
        ],
        "plain": found.plain,
        "unread": found.unread,
        "by_groups": found.by_groups,
        "files": [str(path) for path in files],
    }


def kinds_of(found: DataLeaks) -> list[LeakKind]:
    """Those that were looked for."""
    return [kind for kind in LeakKind if found.by_groups or kind not in BY_GROUPS]


def print_found(found: DataLeaks, most: float, files: list[Path]) -> None:
    console = make_console()
    kinds = kinds_of(found)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", overflow="fold")
    for heading in ("images", *(HEADINGS[kind] for kind in kinds), "untouched", "leaks"):
        table.add_column(heading, justify="right")
    for each in found.splits:
        counts = (str(each.counts.get(kind, 0)) for kind in kinds)
        rest = str(each.images - len(each.touched))
        share = f"{100 * each.share:.1f} %"
        table.add_row(f"{each.split} in {each.among}", str(each.images), *counts, rest, share)
    console.print(table)
    for line in remarks(found, most):
        write(line)
    for path in files:
        write(f"written: {path}")


def remarks(found: DataLeaks, most: float) -> list[str]:
    """What the table means, and what it leaves open."""
    lines = [
        f"{each.split}: {100 * each.share:.0f} % of its images are in train, more than "
        f"{100 * most:g} %: figures on it say nothing about new footage. Split the data so that no "
        "recording is on both sides: guardianflow data split DATA --by recording"
        for each in judged_splits(found)
        if each.share > most
    ]
    if not lines:
        lines.append(f"no split has more than {100 * most:g} % of its images in train")
    if not found.by_groups:
        lines.append("recordings are not known: what is no twin may still be of one recording")
    if found.plain:
        lines.append(f"{found.plain} images are too plain to be compared: dark, or of one colour")
    if found.unread:
        lines.append(f"{found.unread} images could not be read")
    return lines
