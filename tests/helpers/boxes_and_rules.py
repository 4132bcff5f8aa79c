"""A rule by hand: which of them a picture breaks, from the boxes of what is drawn in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from demo_scenes.cctv.acts import NO_HELMET, NO_VEST
from demo_scenes.cctv.site import border_at
from demo_scenes.scene import SeenObject

Box = tuple[float, float, float, float]
NEEDED = {NO_HELMET: "helmet", NO_VEST: "vest"}


def boxes_of(seen: Iterable[SeenObject], name: str) -> list[Box]:
    return [one.box for one in seen if one.name == name and one.is_labelled and one.box]


def is_broken(rule: str, seen: Sequence[SeenObject], size: int) -> bool:
    """Whether somebody whose feet are in the zone has no helmet (or vest) box on them."""
    worn = boxes_of(seen, NEEDED[rule])
    return any(
        not any(x1 <= (a + c) / 2 <= x2 and y1 <= (b + d) / 2 <= y2 for a, b, c, d in worn)
        for x1, y1, x2, y2 in boxes_of(seen, "person")
        if border_at(y2 / size) <= (x1 + x2) / 2 / size <= 1 and y2 / size >= 0.3
    )


def stretches(
    times: Sequence[float], broken: Sequence[bool], *, least_s: float, bridged_s: float
) -> list[tuple[float, float]]:
    """From and to of each stretch of at least `least_s`; gaps up to `bridged_s` do not end one."""
    found: list[tuple[float, float]] = []
    for seconds, is_so in zip(times, broken, strict=True):
        if not is_so:
            continue
        if found and seconds - found[-1][1] <= bridged_s:
            found[-1] = found[-1][0], seconds
        else:
            found.append((seconds, seconds))
    return [(start, end) for start, end in found if end - start >= least_s]
