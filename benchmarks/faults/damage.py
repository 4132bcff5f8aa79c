"""Damages what an interrupted training has left, as a power cut or a bad disk would."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

from benchmarks.faults.place import Place

POINTS, END = re.compile(rb'"kind":"points"'), re.compile(rb'"kind":"end"')


def cut_journal(place: Place, chance: random.Random) -> str:
    """The spool's newest segment ends within a record.

    A power cut takes what had not come to the medium yet: of a training at work, points that stand
    in epochs.jsonl too. Behind all else, which may be older, half a line is begun.
    """
    segments = sorted(
        (place.work_dir / "spool").glob("*/[0-9]*.log"), key=lambda path: path.stat().st_mtime_ns
    )
    lines = segments[-1].read_bytes().splitlines(keepends=True) if segments else []
    if not lines:
        return ""
    last = lines[-1]
    at_work = any(place.trainings.glob("[!.]*/state.json")) and not any(map(END.search, lines))
    if at_work and POINTS.search(last):
        gone = chance.randint(1, len(last) - 1)
        segments[-1].write_bytes(b"".join(lines)[:-gone])
        return f"{segments[-1].name} lacks its last {gone} bytes"
    half = last[: chance.randint(1, max(1, len(last) - 2))]
    segments[-1].write_bytes(b"".join(lines) + half)
    return f"half a line behind {segments[-1].name}"


def cut_epochs(place: Place, chance: random.Random) -> str:
    """epochs.jsonl ends anywhere."""
    for path in place.trainings.glob("[!.]*/epochs.jsonl"):
        content = path.read_bytes()
        kept = chance.randint(0, max(0, len(content) - 1))
        path.write_bytes(content[:kept])
        return f"epochs.jsonl has {kept} of {len(content)} bytes"
    return ""


def damage_checkpoint(place: Place, chance: random.Random) -> str:
    """A file of the newest copy that no older copy shares is cut off, or has changed bytes."""
    for folder in place.trainings.glob("[!.]*/checkpoints"):
        records = [json.loads(path.read_text())["files"] for path in sorted(folder.glob("0*.json"))]
        if len(records) < 2:
            return ""
        own = sorted(set(records[-1].values()) - {d for r in records[:-1] for d in r.values()})
        if not own:
            return ""
        path = folder / "files" / chance.choice(own)
        _spoil(path, chance)
        return f"checkpoint {path.name[:12]} is damaged"
    return ""


def _spoil(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    if chance.random() < 0.5:
        path.write_bytes(content[: chance.randrange(len(content))])
        return
    at = chance.randrange(len(content))
    content[at] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
