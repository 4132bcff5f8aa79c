"""Where an author's directory stands on the import path, and only while their code runs.

Two experiments may both have a `helpers.py`. Each directory gets a scope: on entering it, the
directory comes first on `sys.path` and its own modules stand in `sys.modules`; on leaving, both
are as before and what was imported from the directory is kept aside for the next entering. So
imports inside functions work at training time too, and nothing leaks between experiments.

The train module itself lives under a package name made from its path, for good: that makes
relative imports work, and lets its classes be pickled within the process.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

PACKAGE_PREFIX = "guardianflow_experiment_"

# Names an author's file never takes over: the interpreter and GuardianFlow stand on them.
_PROTECTED = frozenset(sys.stdlib_module_names) | {
    "guardianflow",
    "scenario",
    "experiments_adapters",
    "pipelines",
    "apps",
}


class ImportScope:
    """The modules of one experiment's directory.

    Args:
        directory: absolute path of the directory with the author's code.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._modules: dict[str, ModuleType] = {}
        self._added_paths: list[str] = []  # by the author's own `sys.path.append`
        self._active = False
        self._is_package = (directory / "__init__.py").is_file()

    def load(self, path: Path) -> ModuleType:
        """Execute a file of the directory as a module under a name no other experiment has.

        Whatever the file raises passes through; nothing of a failed load stays registered.
        """
        package_name = PACKAGE_PREFIX + hashlib.sha256(str(path).encode()).hexdigest()[:16]
        _forget(package_name)  # an earlier load of the same file: the author may have edited
        try:
            with self.active():
                package = self._load_package(package_name)
                module = _new_module(f"{package_name}.{path.stem}", path)
                sys.modules[module.__name__] = module
                self._adopt(path.stem, module)
                if self._is_package:
                    self._adopt(self.directory.name, package)
                _execute(module)
                return module
        except BaseException:
            _forget(package_name)
            raise

    @contextmanager
    def active(self) -> Iterator[None]:
        """Make the directory's modules importable; reentrant; leaves no bytecode behind."""
        if self._active:
            yield
            return
        own = self._own_names()
        # A copy first: other threads import meanwhile, the one that sends to the server for one.
        # A list would not do: garbage is collected while it is made, and a thread gets its turn.
        hidden = {n: m for n, m in sys.modules.copy().items() if _top(n) in own}
        for name in hidden:
            del sys.modules[name]
        foreign, path_before = set(sys.modules.copy()), list(sys.path)
        wrote_bytecode = sys.dont_write_bytecode
        sys.modules.update(self._modules)
        sys.path[:0] = [str(self.directory), *self._added_paths]
        sys.dont_write_bytecode = True
        importlib.invalidate_caches()
        self._active = True
        try:
            yield
        finally:
            self._active = False
            sys.dont_write_bytecode = wrote_bytecode
            before = {*path_before, str(self.directory)}
            self._added_paths = [p for p in sys.path if p not in before]
            sys.path[:] = path_before
            self._set_aside(foreign)
            sys.modules.update(hidden)

    def _adopt(self, name: str, module: ModuleType) -> None:
        """Let siblings find a module under the plain name they would import it by."""
        self._modules[name] = module
        sys.modules[name] = module

    def _own_names(self) -> set[str]:
        """Top-level names that mean the author's files here, as in `python train.py`."""
        names = {p.stem for p in self.directory.glob("*.py") if p.stem != "__init__"}
        names |= {p.parent.name for p in self.directory.glob("*/__init__.py")}
        if self._is_package:
            names.add(self.directory.name)
        return names - _PROTECTED

    def _set_aside(self, foreign: set[str]) -> None:
        """Take the author's modules out of sys.modules, keeping them for the next entering.

        Args:
            foreign: names that stood there on entering and belong to others.
        """
        own = self._own_names()
        roots = [self.directory, *(Path(p).absolute() for p in self._added_paths)]
        for name, module in sys.modules.copy().items():
            top = _top(name)
            if top in foreign or top in _PROTECTED or top.startswith(PACKAGE_PREFIX):
                continue
            if top in own or any(_lies_in(module, root) for root in roots):
                self._modules[name] = sys.modules.pop(name)

    def _load_package(self, name: str) -> ModuleType:
        """The package around the directory, with or without an __init__.py."""
        if not self._is_package:
            sys.modules[name] = package = ModuleType(name)
            package.__path__ = [str(self.directory)]
            return package
        package = _new_module(name, self.directory / "__init__.py", [str(self.directory)])
        sys.modules[name] = package
        _execute(package)
        return package


def _new_module(name: str, path: Path, search: list[str] | None = None) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=search)
    if spec is None:  # only for suffixes Python does not know; callers hand over .py files
        raise ImportError(f"{path} is not a Python source file")
    return importlib.util.module_from_spec(spec)


def _execute(module: ModuleType) -> None:
    loader = module.__spec__.loader if module.__spec__ else None
    if loader is None:
        raise ImportError(f"{module.__name__} has no loader")
    loader.exec_module(module)


def _forget(package: str) -> None:
    for name in [each for each in sys.modules.copy() if _top(each) == package]:
        del sys.modules[name]


def _top(name: str) -> str:
    return name.partition(".")[0]


def _lies_in(module: ModuleType, directory: Path) -> bool:
    """Whether a module was read from the directory; libraries installed below it don't count.

    Namespace packages have no file, only places.
    """
    try:
        file = getattr(module, "__file__", None)
        places = [file] if file else list(getattr(module, "__path__", []))
        return any(
            Path(place).is_relative_to(directory) and "site-packages" not in Path(place).parts
            for place in places
        )
    except Exception:  # some libraries put objects into sys.modules that answer with errors
        return False
