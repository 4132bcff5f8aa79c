"""A scenario's release section: what contradicts itself there, and the limits it comes to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from guardianflow.contracts.releases import ReleaseLimits

if TYPE_CHECKING:
    from .sections import ReleaseParams

ABSOLUTE_GATES = (
    "min_mAP50", "min_mAP50_95", "min_recall", "max_latency_p95_ms", "min_fps", "min_cameras",
    "max_size_mb",
)  # fmt: skip
GATES = (*ABSOLUTE_GATES, "max_drop_vs_champion")
KEYS = {*GATES, "confidence", "objective", "auto_promote"}
RECALL = "recall."

Conflict = tuple[tuple[str | int, ...], str]


def release_limits(release: ReleaseParams) -> ReleaseLimits:
    """The section as the gates take it."""
    values = {name: getattr(release, name) for name in (*GATES, "confidence")}
    return ReleaseLimits(**values)


def gated_classes(release: object) -> dict[tuple[str | int, ...], str]:
    """Where a class is named → its name, of checked sections and of a file's own values."""
    found: dict[tuple[str | int, ...], str] = {}
    recalls = _look(release, "min_recall")
    for name in recalls if isinstance(recalls, Mapping) else ():
        if isinstance(name, str):
            found["release", "min_recall", name] = name
    drops = _look(release, "max_drop_vs_champion")
    for key in drops if isinstance(drops, Mapping) else ():
        if isinstance(key, str) and key.startswith(RECALL):
            found["release", "max_drop_vs_champion", key] = key.removeprefix(RECALL)
    return found


def unknown_classes(release: object, classes: object, whose: str) -> Iterator[Conflict]:
    """Gates on classes that are not there: where, and what.

    Args:
        classes: names; anything else says nothing.
        whose: 'task.classes', or what else names them.
    """
    if not isinstance(classes, (list, tuple)) or not classes:
        return
    for path, name in gated_classes(release).items():
        if name not in [str(each) for each in classes]:
            known = ", ".join(str(each) for each in classes)
            yield path, f"{path[0]}.{path[1]} names class '{name}', but {whose} has {known}"


def release_conflicts(values: Mapping[str, object]) -> Iterator[Conflict]:
    """Where, and what: of a file's own values as well as of checked sections."""
    release = values.get("release")
    if not (hasattr(release, "min_recall") or isinstance(release, Mapping)):
        return
    misspelt = isinstance(release, Mapping) and not KEYS.issuperset(release)
    if not misspelt and not any(_asked(_look(release, name)) for name in GATES):
        yield (
            ("release",),
            "release asks for no gate, so every model would pass; write at least one of "
            + ", ".join(GATES),
        )
    yield from unknown_classes(release, _look(values.get("task"), "classes"), "task.classes")
    cameras = _look(values.get("benchmark"), "cameras")
    if _asked(_look(release, "min_cameras")) and cameras is None:
        yield (
            ("release", "min_cameras"),
            "release.min_cameras needs benchmark.cameras, which says what a camera sends; write "
            "benchmark: {cameras: {fps: 15, latency_budget_ms: 200}}",
        )
    if _look(values.get("dataset"), "split") == "train":
        yield (
            ("dataset", "split"),
            "dataset.split is 'train', but a release may not be judged on the images it was "
            "trained on; write test or val",
        )


def _asked(limit: object) -> bool:
    return limit is not None and limit != {}


def _look(section: object, name: str) -> object:
    if isinstance(section, Mapping):
        return section.get(name)
    return getattr(section, name, None)
