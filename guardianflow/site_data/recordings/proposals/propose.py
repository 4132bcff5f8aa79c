"""All that a data set says of its recordings → proposals, the best first.

    propose(names, …)   from names and folders, times in files, and neighbouring images
    by_names(names, …)  from the names alone

Nothing is written here, and nothing is proposed that the rule itself would refuse.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ....contracts.recordings.groups import GroupRule, GroupSource, ImageOrigin
from ..moments import number_of, seconds_of
from ..table import qualified
from .evidence import Neighbours
from .fields import Field, Kind, alike, bare, fields_of, is_uploaded, settled
from .patterns import pattern_of
from .roles import LEAST_IMAGES, Reason, Scheme, scheme_of

GAP_S = 300.0
"""Between two images of a camera, from which on the second begins another recording."""
LIKE_VIDEOS = 0.5
"""Share of neighbours that look nearly the same, from which on images are frames of videos."""
UNLIKE_VIDEOS = 0.2
PARTED = 0.7
"""Correlation below which two neighbours are not of one chain. Of unrelated pictures (COCO's) four
in a thousand lie above it."""
MOST_LOOSE = 0.05
"""Share of images without a chain, from which on chains are not proposed: where something large
passes a camera they would part one recording, and such groups are worse than none."""


_TELLING_TIMES = frozenset((Kind.DAY, Kind.TIME, Kind.EPOCH, Kind.HASH))


@dataclass(frozen=True)
class Proposal:
    """A way to tell recordings, and what it would give.

    Args:
        rule: what a scenario would say; None: it can be written as a table alone.
        origins: image → origin, of every image.
        reasons: what it rests on.
    """

    rule: GroupRule | None
    origins: Mapping[Path, ImageOrigin]
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Findings:
    """Proposals, the best first, and whether images that are neighbours by name look alike."""

    proposals: tuple[Proposal, ...]
    neighbours: Neighbours


def propose(
    names: Mapping[Path, str],
    classes: Collection[str],
    *,
    look: Callable[[Sequence[Path]], Neighbours],
    times: Callable[[Sequence[Path]], Mapping[Path, tuple[str, float]]],
) -> Findings:
    """Proposals for a data set.

    Args:
        names: image → its name as rules see it.
        classes: of the data set.
        look: compares neighbours among images in order.
        times: reads the times that cameras wrote into files: image → (camera, seconds).
    """
    ordered = sorted(names, key=lambda path: _natural(names[path]))
    neighbours = look(ordered)
    found = by_names(names, classes)
    kept = [each for each in found if _borne_out(each, neighbours, ordered)]
    proposals = [each.proposal for each in kept]
    if not any(Reason.GAPS in each.reasons for each in proposals):
        proposals += _by_gaps(times(ordered), len(names))
    if not proposals:
        proposals += _by_chains(ordered, neighbours)
    return Findings(tuple(_distinct(proposals)), neighbours)


@dataclass(frozen=True)
class NameProposal:
    """A proposal from names.

    Args:
        needs_neighbours: it counts only where neighbouring images look alike.
        rests_on_words: a word for cameras or clips, or a time: images need not bear it out.
    """

    proposal: Proposal
    needs_neighbours: bool
    rests_on_words: bool


def by_names(names: Mapping[Path, str], classes: Collection[str] = ()) -> list[NameProposal]:
    """Proposals from names and folders; [] where they tell nothing.

    Names of several shapes count where each of them tells: then a table can hold it, no pattern.
    """
    paths = list(names)
    every = [fields_of(bare(names[path])) for path in paths]
    schemes: list[Scheme] = []
    origins: dict[Path, ImageOrigin] = {}
    timed: dict[Path, tuple[str, float]] = {}
    patterns = []
    for indices in alike(every).values():
        fields = settled([every[i] for i in indices])
        scheme = scheme_of(fields, classes)
        timed |= _own_times(scheme, fields, [paths[i] for i in indices])
        if scheme is None:
            return _gaps_alone(timed, len(names))
        schemes.append(scheme)
        uploaded = any(is_uploaded(names[paths[i]]) for i in indices)
        patterns.append(pattern_of(scheme, fields, uploaded=uploaded))
        for i, each in zip(indices, fields, strict=True):
            origins[paths[i]] = _origin_of(scheme, each)
    reasons = tuple(dict.fromkeys(reason for scheme in schemes for reason in scheme.reasons))
    rule = None
    if len(patterns) == 1 and _finds(patterns[0], names, origins):
        rule = GroupRule(GroupSource.PATTERN, patterns[0])
    groups = {(o.camera, o.recording) for o in origins.values()}
    if len(groups) < 2:
        return _gaps_alone(timed, len(names))
    needs = any(scheme.needs_neighbours for scheme in schemes)
    words = {Reason.CAMERA, Reason.CLIP, Reason.VIDEO, Reason.START, Reason.DAY}
    found = [NameProposal(Proposal(rule, origins, reasons), needs, bool(words & {*reasons}))]
    if Reason.DAY in reasons or any(scheme.recording is None for scheme in schemes):
        found += _gaps_alone(timed, len(names))
    return found


def _origin_of(scheme: Scheme, fields: Sequence[Field]) -> ImageOrigin:
    camera, recording = scheme.key_of(fields)
    moment = None
    if scheme.frame is not None:
        moment = number_of(fields[scheme.frame].text)
    elif scheme.time is not None:
        moment = _moment(fields, scheme.time)
    return ImageOrigin(camera, qualified(camera, recording), moment)


def _moment(fields: Sequence[Field], time: int) -> float | None:
    try:
        return seconds_of(fields[time].text)
    except ValueError:
        return None


def _own_times(
    scheme: Scheme | None, fields: Sequence[tuple[Field, ...]], paths: Sequence[Path]
) -> dict[Path, tuple[str, float]]:
    """Image → (camera, seconds since 1970) where each image has its own time."""
    found: dict[Path, tuple[str, float]] = {}
    kinds = [each.kind for each in fields[0]]
    days = [i for i, kind in enumerate(kinds) if kind is Kind.DAY]
    times = [i for i, kind in enumerate(kinds) if kind in (Kind.TIME, Kind.EPOCH)]
    if not times or (kinds[times[-1]] is Kind.TIME and not days):
        return {}
    if scheme is not None and scheme.frame is not None:
        return {}
    for path, each in zip(paths, fields, strict=True):
        day = each[days[-1]].text if days and kinds[times[-1]] is Kind.TIME else ""
        camera = scheme.key_of(each)[0] if scheme else ""
        rest = "".join(f.text for f in each if f.kind not in _TELLING_TIMES).strip("-_./ T")
        try:
            found[path] = (camera or rest, seconds_of(each[times[-1]].text, day))
        except ValueError:
            return {}
    return found


def _gaps_alone(timed: Mapping[Path, tuple[str, float]], count: int) -> list[NameProposal]:
    return [NameProposal(each, False, True) for each in _by_gaps(timed, count)]


def _by_gaps(timed: Mapping[Path, tuple[str, float]], count: int) -> list[Proposal]:
    """Recordings between gaps in the times of each camera, where every image has a time."""
    if len(timed) < count or not count:
        return []
    by_camera: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(timed, key=lambda each: (timed[each][1], str(each))):
        by_camera[timed[path][0]].append(path)
    origins: dict[Path, ImageOrigin] = {}
    recordings = 0
    for camera, paths in sorted(by_camera.items()):
        number = 1
        for before, path in pairwise([paths[0], *paths]):
            number += timed[path][1] - timed[before][1] > GAP_S
            name = qualified(camera, f"{number:04d}")
            origins[path] = ImageOrigin(camera, name, timed[path][1])
        recordings += number
    return _useful(origins, recordings, Reason.GAPS)


def _by_chains(ordered: Sequence[Path], neighbours: Neighbours) -> list[Proposal]:
    """Chains of images that look like the one before, in the order of their names."""
    if neighbours.correlations is None or neighbours.share < LIKE_VIDEOS:
        return []
    chained = [each is not None and each >= PARTED for each in neighbours.correlations]
    origins: dict[Path, ImageOrigin] = {}
    sizes: list[int] = []
    for path, near in zip(ordered, [False, *chained], strict=True):
        sizes = [*sizes[:-1], sizes[-1] + 1] if near and sizes else [*sizes, 1]
        origins[path] = ImageOrigin("", f"chain-{len(sizes):04d}", float(sizes[-1]))
    if sizes.count(1) > MOST_LOOSE * len(ordered):
        return []
    return _useful(origins, len(sizes), Reason.NEIGHBOURS)


def _useful(origins: Mapping[Path, ImageOrigin], groups: int, reason: Reason) -> list[Proposal]:
    if groups < 2 or len(origins) < LEAST_IMAGES * groups:
        return []
    return [Proposal(None, origins, (reason,))]


def _borne_out(each: NameProposal, neighbours: Neighbours, ordered: Sequence[Path]) -> bool:
    """Whether the images speak for it, or at least not against it."""
    inside = _share_inside(each.proposal, neighbours, ordered)
    if inside is None:
        return not each.needs_neighbours
    if each.needs_neighbours:
        return inside >= LIKE_VIDEOS
    return each.rests_on_words or inside >= UNLIKE_VIDEOS


def _share_inside(
    proposal: Proposal, neighbours: Neighbours, ordered: Sequence[Path]
) -> float | None:
    """Share of near neighbours among those of one group; None where none were compared."""
    if neighbours.near is None:
        return None
    keys = [(proposal.origins[p].camera, proposal.origins[p].recording) for p in ordered]
    found = [
        near
        for near, (one, other) in zip(neighbours.near, pairwise(keys), strict=True)
        if near is not None and one == other
    ]
    return sum(found) / len(found) if found else None


def _finds(pattern: str, names: Mapping[Path, str], origins: Mapping[Path, ImageOrigin]) -> bool:
    """Whether the pattern gives what was meant: what it was made of may hide something."""
    search = re.compile(pattern).search
    for path, name in names.items():
        found = search(name)
        groups = found.groupdict("") if found else {}
        camera = groups.get("camera", "")
        recording = qualified(camera, groups.get("recording", ""))
        if (camera, recording) != (origins[path].camera, origins[path].recording):
            return False
    return True


def _distinct(proposals: Sequence[Proposal]) -> list[Proposal]:
    """Without those that part the images as an earlier one does."""
    kept: dict[frozenset[frozenset[Path]], Proposal] = {}
    for each in proposals:
        groups: dict[str, set[Path]] = defaultdict(set)
        for path, origin in each.origins.items():
            groups[origin.recording or origin.camera].add(path)
        kept.setdefault(frozenset(map(frozenset, groups.values())), each)
    return list(kept.values())


def _natural(name: str) -> list[object]:
    """The order of people: 'f9' before 'f10'."""
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in re.split(r"(\d+)", name) if p]
