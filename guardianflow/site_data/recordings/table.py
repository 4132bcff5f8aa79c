"""groups.csv: which camera and recording each image is of, and what else is known of it.

    image,camera,recording,time,weather
    cam3/000123.jpg,cam3,2026-01-04,20260104_081500,rain

`image` is a path below the set's root or its split's, or a bare name that only one image has.
Columns that are not ours are kept. UTF-8, or CP949 as a Korean Excel saves it.
"""

from __future__ import annotations

import csv
import io
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...contracts.errors import DatasetError, Problems
from ...contracts.recordings.groups import ImageOrigin
from ...support.suggestions import did_you_mean
from ...support.text.csv_files import uncelled, write_csv
from ...support.text.encodings import NotUtf8Error, decode_table
from ...support.text.spelling import nfc
from .moments import number_of, seconds_of
from .patterns import CAMERA, FRAME, RECORDING, TIME, misspelt_in

IMAGE = "image"
_OTHER_NAMES = {
    IMAGE: ("file", "filename", "file_name", "path", "이미지", "파일", "파일명"),
    CAMERA: ("cam", "카메라"),
    RECORDING: ("video", "clip", "sequence", "녹화", "영상"),
    FRAME: ("frame_id", "프레임"),
    TIME: ("timestamp", "datetime", "시간", "시각"),
}
_OUR_NAME = {other: ours for ours, others in _OTHER_NAMES.items() for other in (ours, *others)}
_DELIMITERS = (",", ";", "\t")
SHOWN = 5
MOST_COMPARED = 2000
"""Names that an unknown one is compared with, to say which was meant."""


@dataclass(frozen=True)
class _Row:
    line: int
    values: Mapping[str, str]


def read_table(file: Path, names: Mapping[Path, str], root: Path) -> dict[Path, ImageOrigin]:
    """The origin of every image.

    Args:
        names: image → its name as rules see it.
        root: of the data set.

    Raises:
        DatasetError: all that is wrong: no such columns, images that are unknown, named twice or
            lacking, cells that can't be read; by file and line.
    """
    problems = Problems()
    rows = list(_rows_of(file, problems))
    found, origins = _Finder(names, root, file.parent), {}
    unknown: list[_Row] = []
    lines: dict[Path, int] = {}
    for row in rows:
        where = f"{file}:{row.line}"
        images = found.images_of(row.values[IMAGE])
        if not images:
            unknown.append(row)
        elif len(images) > 1:
            shown = ", ".join(names[path] for path in images[:2])
            problems.add(
                f"'{row.values[IMAGE]}' may be any of {len(images)} images: {shown}; write more of "
                "its path",
                where,
            )
        elif images[0] in lines:
            problems.add(
                f"'{row.values[IMAGE]}' is there already, in line {lines[images[0]]}; keep one",
                where,
            )
        else:
            lines[images[0]] = row.line
            origins[images[0]] = _origin_of(row, where, problems)
    for row in unknown[:SHOWN]:
        name = row.values[IMAGE]
        message = f"'{name}' is no image of the data set{found.near(name)}"
        problems.add(message, f"{file}:{row.line}")
    if len(unknown) > SHOWN:
        problems.add(f"{len(unknown)} rows in all name no image of the data set", file)
    lacking = [name for path, name in names.items() if path not in origins]
    if rows and lacking and not (problems and len(lacking) == len(names)):
        shown = some(lacking)
        problems.add(f"{len(lacking)} of {len(names)} images have no row: {shown}", file)
    if problems:
        raise DatasetError(problems)
    return origins


