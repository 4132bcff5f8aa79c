"""The course a script takes when it is started, as far as its code tells: imports and calls.

Each is certain or not. Certain is what stands in the way of every start: at the top, below
`if __name__ == "__main__"`, in functions that are called from there, before anything that may
leave. What stands below another condition, in a loop or behind one of these, may happen.
Modules beside the script are followed, as importing them runs them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..scan.source import read_source
from ..scan.syntax import Function, last_name

MOST_FILES = 60
_CATCHES_IMPORTS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
_CATCHES_INPUT = {"EOFError", "Exception", "BaseException"}
_OF_PLATFORM = re.compile(r"version_info|version|platform|os\.name|PY[23]|TYPE_CHECKING")
_LEAVES = {"exit", "_exit", "quit", "execv", "execvp", "skip"}
_CHANGES_PATH = re.compile(
    r"sys\.path|addsitedir|meta_path|importlib|pip\b[^\n]*install|install[^\n]*\bpip\b|__import__"
)


@dataclass(frozen=True)
class Place:
    """Where something stands in the code.

    Args:
        certain: it happens at every start.
        guarded: exceptions that are caught around it.
    """

    file: str
    line: int
    certain: bool
    guarded: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass
class Course:
    """The imports and calls of a start.

    Args:
        imports: top name of a module that is not beside the script → where it is imported.
        calls: every call that may happen.
        changes_path: it makes modules importable itself; then a missing one is not certain.
        assigned: names that are set to one text, once.
        rebound: names that the script gives a meaning of its own.
        parameters: names of its functions' parameters.
    """

    imports: dict[str, Place] = field(default_factory=dict)
    calls: list[tuple[ast.Call, Place]] = field(default_factory=list)
    changes_path: bool = False
    texts: list[tuple[str, Place]] = field(default_factory=list)
    assigned: dict[str, str | None] = field(default_factory=dict)
    rebound: set[str] = field(default_factory=set)
    parameters: set[str] = field(default_factory=set)

    def imports_that_fail(self) -> Iterator[tuple[str, Place]]:
        """Those whose failure nobody catches."""
        for name, place in self.imports.items():
            if not place.guarded & _CATCHES_IMPORTS:
                yield name, place

    def inputs(self) -> Iterator[tuple[str, Place]]:
        """Questions to whoever sits at the terminal, which nobody does."""
        for call, place in self.calls:
            name = last_name(call.func)
            plain = isinstance(call.func, ast.Name)
            asks = (plain and name in ("input", "raw_input", "breakpoint")) or (
                ast.unparse(call.func) in _ASKING
            )
            own = plain and name in self.rebound
            if asks and not own and not place.guarded & _CATCHES_INPUT:
                yield f"{ast.unparse(call.func)}()", place


_ASKING = {"getpass.getpass", "click.prompt", "click.confirm", "typer.prompt", "typer.confirm",
           "pdb.set_trace", "sys.stdin.readline"}  # fmt: skip


def read_course(script: Path) -> Course | None:
    """Follow a script; None for one whose code can't be read."""
    reader = _Reader(script.parent, Course())
    return reader.course if reader.follow(script, certain=True, guarded=frozenset()) else None


