"""Our modules that a logged detector needs, copied under another package name.

    guardianflow/detector.py ─ relative imports ─→ contracts, evaluation
    guardianflow/backends/<its backend> ──────────→ what that one needs

A model must load where this project is not installed, and where another version of it is. So
the files go with the model, and their package is named after their content: neither an installed
guardianflow nor another model's copy can be taken for them. All our modules import each other
relatively, which is what makes the new name work.
"""

from __future__ import annotations

import ast
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..contracts.errors import TrackingError

PACKAGE_PREFIX = "guardianflow_detector_runtime_"
_PROJECT = Path(__file__).resolve().parents[1]


def copy_runtime(module: str, destination: Path, source: Path = _PROJECT) -> Path:
    """Copy the modules that run a detector.

    Args:
        module: that of its backend, as in BackendInfo.
        destination: an existing directory; the package is made inside it.
        source: the package's directory to copy from.

    Returns:
        Directory of the new package; its name is the package's name.

    Raises:
        TrackingError: a module is missing or imports the project by its absolute name.
    """
    files = sorted(needed_modules(module, source))
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(source).as_posix()}\0".encode())
        digest.update(file.read_bytes())
    package = destination / f"{PACKAGE_PREFIX}{digest.hexdigest()[:12]}"
    for file in files:
        target = package / file.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    return package


def needed_modules(module: str, source: Path = _PROJECT) -> set[Path]:
    """Files of detector.py, the backend's module and all they import from the project.

    Imports inside functions count, as they may run; those for type checkers alone don't. The
    catalogue imports a backend's module by its name, which no walk can see: it is given.
    """
    found: set[Path] = set()
    waiting = [source / "detector.py", *_backend_module(module, source)]
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        if not file.is_file():
            raise TrackingError(f"a detector's model needs {file}, which is missing")
        found.add(file)
        folder = file.parent
        while folder != source.parent:
            waiting.append(folder / "__init__.py")
            folder = folder.parent
        waiting += _imported(file, source)
    return found


def _backend_module(module: str, source: Path) -> Iterator[Path]:
    """The backend's file; none for one of another package, which is installed as libraries are."""
    if module.startswith("."):
        yield source.joinpath("backends", *module[1:].split(".")).with_suffix(".py")


def _imported(module: Path, source: Path) -> Iterator[Path]:
    tree = ast.parse(module.read_text(encoding="utf-8"), filename=str(module))
    for node in _running_imports(tree):
        absolute = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if node.level == 0
            else []
        )
        if any(name.split(".")[0] == source.name for name in absolute):
            raise TrackingError(
                f"{module}:{node.lineno} imports '{source.name}' by its absolute name, which a "
                "shipped copy does not have; import relatively"
            )
        if isinstance(node, ast.ImportFrom) and node.level:
            yield from _files_of(node, module)


def _running_imports(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield from _running_imports(ast.Module([other], []))
        else:
            yield from _running_imports(node)


def _files_of(node: ast.ImportFrom, module: Path) -> Iterator[Path]:
    """`from ..a.b import c`: a/b.py, or a/b/__init__.py and, where it is a module, a/b/c.py."""
    base = module.parents[node.level - 1].joinpath(*(node.module or "").split("."))
    if base.with_suffix(".py").is_file() and node.module:
        yield base.with_suffix(".py")
        return
    yield base / "__init__.py"
    for alias in node.names:
        if (base / f"{alias.name}.py").is_file():
            yield base / f"{alias.name}.py"
        elif (base / alias.name / "__init__.py").is_file():
            yield base / alias.name / "__init__.py"
