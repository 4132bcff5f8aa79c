"""The modules that a module needs, found by reading."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardianflow.support.module_imports import imported_modules

FILES = {
    "ours/__init__.py": "",
    "ours/start.py": """
from typing import TYPE_CHECKING
import os, ours.plain
from ours.inner import module, something
if TYPE_CHECKING:
    from ours import hinted
if not TYPE_CHECKING:
    from ours import running
def later():
    try:
        from .late import thing
    except ImportError:
        import others.elsewhere
""",
    "ours/plain.py": "",
    "ours/hinted.py": "",
    "ours/running.py": "from . import start",
    "ours/late.py": "from .inner.deep import x",
    "ours/inner/__init__.py": "",
    "ours/inner/module.py": "",
    "ours/inner/deep.py": "from ..secondhand import y",
    "ours/secondhand.py": "",
    "ours/unused.py": "",
    "others/__init__.py": "",
    "others/elsewhere.py": "",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def found(root: Path, *packages: str, left_out: str = "") -> set[str]:
    modules = imported_modules(
        [root / "ours/start.py"],
        root,
        packages,
        lambda module: bool(left_out) and module.stem == left_out,
    )
    return {module.relative_to(root).as_posix() for module, _ in modules}


def test_imports_are_followed_through_functions_packages_and_circles(root: Path) -> None:
    inside = {name for name in FILES if name.startswith("ours/")}
    assert found(root, "ours") == inside - {"ours/hinted.py", "ours/unused.py"}


def test_other_packages_are_followed_where_they_are_ours_too(root: Path) -> None:
    more = found(root, "ours", "others") - found(root, "ours")
    assert more == {"others/__init__.py", "others/elsewhere.py"}


def test_what_is_left_out_is_not_followed(root: Path) -> None:
    less = found(root, "ours") - found(root, "ours", left_out="deep")
    assert less == {"ours/inner/deep.py", "ours/secondhand.py"}


def test_a_missing_module_is_named(root: Path) -> None:
    (root / "ours/plain.py").write_text("from .gone import x")
    with pytest.raises(FileNotFoundError, match="gone"):
        found(root, "ours")
