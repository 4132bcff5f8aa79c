"""Truth as tools of annotation write it, of one recording a file.

CVAT (XML, "CVAT for video 1.1" and "CVAT for images 1.1"): a track is an incident of the rule that
its label names, from its first box to where it leaves; a tag on each of a run of images is one.
VIRAT (NAME.viratdata.events.txt): event id, type, duration, first frame, last frame, …

These tell of objects: intervals of one label that overlap or touch are one incident, as a rule
speaks of the picture and not of a person.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path, PurePath

from ...contracts.errors import Problems
from ...support.text.spelling import nfc
from .truth_tables import ToldInterval

VIRAT_ENDINGS = (".viratdata.events.txt", ".events.txt", ".txt")
VIRAT_TYPES = {
    1: "loading_vehicle",
    2: "unloading_vehicle",
    3: "opening_trunk",
    4: "closing_trunk",
    5: "getting_into_vehicle",
    6: "getting_out_of_vehicle",
    7: "gesturing",
    8: "digging",
    9: "carrying",
    10: "running",
    11: "entering_facility",
    12: "exiting_facility",
}
"""VIRAT Video Dataset Release 2.0; a rule is called so, or by the number."""
_VIRAT_COLUMNS = 5


class _DoctypeError(Exception):
    """The file declares entities, or may."""


class _WithoutDoctype(ElementTree.TreeBuilder):
    """Refuses entities, which can stand for gigabytes, in whatever encoding they are declared."""

    def doctype(self, *told: str | None) -> None:
        raise _DoctypeError(told)


def read_cvat(file: Path, problems: Problems) -> list[ToldInterval]:
    """Incidents of a CVAT export; what is wrong with it is added to `problems`."""
    try:
        content = file.read_bytes()
    except OSError as exc:
        problems.add(f"can't be read: {exc.strerror or exc}", file)
        return []
    try:
        parser = ElementTree.XMLParser(target=_WithoutDoctype())  # nosec B314 # no entities
        root = ElementTree.fromstring(content, parser)  # nosec B314
    except _DoctypeError:
        problems.add("must be a plain CVAT export, without a DOCTYPE", file)
        return []
    except ElementTree.ParseError as exc:
        problems.add(f"is no XML: {exc}", file)
        return []
    if root.tag != "annotations":
        problems.add(f"must be a CVAT export, <annotations>, but begins with <{root.tag}>", file)
        return []
    if len(root.findall("meta/project/tasks/task")) > 1 or root.find("meta/project") is not None:
        problems.add("is of a whole project; export each task, a recording, by itself", file)
        return []
    recording = _named_recording(root, file)
    before = len(problems)
    spans: dict[str, list[tuple[int, int]]] = {}
    for number, track in enumerate(root.findall("track")):
        label = nfc(track.get("label", "").strip())
        found = list(_spans_of(track, f"{file}: track {track.get('id', number)}", problems))
        spans.setdefault(label, []).extend(found)
    for label, frames in _tagged(root, file, problems).items():
        spans.setdefault(label, []).extend((frame, frame + 1) for frame in frames)
    if not spans and len(problems) == before:
        problems.add("holds neither tracks nor tags", file)
    return _joined(spans, recording, str(file))


def _named_recording(root: ElementTree.Element, file: Path) -> str:
    """The task's video, else the task, else the file's own name."""
    for place in ("meta/task/source", "meta/source", "meta/task/name", "meta/job/source"):
        text = (root.findtext(place) or "").strip()
        if text:
            return nfc(PurePath(text.replace("\\", "/")).as_posix())
    return nfc(file.stem)


def _spans_of(
    track: ElementTree.Element, where: str, problems: Problems
) -> Iterator[tuple[int, int]]:
    """From the first picture with the object to the first one without it; CVAT marks it outside."""
    begin: int | None = None
    last = -1
    for shape in track:
        frame = _whole(shape.get("frame"))
        if frame is None:
            problems.add(f"frame must be a whole number but got '{shape.get('frame')}'", where)
            return
        if frame <= last:
            problems.add(f"frames must rise but {frame} follows {last}", where)
            return
        last = frame
        outside = shape.get("outside") == "1"
        if outside and begin is not None:
            yield begin, frame
            begin = None
        elif not outside and begin is None:
            begin = frame
    if begin is not None:
        yield begin, last + 1


def _tagged(root: ElementTree.Element, file: Path, problems: Problems) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for image in root.findall("image"):
        frame = _whole(image.get("id"))
        for tag in image.findall("tag"):
            if frame is None:
                problems.add(f"an image's id must be a number but got '{image.get('id')}'", file)
                return {}
            found.setdefault(nfc(tag.get("label", "").strip()), []).append(frame)
    return found


def read_virat(file: Path, problems: Problems) -> list[ToldInterval]:
    """Incidents of a VIRAT events file; what is wrong with it is added to `problems`."""
    ending = next(each for each in VIRAT_ENDINGS if file.name.endswith(each))
    recording = nfc(file.name.removesuffix(ending))
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        problems.add(f"can't be read: {exc}", file)
        return []
    events: dict[str, tuple[str, int, int]] = {}
    for number, line in enumerate(lines, start=1):
        cells = line.replace(",", " ").split()
        if not cells:
            continue
        numbers = [_whole(cell) for cell in cells[:_VIRAT_COLUMNS]]
        if len(numbers) < _VIRAT_COLUMNS or None in numbers:
            problems.add(
                "must begin with event id, type, duration, first and last frame, whole numbers, "
                f"but got '{line[:60]}'",
                f"{file}:{number}",
            )
            continue
        _, kind, _, start, end = (int(each or 0) for each in numbers)
        # One row a picture: all of one event say the same.
        events.setdefault(cells[0], (VIRAT_TYPES.get(kind, str(kind)), start, end + 1))
    spans: dict[str, list[tuple[int, int]]] = {}
    for label, start, end in events.values():
        spans.setdefault(label, []).append((start, end))
    return _joined(spans, recording, str(file))


def _joined(
    spans: dict[str, list[tuple[int, int]]], recording: str, where: str
) -> list[ToldInterval]:
    found = []
    for label, mine in spans.items():
        together: list[tuple[int, int]] = []
        for start, end in sorted(mine):
            if together and start <= together[-1][1]:
                together[-1] = (together[-1][0], max(together[-1][1], end))
            else:
                together.append((start, end))
        found += [
            ToldInterval(recording, label, start, end, True, where) for start, end in together
        ]
    return found


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() else None
