"""Splits a data set that has no split of its own: seeded, by class, into lists of images.

    split_data_set(…) → a data.yaml of three lists, or the reference itself where it fits already
    read_whole(…)     → all images of a set together, for who splits it otherwise

Images are dealt one by one, so frames of one recording may land on both sides; who knows the
recordings gives a dealer that keeps them whole (recordings/splits.py).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..contracts.errors import DatasetError, Problem, Problems
from ..support.foreign_yaml import UnreadableYamlError, read_yaml
from . import dvc
from .data_yaml import SPLITS, Layout, first_there, places_of, read_layout
from .demo import SCHEME, demo_data_set
from .image_places import absolute
from .labels import read_labels
from .once import make_once

TOLERANCE = 0.02
"""Of a share, where a set that has a split already is said to have been split so."""
BACKGROUND = -1
"""Stands for the class of images that show none."""
_YAML = (".yaml", ".yml")
_SPLIT_FOLDERS = frozenset({*SPLITS, "valid", "validation"})


@dataclass(frozen=True)
class DataSplit:
    """A data set's split.

    Args:
        reference: of the data set that has it: the data.yaml that was made, or what was given.
        made: it was made here; False: the set had it.
        images: split → paths relative to the set's root, sorted; empty where it was not made.
    """

    reference: str
    made: bool
    images: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class WholeSet:
    """A set whose split does not matter.

    Args:
        layout: whose train is all images.
        tops: the folder of each split, where each split is one folder.
        splits: split → images, as they are split now; empty where they are not.
    """

    layout: Layout
    tops: tuple[Path, ...] = ()
    splits: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)

    @property
    def images(self) -> tuple[Path, ...]:
        return self.layout.images["train"]


Dealer = Callable[[WholeSet, Mapping[str, float], int], dict[str, list[Path]]]
"""(set, shares, seed) → split → images."""


def split_data_set(
    reference: str,
    *,
    shares: Mapping[str, float],
    seed: int,
    cache_dir: Path,
    base_dir: Path | None = None,
    class_names: Sequence[str] = (),
    dealer: Dealer | None = None,
) -> DataSplit:
    """Split a set of images by class.

    Args:
        reference: as of resolve_dataset; also a directory of images and labels without data.yaml.
        shares: 'train', 'val', 'test' → share, 1 together.
        seed: the same images and seed give the same split, wherever the set lies.
        class_names: of a directory that does not name them itself.
        dealer: deals the images otherwise than one by one.

    Raises:
        DatasetError: nothing is there, the set has another split already, or a split would be
            left without images.
    """
    cache_dir = absolute(cache_dir)
    place = _place_of(reference, base_dir, cache_dir)
    data_yaml = _data_yaml_of(place)
    content: dict[str, Any]
    entries: Any
    if data_yaml is None:
        content = {"names": _class_names(place, class_names)}
        root, entries = place, _whole_folder(place)
    else:
        content = _content(data_yaml)
        if _has_own_split(content):
            _check_shares(read_layout(data_yaml), shares)
            return DataSplit(reference, made=False, images={})
        root = data_yaml.parent
        entries = content.get("train")
    layout = _layout_of(content, root, entries, cache_dir)
    if dealer is not None:
        dealt = dealer(WholeSet(layout), shares, seed)
    else:
        malformed = Problems()  # resolve_dataset tells them
        dealt = deal(classes_shown(layout, malformed), layout.root, shares, seed)
    if lacking := [name for name, share in shares.items() if share and not dealt.get(name)]:
        raise DatasetError(
            f"{reference}: its {len(layout.images['train'])} images are too few for "
            f"split_ratio: '{lacking[0]}' would have none"
        )
    made = _write(place, layout, dealt, cache_dir)
    names = {
        split: tuple(sorted(_relative(image, layout.root) for image in images))
        for split, images in dealt.items()
    }
    return DataSplit(str(made), made=True, images=names)


def read_whole(reference: str, *, cache_dir: Path, base_dir: Path | None = None) -> WholeSet:
    """All images of a set, whatever split they are in, with their labels.

    Args:
        reference: as of split_data_set.

    Raises:
        DatasetError: nothing is there, or it can't be read.
    """
    cache_dir = absolute(cache_dir)
    place = _place_of(reference, base_dir, cache_dir)
    data_yaml = _data_yaml_of(place)
    if data_yaml is None:
        content = {"names": _class_names(place, ())}
        return WholeSet(_layout_of(content, place, _whole_folder(place), cache_dir))
    known = read_layout(data_yaml)  # what is wrong with it is found again below
    entries = [str(entry) for split in known.images for entry in known.entries[split]]
    layout = _layout_of(_content(data_yaml), data_yaml.parent, entries, cache_dir)
    return WholeSet(layout, places_of(data_yaml)[1], dict(known.images))


def deal(
    classes: Mapping[Path, frozenset[int]], root: Path, shares: Mapping[str, float], seed: int
) -> dict[str, list[Path]]:
    """Deal images out to splits so that each class has its share in each.

    Iterative stratification: the rarest class first, each of its images to the split that lacks
    most of that class (Sechidis, Tsoumakas and Vlahavas 2011, algorithm 1).

    Args:
        classes: image → ids of the classes that it shows.
        root: names below it, not places on a machine, decide the order.

    Returns:
        Split → images, for the splits that have a share.
    """
    order = sorted(classes, key=lambda image: _relative(image, root))
    order = [order[i] for i in np.random.default_rng(seed).permutation(len(order))]
    left = {image: classes[image] or frozenset({BACKGROUND}) for image in order}
    wanted = {split: share for split, share in shares.items() if share > 0}
    counts = Counter(each for shown in left.values() for each in shown)
    lacks = {s: {c: share * n for c, n in counts.items()} for s, share in wanted.items()}
    room = {split: share * len(order) for split, share in wanted.items()}
    dealt: dict[str, list[Path]] = {split: [] for split in wanted}
    while left:
        remaining = {each: count for each, count in counts.items() if count}
        rarest = min(remaining, key=lambda each: (remaining[each], each))
        for image in [image for image, shown in left.items() if rarest in shown]:
            split = max(wanted, key=lambda each: (lacks[each][rarest], room[each]))
            dealt[split].append(image)
            room[split] -= 1
            for each in left.pop(image):
                lacks[split][each] -= 1
                counts[each] -= 1
    return dealt


# --- finding ------------------------------------------------------------------------------------


def _place_of(reference: str, base_dir: Path | None, cache_dir: Path) -> Path:
    if reference.startswith(SCHEME):
        return demo_data_set(reference, cache_dir)
    bases = [Path()] if base_dir is None else [base_dir, Path()]
    place = first_there(reference, bases, Path.exists)
    if not place.exists() and (outputs := dvc.tracking([place])):
        dvc.pull(outputs, [place])
    if not place.exists():
        raise DatasetError(f"data set '{reference}': {place} does not exist")
    return place


def _data_yaml_of(place: Path) -> Path | None:
    """The data.yaml that a reference means; None for a directory without one."""
    if place.is_file():
        return place
    found = sorted(each for each in place.iterdir() if each.suffix.lower() in _YAML)
    named = [each for each in found if each.stem.lower() == "data"] or found
    if len(named) > 1:
        names = ", ".join(each.name for each in named)
        raise DatasetError(f"{place} holds several YAML files; give one of them: {names}")
    return named[0] if named else None


def _content(data_yaml: Path) -> dict[str, Any]:
    try:
        content = read_yaml(data_yaml)
    except UnreadableYamlError as exc:
        where = f"{data_yaml}:{exc.line}:{exc.column}" if exc.line else str(data_yaml)
        raise DatasetError(Problem(str(exc), where)) from exc
    if not isinstance(content, Mapping) or not content.get("train"):
        raise DatasetError(
            Problem("a data.yaml that is to be split must name train and names", str(data_yaml))
        )
    return dict(content)


def _has_own_split(content: Mapping[str, Any]) -> bool:
    """A val that is not train itself."""
    val = content.get("val") or content.get("validation")
    judged = [each for each in (val, content.get("test")) if each]
    return any(each != content["train"] for each in judged)


def _check_shares(layout: Layout, shares: Mapping[str, float]) -> None:
    counts = {split: len(layout.images.get(split, ())) for split in SPLITS}
    total = sum(counts.values())
    if layout.problems or not total:
        return  # resolve_dataset tells them
    actual = {split: count / total for split, count in counts.items()}
    if any(abs(actual[split] - shares.get(split, 0.0)) > TOLERANCE for split in SPLITS):
        shown = ", ".join(f"{split} {actual[split]:.2f}" for split in SPLITS)
        asked = ", ".join(f"{split} {shares.get(split, 0.0):g}" for split in SPLITS)
        raise DatasetError(
            Problem(
                f"the data set has a split of its own ({shown}), but dataset.split_ratio is "
                f"{asked}; leave split_ratio out, or name train alone in the data.yaml",
                str(layout.data_yaml),
            )
        )


def _whole_folder(place: Path) -> str:
    """A directory without data.yaml, all of whose images belong together."""
    apart = [
        each
        for folder in (place, place / "images")
        if folder.is_dir()
        for each in sorted(folder.iterdir())
        if each.is_dir() and each.name.lower() in _SPLIT_FOLDERS
    ]
    if len(apart) > 1:
        raise DatasetError(
            f"{place} holds {', '.join(each.name for each in apart)}: it is split already; write "
            "a data.yaml that names them, and leave dataset.split_ratio out"
        )
    return str(place)


def _class_names(place: Path, given: Sequence[str]) -> list[str]:
    for file in (place / "classes.txt", place / "labels" / "classes.txt"):
        if file.is_file():
            try:
                lines = file.read_text(encoding="utf-8-sig").splitlines()
            except (OSError, UnicodeDecodeError) as exc:
                raise DatasetError(
                    Problem(f"can't be read as UTF-8 text: {exc}", str(file))
                ) from exc
            return [line.strip() for line in lines if line.strip()]
    if not given:
        raise DatasetError(
            f"{place} holds no data.yaml and no classes.txt, so nothing says what the classes are; "
            "name them in task.classes in the order of their ids"
        )
    return list(given)


def _layout_of(content: Mapping[str, Any], root: Path, entries: Any, cache_dir: Path) -> Layout:
    """The images of train as a layout, whose val is the same: it is no problem here."""
    whole = {**content, "train": entries, "val": entries}
    for name in ("test", "validation", "download"):
        whole.pop(name, None)
    given = whole.get("path")
    inner = absolute(root / given) if isinstance(given, str) else root
    if inner.is_dir():  # else it is as read_layout says
        whole["path"] = str(inner)
    text = json.dumps(whole, ensure_ascii=False, indent=1, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    home = cache_dir / "whole" / digest
    make_once(home, lambda folder: write_text(folder / "data.yaml", text))
    layout = read_layout(home / "data.yaml")
    if layout.missing and (outputs := dvc.tracking([root, *layout.missing])):
        dvc.pull(outputs, layout.missing)
        layout = read_layout(home / "data.yaml")
    if layout.problems:
        raise DatasetError(layout.problems)
    return layout


def classes_shown(layout: Layout, problems: Problems) -> dict[Path, frozenset[int]]:
    """Image of train → the classes that it shows; malformed labels are added to `problems`."""
    count, found = max(1, len(layout.class_names)), {}
    for image in layout.images["train"]:
        label, columns = layout.labels.of.get(image), layout.pose_columns
        rows, _ = read_labels(image, count, problems, label=label, pose_columns=columns)
        found[image] = frozenset(rows.class_ids.tolist())
    return found


def _relative(image: Path, root: Path) -> str:
    return image.relative_to(root).as_posix() if image.is_relative_to(root) else str(image)


# --- writing ------------------------------------------------------------------------------------


def _write(
    place: Path, layout: Layout, dealt: Mapping[str, Sequence[Path]], cache_dir: Path
) -> Path:
    """A data.yaml of lists, in a directory named after its content."""
    name = place.parent.name if place.stem == "data" else place.stem
    slug = re.sub(r"[^\w-]", "_", name) or "data"
    lists = {split: "".join(f"{i}\n" for i in sorted(images)) for split, images in dealt.items()}
    kept = {k: v for k, v in layout.content.items() if k not in (*SPLITS, "path")}
    digest = hashlib.sha256(json.dumps([lists, kept, str(layout.root)]).encode()).hexdigest()[:16]
    home = cache_dir / "splits" / f"{slug}-{digest}"
    named = {split: str(home / f"{split}.txt") for split in lists}
    text = json.dumps({"path": str(layout.root), **named, **kept}, ensure_ascii=False, indent=1)

    def write(folder: Path) -> None:
        for split, listing in lists.items():
            write_text(folder / f"{split}.txt", listing)
        write_text(folder / f"{slug}.yaml", text)

    make_once(home, write)
    return home / f"{slug}.yaml"


def write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
