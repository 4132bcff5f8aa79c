"""Names as cameras, tools and people write them, and the recordings that they tell, or don't.

A wrong proposal is worse than none: every scheme that tells nothing must get none.
"""

from __future__ import annotations

import hashlib
import itertools
import random
import re
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardianflow.contracts.recordings.groups import GroupSource
from guardianflow.site_data.recordings.groups import origins_by_pattern
from guardianflow.site_data.recordings.proposals.propose import NameProposal, by_names

Named = Iterable[tuple[str, str]]
"""Name, and the group that it must be in; '' where names tell nothing."""
CLASSES = ("helmet", "no_helmet", "person", "안전모")


def hashed(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def each(recordings: int = 6, frames: int = 8, step: int = 15) -> Iterable[tuple[int, int]]:
    return [(r, f * step) for r in range(recordings) for f in range(frames)]


def clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}"


def of_pairs(write: Callable[[int, int], str], group: Callable[[int], object]) -> Named:
    return [(write(r, f), str(group(r))) for r, f in each()]


def own_times(write: Callable[[int, int, str], str]) -> Named:
    """Three cameras, two days, a picture every ten minutes."""
    return [
        (write(c, d, clock(25_200 + 600 * i)), f"{c} {d}")
        for c in range(1, 4)
        for d in range(4, 6)
        for i in range(9)
    ]


RF = "0123456789abcdef0123456789abcdef"
TELLING: dict[str, Named] = {
    "camera, start, frame": of_pairs(
        lambda r, f: f"cam{r % 3}_2026010{r + 1}_081500_{f:06d}.jpg", lambda r: r
    ),
    "clip folders": of_pairs(lambda r, f: f"clip{r}/{f:06d}.jpg", lambda r: r),
    "roboflow of frames": of_pairs(
        lambda r, f: f"cam{r % 3}_2026010{r + 1}_081500_{f:06d}_jpg.rf.{hashed(f'{r} {f}')}.jpg",
        lambda r: r,
    ),
    "roboflow of videos": of_pairs(
        lambda r, f: f"gate-walk-{r}_mp4-{f}_jpg.rf.{hashed(f'{r} {f}')}.jpg", lambda r: r
    ),
    "roboflow of videos with words alone": of_pairs(
        lambda r, f: f"{'abcdef'[r] * 4}_mov-{f}_jpg.rf.{hashed(f'{r} {f}')}.jpg", lambda r: r
    ),
    "video name, frame": of_pairs(lambda r, f: f"{r}호기.mp4_{f:05d}.png", lambda r: r),
    "address and start": of_pairs(
        lambda r, f: f"192-168-0-1{r}_20260104081500_{f:06d}.jpg", lambda r: r
    ),
    "address, channel, own time": own_times(
        lambda c, d, t: f"192.168.0.12_0{c}_2026010{d}{t}123_MOTION.jpg"
    ),
    "address, own time": own_times(lambda c, d, t: f"10.0.0.{c}_2026-01-0{d}T{t}.jpg"),
    "recorder, channel, start, end": of_pairs(
        lambda r, f: f"NVR1_ch{r % 3}_main_2026010{r + 1}081500_2026010{r + 1}083000_{f:05d}.jpg",
        lambda r: r,
    ),
    "camera, own time": own_times(lambda c, d, t: f"cam{c}_2026010{d}_{t}.jpg"),
    "camera folder, day folder, own time": own_times(lambda c, d, t: f"cam{c}/2026010{d}/{t}.jpg"),
    "camera folder, clip folder": of_pairs(
        lambda r, f: f"camera{r % 3}/clip{r}/{f:04d}.jpg", lambda r: r
    ),
    "dashes in day and time": own_times(
        lambda c, d, t: f"CAM_{c}_2026-01-0{d}_{t[:2]}-{t[2:4]}-{t[4:]}.png"
    ),
    "camera alone": of_pairs(lambda r, f: f"cctv-{r}_{f:06d}.jpg", lambda r: r),
    "camera letters": of_pairs(lambda r, f: f"Cam-{'ABCDEF'[r]}_{f:06d}.jpg", lambda r: r),
    "Hangul camera before its number": of_pairs(lambda r, f: f"카메라{r}_{f:05d}.jpg", lambda r: r),
    "Hangul camera, own time": own_times(lambda c, d, t: f"{c}번카메라_2026010{d}_{t}.jpg"),
    "Hangul clip": of_pairs(lambda r, f: f"사고영상_{r}_프레임_{f}.jpg", lambda r: r),
    "DETRAC": of_pairs(lambda r, f: f"MVI_2001{r}__img{f + 1:05d}.jpg", lambda r: r),
    "MOT": of_pairs(lambda r, f: f"MOT17-0{r}-SDP/img1/{f + 1:06d}.jpg", lambda r: r),
    "GoPro frames": of_pairs(lambda r, f: f"GOPR012{r}_frame_{f:06d}.jpg", lambda r: r),
    "phone videos": of_pairs(lambda r, f: f"VID_2026010{r + 1}_081500_{f:04d}.jpg", lambda r: r),
    "video, frame words": of_pairs(lambda r, f: f"video_{r}_frame_{f}.jpg", lambda r: r),
    "scene and shot": of_pairs(lambda r, f: f"scene{r // 2}_shot{r % 2}_{f:04d}.jpg", lambda r: r),
    "site, number, frame": of_pairs(lambda r, f: f"plant-{r + 100}-{f:05d}.jpg", lambda r: r),
    "label studio": of_pairs(
        lambda r, f: f"{hashed(f'{r} {f}')[:8]}-cam{r}_{f:06d}.jpg", lambda r: r
    ),
    "site and camera": of_pairs(
        lambda r, f: f"{'busan' if r % 2 else 'ulsan'}_cam{r // 2}_{f:05d}.jpg", lambda r: r
    ),
    "places, own time": own_times(lambda c, d, t: f"{'정후옥'[c - 1]}문_2026010{d}_{t}.jpg"),
    "camera after its time": own_times(lambda c, d, t: f"2026010{d}_{t}_cam{c}.jpg"),
    "day folders, place folders": own_times(lambda c, d, t: f"2026-01-0{d}/{'abc'[c - 1]}/{t}.jpg"),
    "short days": own_times(lambda c, d, t: f"cam{c}_26010{d}_{t}.jpg"),
    "start and frame, no camera": of_pairs(
        lambda r, f: f"2026010{r + 1}_081500_{f:06d}.jpg", lambda r: r
    ),
    "hashes in recording folders": [
        (f"rec_{r}/{hashed(f'{r} {f}')}_{f}.jpg", str(r)) for r, f in each()
    ],
    "two shapes, each telling": [
        (f"cam{r}_{f:06d}.jpg" if r < 3 else f"clip{r}/{f:06d}.jpg", str(r)) for r, f in each()
    ],
}


