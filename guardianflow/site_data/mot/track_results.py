"""Files of tracks that a tracker reported: RESULTS/SEQ.txt, one per sequence.

Rows as in track_rows.py; the eighth column is a class id of the sequence's ground truth. A file
without it, or with -1 there, is about the only class that the ground truth counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...contracts.errors import DatasetError, Problems
from ...contracts.sequences import UNNAMED_CLASS, TrackingSequence, TrackRows
from ...support.files import whole_file
from ...support.suggestions import did_you_mean
from ...support.text.spelling import nfc
from ..image_places import absolute
from .sequences import find_sequences, read_sequence, states_its_length
from .track_rows import CLASS, SHOWN_PROBLEMS, TrackTable, read_table

SUFFIX = ".txt"


def read_truth_and_results(
    truth: Path, results: Path
) -> tuple[tuple[TrackingSequence, ...], dict[str, TrackRows]]:
    """Ground truth and result files made elsewhere, checked against each other; no pictures.

    A sequence whose seqinfo.ini says no length is as long as the last frame in ground truth or
    results.

    Args:
        truth: a directory that is a sequence or holds several (NAME/gt/gt.txt).
        results: a directory with NAME.txt for each. An empty file says that nothing was found.

    Returns:
        The sequences by name, and the tracks by sequence name.

    Raises:
        DatasetError: everything wrong with either, by file and line.
    """
    directories = find_sequences(absolute(truth))
    problems = Problems()
    files = _result_files(absolute(results), [d.name for d in directories], problems)
    sequences = [s for d in directories if (s := read_sequence(d, problems)) is not None]
    judged = {name for each in sequences for name in each.counted_classes.values()}
    if not judged and not problems:
        problems.add("no row of any ground truth here counts (column 7 above 0)", truth)
    tracks: dict[str, TrackRows] = {}
    for place, sequence in enumerate(sequences):
        if sequence.name not in files:
            continue
        table = read_table(files[sequence.name], problems)
        found = _tracks(table, sequence, judged, problems)
        if len(found) and not states_its_length(sequence.directory):
            length = max(sequence.length, int(found.frames.max()))
            sequences[place] = sequence = replace(sequence, length=length)
        table.check_frames(
            sequence.length,
            f"the {sequence.length} frames that seqinfo.ini of '{sequence.name}' says",
            problems,
            "; are the results of this sequence?",
        )
        tracks[sequence.name] = found
    if problems:
        raise DatasetError(problems)
    return tuple(sequences), tracks


def write_tracks(path: Path, tracks: TrackRows) -> Path:
    """Write tracks as MOTChallenge has results, whole or not at all.

    frame,id,left,top,width,height,confidence,class,-1: the last is the visibility, which a
    tracker can't know. Numbers are written so that reading them gives the same values.

    Returns:
        `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = zip(
        tracks.frames.tolist(),
        tracks.ids.tolist(),
        tracks.boxes_ltwh.tolist(),
        tracks.confidences.tolist(),
        tracks.class_ids.tolist(),
        strict=True,
    )
    text = "".join(
        f"{frame},{number},{','.join(map(repr, box))},{confidence!r},{class_id},-1\n"
        for frame, number, box, confidence, class_id in rows
    )
    with whole_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    return path


def _result_files(folder: Path, names: Sequence[str], problems: Problems) -> Mapping[str, Path]:
    """NAME.txt by name; one too few or too many is a mistake somewhere."""
    if not folder.is_dir():
        problems.add("there is no such directory of result files", folder)
        return {}
    # The same Hangul name may be composed in two ways.
    known = {nfc(name): name for name in names}
    files = {
        known.get(nfc(path.stem), path.stem): path
        for path in sorted(folder.iterdir())
        if path.suffix == SUFFIX and path.is_file() and not path.name.startswith(".")
    }
    for name in names:
        if name not in files:
            message = "is missing; a tracker that found nothing leaves an empty file"
            problems.add(message, folder / f"{name}{SUFFIX}")
    for name, path in files.items():
        if name not in names:
            near = did_you_mean(name, names)
            problems.add(f"there is no ground truth for '{name}'{near}", path)
    return files


def _tracks(
    table: TrackTable, sequence: TrackingSequence, judged: set[str], problems: Problems
) -> TrackRows:
    """A result file's rows with the ground truth's class ids.

    Args:
        judged: names of the classes that the ground truth of any sequence counts.
    """
    class_ids = np.where(table.class_column() < 1, UNNAMED_CLASS, table.class_column())
    counted = {i: name for i, name in sequence.class_names.items() if name in judged}
    if table.columns > CLASS:
        fractions = table.values[:, CLASS] != np.trunc(table.values[:, CLASS])
        problems += [
            table.at(int(i), f"a class must be a whole number but got {table.values[i, CLASS]:g}")
            for i in np.flatnonzero(fractions)[:SHOWN_PROBLEMS]
        ]
    unnamed = np.flatnonzero(class_ids == UNNAMED_CLASS)
    if len(counted) == 1:
        class_ids[unnamed] = next(iter(counted))
    elif len(counted) > 1 and len(unnamed):
        problems.append(
            table.at(
                int(unnamed[0]),
                f"names no class (column 8), as do {len(unnamed) - 1} more rows, but ground truth "
                f"counts {len(counted)}: "
                + ", ".join(f"{number} {name}" for number, name in counted.items()),
            )
        )
    unknown = np.flatnonzero((class_ids > 0) & ~np.isin(class_ids, list(sequence.class_names)))
    problems += [
        table.at(
            int(i),
            f"class {class_ids[i]} is unknown: the ground truth of '{sequence.name}' has "
            + _names(sequence),
        )
        for i in unknown[:SHOWN_PROBLEMS]
    ]
    return table.rows(class_ids)


def _names(sequence: TrackingSequence) -> str:
    if sequence.classes == "motchallenge":
        return "MOTChallenge's 1 to 13"
    return ", ".join(f"{number} {name}" for number, name in sequence.class_names.items())
