"""How fast does `guardianflow scan` read a large fleet?

1,000 directories with 20,000 scripts as examples/legacy has them, each with a line of its own so
that no two are alike, and 12,000 images and results beside them. Two measures, by turns:

- scripts a second of the whole scan, from the first directory to the text of the registry;
- the scan's time ÷ that of finding the same scripts with os.walk and only parsing them
  (`ast.parse`). The scan also says what they do, but parses only what may matter.
"""

from __future__ import annotations

import argparse
import ast
import os
import runpy
import sys
import tempfile
import time
import warnings
from pathlib import Path

from benchmarks.verdict import Goal, conclude_all
from experiments_adapters.legacy.scan import scan_directories
from experiments_adapters.legacy.scan.write import to_yaml

MAKER = Path(__file__).resolve().parents[1] / "examples/legacy/make_fleet.py"
DIRECTORIES = 1000
SCRIPTS_EACH = 20
OTHERS_EACH = 12
SECONDS = 20.0


def make_large_fleet(home: Path, directories: int) -> int:
    """Write it; the number of its scripts."""
    module = runpy.run_path(str(MAKER))
    contents = [
        (name.rpartition("/")[2], module["as_bytes"](content))
        for scripts in module["FLEET"].values()
        for name, (_, content) in scripts.items()
    ]
    count = 0
    for number in range(directories):
        directory = home / f"customer{number % 30}-plant{number:04}-ppe"
        (directory / "data" / "images").mkdir(parents=True)
        (directory / "runs").mkdir()
        for place in range(SCRIPTS_EACH):
            name, content = contents[(number * SCRIPTS_EACH + place) % len(contents)]
            own = b"" if name.endswith(".ipynb") else f"\n# {number} {place}\n".encode()
            (directory / f"{place}_{name}").write_bytes(content + own)
        for place in range(OTHERS_EACH):
            folder = ("data/images", "runs", ".")[place % 3]
            (directory / folder / f"{place}.jpg").write_bytes(b"\xff\xd8")
        count += SCRIPTS_EACH
    return count


def scan_seconds(home: Path) -> float:
    start = time.perf_counter()
    text = to_yaml(scan_directories(home))
    seconds = time.perf_counter() - start
    if text.count("\n    path:") < 0.9 * len(os.listdir(home)):  # noqa: PTH208
        raise RuntimeError("the scan found fewer experiments than there are")
    return seconds


def parse_seconds(home: Path) -> float:
    """Only finding and parsing every script."""
    start = time.perf_counter()
    for folder, _, names in os.walk(home):
        for name in names:
            if name.endswith(".py"):
                content = Path(folder, name).read_bytes()
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        ast.parse(content)
                except (SyntaxError, ValueError):
                    pass
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100 directories, two rounds")
    quick = parser.parse_args().quick
    directories, rounds = (100, 2) if quick else (DIRECTORIES, 3)
    rates, ratios = [], []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        scripts = make_large_fleet(home, directories)
        for number in range(rounds):
            first, second = (scan_seconds, parse_seconds)[:: 1 if number % 2 else -1]
            one, other = first(home), second(home)
            scan, parse = (one, other) if first is scan_seconds else (other, one)
            rates.append(scripts / scan)
            ratios.append(scan / parse)
            print(
                f"round {number + 1}/{rounds}: scan {scan:.2f} s, parse {parse:.2f} s", flush=True
            )
    goals = {
        "scripts_per_second": Goal(rates, at_least=DIRECTORIES * SCRIPTS_EACH / SECONDS),
        "scan_to_parse": Goal(ratios, at_most=6.0),
    }
    conditions = {"directories": directories, "scripts": scripts, "other_files_each": OTHERS_EACH}
    return conclude_all("scan_speed", goals, conditions=conditions)


if __name__ == "__main__":
    sys.exit(main())
