"""Which files travel with a model, found by reading their imports."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardianflow.backends.catalogue import OURS, backend_info
from guardianflow.contracts.errors import TrackingError
from guardianflow.run_tracking.runtime_copy import copy_runtime, needed_modules

FILES = {
    "__init__.py": "",
    "detector.py": """
from typing import TYPE_CHECKING
from .contracts.errors import Wrong
if TYPE_CHECKING:
    from .contracts.only_for_checkers import Hint
else:
    from .contracts import taken_when_running
def open():
    from .backends.catalogue import open_session
""",
    "contracts/__init__.py": "",
    "contracts/errors.py": "class Wrong(Exception): ...",
    "contracts/only_for_checkers.py": "",
    "contracts/taken_when_running.py": "",
    "contracts/unused.py": "",
    "backends/__init__.py": "",
    "backends/catalogue.py": "import importlib\nfrom ..contracts.errors import Wrong",
    "backends/alpha.py": "from . import shared, deep\nfrom .. import __version__",
    "backends/beta_runtime.py": "import os\nfrom ..contracts.errors import Wrong",
    "backends/shared.py": "from .shared import itself",
    "backends/deep/__init__.py": "from .inner import something",
    "backends/deep/inner.py": "",
}
ALWAYS = {
    "__init__.py",
    "detector.py",
    "contracts/__init__.py",
    "contracts/errors.py",
    "contracts/taken_when_running.py",
    "backends/__init__.py",
    "backends/catalogue.py",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    source = tmp_path / "project"
    for name, content in FILES.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(content, encoding="utf-8")
    return source


def relative(found: set[Path], source: Path) -> set[str]:
    return {path.relative_to(source).as_posix() for path in found}


def test_what_a_backend_imports_comes_along_and_nothing_else(project: Path) -> None:
    assert relative(needed_modules(".beta_runtime", project), project) == {
        *ALWAYS,
        "backends/beta_runtime.py",
    }
    assert relative(needed_modules(".alpha", project), project) == {
        *ALWAYS,
        "backends/alpha.py",
        "backends/shared.py",
        "backends/deep/__init__.py",
        "backends/deep/inner.py",
    }


def test_the_copy_is_named_after_its_content(project: Path, tmp_path: Path) -> None:
    copies = [tmp_path / str(number) for number in range(3)]
    for copy in copies:
        copy.mkdir()
    first = copy_runtime(".beta_runtime", copies[0], project)
    assert copy_runtime(".beta_runtime", copies[1], project).name == first.name
    assert first.name.isidentifier()
    assert relative({p for p in first.rglob("*") if p.is_file()}, first) == {
        *ALWAYS,
        "backends/beta_runtime.py",
    }
    (project / "contracts/errors.py").write_text("class Wrong(ValueError): ...")
    assert copy_runtime(".beta_runtime", copies[2], project).name != first.name


def test_a_backend_without_its_module_is_named(project: Path) -> None:
    with pytest.raises(TrackingError, match=r"gamma/runtime\.py, which is missing"):
        needed_modules(".gamma.runtime", project)


def test_a_backend_of_another_package_is_installed_not_copied(project: Path) -> None:
    assert relative(needed_modules("gamma.runtime", project), project) == ALWAYS


@pytest.mark.parametrize("line", ["import project.contracts", "from project import detector"])
def test_an_absolute_import_of_the_project_is_refused(project: Path, line: str) -> None:
    (project / "backends/beta_runtime.py").write_text(f"import os\n{line}\n")
    with pytest.raises(TrackingError, match=r"beta_runtime\.py:2 imports 'project'"):
        needed_modules(".beta_runtime", project)


def test_a_missing_module_is_named(project: Path) -> None:
    (project / "backends/beta_runtime.py").write_text("from .gone.away import x")
    with pytest.raises(TrackingError, match="gone"):
        needed_modules(".beta_runtime", project)


@pytest.mark.parametrize("backend", [info.name for info in OURS])
def test_every_backend_of_ours_can_travel_alone(backend: str, repository: Path) -> None:
    source = repository / "guardianflow"
    found = relative(needed_modules(backend_info(backend).module), source)
    images = {f"evaluation/images/{name}.py" for name in ("preprocessing", "postprocessing")}
    assert {"detector.py"} | images <= found
    assert {name.partition("/")[0] for name in found if "/" in name} == {
        "contracts",
        "backends",
        "evaluation",
        "support",
    }
