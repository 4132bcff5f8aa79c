"""A rule → the origin of every image of a data set, or everything that is wrong with it.

groups_of(images, rule, …)   by a pattern, a CSV or folders
with_groups(dataset, …)      the same of a resolved data set
across_splits(…)             recordings that lie on several sides: told, judged elsewhere
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...contracts.data_warnings import DataWarning, DataWarningKind, few
from ...contracts.errors import DatasetError, Problems
from ...contracts.given import given_path
from ...contracts.recordings.groups import (
    EvidenceUnit,
    GroupRule,
    GroupSource,
    ImageGroups,
    ImageOrigin,
)
from ...contracts.results import LocalDataset
from ...support.suggestions import did_you_mean
from ..data_yaml import places_of
from ..resolved import original_of
from .moments import number_of, seconds_of
from .names import names_below
from .patterns import CAMERA, DATE, FRAME, KNOWN, RECORDING, TIME, check_pattern, match_names
from .table import qualified, read_table, some


def groups_of(
    images: Sequence[Path],
    rule: GroupRule,
    *,
    root: Path,
    tops: Sequence[Path] = (),
    bases: Sequence[Path] = (),
) -> ImageGroups:
    """The groups of images.

    Args:
        images: of every split, absolute, each once.
        root: of the data set.
        tops: the folder of each split, where each split is one folder.
        bases: where a relative path of a CSV is looked up.

    Raises:
        DatasetError: with all that is wrong: see `origins_by_pattern`, `read_table`.
    """
    names = names_below(images, root, tops)
    if rule.source is GroupSource.FILE:
        origins = read_table(_table_at(rule.text, (*bases, Path(), root)), names, root)
    elif rule.source is GroupSource.PATTERN:
        origins = origins_by_pattern(names, rule.text)
    else:
        origins = _by_folder(names)
    return ImageGroups(rule.source, origins, _fingerprint(names, origins))


def with_groups(
    dataset: LocalDataset, rule: GroupRule, data_yaml: Path, bases: Sequence[Path] = ()
) -> LocalDataset:
    """The data set with the groups of its images, and a warning where they cross its splits.

    That is no error: a set that leaks must stay judgeable, and its verdict tells it.

    Args:
        data_yaml: that it was read from.

    Raises:
        DatasetError: as groups_of.
    """
    home = dataset.data_yaml.parent
    every = dict.fromkeys(image for images in dataset.splits.values() for image in images)
    originals = {image: original_of(image, home) for image in every}
    root, tops = places_of(data_yaml)
    found = groups_of(list(originals.values()), rule, root=root, tops=tops, bases=bases)
    origins = {image: found.origins[original] for image, original in originals.items()}
    groups = replace(found, origins=origins)
    warnings = [*dataset.warnings, *_crossings(groups, dataset.splits)]
    return replace(dataset, groups=groups, warnings=tuple(warnings))


def _crossings(groups: ImageGroups, splits: Mapping[str, Sequence[Path]]) -> Iterator[DataWarning]:
    """Of the smaller unit that is known: every camera of a set may rightly be in each split."""
    known = any(each.recording for each in groups.origins.values())
    unit = EvidenceUnit.RECORDING if known else EvidenceUnit.CAMERA
    if across := across_splits(groups, splits, unit):
        kind = DataWarningKind.RECORDINGS_ACROSS if known else DataWarningKind.CAMERAS_ACROSS
        total = {each.of(unit) for each in groups.origins.values()} - {""}
        yield DataWarning(kind, "", {"across": len(across), "groups": len(total)}, few([*across]))


def origins_by_pattern(names: Mapping[Path, str], pattern: str) -> dict[Path, ImageOrigin]:
    """Origins by a regular expression.

    Args:
        names: image → its name as rules see it.

    Raises:
        DatasetError: it is none, takes too long, matches no name or only some, holds what is no
            number or time, puts all images in one group, or each in one of its own.
    """
    where = f"dataset.groups.pattern '{pattern}'"
    try:
        check_pattern(pattern)
    except ValueError as exc:
        raise DatasetError(f"{where}: {exc}") from exc
    found = match_names(pattern, list(names.values()))
    problems, origins = Problems(), {}
    without, odd = [], []
    for (path, name), groups in zip(names.items(), found, strict=True):
        if not groups or not (groups.get(CAMERA) or groups.get(RECORDING)):
            without.append(name)
            continue
        try:
            origins[path] = _origin_of(groups)
        except ValueError as exc:
            odd.append(f"{name} ({exc})")
    if len(without) == len(names):
        problems.add(f"matches none of {len(names)} names; they are like {some(without)}", where)
    elif without:
        problems.add(f"does not match {len(without)} of {len(names)} names: {some(without)}", where)
    if odd:
        problems.add(f"finds no number or time in {len(odd)} names: {some(odd)}", where)
    if not problems:
        _refuse_useless(origins, where, problems)
    if problems:
        raise DatasetError(problems)
    return origins


def _origin_of(groups: Mapping[str, str]) -> ImageOrigin:
    """Raises ValueError: a frame that is no number, a time that is none."""
    camera = groups.get(CAMERA, "")
    frame, time, date = (groups.get(name, "") for name in (FRAME, TIME, DATE))
    moment = None
    if frame:
        moment = number_of(frame)
    elif time or date:
        moment = seconds_of(time, date)
    more = {name: value for name, value in groups.items() if name not in KNOWN}
    return ImageOrigin(camera, qualified(camera, groups.get(RECORDING, "")), moment, more)


def _by_folder(names: Mapping[Path, str]) -> dict[Path, ImageOrigin]:
    """The folder below the split's root is the recording."""
    where, problems = "dataset.groups: folder", Problems()
    folders = {path: name.rpartition("/")[0] for path, name in names.items()}
    loose = [names[path] for path, folder in folders.items() if not folder]
    origins = {path: ImageOrigin(recording=folder) for path, folder in folders.items()}
    if len(loose) == len(names):
        problems.add(
            f"all {len(names)} images lie directly in the folders of their splits, like "
            f"{some(loose)}; give a pattern or a CSV; guardianflow data groups may propose one",
            where,
        )
    elif loose:
        problems.add(f"{len(loose)} of {len(names)} images lie in no folder: {some(loose)}", where)
    else:
        _refuse_useless(origins, where, problems)
    if problems:
        raise DatasetError(problems)
    return origins


