"""Do files that people hand us ever break us? `python -m benchmarks.fuzz --count 10000 --seed 1`

Each kind of file is written as it ought to be, changed at random (the seed says how), and read by
the function that reads it for a stage. What may come of it: a ConfigurationError of bounded text,
or a value that keeps the promises of its kind, both within seconds. All else is a fault; its
content is kept, and `--only KIND --number N` with the same seed does that one again.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.fuzz_kinds import KINDS, Kind
from guardianflow.contracts.errors import ConfigurationError

LONGEST_S = 5
"""Of processor time for one file: a busy machine makes no fault. The slowest take a second."""
LONGEST_TEXT = 50_000
"""Of an error's text: a problem for each of some hundred rows."""
LONGEST_FILE = 400_000
SHOWN_FAULTS = 20

TOKENS = [
    *(b"\n", b"\r\n", b"\r", b"\r\r\n", b"\t", b" ", b"  ", b":", b": ", b"- ", b"-", b"#", b"'"),
    *(b'"', b"[", b"]", b"{", b"}", b",", b"&a ", b"*a", b"<<: *a\n", b"!!int ", b"!x ", b"|"),
    *(b">", b"~", b"null", b"true", b"0", b"-1", b"1e309", b"nan", b"-inf", b"0x1f", b"1_000"),
    *(b"99999999999999999999", b"1e-320", b"2.0", b"0.5", b"1.01", b"'0'", b"30000000", b"0o7"),
    *(b"\0", b"\x07", b"\x1b[31m", b"\x7f", b"\xef\xbb\xbf", b"\xff\xfe", b"\xc0\x80", b"\xb2"),
    *(b"..", b"/", b"\\", b"./", b"${HOME}", b"${", b"%s", b"{0}", b"$(x)", b"*.txt", b"C:\\data"),
    *("안전모".encode(), "\u1112\u1161\u11ab".encode(), "\u202e".encode(), "\u2028".encode()),
    *("현장".encode("cp949"), "\ud55c".encode("utf-16-le"), "🦺".encode(), b"---\n", b"...\n"),
    *(b"\xed\xa0\x80", b"x" * 300, b"9" * 4400, b"[" * 60),
]  # fmt: skip


@dataclass
class Tally:
    """What came of the files of one kind.

    Args:
        faults: (number, what happened).
    """

    kind: str
    read: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    faults: list[tuple[int, str]] = field(default_factory=list)


def mutated(kind: Kind, seed: int, number: int) -> bytes:
    """The file of that number: the same for the same seed."""
    chance = random.Random(f"{seed}/{kind.name}/{number}")
    content = chance.choice(kind.plain)
    for _ in range(chance.choice((1, 1, 1, 1, 1, 2, 3, 6))):
        content = chance.choice(CHANGES)(content, chance, kind)
    return content[:LONGEST_FILE]


# --- changes ------------------------------------------------------------------------------------

Change = Callable[[bytes, random.Random, Kind], bytes]


def _span(content: bytes, chance: random.Random) -> tuple[int, int]:
    start = chance.randint(0, len(content))
    return start, min(len(content), start + chance.choice((0, 1, 1, 2, 4, 8, 20, 60)))


def _put(content: bytes, chance: random.Random, kind: Kind) -> bytes:
    start, end = _span(content, chance)
    end = chance.choice((start, end))
    return content[:start] + chance.choice([*TOKENS, *kind.tokens]) + content[end:]


def _drop(content: bytes, chance: random.Random, _: Kind) -> bytes:
    start, end = _span(content, chance)
    return content[:start] + content[end:]


def _repeat(content: bytes, chance: random.Random, _: Kind) -> bytes:
    start, end = _span(content, chance)
    times = chance.choice((1, 2, 3, 50, 3000))
    return content[:start] + content[start:end] * times + content[start:]


def _flip(content: bytes, chance: random.Random, _: Kind) -> bytes:
    changed = bytearray(content)
    for _n in range(min(len(changed), chance.choice((1, 2, 8)))):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _value(content: bytes, chance: random.Random, kind: Kind) -> bytes:
    """Another value behind a colon, a comma or a space."""
    places = [i + 1 for i, byte in enumerate(content) if byte in b":, "]
    if not places:
        return content
    start = chance.choice(places)
    end = next((i for i in range(start, len(content)) if content[i] in b",\n }]"), len(content))
    return content[:start] + b" " + chance.choice([*TOKENS, *kind.tokens]) + content[end:]


