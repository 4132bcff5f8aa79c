"""Our modules that a logged detector needs, copied under another package name.

    guardianflow/detector.py ─ relative imports ─→ contracts, evaluation
    guardianflow/backends/<its backend>.py ───────→ what that one needs

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


def copy_runtime(backend: str, destination: Path, source: Path = _PROJECT) -> Path:
    """Copy the modules that run a detector of `backend`.

    Args:
        backend: as in DetectorSpec.backend.
        destination: an existing directory; the package is made inside it.
        source: the package's directory to copy from.

    Returns:
        Directory of the new package; its name is the package's name.

    Raises:
        TrackingError: a module is missing or imports the project by its absolute name.
    """
    modules = sorted(needed_modules(backend, source))
    digest = hashlib.sha256()
    for module in modules:
        digest.update(f"{module.relative_to(source).as_posix()}\0".encode())
        digest.update(module.read_bytes())
    package = destination / f"{PACKAGE_PREFIX}{digest.hexdigest()[:12]}"
    for module in modules:
        target = package / module.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(module, target)
    return package


def needed_modules(backend: str, source: Path = _PROJECT) -> set[Path]:
    """Files of detector.py, the backend's module and all they import from the project.

    Imports inside functions count, as they may run; those for type checkers alone don't. The
    catalogue finds a backend's module by name, which no walk can see: `<backend>.py`,
    `<backend>_runtime.py` or `<backend>/runtime.py`.
    """
    found = set()
    entries = [source / "detector.py", _backend_module(backend, source)]
    try:
        for module, tree in imported_modules(entries, source.parent, [source.name]):
            found.add(module)
            _refuse_absolute(module, tree, source.name)
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


def _backend_module(backend: str, source: Path) -> Path:
    candidates = [
        source / "backends" / f"{backend}{end}.py" for end in ("", "_runtime", "/runtime")
    ]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise TrackingError(
        f"backend '{backend}' has no module of ours: looked for "
        f"{' and '.join(str(candidate) for candidate in candidates)}"
    )
