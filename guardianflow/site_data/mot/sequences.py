"""Image sequences with ground truth, in MOTChallenge's layout.

    NAME/seqinfo.ini      frame rate, length, size: may be left out
    NAME/img1/000001.jpg  frames; or one video, NAME/video.mp4
    NAME/gt/gt.txt        ground truth (ground_truth.py)
    NAME/gt/labels.txt    classes of one's own, one a line: may be left out

A directory may also hold several of these. 'demo://crossing' and 'demo://crowd' are drawn.
"""

from __future__ import annotations

import configparser
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ...contracts.errors import ConfigurationError, DatasetError, Problem, Problems
from ...contracts.sequences import TrackingSequence
from ...support.suggestions import did_you_mean
from ...support.text.encodings import NotUtf8Error, decode_utf8
from ..data_yaml import first_there
from ..demo import SCHEME
from ..memory.images import ImageMemory
from .demo_sequence import SEQUENCES, demo_sequence
from .frames import Pictures, find_pictures
from .ground_truth import GroundTruth

SECTION = "Sequence"
Number = TypeVar("Number", int, float)


def resolve_sequences(
    references: Sequence[str], *, cache_dir: Path, search_dirs: Sequence[Path] = ()
) -> tuple[TrackingSequence, ...]:
    """Find, read and check sequences with their pictures.

    Args:
        references: each a directory that is a sequence or holds several, or 'demo://crossing',
            'demo://crowd', also with options ('demo://crowd?frames=30&size=160').
        cache_dir: where drawn sequences and hashes of images are kept.
        search_dirs: where a relative path may start; the first that has it counts. The working
            directory when empty.

    Returns:
        Sequences in the order asked for, those of one directory by name. Nothing is decoded yet.

    Raises:
        DatasetError: everything wrong with any of them: paths, seqinfo.ini, rows of gt.txt
            (file:line), missing or damaged images, two sequences of one name.
    """
    problems = Problems()
    directories: list[Path] = []
    for reference in references:
        try:
            directories += _find(reference, cache_dir, search_dirs or [Path()])
        except ConfigurationError as exc:
            problems += exc.problems
    _check_names(directories, problems)
    found = [read_sequence(d, problems, cache_dir=cache_dir) for d in dict.fromkeys(directories)]
    if problems:
        raise DatasetError(problems)
    return tuple(sequence for sequence in found if sequence is not None)


def find_sequences(directory: Path) -> list[Path]:
    """The directory itself where it has ground truth, else those in it that have; by name.

    Raises:
        DatasetError: it is not there or holds no sequence.
    """
    if not directory.is_dir():
        siblings = directory.parent.iterdir() if directory.parent.is_dir() else ()
        near = did_you_mean(directory.name, [p.name for p in siblings if p.is_dir()])
        raise DatasetError(Problem(f"there is no such directory{near}", str(directory)))
    if (directory / "gt").is_dir():
        return [directory]
    found = sorted(p for p in directory.iterdir() if (p / "gt").is_dir())
    if not found:
        raise DatasetError(
            Problem(
                "holds no sequence: ground truth is expected as gt/gt.txt in it or as NAME/gt/"
                "gt.txt below it",
                str(directory),
            )
        )
    return found


def read_sequence(
    directory: Path, problems: Problems, *, cache_dir: Path | None = None
) -> TrackingSequence | None:
    """Read one sequence; what is wrong is added to `problems`.

    Args:
        directory: absolute.
        cache_dir: where hashes of images are kept; None leaves the pictures out, and the length
            is then seqinfo.ini's or the last frame of the ground truth.

    Returns:
        The sequence; None where it can't be used.
    """
    before = len(problems)
    info = _read_info(directory, problems)
    file = directory / "gt" / "gt.txt"
    if not file.is_file():
        problems.add("there is no ground truth", file)
        return None
    truth = GroundTruth(file, problems)
    pictures = None
    if cache_dir is not None:
        key = hashlib.sha256(str(directory).encode()).hexdigest()[:16]
        memory = ImageMemory(cache_dir / "sequences" / f"{key}.json")
        pictures = find_pictures(
            directory, directory / info.image_folder, info.length, memory, problems
        )
        _check_size(directory, info, pictures, problems)
    frames = truth.rows.frames
    last = int(frames.max()) if len(frames) else 0
    length = info.length or (pictures.length if pictures else last)
    truth.table.check_frames(length, f"the sequence's {length} frames", problems)
    if len(problems) > before:
        return None
    return TrackingSequence(
        name=directory.name,
        directory=directory,
        length=length,
        truth=truth.rows,
        class_names=truth.class_names,
        classes=truth.classes,
        frame_rate=info.frame_rate or (pictures.frame_rate if pictures else None),
        width=pictures.width if pictures else info.width,
        height=pictures.height if pictures else info.height,
        frame_paths=pictures.paths if pictures else (),
        video_frames=pictures.video_frames if pictures else None,
        fingerprint=_fingerprint(directory.name, length, truth, pictures) if pictures else "",
    )


