"""leaks.csv: a row for each judged image and what it has in common with a learnt one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ...contracts.recordings.leaks import Leak
from ...support.text.csv_files import write_csv

COLUMNS = ("split", "image", "kind", "among", "other", "agreement")


def write_leaks(file: Path, leaks: Sequence[Leak], top: Path | None = None) -> Path:
    """Write the table; of no leaks the headings alone.

    Args:
        top: folder that paths are told from; None: they stay absolute.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = [
        {
            "split": leak.split,
            "image": _told(leak.image, top),
            "kind": str(leak.kind),
            "among": leak.among,
            "other": _told(leak.other, top),
            "agreement": leak.agreement,
        }
        for leak in leaks
    ]
    if rows:
        write_csv(file, rows)
    else:
        file.write_text(",".join(COLUMNS) + "\n", encoding="utf-8-sig")
    return file


def _told(path: Path, top: Path | None) -> str:
    return str(path) if top is None else os.path.relpath(path, top)