def _refuse_useless(origins: Mapping[Path, ImageOrigin], where: str, problems: Problems) -> None:
    """All images in one group, or each in one of its own, is a rule that says nothing."""
    recordings = {each.recording for each in origins.values()}
    cameras = {each.camera for each in origins.values()}
    count = len(origins)
    if count > 1 and len(recordings) == 1 and len(cameras) == 1:
        shown = next(iter(recordings)) or next(iter(cameras))
        problems.add(f"puts all {count} images in one group, '{shown}'", where)
    if count > 1 and len(recordings) == count and (cameras == {""} or len(cameras) == count):
        problems.add(
            f"puts each of {count} images in a recording of its own, like "
            f"'{next(iter(recordings))}': take the number of the frame out of it",
            where,
        )


def across_splits(
    groups: ImageGroups, splits: Mapping[str, Sequence[Path]], unit: EvidenceUnit
) -> dict[str, tuple[str, ...]]:
    """Groups that have images in several splits → those splits."""
    found: dict[str, list[str]] = defaultdict(list)
    for split, images in splits.items():
        for name in dict.fromkeys(groups.origins[path].of(unit) for path in images):
            if name:
                found[name].append(split)
    return {name: tuple(there) for name, there in found.items() if len(there) > 1}


def _table_at(text: str, bases: Sequence[Path]) -> Path:
    given = given_path(text)
    tried = list(dict.fromkeys(base / given for base in bases))
    for place in tried:
        if place.is_file():
            return place.absolute()
    folders = [place.parent for place in tried if place.parent.is_dir()]
    near = did_you_mean(given.name, [each.name for folder in folders for each in folder.iterdir()])
    shown = ", ".join(str(place.absolute()) for place in tried)
    raise DatasetError(f"dataset.groups: there is no file '{text}'{near}; looked for: {shown}")


def _fingerprint(names: Mapping[Path, str], origins: Mapping[Path, ImageOrigin]) -> str:
    lines = sorted(
        json.dumps(
            [names[path], each.camera, each.recording, each.moment, sorted(each.columns.items())]
        )
        for path, each in origins.items()
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
