"""What each group of a set holds: for people who are to say whether it is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...contracts.recordings.groups import EvidenceUnit, ImageOrigin


@dataclass(frozen=True)
class GroupContent:
    """One group.

    Args:
        images: how many.
        splits: split → how many of them; empty where the set is not split.
        first, last: the smallest and largest moment; None where none is known.
        examples: names of its first and last image.
    """

    name: str
    camera: str
    images: int
    splits: Mapping[str, int]
    first: float | None
    last: float | None
    examples: tuple[str, ...]


def unit_of(origins: Mapping[Path, ImageOrigin]) -> EvidenceUnit:
    """Recordings where any is known, else cameras."""
    known = any(origin.recording for origin in origins.values())
    return EvidenceUnit.RECORDING if known else EvidenceUnit.CAMERA


def contents_of(
    origins: Mapping[Path, ImageOrigin],
    names: Mapping[Path, str],
    splits: Mapping[str, Sequence[Path]],
) -> list[GroupContent]:
    """The groups in the order of their names.

    Args:
        names: image → its name as rules see it.
        splits: as the set is split now.
    """
    unit = unit_of(origins)
    inside: dict[str, list[Path]] = {}
    for path, origin in origins.items():
        inside.setdefault(origin.of(unit), []).append(path)
    where = {path: split for split, images in splits.items() for path in images}
    found = []
    for name, paths in sorted(inside.items()):
        paths.sort(key=lambda p: (origins[p].moment or 0.0, names[p]))
        moments = [m for p in paths if (m := origins[p].moment) is not None]
        counts = Counter(where[path] for path in paths if path in where)
        found.append(
            GroupContent(
                name,
                origins[paths[0]].camera,
                len(paths),
                {split: counts[split] for split in splits if split in counts},
                min(moments, default=None),
                max(moments, default=None),
                tuple(dict.fromkeys((names[paths[0]], names[paths[-1]]))),
            )
        )
    return found
