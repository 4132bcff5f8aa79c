"""A split that keeps recordings, or cameras, whole: lists of images beside a new data.yaml.

    split_by_groups(…)   finds images, groups and classes, and deals
    write_split(…)       DIR/data.yaml, train.txt, val.txt, test.txt, groups.csv: all or nothing

No image is moved or copied. The same images, groups and seed give the same split.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...contracts.errors import ConfigurationError, DatasetError, Problems
from ...contracts.recordings.groups import EvidenceUnit, GroupRule, ImageGroups
from ...support.files import whole_directory
from ...support.text.spelling import nfc
from ..data_yaml import SPLITS
from ..splitting import Dealer, WholeSet, classes_shown, read_whole, write_text
from .dealing import Int64, deal_groups
from .groups import groups_of
from .table import write_table

BACKGROUND = ""
"""Stands for the class of images that show none."""
_NOT_KEPT = (*SPLITS, "validation", "path", "download")


@dataclass(frozen=True)
class SplitPart:
    """One split.

    Args:
        images: absolute, sorted.
        groups: names, sorted.
        shown: class name → images that show it; BACKGROUND those that show none.
    """

    share: float
    images: tuple[Path, ...]
    groups: tuple[str, ...]
    shown: Mapping[str, int]


@dataclass(frozen=True)
class GroupedSplit:
    """A split of a set.

    Args:
        root: of the set.
        content: of the data.yaml it was read from.
        parts: 'train', 'val', 'test' (those that have a share) → what is in it.
        shown: class name → images of the whole set that show it.
        holders: class name → groups of the whole set that show it.
    """

    root: Path
    content: Mapping[str, Any]
    unit: EvidenceUnit
    groups: ImageGroups
    parts: Mapping[str, SplitPart]
    shown: Mapping[str, int]
    holders: Mapping[str, int]

    @property
    def image_count(self) -> int:
        return sum(len(part.images) for part in self.parts.values())

    def lacking(self) -> dict[str, list[str]]:
        """Split → classes that it shows nowhere though the set does."""
        found = {
            split: [name for name in self.shown if name and not part.shown.get(name)]
            for split, part in self.parts.items()
        }
        return {split: names for split, names in found.items() if names}


def split_by_groups(
    reference: str,
    rule: GroupRule,
    *,
    unit: EvidenceUnit,
    shares: Mapping[str, float],
    seed: int,
    cache_dir: Path,
    base_dir: Path | None = None,
) -> GroupedSplit:
    """Split all images of a set, whatever split they are in now.

    Args:
        reference: a data.yaml, a directory, or demo://ppe.
        unit: what is kept whole: recordings or cameras.
        shares: split → share, each > 0, 1 together.

    Raises:
        DatasetError: what is wrong with images, labels or groups; images whose unit is not known;
            fewer groups than splits.
    """
    whole = read_whole(reference, cache_dir=cache_dir, base_dir=base_dir)
    bases = [base_dir] if base_dir else []
    return split_whole(whole, rule, unit=unit, shares=shares, seed=seed, bases=bases)


def dealer_of(rule: GroupRule, base_dir: Path | None) -> Dealer:
    """Deals recordings instead of images; cameras where recordings are not known."""
    bases = [base_dir] if base_dir else []

    def deal(whole: WholeSet, shares: Mapping[str, float], seed: int) -> dict[str, list[Path]]:
        wanted = {split: share for split, share in shares.items() if share > 0}
        groups = groups_of(whole.images, rule, root=whole.layout.root, bases=bases)
        known = groups.names(whole.images, EvidenceUnit.RECORDING) is not None
        unit = EvidenceUnit.RECORDING if known else EvidenceUnit.CAMERA
        made = split_whole(whole, rule, unit=unit, shares=wanted, seed=seed, bases=bases)
        return {split: list(part.images) for split, part in made.parts.items()}

    return deal


def split_whole(
    whole: WholeSet,
    rule: GroupRule,
    *,
    unit: EvidenceUnit,
    shares: Mapping[str, float],
    seed: int,
    bases: Sequence[Path] = (),
) -> GroupedSplit:
    """The same of a set that is read already.

    Args:
        bases: where a relative path of a CSV is looked up.
    """
    layout, images = whole.layout, whole.images
    problems = Problems()
    classes = classes_shown(layout, problems)
    if problems:
        raise DatasetError(problems)
    groups = groups_of(images, rule, root=layout.root, tops=whole.tops, bases=bases)
    names = _names_of(groups, images, unit)
    known = sorted(set(names))
    if len(known) < len(shares):
        raise DatasetError(
            f"{len(known)} {unit}s ({', '.join(known)}) are too few for "
            f"{len(shares)} splits, as each is kept whole; "
            + (
                "split by recording"
                if unit is EvidenceUnit.CAMERA
                else "record more, or ask for fewer splits"
            )
        )
    titles = [*layout.class_names, BACKGROUND]
    counts = _counted(names, [classes[image] for image in images], known, len(titles))
    where = deal_groups(counts, [*shares.values()], seed)
    parts = {}
    for index, (split, share) in enumerate(shares.items()):
        inside = {known[row] for row in np.flatnonzero(where == index)}
        parts[split] = SplitPart(
            share,
            tuple(i for i, name in zip(images, names, strict=True) if name in inside),
            tuple(sorted(inside)),
            _titled(counts[where == index], titles),
        )
    shown, holders = _titled(counts, titles), _titled((counts > 0).astype(np.int64), titles)
    return GroupedSplit(layout.root, layout.content, unit, groups, parts, shown, holders)


def _counted(
    names: Sequence[str], classes: Sequence[frozenset[int]], known: Sequence[str], kinds: int
) -> Int64:
    """Groups × (classes, background, images): images of each group that show each."""
    counts = np.zeros((len(known), kinds + 1), dtype=np.int64)
    place = {name: row for row, name in enumerate(known)}
    for name, shown in zip(names, classes, strict=True):
        counts[place[name], [*(shown or {kinds - 1}), kinds]] += 1
    return counts


def _titled(counts: Int64, titles: Sequence[str]) -> dict[str, int]:
    sums = counts.sum(axis=0)
    return {title: int(sums[i]) for i, title in enumerate(titles) if sums[i]}


def _names_of(groups: ImageGroups, images: Sequence[Path], unit: EvidenceUnit) -> tuple[str, ...]:
    if (names := groups.names(images, unit)) is not None:
        return names
    without = [path for path in images if not groups.origins[path].of(unit)]
    others = [each for each in (EvidenceUnit.RECORDING, EvidenceUnit.CAMERA) if each is not unit]
    instead = next((each for each in others if groups.names(images, each)), None)
    raise DatasetError(
        f"{len(without)} of {len(images)} images have no {unit} by these groups, like "
        f"{without[0].name}; "
        + (f"they have a {instead}: split by it" if instead else f"name the {unit} of each")
    )


# --- writing ------------------------------------------------------------------------------------


def write_split(split: GroupedSplit, destination: Path) -> Path:
    """Write the split to a new directory; the path of its data.yaml.

    Raises:
        ConfigurationError: something is there already, or it can't be written.
    """
    destination = Path(os.path.abspath(destination))  # noqa: PTH100 - links are kept
    if destination.exists() or destination.is_symlink():
        raise ConfigurationError(
            f"{destination} is there already, and nothing is written over; give another directory "
            "with -o"
        )
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        with whole_directory(destination) as folder:
            for name, part in split.parts.items():
                write_text(folder / f"{name}.txt", "".join(f"{path}\n" for path in part.images))
            write_text(folder / "data.yaml", _data_yaml(split, destination))
            write_table(folder / "groups.csv", _origins_by_name(split))
    except OSError as exc:
        raise ConfigurationError(f"{destination} can't be written: {exc.strerror}") from exc
    return destination / "data.yaml"


def _data_yaml(split: GroupedSplit, destination: Path) -> str:
    """As YAML whose values are JSON, which YAML reads. Every reader takes absolute paths."""
    kept = {key: value for key, value in split.content.items() if key not in _NOT_KEPT}
    lists = {name: str(destination / f"{name}.txt") for name in split.parts}
    content = {"path": str(split.root), **lists, **kept}
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in content.items()]
    return f"# made by guardianflow data split, by {split.unit}\n{''.join(lines)}"


def _origins_by_name(split: GroupedSplit) -> dict[str, Any]:
    """Relative to the set's root, or where they lie outside, absolute."""
    root, origins = split.root, split.groups.origins
    return {
        nfc(path.relative_to(root).as_posix()) if path.is_relative_to(root) else str(path): origin
        for path, origin in origins.items()
    }