def states_its_length(directory: Path) -> bool:
    """Whether seqinfo.ini says how many frames there are."""
    return _read_info(directory, Problems()).length is not None


@dataclass(frozen=True)
class _Info:
    """The content of seqinfo.ini; None for what it does not say."""

    image_folder: str = "img1"
    length: int | None = None
    frame_rate: float | None = None
    width: int | None = None
    height: int | None = None


def _read_info(directory: Path, problems: Problems) -> _Info:
    path = directory / "seqinfo.ini"
    if not path.is_file():
        return _Info()
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(decode_utf8(path.read_bytes(), path.name))
        section = parser[SECTION]
    except (OSError, NotUtf8Error, configparser.Error, KeyError) as exc:
        reason = " ".join(str(exc).split())
        problems.add(f"must be an INI file with [{SECTION}]: {reason}", path)
        return _Info()

    def number(key: str, kind: type[Number]) -> Number | None:
        text = section.get(key)
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not (0 < value < 10**9 and (value.is_integer() or kind is float)):
            wanted = "number" if kind is float else "whole number"
            problems.add(f"{key} must be a {wanted} above 0 but got '{text}'", path)
            return None
        return kind(value)

    length, width, height = (number(key, int) for key in ("seqLength", "imWidth", "imHeight"))
    folder, rate = section.get("imDir", "img1"), number("frameRate", float)
    return _Info(folder, length, rate, width, height)


def _check_size(
    directory: Path, info: _Info, pictures: Pictures | None, problems: Problems
) -> None:
    if pictures is None or info.width is None or info.height is None:
        return
    if (info.width, info.height) != (pictures.width, pictures.height):
        problems.add(
            f"says {info.width}×{info.height} pixels but the pictures have "
            f"{pictures.width}×{pictures.height}; boxes belong to one size",
            directory / "seqinfo.ini",
        )


def _fingerprint(name: str, length: int, truth: GroundTruth, pictures: Pictures) -> str:
    """sha256 (hex) over what is measured against and on; where it lies does not count."""
    labels = json.dumps(dict(truth.class_names), ensure_ascii=False)
    digest = hashlib.sha256(f"{name}\0{length}\0{truth.classes}\0{labels}\0".encode())
    digest.update(truth.table.path.read_bytes())
    for each in pictures.hashes:
        digest.update(f"\0{each}".encode())
    return digest.hexdigest()


# --- where sequences are ------------------------------------------------------------------------


def _find(reference: str, cache_dir: Path, search_dirs: Sequence[Path]) -> list[Path]:
    if reference.startswith(SCHEME):
        return [demo_sequence(reference, cache_dir)]
    if "://" in reference:
        raise DatasetError(
            f"'{reference}': sequences must lie on this machine; copy them here and give the "
            f"directory, or use {SCHEME}{next(iter(SEQUENCES))}"
        )
    return find_sequences(first_there(reference, search_dirs, Path.is_dir))


def _check_names(directories: Sequence[Path], problems: Problems) -> None:
    """Results are files called by the sequence's name: two of one name would be mixed up."""
    first: dict[str, Path] = {}
    for directory in directories:
        other = first.setdefault(directory.name, directory)
        if other is not directory:
            message = (
                "is named twice"
                if other == directory
                else f"has the same name as {other}; rename one of the directories"
            )
            problems.add(message, directory)
