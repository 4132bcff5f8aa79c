"""The folders of the product: small, mapped, and called by their right names in the pages."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

Faults = Callable[..., list[str]]
MAP = '"""A room.\n\n    one    does the first thing\n    deep/  does the rest\n"""\n'


@pytest.fixture(scope="module")
def faults(repository: Path) -> Faults:
    found = runpy.run_path(str(repository / "tools/check_rooms.py"))["faults"]
    assert callable(found)
    return found


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A tree with one room, `hall`, that is as it should be."""
    (tmp_path / "hall/deep").mkdir(parents=True)
    (tmp_path / "hall/__init__.py").write_text(MAP)
    (tmp_path / "hall/__main__.py").write_text("")
    (tmp_path / "hall/one.py").write_text("")
    (tmp_path / "hall/deep/__init__.py").write_text('"""Deep."""\n')
    (tmp_path / "tests/hall").mkdir(parents=True)
    (tmp_path / "tests/hall/test_one.py").write_text("")
    return tmp_path


def add(house: Path, module: str) -> None:
    """A module and its test module."""
    test = house / "tests" / Path(module).with_name(f"test_{Path(module).name}")
    test.parent.mkdir(parents=True, exist_ok=True)
    for file in (house / module, test):
        file.write_text("")


def test_the_product_is_as_it_should_be(faults: Faults, repository: Path) -> None:
    assert faults(repository) == []


def test_a_room_that_is_mapped_has_no_faults(faults: Faults, house: Path) -> None:
    assert faults(house, ("hall",)) == []


def test_a_module_that_the_map_leaves_out_is_named(faults: Faults, house: Path) -> None:
    add(house, "hall/two.py")
    add(house, "hall/deep/inner.py")
    assert faults(house, ("hall",)) == [
        "hall/__init__.py: the map in its docstring must name 'two'",
        "hall/deep/__init__.py: the map in its docstring must name 'inner'",
    ]


def test_a_module_that_the_map_names_and_is_gone_is_named(faults: Faults, house: Path) -> None:
    (house / "hall/one.py").unlink()
    assert faults(house, ("hall",)) == [
        "hall/__init__.py: the map in its docstring names 'one', which is not there"
    ]


def test_a_folder_that_has_grown_too_large_is_named(faults: Faults, house: Path) -> None:
    names = [f"m{number}" for number in range(15)]
    lines = "".join(f"    {name}  is one of many\n" for name in names)
    (house / "hall/deep/__init__.py").write_text(f'"""Deep.\n\n{lines}"""\n')
    for name in names:
        add(house, f"hall/deep/{name}.py")
    assert faults(house, ("hall",)) == ["hall/deep: at most 15 modules are allowed but it holds 16"]


def test_a_page_that_names_a_path_which_is_gone_is_named(faults: Faults, house: Path) -> None:
    (house / "docs").mkdir()
    (house / "README.md").write_text("See `hall/one.py`, hall/deep/ and other/none.py.\n")
    (house / "docs/how.md").write_text("[two](../hall/two.py), `hall/gone/`, `hall/{any}.py`\n")
    assert faults(house, ("hall",)) == [
        "docs/how.md: names hall/gone/, which is not there",
        "docs/how.md: names hall/two.py, which is not there",
    ]


def test_a_test_that_a_page_names_must_be_there(faults: Faults, house: Path) -> None:
    (house / "tests/hall/test_one.py").write_text("def test_it_holds() -> None: ...\n")
    (house / "docs").mkdir()
    (house / "docs/promises.md").write_text(
        "`tests/hall/test_one.py::test_it_holds`, `tests/hall/test_one.py::test_it`, "
        "`tests/hall/test_two.py::test_it_holds`\n"
    )
    assert faults(house, ("hall",)) == [
        "docs/promises.md: names tests/hall/test_one.py::test_it, which is not there",
        "docs/promises.md: names tests/hall/test_two.py::test_it_holds, which is not there",
    ]


def test_modules_without_tests_of_their_own_are_listed(faults: Faults, house: Path) -> None:
    (house / "tests/hall/test_one.py").unlink()
    (missing,) = faults(house, ("hall",))
    assert missing == "tests/README.md: must say where hall/one.py is tested"

    readme = house / "tests/README.md"
    readme.write_text(
        "| folder | modules | tested in |\n| `hall/` | one, gone | hall/test_all.py |\n"
    )
    assert faults(house, ("hall",)) == [
        "tests/README.md: hall/gone.py is gone or has tests of its own; take it out",
        "tests/README.md: names hall/test_all.py, which is not there",
    ]