def drawn(count: int, most: int) -> list[int]:
    return sorted(random.Random(7).sample(range(most), count))


NUMBERS = drawn(60, 5000)
SILENT: dict[str, Iterable[str]] = {
    "numbers": [f"{i:06d}.jpg" for i in range(60)],
    "COCO": [f"{i:012d}.jpg" for i in NUMBERS],
    "COCO with its split": [f"COCO_train2014_{i:012d}.jpg" for i in NUMBERS],
    "VOC years": [f"{2007 + i % 5}_{i:06d}.jpg" for i in NUMBERS],
    "hashes": [f"{hashed(str(i))}.jpg" for i in range(60)],
    "UUIDs": [f"{uuid.UUID(int=i * 2**90 + i)}.jpg" for i in range(1, 60)],
    "roboflow of numbers": [f"{i:06d}_jpg.rf.{hashed(str(i))}.jpg" for i in range(60)],
    "one camera roll": [f"IMG_{i:04d}.jpg" for i in range(60)],
    "frames of who knows what": [f"frame_{i:06d}.jpg" for i in range(60)],
    "kaggle": [f"hard_hat_workers{i}.png" for i in range(60)],
    "classes": [f"{CLASSES[i % 2]}_{i // 2:04d}.jpg" for i in range(60)],
    "class folders": [f"{CLASSES[i % 3]}/{i // 3:04d}.jpg" for i in range(60)],
    "places, which may be anything": [
        f"{('gate', 'yard', 'dock')[i % 3]}_{i // 3:04d}.jpg" for i in range(60)
    ],
    "batches": [f"batch{i % 3}_{i // 3:04d}.jpg" for i in range(60)],
    "batch folders": [f"part_{i % 3}/{i // 3:04d}.jpg" for i in range(60)],
    "positive and negative": [f"{'pos' if i % 2 else 'neg'}-{i // 2:04d}.jpg" for i in range(60)],
    "augmented": [f"aug_{i % 3}_{i // 3:04d}.jpg" for i in range(60)],
    "random numbers": [
        f"{random.Random(i).randrange(9)}_{random.Random(i).randrange(10**6)}.jpg"
        for i in range(60)
    ],
    "one recording": [f"cam1_20260104_081500_{i:06d}.jpg" for i in range(60)],
    "one image a recording": [f"clip{i}_0001.jpg" for i in range(60)],
    "screenshots": [f"스크린샷 ({i}).png" for i in range(1, 60)],
    "two shapes, one silent": [
        f"cam{i % 3}_{i:06d}.jpg" if i < 30 else f"{hashed(str(i))}.jpg" for i in range(60)
    ],
    "image sizes": [f"img_{640 + 320 * (i % 2)}x480_{hashed(str(i))}.jpg" for i in range(60)],
    "numbered words": [f"안전모{i}.jpg" for i in range(60)],
    "cameras numbered as images": [f"cctv{i:04d}.jpg" for i in range(60)],
}


