"""`guardianflow data groups`: what tells the recordings of a set, and what each would hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.recordings.groups import GroupRule, GroupSource, ImageOrigin
from guardianflow.site_data.recordings.groups import groups_of
from guardianflow.site_data.recordings.names import names_below
from guardianflow.site_data.recordings.proposals.evidence import (
    Neighbours,
    compare_neighbours,
    read_times,
)
from guardianflow.site_data.recordings.proposals.propose import LIKE_VIDEOS, Proposal, propose
from guardianflow.site_data.recordings.proposals.roles import Reason
from guardianflow.site_data.recordings.summary import GroupContent, contents_of, unit_of
from guardianflow.site_data.splitting import WholeSet, read_whole
from guardianflow.support.terminal import make_console, print_json, write
from pipelines.settings import load_settings

from .options import DataGroupsCommand
from .rules import asked_rule
from .write_groups import check_target, write_rule, yaml_line

MOST_ROWS = 12
SINCE_1970_S = 1e8
"""A moment from which on it is a time, no number of a frame."""
WORDS = {
    Reason.CAMERA: "cameras are named",
    Reason.CLIP: "clips are named",
    Reason.VIDEO: "video files are named",
    Reason.START: "a day that images share, and numbers of frames",
    Reason.DAY: "each image has its own time, so a day of a camera is taken as one recording",
    Reason.RUNS: "numbers count up in even steps within each group",
    Reason.WORDS: "a word before the number; neighbouring images look alike",
    Reason.GAPS: "more than 5 minutes between the times of two images begin another recording",
    Reason.NEIGHBOURS: "each image looks nearly like the one before it, in the order of names",
}


@dataclass(frozen=True)
class _Shown:
    """A data set, and its names as rules see them."""

    data: str
    whole: WholeSet
    names: Mapping[Path, str]

    def contents(self, origins: Mapping[Path, ImageOrigin]) -> list[GroupContent]:
        return contents_of(origins, self.names, self.whole.splits)


def show_groups(asked: DataGroupsCommand) -> int:
    """Print what tells recordings, and what each would hold; write it where that is asked.

    Raises:
        ConfigurationError: data that can't be read, a rule that is none or does not fit, a file
            that is there already.
    """
    if asked.write:
        check_target(asked.write)
    rule = asked_rule(asked.groups, asked.data) if asked.groups else None
    whole = read_whole(asked.data, cache_dir=load_settings().datasets_dir)
    root = whole.layout.root
    shown = _Shown(asked.data, whole, names_below(whole.images, root, whole.tops))
    neighbours = None
    if rule is not None:
        groups = groups_of(whole.images, rule, root=root, tops=whole.tops, bases=[Path()])
        proposals: tuple[Proposal, ...] = (Proposal(rule, groups.origins, ()),)
    else:
        classes = whole.layout.class_names
        found = propose(shown.names, classes, look=compare_neighbours, times=read_times)
        proposals, neighbours = found.proposals, found.neighbours
    if asked.pick > max(1, len(proposals)):
        raise ConfigurationError(f"--pick must be 1 to {len(proposals)} but got {asked.pick}")
    if asked.as_json:
        written = _write(asked, proposals, shown)
        print_json(_as_dict(shown, proposals, neighbours) | {"written": written or None})
        return int(bool(asked.write) and not written)
    _print(shown, proposals, neighbours, asked.pick)
    written = _write(asked, proposals, shown)
    if asked.write:
        write(f"written: {written}" if written else "nothing was written")
    return int(bool(asked.write) and not written)


def _write(asked: DataGroupsCommand, proposals: Sequence[Proposal], shown: _Shown) -> str:
    if not asked.write or not proposals:
        return ""
    chosen = proposals[asked.pick - 1]
    return str(write_rule(asked.write, chosen, shown.whole.layout.root))


# --- for people -----------------------------------------------------------------------------------


def _print(
    shown: _Shown, proposals: Sequence[Proposal], neighbours: Neighbours | None, pick: int
) -> None:
    console = make_console()
    splits = ", ".join(f"{name} {len(each)}" for name, each in shown.whole.splits.items())
    names = list(shown.names.values())
    console.print(
        Text(f"{len(names)} images{f' ({splits})' if splits else ''}, called like {names[0]}")
    )
    if neighbours is not None:
        console.print(Text(_of_neighbours(neighbours)))
    if not proposals:
        console.print(Text(_nothing(shown.data)))
        if neighbours is not None and neighbours.share >= LIKE_VIDEOS:
            console.print(
                "Until it is told, intervals that count single images are too narrow here."
            )
        return
    for number, each in enumerate(proposals, start=1):
        title = f"proposal {number}" if each.reasons else str(each.rule)
        why = "; ".join(WORDS[reason] for reason in each.reasons)
        console.print(Text.assemble("\n", (title, "bold"), f": {why}" if why else ""))
        _print_contents(console, shown.contents(each.origins), each)
    if proposals[0].reasons:
        chosen = proposals[pick - 1]
        picked = f" --pick {pick}" if pick > 1 else ""
        if chosen.rule is not None:
            write(f"\nIn a scenario, below dataset:\n  {yaml_line(chosen.rule)}")
        write(
            f"As a table to correct by hand:\n  guardianflow data groups {shown.data}{picked} "
            "--write groups.csv"
        )


def _print_contents(console: Any, contents: Sequence[GroupContent], each: Proposal) -> None:
    unit = unit_of(each.origins)
    cameras = {origin.camera for origin in each.origins.values()} - {""}
    sizes = sorted(content.images for content in contents)
    across = sum(len(content.splits) > 1 for content in contents)
    line = f"{len(contents)} {unit}s"
    if cameras and unit != "camera":
        line += f" of {len(cameras)} cameras"
    line += f", {sizes[0]} to {sizes[-1]} images each, {sizes[len(sizes) // 2]} in the middle"
    if across:
        line += f"; {across} have images in several splits"
    console.print(Text(line))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(str(unit), overflow="fold")
    table.add_column("images", justify="right", no_wrap=True)
    table.add_column("splits", overflow="fold")
    table.add_column("from", justify="right", overflow="fold")
    table.add_column("to", justify="right", overflow="fold")
    for content in contents[:MOST_ROWS]:
        splits = ", ".join(f"{name} {count}" for name, count in content.splits.items())
        table.add_row(
            Text(content.name),
            str(content.images),
            Text(splits),
            _moment(content.first),
            _moment(content.last),
        )
    console.print(table)
    if len(contents) > MOST_ROWS:
        console.print(f"and {len(contents) - MOST_ROWS} more; all of them: --json")


def _moment(moment: float | None) -> str:
    if moment is None:
        return "–"
    if moment < SINCE_1970_S:
        return f"{moment:.10g}"
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _of_neighbours(neighbours: Neighbours) -> str:
    if neighbours.near is None:
        return "Neighbouring images were not compared: there are too many."
    text = (
        f"{neighbours.share:.0%} of the images look nearly like the next one by name (of pairs at "
        f"random {neighbours.at_random:.0%})"
    )
    if neighbours.share >= LIKE_VIDEOS:
        return f"{text}: they are frames of videos, or of fixed cameras."
    return f"{text}."


def _nothing(data: str) -> str:
    return (
        "Nothing tells which recording an image is of: neither names and folders, nor times in the "
        "files, nor neighbouring images. Who knows it writes a table, groups.csv: a header "
        "image,camera,recording,frame and a row an image; or a pattern, and tries it with:\n"
        f"  guardianflow data groups {data} --groups '(?P<camera>…)_(?P<recording>…)'"
    )


# --- for programs ---------------------------------------------------------------------------------


def _as_dict(
    shown: _Shown, proposals: Sequence[Proposal], neighbours: Neighbours | None
) -> dict[str, Any]:
    compared = neighbours is not None and neighbours.near is not None
    return {
        "images": len(shown.names),
        "neighbours": {"near": neighbours.share, "at_random": neighbours.at_random}
        if compared and neighbours
        else None,
        "proposals": [_proposal(shown, each) for each in proposals],
    }


def _proposal(shown: _Shown, each: Proposal) -> dict[str, Any]:
    return {
        "groups": _rule(each.rule),
        "reasons": [str(reason) for reason in each.reasons],
        "unit": str(unit_of(each.origins)),
        "contents": [vars(content) for content in shown.contents(each.origins)],
    }


def _rule(rule: GroupRule | None) -> object:
    if rule is None:
        return None
    return str(rule.source) if rule.source is GroupSource.FOLDER else {str(rule.source): rule.text}