def _lines(content: bytes, chance: random.Random, kind: Kind) -> bytes:
    """Lines out of order, twice, gone, or of another file."""
    lines = content.splitlines(keepends=True)
    others = chance.choice(kind.plain).splitlines(keepends=True) or [b""]
    if not lines:
        return content
    place = chance.randrange(len(lines))
    match chance.randrange(4):
        case 0:
            chance.shuffle(lines)
        case 1:
            lines.insert(place, chance.choice(lines))
        case 2:
            del lines[place]
        case 3:
            lines.insert(place, chance.choice(others))
    return b"".join(lines)


def _as_saved(content: bytes, chance: random.Random, _: Kind) -> bytes:
    """Another encoding, or another end of lines."""
    match chance.randrange(6):
        case 0:
            return content.replace(b"\n", chance.choice((b"\r\n", b"\r", b"\r\r\n")))
        case 1:
            return b"\xef\xbb\xbf" + content
        case 2:
            return content[: chance.randint(0, len(content))]
        case _:
            encoding = chance.choice(("utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp949"))
            return content.decode("utf-8", "replace").encode(encoding, "replace")


CHANGES: list[Change] = [_put, _put, _drop, _repeat, _flip, _value, _value, _lines, _as_saved]


# --- trying -------------------------------------------------------------------------------------


class TooSlowError(BaseException):
    """The file took longer than any may; no `except Exception` on the way keeps it."""


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Ends what is inside after so many seconds of processor time."""

    def ring(*_: object) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def try_one(kind: Kind, folder: Path, content: bytes) -> tuple[bool, str]:
    """Whether the file was refused, and what is wrong with how it was read; '' where nothing."""
    try:
        with at_most(LONGEST_S):
            broken = kind.read(folder, content)
    except ConfigurationError as exc:
        return True, _wrong_with(str(exc))
    except TooSlowError:
        return False, f"took more than {LONGEST_S} s"
    except Exception as exc:
        return False, f"{type(exc).__name__}: {exc}"[:500]
    return False, broken


def _wrong_with(message: str) -> str:
    if not message.strip():
        return "an error without a word"
    if len(message) > LONGEST_TEXT:
        return f"an error of {len(message)} characters"
    return ""


def fuzz(kind: Kind, folder: Path, *, seed: int, numbers: range) -> Tally:
    """Read so many changed files of a kind, each in the same folder, which is made ready once."""
    kind.prepare(folder)
    tally = Tally(kind.name)
    for number in numbers:
        start = time.process_time()
        refused, fault = try_one(kind, folder, mutated(kind, seed, number))
        tally.slowest_s = max(tally.slowest_s, time.process_time() - start)
        tally.refused += refused
        tally.read += not refused
        if fault:
            tally.faults.append((number, fault))
    return tally


def main() -> int:
    """Every kind gets its share of the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="files in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=[kind.name for kind in KINDS], action="append")
    parser.add_argument("--number", type=int, help="this file alone, of each kind")
    given = parser.parse_args()
    kinds = [kind for kind in KINDS if not given.only or kind.name in given.only]
    numbers = range(-(-given.count // len(kinds)))
    if given.number is not None:
        numbers = range(given.number, given.number + 1)
    logging.disable()
    print(f"{'kind':14}{'read':>8}{'refused':>9}{'faults':>8}{'slowest':>10}")
    tallies = []
    with tempfile.TemporaryDirectory(prefix="fuzz-") as home:
        for kind in kinds:
            folder = Path(home, kind.name, "set")
            folder.mkdir(parents=True)
            os.chdir(folder)
            tally = fuzz(kind, folder, seed=given.seed, numbers=numbers)
            tallies.append(tally)
            print(
                f"{kind.name:14}{tally.read:8}{tally.refused:9}{len(tally.faults):8}"
                f"{tally.slowest_s:9.2f}s",
                flush=True,
            )
        os.chdir("/")
    for kind, tally in zip(kinds, tallies, strict=True):
        for number, fault in tally.faults[:SHOWN_FAULTS]:
            print(f"{kind.name} {number}: {fault}\n    {mutated(kind, given.seed, number)[:300]!r}")
    faults = sum(len(tally.faults) for tally in tallies)
    verdict = {
        "name": "fuzz",
        "files": len(kinds) * len(numbers),
        "seed": given.seed,
        "faults": faults,
        "holds": not faults,
    }
    print(json.dumps(verdict))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
