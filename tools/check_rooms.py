"""Checks that the folders of the product can be found one's way in; `make lint` runs it.

    size   no folder holds more than 15 modules, so that a listing is read at a glance
    map    the docstring of each package's __init__.py names every module and folder in it
    pages  what README, CONTRIBUTING and docs/ call by a path of ours is there
    named  a test that a page calls by its path and name, `tests/….py::test_…`, is there
    tests  each module's are where its path says, or where tests/README.md says

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
    of_pages = [*_faults_of_pages(root, rooms), *_faults_of_named_tests(root)]
    return [*of_packages, *of_pages, *_faults_of_tests(root, rooms)]


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


def _faults_of_named_tests(root: Path) -> Iterator[str]:
    for page in sorted(place for pattern in PAGES for place in root.glob(pattern)):
        named = re.findall(r"(tests/[\w/]+\.py)::(\w+)", page.read_text(encoding="utf-8"))
        for path, test in sorted(set(named)):
            text = (root / path).read_text(encoding="utf-8") if (root / path).is_file() else ""
            if not re.search(rf"^(?:    )?(?:async )?def {test}\(", text, re.MULTILINE):
                where = page.relative_to(root).as_posix()
                yield f"{where}: names {path}::{test}, which is not there"


def _faults_of_tests(root: Path, rooms: tuple[str, ...]) -> Iterator[str]:
    listed = {}
    readme = root / "tests" / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    for folder, modules, tests in re.findall(r"^\| `([\w/]+)/` \| (.+?) \| (.+?) \|$", text, re.M):
        listed |= {f"{folder}/{name}.py": tests.split(", ") for name in modules.split(", ")}
    without = {module for module in _modules(root, rooms) if not own_tests(root, module).is_file()}
    for module in sorted(without - listed.keys()):
        yield f"tests/README.md: must say where {module} is tested"
    for module in sorted(listed.keys() - without):
        yield f"tests/README.md: {module} is gone or has tests of its own; take it out"
    for test in sorted({test for tests in listed.values() for test in tests}):
        if not (root / "tests" / test).is_file():
            yield f"tests/README.md: names {test}, which is not there"


def _modules(root: Path, rooms: tuple[str, ...]) -> Iterator[str]:
    for room in rooms:
        for module in (root / room).rglob("*.py"):
            if not module.stem.startswith("__"):
                yield module.relative_to(root).as_posix()


def own_tests(root: Path, module: str) -> Path:
    """`guardianflow/release/decision.py` → tests/release/test_decision.py."""
    place = root / "tests" / module.removeprefix("guardianflow/")
    return place.with_name(f"test_{place.name}")


if __name__ == "__main__":
    found = faults(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).resolve().parents[1])
    sys.stdout.writelines(f"{fault}\n" for fault in found)
    sys.exit(1 if found else 0)