class _Reader:
    """Walks statements in the order in which they run."""

    def __init__(self, home: Path, course: Course) -> None:
        self._home, self.course = home, course
        self._files: set[tuple[Path, bool]] = set()
        self._file = self._script = ""
        self._here = home
        self._functions: dict[str, Function] = {}
        self._entered: set[tuple[int, bool]] = set()

    def follow(self, file: Path, *, certain: bool, guarded: frozenset[str]) -> bool:
        """Read a module as its import runs it."""
        if (file, True) in self._files or (file, certain) in self._files:
            return True
        if len(self._files) >= MOST_FILES:
            return False
        self._files.add((file, certain))
        try:
            source = read_source(file.read_bytes(), file.name)
        except OSError:
            return False
        if source.tree is None:
            return False
        kept = self._file, self._here, self._functions
        self._file = file.relative_to(self._home).as_posix() if file.is_relative_to(
            self._home) else file.name  # fmt: skip
        self._here, self._functions = file.parent, {}
        self.course.changes_path |= bool(_CHANGES_PATH.search(source.text))
        if not kept[0]:
            self._script = self._file
            self._note_names(source.tree)
        for node in ast.walk(source.tree):
            if isinstance(node, Function):
                self._functions.setdefault(node.name, node)
        self._body(source.tree.body, certain, guarded)
        if self._is_script:
            self._enter_mentioned(source.tree)
        self._file, self._here, self._functions = kept
        return True

    @property
    def _is_script(self) -> bool:
        return self._file == self._script

    def _enter_mentioned(self, tree: ast.Module) -> None:
        """What is not called by its plain name may be called all the same: a method, a callback."""
        mentioned = {last_name(n) for n in ast.walk(tree)
                     if isinstance(n, (ast.Name, ast.Attribute))}  # fmt: skip
        for name, function in self._functions.items():
            if name in mentioned:
                self._enter(function, False, frozenset())

    def _note_names(self, tree: ast.Module) -> None:
        for node in ast.walk(tree):
            if isinstance(node, (ast.Assign, ast.AnnAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                value = node.value.value if isinstance(node.value, ast.Constant) else None
                for target in targets:
                    if isinstance(target, ast.Name):
                        self.course.rebound.add(target.id)
                        known = target.id not in self.course.assigned and isinstance(value, str)
                        self.course.assigned[target.id] = value if known else None  # type: ignore[assignment]
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                self.course.rebound.update(each.asname or each.name for each in node.names)
            elif isinstance(node, Function):
                self.course.rebound.add(node.name)
            elif isinstance(node, ast.arg):
                self.course.rebound.add(node.arg)
                self.course.parameters.add(node.arg)

    # --- statements -------------------------------------------------------------------------------

    def _body(self, body: Sequence[ast.stmt], certain: bool, guarded: frozenset[str]) -> bool:
        """Walk statements; whether the one behind them is still certain to be reached."""
        for statement in body:
            self._statement(statement, certain, guarded)
            certain = certain and not _may_leave(statement)
        return certain

    def _statement(self, node: ast.stmt, certain: bool, guarded: frozenset[str]) -> None:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            self._import(node, certain, guarded)
        elif isinstance(node, Function):
            self._expressions(node.decorator_list, certain, guarded)
        elif isinstance(node, ast.ClassDef):
            self._expressions([*node.decorator_list, *node.bases], certain, guarded)
            self._body(node.body, certain, guarded)
        elif isinstance(node, ast.If):
            self._if(node, certain, guarded)
        elif isinstance(node, (ast.For, ast.AsyncFor)):
            self._expressions([node.iter], certain, guarded)
            self._body([*node.body, *node.orelse], False, guarded)
        elif isinstance(node, ast.While):
            self._expressions([node.test], certain, guarded)
            always = isinstance(node.test, ast.Constant) and bool(node.test.value)
            self._body(node.body, certain and always, guarded)
            self._body(node.orelse, False, guarded)
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            self._expressions([each.context_expr for each in node.items], certain, guarded)
            caught = {last_name(a) for each in node.items
                      if isinstance(each.context_expr, ast.Call)
                      and last_name(each.context_expr.func) == "suppress"
                      for a in each.context_expr.args}  # fmt: skip
            self._body(node.body, certain, guarded | caught)
        elif isinstance(node, (ast.Try, ast.TryStar)):
            self._body(node.body, certain, guarded | _caught(node.handlers))
            for handler in node.handlers:
                # It runs where something is missing; that this is, too, is not certain.
                self._body(handler.body, False, guarded)
            self._body(node.orelse, False, guarded)
            self._body(node.finalbody, certain, guarded)
        elif isinstance(node, ast.Match):
            self._expressions([node.subject], certain, guarded)
            for case in node.cases:
                self._body(case.body, False, guarded)
        else:
            self._expressions(
                [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr)],
                certain,
                guarded,
            )

    def _if(self, node: ast.If, certain: bool, guarded: frozenset[str]) -> None:
        test = ast.unparse(node.test)
        if _OF_PLATFORM.search(test):
            return  # one of the two is for another Python or system
        self._expressions([node.test], certain, guarded)
        main = "__name__" in test and "__main__" in test and "!=" not in test
        if not main or self._is_script:
            self._body(node.body, certain and main, guarded)
        self._body(node.orelse, False, guarded)

    # --- expressions ------------------------------------------------------------------------------

    def _expressions(
        self, nodes: Iterable[ast.expr], certain: bool, guarded: frozenset[str]
    ) -> None:
        for top in nodes:
            perhaps = {id(inner) for node in ast.walk(top) if isinstance(node, _PERHAPS)
                       for inner in ast.walk(node)}  # fmt: skip
            for node in ast.walk(top):
                sure = certain and id(node) not in perhaps
                if isinstance(node, ast.Call):
                    place = Place(self._file, node.lineno, sure, guarded)
                    self.course.calls.append((node, place))
                    if isinstance(node.func, ast.Name):
                        called = self._functions.get(node.func.id)
                        if called is not None and not called.decorator_list:
                            self._enter(called, sure, guarded)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    place = Place(self._file, node.lineno, sure, guarded)
                    self.course.texts.append((node.value, place))

    def _enter(self, function: Function, certain: bool, guarded: frozenset[str]) -> None:
        if (id(function), True) in self._entered or (id(function), certain) in self._entered:
            return
        self._entered.add((id(function), certain))
        lazy = any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in ast.walk(function))
        certain = certain and not lazy and isinstance(function, ast.FunctionDef)
        self._body(function.body, certain, guarded)

    # --- imports ----------------------------------------------------------------------------------

    def _import(
        self, node: ast.Import | ast.ImportFrom, certain: bool, guarded: frozenset[str]
    ) -> None:
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif node.level:
            above = self._here
            for _ in range(node.level - 1):
                above = above.parent
            self._beside(above, node.module or "", certain, guarded)
            return
        else:
            names = [node.module or ""]
        for name in names:
            top = name.partition(".")[0]
            if not self._beside(self._home, name, certain, guarded):
                place = Place(self._file, node.lineno, certain, guarded)
                known = self.course.imports.get(top)
                if known is None or _weight(place) > _weight(known):
                    self.course.imports[top] = place

    def _beside(self, home: Path, name: str, certain: bool, guarded: frozenset[str]) -> bool:
        """Follow a module that lies beside the script; False where none of that name does."""
        parts = name.split(".") if name else []
        top = home / parts[0] if parts else home
        if not (top.is_dir() or top.with_name(f"{top.name}.py").is_file()):
            return False
        at = home
        for part in parts:
            for file in (at / part / "__init__.py", at / f"{part}.py"):
                if file.is_file():
                    self.follow(file, certain=certain, guarded=guarded)
                    break
            at = at / part
        return True


_PERHAPS = (ast.IfExp, ast.BoolOp, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp,
            ast.GeneratorExp)  # fmt: skip


def _weight(place: Place) -> tuple[bool, bool]:
    """To be compared by: what surely fails tells more than what may."""
    return not place.guarded & _CATCHES_IMPORTS, place.certain


def _caught(handlers: Sequence[ast.ExceptHandler]) -> frozenset[str]:
    names: set[str] = set()
    for handler in handlers:
        if handler.type is None:
            names.add("BaseException")
        else:
            types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
            names |= {last_name(each) for each in types}
    return frozenset(names)


def _may_leave(statement: ast.stmt) -> bool:
    """Whether what follows may not be reached."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return False
    for node in ast.walk(statement):
        if isinstance(node, (ast.Return, ast.Raise, ast.Break, ast.Continue, ast.Assert)):
            return True
        if isinstance(node, ast.Call) and last_name(node.func) in _LEAVES:
            return True
    return False