def some(names: Sequence[str]) -> str:
    """A few names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


def write_table(file: Path, origins: Mapping[str, ImageOrigin]) -> None:
    """Write a groups.csv, sorted by image; columns that no image has are left out.

    Args:
        origins: name of the image → its origin.
    """
    columns = list(dict.fromkeys(name for each in origins.values() for name in each.columns))
    known = [origin for origin in origins.values() if origin.moment is not None]
    rows: list[dict[str, object]] = []
    for name, origin in sorted(origins.items()):
        row: dict[str, object] = {IMAGE: name}
        row |= {CAMERA: origin.camera} if any(o.camera for o in origins.values()) else {}
        row |= {RECORDING: origin.recording} if any(o.recording for o in origins.values()) else {}
        row |= {FRAME: _number(origin.moment)} if known else {}
        rows.append(row | {column: origin.columns.get(column, "") for column in columns})
    write_csv(file, rows)


def _number(moment: float | None) -> object:
    if moment is None:
        return None
    return int(moment) if moment.is_integer() else moment


# --- reading ------------------------------------------------------------------------------------


def _rows_of(file: Path, problems: Problems) -> Iterator[_Row]:
    try:
        text = decode_table(file.read_bytes(), file.name)
    except OSError as exc:
        problems.add(f"can't be read: {exc.strerror}", file)
        return
    except NotUtf8Error as exc:
        problems.add(str(exc), file)
        return
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = _columns(next(reader, []), file, problems)
        if not columns:
            return
        count = 0
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            count += 1
            if len(cells) != len(columns):
                message = f"has {len(cells)} cells, the header {len(columns)}"
                problems.add(message, f"{file}:{reader.line_num}")
                continue
            stripped = [nfc(uncelled(cell.strip())) for cell in cells]
            yield _Row(reader.line_num, dict(zip(columns, stripped, strict=True)))
        if not count:
            problems.add("has no row below its header", file)
    except csv.Error as exc:
        problems.add(f"is no CSV: {exc}", f"{file}:{reader.line_num}")


def _columns(header: Sequence[str], file: Path, problems: Problems) -> list[str]:
    """The header by our names; [] where it lacks what is needed."""
    before, where = len(problems), f"{file}:1"
    written = [nfc(cell.strip()) for cell in header]
    columns = [_OUR_NAME.get(name.lower().replace(" ", "_"), name) for name in written]
    for name in dict.fromkeys(columns):
        alike = [w for w, column in zip(written, columns, strict=True) if column == name]
        if len(alike) > 1:
            problems.add(f"the columns {' and '.join(alike)} both say '{name}'; keep one", where)
    if "" in columns:
        problems.add(f"column {columns.index('') + 1} has no name", where)
    for name, known in misspelt_in(columns):
        problems.add(f"the column '{name}'{did_you_mean(name, [known])}", where)
    shown = ", ".join(written) or "nothing"
    if IMAGE not in columns:
        near = did_you_mean(IMAGE, written)
        problems.add(f"the header must name the column image but is {shown}{near}", where)
    if CAMERA not in columns and RECORDING not in columns:
        problems.add(f"the header must name camera or recording, or both, but is {shown}", where)
    return columns if len(problems) == before else []


def _origin_of(row: _Row, where: str, problems: Problems) -> ImageOrigin:
    values = dict(row.values)
    camera, recording = values.pop(CAMERA, ""), values.pop(RECORDING, "")
    name, frame, time = values.pop(IMAGE), values.pop(FRAME, ""), values.pop(TIME, "")
    if not camera and not recording:
        problems.add(f"'{name}' has neither camera nor recording", where)
    moment = None
    try:
        if frame:
            moment = number_of(frame)
        elif time:
            moment = seconds_of(time)
    except ValueError as exc:
        message = f"frame must be a number but got '{frame}'" if frame else f"time: {exc}"
        problems.add(message, where)
    return ImageOrigin(camera, qualified(camera, recording), moment, values)


def qualified(camera: str, recording: str) -> str:
    """A recording's name that no other camera's recording has."""
    if not camera or not recording or recording.startswith(f"{camera}/"):
        return recording
    return f"{camera}/{recording}"


class _Finder:
    """Finds images by what a table calls them."""

    def __init__(self, names: Mapping[Path, str], root: Path, beside: Path) -> None:
        self._names, self._beside = names, beside
        self._exact: dict[str, list[Path]] = defaultdict(list)
        self._by_end: dict[str, list[Path]] = defaultdict(list)
        for path, name in names.items():
            below = nfc(path.relative_to(root).as_posix()) if path.is_relative_to(root) else name
            for each in {name, below}:
                self._exact[each].append(path)
            self._by_end[nfc(path.name)].append(path)

    def images_of(self, text: str) -> list[Path]:
        """The images that a text may mean: by path, else by the end of it."""
        given = text.replace("\\", "/")
        while given.startswith("./"):
            given = given[2:]
        absolute = Path(os.path.abspath(self._beside / given))  # noqa: PTH100 - links are kept
        if absolute in self._names:
            return [absolute]
        if given in self._exact:
            return self._exact[given]
        last = given.rpartition("/")[2]
        ending = f"/{given.lstrip('/')}"
        return [p for p in self._by_end.get(last, ()) if nfc(p.as_posix()).endswith(ending)]

    def near(self, text: str) -> str:
        """'; did you mean …?' where an image is called almost so."""
        last = text.replace("\\", "/").rpartition("/")[2]
        alike = [n for n in self._by_end if n[:2].lower() == last[:2].lower()]
        return did_you_mean(last, alike[:MOST_COMPARED], 1)
