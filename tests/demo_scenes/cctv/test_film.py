"""Pictures of one recording: what stands still, what moves, by day and by night."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from boxes_and_rules import boxes_of

from demo_scenes.cctv.acts import ActKind, Plan
from demo_scenes.cctv.film import Film, times_of
from demo_scenes.cctv.takes import CAMERAS, Take, light_of, takes
from demo_scenes.light import INFRARED
from demo_scenes.people import BODY, HEAD, draw_figure

MADE = takes(16, 7)


def film_of(kind: str, camera: int) -> Film:
    take = next(t for t in MADE if t.kind == kind and t.camera == camera)
    return Film(take, seconds=40, size=160)


def test_a_seed_is_a_recording() -> None:
    one, again = (Film(MADE[2], seconds=40, size=160) for _ in range(2))
    other = Film(takes(16, 8)[2], seconds=40, size=160)
    assert one.plan == again.plan != other.plan
    for number, seconds in ((0, 0.0), (30, 10.0), (7, 2.3)):  # in any order
        first, second = one.shot(number, seconds), again.shot(number, seconds)
        assert (first.picture == second.picture).all() and first.seen == second.seen
    assert (one.shot(1, 10.0).picture != one.shot(2, 10.0).picture).any()  # the sensor's noise


def test_day_dim_and_night_differ_as_a_light_meter_would_say() -> None:
    bright = {
        kind: np.mean([film_of(kind, camera).shot(0, 0).picture.mean() for camera in (1, 2)])
        for kind in ("sun", "overcast", "dusk", INFRARED)
    }
    assert min(bright["sun"], bright["overcast"]) > 1.3 * bright["dusk"]
    assert bright["dusk"] > 1.1 * bright[INFRARED] > 25
    night, day = film_of(INFRARED, 1).shot(0, 0).picture, film_of("sun", 1).shot(0, 0).picture
    assert (np.ptp(night, axis=2) == 0).all() and np.ptp(day, axis=2).mean() > 5


def test_what_stands_still_is_the_same_in_every_picture_of_a_recording() -> None:
    film = film_of("overcast", 2)
    early, late = (film.shot(number, number / 3) for number in (0, 100))
    away = np.ones((160, 160), bool)
    for box in [*boxes_of(early.seen, "person"), *boxes_of(late.seen, "person")]:
        x1, y1, x2, y2 = (round(value) for value in box)
        away[max(0, y1 - 30) : y2 + 30, max(0, x1 - 30) : x2 + 40] = False
    apart = np.abs(early.picture.astype(int) - late.picture)[away & (np.arange(160) < 148)[:, None]]
    assert away.mean() > 0.2 and np.mean(apart) < 5  # noise


def test_a_camera_sees_the_same_view_on_other_days_and_another_one_another() -> None:
    suns = [take for take in MADE if take.kind == "sun"]
    views = {(t.camera, t.day): Film(t, seconds=40, size=160).shot(0, 0).picture for t in suns}

    def alike(one: tuple[int, int], other: tuple[int, int]) -> float:
        return float(np.corrcoef(views[one][:60].ravel(), views[other][:60].ravel())[0, 1])

    days = sorted({t.day for t in suns})
    assert len(days) >= 2 and {t.camera for t in suns} == set(range(1, CAMERAS + 1))
    assert alike((1, days[0]), (1, days[1])) > alike((1, days[0]), (2, days[0])) + 0.15


def test_nothing_that_stands_about_hides_a_head() -> None:
    looked_at = 0
    for take in MADE[:6]:
        film = Film(take, seconds=40, size=160)
        for actor in film.plan.actors:
            film.plan = Plan((actor,), ())  # alone, so that nobody else hides them
            for seconds in np.linspace(actor.times_s[0], actor.times_s[-1], 5):
                for one in film.shot(0, float(seconds)).seen:
                    if one.name in ("helmet", "head") and one.whole[0] > 0 and one.whole[2] < 160:
                        assert one.visibility == 1.0, (take.name, seconds)
                        looked_at += 1
    assert looked_at > 50


def test_a_helmet_in_the_hand_is_no_helmet() -> None:
    for take in MADE:
        film = Film(take, seconds=60, size=160)
        act = next((a for a in film.plan.acts if a.kind is ActKind.TAKES_OFF), None)
        if act is None:
            continue
        i = film.plan.acts.index(act)
        actor = film.plan.actors[i]
        on, off = actor.at(act.start_s - 0.05), actor.at((act.start_s + act.end_s) / 2)
        assert on is not None and off is not None
        assert on.outfit.helmet and not on.outfit.in_hand
        assert off.outfit.in_hand == on.outfit.helmet and off.outfit.helmet is None
        held = draw_figure(off.outfit, off.pose, 40.0, 0.3)
        empty = draw_figure(replace(off.outfit, in_hand=None), off.pose, 40.0, 0.3)
        assert (held.part == HEAD).sum() == (empty.part == HEAD).sum()
        assert (held.part == BODY).sum() > (empty.part == BODY).sum()
        return
    pytest.fail("no recording has somebody who takes the helmet off")


def test_times_begin_at_zero_and_may_be_uneven() -> None:
    assert times_of(2, 3) == [0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3]
    uneven = times_of(60, 3, uneven=True, seed=5)
    gaps = np.diff(uneven)
    assert uneven[0] == 0 and uneven == times_of(60, 3, uneven=True, seed=5)
    assert gaps.min() > 0.1 and gaps.max() > 2 * gaps.min() and 59 < uneven[-1] < 60
    assert len(uneven) == pytest.approx(180, rel=0.12)


def test_the_recorders_clock_is_in_the_picture() -> None:
    take: Take = MADE[0]
    assert take.stamp(61.0).startswith("CAM01 ")
    assert light_of(take) == light_of(take)
    film = Film(take, seconds=40, size=160)
    stamps = [film.shot(0, seconds).picture[-9:] for seconds in (0.0, 0.2, 12.0)]
    assert (stamps[0] != stamps[2]).any()
