"""Proposals from images: neighbours that look alike, times that cameras wrote into files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from guardianflow.site_data.recordings.proposals.evidence import (
    compare_neighbours,
    read_times,
)
from guardianflow.site_data.recordings.proposals.propose import Findings, propose
from guardianflow.site_data.recordings.proposals.roles import Reason

SIZE = (96, 64)


def scene(seed: int) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 255, (8, 12, 3), dtype=np.uint8)
    return cv2.resize(small, SIZE, interpolation=cv2.INTER_CUBIC)


def draw(folder: Path, names: Sequence[str], scenes: Sequence[int]) -> dict[Path, str]:
    """Images of scenes in which something moves a little from one to the next."""
    named = {}
    for number, (name, seed) in enumerate(zip(names, scenes, strict=True)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = scene(seed)
        left = 5 + 2 * number % 60
        cv2.rectangle(picture, (left, 20), (left + 8, 50), (0, 0, 255), -1)
        cv2.imwrite(str(path), picture)
        named[path] = name
    return named


def found_in(names: dict[Path, str], classes: Sequence[str] = ("helmet",)) -> Findings:
    return propose(names, classes, look=compare_neighbours, times=read_times)


def sizes(findings: Findings, number: int = 0) -> list[int]:
    origins = findings.proposals[number].origins.values()
    return sorted(Counter(o.recording or o.camera for o in origins).values())


PLAIN = [f"{i:04d}.jpg" for i in range(30)]


def test_chains_of_frames_are_recordings_where_names_say_nothing(tmp_path: Path) -> None:
    findings = found_in(draw(tmp_path, PLAIN, [i // 10 for i in range(30)]))
    assert findings.neighbours.share == pytest.approx(27 / 29)
    assert findings.neighbours.at_random < 0.5
    (proposal,) = findings.proposals
    assert proposal.rule is None
    assert proposal.reasons == (Reason.NEIGHBOURS,)
    assert sizes(findings) == [10, 10, 10]


def test_images_that_differ_are_nobody_s_frames(tmp_path: Path) -> None:
    findings = found_in(draw(tmp_path, PLAIN, range(30)))
    assert findings.proposals == ()
    assert findings.neighbours.near == (False,) * 29
    assert findings.neighbours.at_random == 0.0


def test_what_passes_large_before_a_camera_parts_no_recording(tmp_path: Path) -> None:
    """Frames of two cameras; before one of them something fills the picture now and then."""
    scenes = [9 + i if i in (4, 5, 9, 10, 11) else i // 15 for i in range(30)]
    findings = found_in(draw(tmp_path, PLAIN, scenes))
    assert findings.neighbours.share > 0.5
    assert findings.proposals == ()


def test_one_scene_is_no_proposal(tmp_path: Path) -> None:
    findings = found_in(draw(tmp_path, PLAIN, [1] * 30))
    assert findings.proposals == ()
    assert findings.neighbours.share == 1.0


def test_words_are_groups_where_the_images_bear_it_out(tmp_path: Path) -> None:
    names = [f"{word}_{i:03d}.jpg" for word in ("dock", "gate", "yard") for i in range(10)]
    alike = found_in(draw(tmp_path / "alike", names, [i // 10 for i in range(30)]))
    assert alike.proposals[0].reasons == (Reason.WORDS,)
    assert sizes(alike) == [10, 10, 10]
    differing = found_in(draw(tmp_path / "differing", names, range(30)))
    assert differing.proposals == ()


def test_numbers_are_no_recordings_where_the_images_speak_against_it(tmp_path: Path) -> None:
    names = [f"plant-{r}-{i:03d}.jpg" for r in range(3) for i in range(10)]
    assert found_in(draw(tmp_path / "alike", names, [i // 10 for i in range(30)])).proposals
    assert not found_in(draw(tmp_path / "differing", names, range(30))).proposals


def test_names_of_cameras_need_no_images_to_bear_them_out(tmp_path: Path) -> None:
    names = [f"cam{r}_2026010{r + 1}_081500_{i:03d}.jpg" for r in range(3) for i in range(10)]
    findings = found_in(draw(tmp_path, names, range(30)))  # one picture every ten minutes, say
    assert findings.proposals[0].reasons == (Reason.CAMERA, Reason.START)


def test_unreadable_and_even_images_are_no_evidence(tmp_path: Path) -> None:
    names = draw(tmp_path, PLAIN, [i // 10 for i in range(30)])
    paths = sorted(names)
    paths[4].write_bytes(b"")
    paths[5].write_bytes(b"no image")
    Image.new("RGB", SIZE, (90, 90, 90)).save(paths[6])
    near = compare_neighbours(paths).near
    assert near is not None
    assert near[3:7] == (None, None, None, None)
    assert None not in (*near[:3], *near[7:])


# --- times in files -------------------------------------------------------------------------------


def with_times(folder: Path, moments: Sequence[datetime | None], model: str) -> dict[Path, str]:
    names = draw(folder, [f"{model}-{i:04d}.jpg" for i in range(len(moments))], range(len(moments)))
    for path, moment in zip(sorted(names), moments, strict=True):
        with Image.open(path) as image:
            exif = image.getexif()
            exif[0x0110] = model
            if moment is not None:
                exif.get_ifd(0x8769)[0x9003] = moment.strftime("%Y:%m:%d %H:%M:%S")
            image.save(path, exif=exif)
    return names


NOON = datetime(2026, 1, 4, 12, tzinfo=UTC)
VISITS = [NOON + timedelta(hours=6 * (i // 10), seconds=20 * (i % 10)) for i in range(30)]


def test_gaps_in_the_times_of_each_camera_part_recordings(tmp_path: Path) -> None:
    names = with_times(tmp_path / "a", VISITS, "phone") | with_times(tmp_path / "b", VISITS, "box")
    findings = found_in(names)
    assert findings.proposals[0].reasons == (Reason.GAPS,)
    assert sizes(findings) == [10] * 6
    origins = findings.proposals[0].origins
    assert {o.camera for o in origins.values()} == {"phone", "box"}
    assert min(o.moment or 0 for o in origins.values()) == NOON.timestamp()


def test_times_that_many_images_lack_tell_nothing(tmp_path: Path) -> None:
    lacking = [None if i % 3 == 0 else moment for i, moment in enumerate(VISITS)]
    assert found_in(with_times(tmp_path, lacking, "phone")).proposals == ()


def test_times_in_names_are_parted_by_gaps_too(tmp_path: Path) -> None:
    names = [f"{moment:%Y%m%d_%H%M%S}.jpg" for moment in VISITS[:20]]
    findings = found_in(draw(tmp_path, names, range(20)))  # one day, and so one group by days
    assert findings.proposals[0].reasons == (Reason.GAPS,)
    assert sizes(findings) == [10, 10]
