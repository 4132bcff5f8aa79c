"""Finds the modules that a module needs, by reading imports and running nothing.

Imports inside functions count, as they may run; those for type checkers alone don't. What is
imported by a name made at run time is not seen: whoever asks names it as an entry.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path


def imported_modules(
    entries: Iterable[Path],
    root: Path,
    packages: Collection[str],
    left_out: Callable[[Path], bool] | None = None,
) -> Iterator[tuple[Path, ast.Module]]:
    """The entries and all modules that they import, one through another, each with its tree.

    The `__init__` of each package on the way belongs to it, as importing runs it.

    Args:
        entries: files of modules.
        root: the directory that the packages lie in.
        packages: top packages that are followed; all else is a library.
        left_out: modules that are neither taken nor followed.

    Raises:
        FileNotFoundError: a module is missing; its `filename` says which.
    """
    found: set[Path] = set()
    waiting = list(entries)
    while waiting:
        module = waiting.pop()
        if module in found or (left_out is not None and left_out(module)):
            continue
        found.add(module)
        tree = ast.parse(module.read_bytes(), filename=str(module))
        waiting += [folder / "__init__.py" for folder in module.parents if root in folder.parents]
        for node in running_imports(tree):
            waiting += _files_of(node, module, root, packages)
        yield module, tree


def running_imports(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """A module's imports, but for those that type checkers alone see."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif isinstance(node, ast.If) and _is_for_checkers(node.test):
            yield from running_imports(ast.Module(node.orelse, []))
        elif not isinstance(node, ast.expr):  # no expression holds an import
            yield from running_imports(node)


def _is_for_checkers(test: ast.expr) -> bool:
    """`TYPE_CHECKING` or `typing.TYPE_CHECKING`."""
    return "TYPE_CHECKING" in (getattr(test, "id", ""), getattr(test, "attr", ""))


def absolute_names(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The dotted names that an import takes by their absolute names; [] for a relative one."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if node.level == 0 else []


def _files_of(
    node: ast.Import | ast.ImportFrom, module: Path, root: Path, packages: Collection[str]
) -> Iterator[Path]:
    taken = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
    for name in absolute_names(node):
        if name.partition(".")[0] in packages:
            yield from _named(root.joinpath(*name.split(".")), taken)
    if isinstance(node, ast.ImportFrom) and node.level:
        base = module.parents[node.level - 1]
        yield from _named(base.joinpath(*(node.module or "").split(".")), taken)


def _named(base: Path, taken: Iterable[str]) -> Iterator[Path]:
    """`from a.b import c`: a/b.py, or a/b/__init__.py and, where it is a module, a/b/c.py."""
    package, plain = base / "__init__.py", base.with_suffix(".py")
    if not package.is_file() and plain.is_file():
        yield plain
        return
    yield package
    for name in taken:
        inner = base / f"{name}.py"
        if not inner.is_file():
            inner = base / name / "__init__.py"
        if inner.is_file():
            yield inner
