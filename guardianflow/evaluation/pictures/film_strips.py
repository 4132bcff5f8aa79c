"""Film strips of the worst misses and false alarms: what the detector saw, and how sure it was.

Each recording is read once, and only the pictures that are shown are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from ...contracts.recordings.alarm_results import AlarmOutcome, RecordingOutcome
from ...contracts.recordings.alarms import AlarmRule, Recording, RecordingDetections
from ...support.text.shortening import on_one_line, shortened
from .drawing import BLUE, GREEN, GREY, RED, font_for, require_some, save_sheet, write

if TYPE_CHECKING:
    from ...contracts.ports import ImageArray

PICTURES, STRIPS = 5, 8
"""In a row, and rows at most."""
AFTER_START_S = (0.0, 2.5, 5.0, 7.5, 10.0)
"""Of a missed incident: the time in which an alarm would have been a hit."""
AROUND_ALARM_S = (-4.0, -2.0, 0.0, 2.0, 4.0)
# In pixels.
TILE_WIDTH, GAP, CAPTION, HEADING, LABEL = 300, 8, 17, 21, 12
LONGEST_CAPTION = 150


@dataclass(frozen=True)
class Strip:
    """What one strip shows.

    Args:
        moments: seconds; the pictures nearest to them are shown.
        marked: which of them is the alarm's; None of a miss.
        weight: the worst is the highest.
    """

    recording: str
    rule: str
    said: str
    moments: tuple[float, ...]
    marked: int | None
    weight: float


def film_strips(
    recordings: Sequence[Recording],
    detections: Mapping[str, RecordingDetections],
    rules: Sequence[AlarmRule],
    outcomes: Sequence[RecordingOutcome],
    path: Path,
) -> Path | None:
    """Draw the worst misses and false alarms, by turns: longest missed, surest raised.

    Boxes of the rule's class that it counts are thick, less sure ones thin, each with its score;
    the zone is a grey line, a box that excuses green.

    Args:
        detections: by the recording's name.
        path: .jpg to write.

    Returns:
        `path`; None where nothing was missed or raised falsely, and nothing is written.
    """
    require_some(outcomes, "film strips")
    by_rule = {rule.name: rule for rule in rules}
    strips = worst_strips(outcomes, detections, by_rule, STRIPS)
    if not strips:
        return None
    pictures = _pictures(recordings, detections, strips)
    rows = [
        _row(strip, pictures[number], detections[strip.recording], by_rule[strip.rule])
        for number, strip in enumerate(strips)
    ]
    width = max(row.width for row in rows) + 2 * GAP
    height = sum(row.height + 2 * GAP for row in rows) + HEADING + 3 * GAP
    sheet = Image.new("RGB", (width, height), "white")
    missed = sum(each.missed for each in outcomes)
    false = sum(each.false for each in outcomes)
    said = f"Missed incidents: {missed}. False alarms: {false}. Shown: the worst {len(strips)}"
    write(ImageDraw.Draw(sheet), (GAP, GAP), said, HEADING, "black")
    y = HEADING + 3 * GAP
    for row in rows:
        sheet.paste(row, (GAP, y))
        y += row.height + 2 * GAP
    save_sheet(sheet, path)
    return path


def worst_strips(
    outcomes: Sequence[RecordingOutcome],
    detections: Mapping[str, RecordingDetections],
    rules: Mapping[str, AlarmRule],
    count: int,
) -> list[Strip]:
    """Misses and false alarms by turns, the worst of each first."""
    misses, raised = [], []
    for outcome in outcomes:
        for judged in outcome.incidents:
            incident = judged.incident
            if not judged.is_hit and incident.rule in rules:
                said = f"MISSED {incident.rule}, {incident.start_s:.1f}–{incident.end_s:.1f} s"
                moments = tuple(incident.start_s + after for after in AFTER_START_S)
                length_s = incident.end_s - incident.start_s
                misses.append(
                    Strip(outcome.recording, incident.rule, said, moments, None, length_s)
                )
        for alarm in outcome.alarms:
            if alarm.outcome is AlarmOutcome.FALSE and alarm.alarm.rule in rules:
                at_s, rule = alarm.alarm.at_s, alarm.alarm.rule
                moments = tuple(at_s + around for around in AROUND_ALARM_S)
                score = _surest(detections[outcome.recording], alarm.alarm.frame, rules[rule])
                said = f"FALSE {rule} at {at_s:.1f} s"
                raised.append(Strip(outcome.recording, rule, said, moments, 2, score))
    for strips in (misses, raised):
        strips.sort(key=lambda each: -each.weight)
    turns = [each for pair in zip_longest(misses, raised) for each in pair if each is not None]
    return turns[:count]


def _surest(found: RecordingDetections, frame: int, rule: AlarmRule) -> float:
    mine = found.class_ids == found.class_names.index(rule.class_name)
    return float(found.scores[mine & (found.frames == frame)].max(initial=0.0))


def _pictures(
    recordings: Sequence[Recording],
    detections: Mapping[str, RecordingDetections],
    strips: Sequence[Strip],
) -> list[dict[int, ImageArray]]:
    """Of each strip its pictures, by their numbers in the recording."""
    found: list[dict[int, ImageArray]] = [{} for _ in strips]
    for recording in recordings:
        wanted: dict[int, list[int]] = {}
        for number, strip in enumerate(strips):
            if strip.recording == recording.name:
                for frame in frames_at(detections[recording.name], strip.moments):
                    wanted.setdefault(frame, []).append(number)
        if not wanted:
            continue
        last = max(wanted)
        for frame, (_, image) in enumerate(recording.frames()):
            for number in wanted.get(frame, ()):
                found[number][frame] = image
            if frame == last:
                break
    return found


def frames_at(found: RecordingDetections, moments: Sequence[float]) -> list[int]:
    """The picture nearest to each moment, those beyond either end left out."""
    times = found.times_s
    inside = [each for each in moments if times[0] - 1 <= each <= times[-1] + 1]
    return [int(np.abs(times - each).argmin()) for each in inside]


def _row(
    strip: Strip, pictures: Mapping[int, ImageArray], found: RecordingDetections, rule: AlarmRule
) -> Image.Image:
    frames = sorted(pictures)
    tile_height = round(TILE_WIDTH * found.height / found.width)
    row = Image.new(
        "RGB", (PICTURES * (TILE_WIDTH + GAP) - GAP, tile_height + 2 * CAPTION + 12), "white"
    )
    draw = ImageDraw.Draw(row)
    said = shortened(on_one_line(f"{strip.recording}: {strip.said}", "?"), LONGEST_CAPTION)
    write(draw, (0, 0), said, CAPTION, RED if strip.marked is None else BLUE)
    alarm = None
    if strip.marked is not None:
        alarm = int(np.abs(found.times_s - strip.moments[strip.marked]).argmin())
    for place, frame in enumerate(frames):
        x = place * (TILE_WIDTH + GAP)
        row.paste(_tile(pictures[frame], frame, found, rule, tile_height), (x, CAPTION + 8))
        when = f"{found.times_s[frame]:.1f} s" + (" ← alarm" if frame == alarm else "")
        colour = BLUE if frame == alarm else GREY
        write(draw, (x, tile_height + CAPTION + 10), when, LABEL + 2, colour)
        if frame == alarm:
            corner = (x, CAPTION + 8, x + TILE_WIDTH - 1, CAPTION + 7 + tile_height)
            draw.rectangle(corner, outline=BLUE, width=4)
    return row


def _tile(
    image: ImageArray, frame: int, found: RecordingDetections, rule: AlarmRule, height: int
) -> Image.Image:
    tile = Image.fromarray(image).resize((TILE_WIDTH, height), reducing_gap=2.0)
    draw = ImageDraw.Draw(tile)
    scale = TILE_WIDTH / found.width
    if rule.zone:
        sides = (scale, scale) if rule.zone_in_pixels else (TILE_WIDTH, height)
        corners = [(x * sides[0], y * sides[1]) for x, y in rule.zone]
        draw.line([*corners, corners[0]], fill="#DDDDDD", width=2)
    classes = {rule.class_name: RED} | ({rule.without: GREEN} if rule.without else {})
    for row in np.flatnonzero(found.frames == frame):
        name = found.class_names[int(found.class_ids[row])]
        if name not in classes:
            continue
        left, top, right, bottom = (float(each) * scale for each in found.boxes_xyxy[row])
        corner = (min(left, right), min(top, bottom), max(left, right), max(top, bottom))
        score = float(found.scores[row])
        sure = score >= rule.min_confidence
        draw.rectangle(corner, outline=classes[name], width=3 if sure else 1)
        label = f"{score:.2f}"
        y = max(0, round(corner[1]) - LABEL - 2)
        if sure:
            width = font_for(label, LABEL).getlength(label) + 4
            draw.rectangle((corner[0], y, corner[0] + width, y + LABEL + 3), classes[name])
        write(draw, (corner[0] + 2, y), label, LABEL, "white" if sure else classes[name])
    return tile
