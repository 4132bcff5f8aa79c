"""Checks that the folders of the product can be found one's way in; `make lint` runs it.

    size   no folder holds more than 15 modules, so that a listing is read at a glance
    map    the docstring of each package's __init__.py names every module and folder in it
    pages  what README, CONTRIBUTING and docs/ call by a path of ours is there

Import-linter holds the layers and that no imports go in a circle.

    python tools/check_rooms.py [ROOT]      exit 1, with a line a fault, where something is amiss
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOMS = (
    "apps",
    "pipelines",
    "experiments_adapters",
    "scenario",
    "guardianflow",
    "demo_scenes",
)
PAGES = ("README.md", "README.ko.md", "CONTRIBUTING.md", "docs/*.md")
MOST_MODULES = 15


def faults(root: Path, rooms: tuple[str, ...] = ROOMS) -> list[str]:
    """Every fault of the packages below `root`, a line each."""
    packages = sorted(
        place.parent for room in rooms for place in (root / room).rglob("__init__.py")
    )
    of_packages = [fault for package in packages for fault in _faults_of(package, root)]
    return [*of_packages, *_faults_of_pages(root, rooms)]


def _faults_of(package: Path, root: Path) -> Iterator[str]:
    name = package.relative_to(root).as_posix()
    modules = sorted(package.glob("*.py"))
    if len(modules) > MOST_MODULES:
        yield f"{name}: at most {MOST_MODULES} modules are allowed but it holds {len(modules)}"
    mapped = mapped_names(package / "__init__.py")
    there = {place.stem for place in modules if not place.stem.startswith("__")}
    there |= {place.parent.name for place in package.glob("*/__init__.py")}
    for missing in sorted(there - mapped):
        yield f"{name}/__init__.py: the map in its docstring must name '{missing}'"
    for gone in sorted(mapped - there):
        yield f"{name}/__init__.py: the map in its docstring names '{gone}', which is not there"


def mapped_names(init: Path) -> set[str]:
    """The names that a package's map begins its lines with: `    name   what it does`.

    A name may end in `.py` or `/`; two spaces part it from what it does.
    """
    text = ast.get_docstring(ast.parse(init.read_text(encoding="utf-8"))) or ""
    return set(re.findall(r"^ {0,4}(\w+)(?:\.py|/)? {2,}\S", text, re.MULTILINE))


def _faults_of_pages(root: Path, rooms: tuple[str, ...]) -> Iterator[str]:
    named = re.compile(
        rf"(?<![\w/.-])(?:\.\./)?((?:{'|'.join(rooms)})/[\w/]*(?:\.py|/))(?![\w*{{])"
    )
    for page in sorted(place for pattern in PAGES for place in root.glob(pattern)):
        for path in sorted(set(named.findall(page.read_text(encoding="utf-8")))):
            if not (root / path).exists():
                yield f"{page.relative_to(root).as_posix()}: names {path}, which is not there"


if __name__ == "__main__":
    found = faults(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).resolve().parents[1])
    sys.stdout.writelines(f"{fault}\n" for fault in found)
    sys.exit(1 if found else 0)
