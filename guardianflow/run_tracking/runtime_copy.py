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
from pathlib import Path

from ..contracts.errors import TrackingError
from ..support.module_imports import absolute_names, imported_modules, running_imports

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
    found, entries = set(), [source / "detector.py"]
    if module.startswith("."):  # a backend of another package is installed as libraries are
        entries.append(source.joinpath("backends", *module[1:].split(".")).with_suffix(".py"))
    try:
        for file, tree in imported_modules(entries, source.parent, [source.name]):
            found.add(file)
            _refuse_absolute(file, tree, source.name)
    except FileNotFoundError as exc:
        raise TrackingError(f"a detector's model needs {exc.filename}, which is missing") from exc
    return found


def _refuse_absolute(module: Path, tree: ast.Module, package: str) -> None:
    for node in running_imports(tree):
        if any(name.split(".")[0] == package for name in absolute_names(node)):
            raise TrackingError(
                f"{module}:{node.lineno} imports '{package}' by its absolute name, which a "
                "shipped copy does not have; import relatively"
            )
