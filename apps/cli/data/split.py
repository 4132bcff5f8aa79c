"""`guardianflow data split`: a split that keeps recordings whole, as lists beside a data.yaml."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from guardianflow.contracts.errors import ConfigurationError, Problems
from guardianflow.contracts.given import given_path
from guardianflow.contracts.recordings.groups import EvidenceUnit
from guardianflow.site_data.recordings.splits import (
    BACKGROUND,
    GroupedSplit,
    SplitPart,
    split_by_groups,
    write_split,
)
from guardianflow.support.terminal import make_console, print_json, write
from pipelines.settings import load_settings

from .options import DataSplitCommand
from .rules import asked_rule, name_of

FEWEST_GROUPS = 5
"""Of a split that judges: from fewer no interval can be said."""
MOST_ROWS = 15
FAR = 0.05
"""Of a share, from which on it is said that it is not what was asked for."""


def show_split(asked: DataSplitCommand) -> int:
    """Split, write and print what is in each part.

    Raises:
        ConfigurationError: shares that are none, a rule that is none, data or groups that are
            wrong, a directory that is there already.
    """
    problems = Problems()
    shares = problems.of(lambda: asked_shares(asked))
    rule = problems.of(lambda: asked_rule(asked.groups, asked.data))
    where = asked.output or f"{name_of(asked.data)}-by-{asked.by}"
    destination = problems.of(lambda: given_path(where))
    if destination and destination.exists():
        problems.add(
            f"{where} is there already, and nothing is written over; give another directory with -o"
        )
    if shares is None or rule is None or destination is None or problems:
        raise ConfigurationError(problems)
    split = split_by_groups(
        asked.data,
        rule,
        unit=EvidenceUnit(asked.by),
        shares=shares,
        seed=asked.seed,
        cache_dir=load_settings().datasets_dir,
    )
    data_yaml = write_split(split, destination)
    if asked.as_json:
        print_json(as_dict(split, data_yaml))
    else:
        print_split(split, data_yaml)
    return 0


def asked_shares(asked: DataSplitCommand) -> dict[str, float]:
    """Split → share, of those that have one."""
    problems = Problems()
    for flag, share, least in (("--val", asked.val, "above"), ("--test", asked.test, "from")):
        low_enough = share > 0 if least == "above" else share >= 0
        if not math.isfinite(share) or not low_enough or share >= 1:
            problems.add(f"{flag} must be {least} 0 and below 1 but got {share:g}")
    if not problems and asked.val + asked.test >= 1:
        problems.add(f"--val {asked.val:g} and --test {asked.test:g} leave nothing for train")
    if asked.seed < 0:
        problems.add(f"--seed must be 0 or more but got {asked.seed}")
    if problems:
        raise ConfigurationError(problems)
    shares = {"train": 1 - asked.val - asked.test, "val": asked.val, "test": asked.test}
    return {name: share for name, share in shares.items() if share}


def print_split(split: GroupedSplit, data_yaml: Path) -> None:
    console = make_console()
    asked = ", ".join(f"{name} {part.share:.2g}" for name, part in split.parts.items())
    console.print(f"Split by {split.unit}; asked for: {asked}", highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", overflow="fold")
    for name in split.parts:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row(
        "images", *(_cell(len(p.images), split.image_count) for p in split.parts.values())
    )
    table.add_row(f"{split.unit}s", *(str(len(part.groups)) for part in split.parts.values()))
    table.add_section()
    shown = sorted(split.shown, key=lambda name: -_distance(split, name))[:MOST_ROWS]
    for name in (name for name in split.shown if name in shown):
        cells = (_cell(part.shown.get(name, 0), split.shown[name]) for part in split.parts.values())
        table.add_row(Text(name or "(background)"), *cells)
    console.print(table)
    if left := len(split.shown) - len(shown):
        console.print(f"and {left} classes nearer to what was asked for", highlight=False)
    for line in remarks(split):
        console.print(Text(line))
    write(f"\nwritten: {data_yaml}\nNo image was moved or copied. In a scenario:")
    write(f"  dataset:\n    path: {data_yaml}\n    groups: {{file: {data_yaml.parent}/groups.csv}}")


def remarks(split: GroupedSplit) -> Iterator[str]:
    """What falls short: shares, classes that a split lacks, splits with too few groups."""
    far = [
        (abs(share - part.share), name, split_name, share, part.share)
        for split_name, part in split.parts.items()
        for name in (None, *split.shown)
        for share in [_share(split, part, name)]
    ]
    distance, name, split_name, share, wanted = max(far, key=lambda each: each[0])
    shown = "images" if name is None else name or "background"
    if distance > FAR:
        yield (
            f"Farthest from what was asked for: {shown} in {split_name}, {share:.2f} instead of "
            f"{wanted:.2g}. {str(split.unit).capitalize()}s are kept whole, and here no better "
            "split was found."
        )
    for split_name, lacking in split.lacking().items():
        told = [f"{each} ({_few(split, each)})" for each in lacking]
        yield f"{split_name} shows nothing of: {', '.join(told)}"
    for split_name, part in split.parts.items():
        if split_name != "train" and len(part.groups) < FEWEST_GROUPS:
            count = len(part.groups)
            yield (
                f"{split_name} has {count} {split.unit}{'s' if count > 1 else ''}: no interval "
                f"can be said of fewer than {FEWEST_GROUPS}, so gates on it stay undecided"
            )


def as_dict(split: GroupedSplit, data_yaml: Path) -> dict[str, Any]:
    return {
        "data_yaml": str(data_yaml),
        "groups": str(data_yaml.parent / "groups.csv"),
        "by": str(split.unit),
        "splits": {
            name: {
                "asked": part.share,
                "images": len(part.images),
                "share": len(part.images) / split.image_count,
                "groups": list(part.groups),
                "classes": {n: c for n, c in part.shown.items() if n != BACKGROUND},
                "background": part.shown.get(BACKGROUND, 0),
            }
            for name, part in split.parts.items()
        },
        "lacking": split.lacking(),
        "remarks": list(remarks(split)),
    }


def _few(split: GroupedSplit, name: str) -> str:
    count = split.holders[name]
    return f"in {count} {split.unit}{'s' if count > 1 else ' alone'}"


def _share(split: GroupedSplit, part: SplitPart, name: str | None) -> float:
    """Share of a class, or of all images, that a part has."""
    if name is None:
        return len(part.images) / split.image_count
    return part.shown.get(name, 0) / split.shown[name]


def _distance(split: GroupedSplit, name: str) -> float:
    return max(abs(_share(split, part, name) - part.share) for part in split.parts.values())


def _cell(count: int, of: int) -> str:
    return f"{count} ({count / of:.2f})"