def proposals_of(names: Iterable[str]) -> list[NameProposal]:
    paths = {Path("/data") / name: name for name in names}
    return [each for each in by_names(paths, CLASSES) if not each.needs_neighbours]


def partition(groups: Iterable[tuple[object, str]]) -> set[frozenset[object]]:
    found: dict[str, set[object]] = defaultdict(set)
    for path, name in groups:
        found[name].add(path)
    return set(map(frozenset, found.values()))


@pytest.mark.parametrize("scheme", TELLING)
def test_names_that_tell_recordings(scheme: str) -> None:
    wanted = {Path("/data") / name: group for name, group in TELLING[scheme]}
    proposals = proposals_of(name for name, _ in TELLING[scheme])
    assert proposals, "nothing was proposed"
    best = proposals[0].proposal
    found = partition((path, o.recording or o.camera) for path, o in best.origins.items())
    assert found == partition(wanted.items()), best.rule
    if best.rule is None:
        assert "two shapes" in scheme
        return
    assert best.rule.source is GroupSource.PATTERN
    names = {path: str(path.relative_to("/data")) for path in wanted}
    assert origins_by_pattern(names, best.rule.text) == best.origins
    assert all(origin.moment is not None for origin in best.origins.values())


@pytest.mark.parametrize("scheme", SILENT)
def test_names_that_tell_nothing(scheme: str) -> None:
    found = [(each.proposal.rule, each.proposal.reasons) for each in proposals_of(SILENT[scheme])]
    assert found == []


@pytest.mark.parametrize("scheme", ["camera, start, frame", "camera, own time"])
def test_cameras_are_told_beside_recordings(scheme: str) -> None:
    (best, *_) = proposals_of(name for name, _ in TELLING[scheme])
    cameras = {o.camera for o in best.proposal.origins.values()}
    assert all(re.fullmatch(r"cam\d", camera) for camera in cameras)
    assert len(cameras) == 3


def test_words_alone_count_only_with_images_that_bear_them_out() -> None:
    names = SILENT["places, which may be anything"]
    found = by_names({Path("/data") / name: name for name in names}, CLASSES)
    assert [each.needs_neighbours for each in found] == [True]
    assert {o.recording for o in found[0].proposal.origins.values()} == {"gate", "yard", "dock"}


PIECES = (
    *("cam{c}", "{c}번카메라", "clip{r}", "2026010{d}", "{t}", "{r}", "{f:06d}", "frame{f}"),
    *("192.168.0.1{c}", "plant", "batch{c}", "é", "²", "１{c}", "{f}", "mp4-{f}", "{t}"),
)
BETWEEN = ("_", "-", "/", ".", "")


@settings(max_examples=300, deadline=None)
@given(
    pieces=st.lists(st.sampled_from(PIECES), min_size=2, max_size=5),
    between=st.lists(st.sampled_from(BETWEEN), min_size=6, max_size=6),
    last=st.sampled_from(("", "{f}", "f{f:06d}", "{t}")),
    recordings=st.integers(2, 6),
    frames=st.integers(4, 12),
)
def test_whatever_names_are_a_proposal_is_one_that_a_scenario_takes(
    pieces: list[str], between: list[str], last: str, recordings: int, frames: int
) -> None:
    """It holds every image, in groups of use; about a quarter of these names tell some."""
    names = {}
    for r, f in itertools.product(range(recordings), range(frames)):
        values = {"c": r % 3, "r": r, "d": r % 4 + 1, "f": 15 * f, "t": clock(29_700 + 60 * r + f)}
        parts = [piece.format(**values) for piece in (*pieces, last)]
        name = "".join(itertools.chain(*zip(parts, between, strict=False))).strip("/") + ".jpg"
        names[Path("/data") / name] = name
    for each in by_names(names, CLASSES):
        origins = each.proposal.origins
        assert origins.keys() == names.keys()
        groups = {origin.recording or origin.camera for origin in origins.values()}
        assert "" not in groups
        assert 2 <= len(groups) <= len(names) / 2
        if each.proposal.rule is not None:
            assert origins_by_pattern(names, each.proposal.rule.text) == origins
