"""A training script's syntax tree → its calls of Ultralytics' `train`, with the values they get.

Nothing is run. A value is known where it stands in the code, in a variable that is set once, or in
an option whose default is known; else it is UNKNOWN, and a person must say it.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

from ..scan.syntax import (
    UNKNOWN,
    Function,
    assignments,
    imported_names,
    is_made_of,
    last_name,
    literal,
    parameters_of,
    plain_name,
)
from .path_values import ScriptPaths, joined, part_of, plain

MODEL_CALLS = ("val", "predict", "track", "export", "benchmark", "tune", "add_callback", "load")
_CASTS: dict[str, Any] = {"int": int, "float": float, "str": str, "bool": bool}
_OPERATORS: dict[type[ast.operator], Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}
_LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.GeneratorExp, ast.DictComp)
_OPTIONS = re.compile(r"parse|get_arg|get_opt", re.I)
_DEEPEST = 20


@dataclass(frozen=True)
class Argument:
    """One keyword argument of a call.

    Args:
        name: 'epochs'; '**' for a mapping whose keys are not known.
        code: how the script writes its value.
        value: what it is, or UNKNOWN.
    """

    name: str
    code: str
    value: object


@dataclass(frozen=True)
class TrainCall:
    """One call of a detector's `train`.

    Args:
        line: in the script.
        code: the call as it is written.
        weights: what the detector was made from; its value is UNKNOWN where that is not seen.
        often: it may run several times.
    """

    line: int
    code: str
    weights: Argument
    arguments: tuple[Argument, ...]
    often: bool


@dataclass(frozen=True)
class TrainCalls:
    """The calls and paths of a training that a script's code shows.

    Args:
        calls: of `train` on Ultralytics' YOLO.
        others: (line, method, code) of what else it does with a detector.
        saved: paths it gives to torch.save.
        strangers: (line, class) of other model classes whose `train` it calls.
    """

    calls: tuple[TrainCall, ...]
    others: tuple[tuple[int, str, str], ...]
    saved: tuple[str, ...]
    strangers: tuple[tuple[int, str], ...] = ()


def read_training(
    tree: ast.Module, values: Mapping[str, object], script: Path, directory: Path
) -> TrainCalls:
    """Find the calls.

    Args:
        values: of the script's options, by name; UNKNOWN for one that has none.
        script: where it lies.
        directory: where it runs.
    """
    return _Reader(tree, values, ScriptPaths(script, directory)).read()


class _Reader:
    def __init__(self, tree: ast.Module, values: Mapping[str, object], paths: ScriptPaths) -> None:
        self._tree, self._values, self._paths = tree, values, paths
        self._calls_by: dict[Function, list[ast.Call]] = {}
        self._calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        self._parents = {
            child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)
        }
        self._imports = {
            name: full
            for node in ast.walk(tree)
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for name, full in imported_names(node)
        }
        self._globals = {
            name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names
        }
        self._set: dict[tuple[Function | None, str], list[ast.expr]] = {}
        for node in ast.walk(tree):
            for target, value in _changes(node):
                self._set.setdefault((self._function(node), plain_name(target)), []).append(value)

    def read(self) -> TrainCalls:
        calls, others, saved, strangers = [], [], [], []
        for node in self._calls:
            if not isinstance(node.func, ast.Attribute):
                continue
            made = self._made_by(node.func.value)
            if node.func.attr == "train" and self._is_training(node, made):
                calls.append(self._train_call(node, made))
            elif node.func.attr == "train" and (stranger := self._stranger(made)):
                strangers.append((node.lineno, stranger))
            elif node.func.attr in MODEL_CALLS and self._is_yolo(made):
                others.append((node.lineno, node.func.attr, ast.unparse(node)))
            elif ast.unparse(node.func) == "torch.save" and len(node.args) > 1:
                path = plain(self._value(node.args[1]))
                saved.append(path if isinstance(path, str) else ast.unparse(node.args[1]))
        return TrainCalls(
            tuple(sorted(calls, key=lambda call: call.line)),
            tuple(sorted(others)),
            tuple(dict.fromkeys(saved)),
            tuple(sorted(strangers)),
        )

    def _is_training(self, call: ast.Call, made: ast.Call | None) -> bool:
        """A YOLO's, or one of an object not seen being made that gets what a YOLO's gets."""
        if made is not None:
            return self._is_yolo(made)
        return bool({"data", "epochs"} & {each.arg for each in call.keywords})

    def _is_yolo(self, made: ast.Call | None) -> bool:
        """Whether Ultralytics' YOLO was called, by whichever name it was imported."""
        return made is not None and self._full_name(made.func) in _YOLO_NAMES

    def _stranger(self, made: ast.Call | None) -> str:
        """The name of another class of Ultralytics that an object was made by, or of ours."""
        name = self._full_name(made.func) if made else ""
        defined = any(isinstance(n, ast.ClassDef) and n.name == name for n in self._tree.body)
        return name.rpartition(".")[2] if name.startswith("ultralytics.") or defined else ""

    def _full_name(self, node: ast.expr) -> str:
        """As it was imported: 'pathlib.Path' of `Path`, 'os.path.join' of `osp.join`."""
        first, dot, rest = ast.unparse(node).partition(".")
        return self._imports.get(first, first) + dot + rest

    def _train_call(self, call: ast.Call, made: ast.Call | None) -> TrainCall:
        weights = Argument("model", "?", UNKNOWN)
        if made is not None:
            given = [*made.args, *(k.value for k in made.keywords if k.arg == "model")]
            if given:
                weights = Argument("model", ast.unparse(given[0]), plain(self._value(given[0])))
            else:
                weights = Argument("model", "", "yolo11n.pt")  # Ultralytics' own default
        return TrainCall(
            call.lineno,
            ast.unparse(call),
            weights,
            tuple(self._arguments(call)),
            self._often(call),
        )

    def _arguments(self, call: ast.Call) -> Iterator[Argument]:
        for keyword in call.keywords:
            code, value = ast.unparse(keyword.value), plain(self._value(keyword.value))
            if keyword.arg:
                yield Argument(keyword.arg, code, value)
            elif isinstance(value, dict):
                yield from (Argument(str(key), f"**{code}", each) for key, each in value.items())
            else:
                yield Argument("**", code, UNKNOWN)

    # --- what a detector was made by --------------------------------------------------------------

    def _made_by(self, node: ast.expr, depth: int = 0) -> ast.Call | None:
        """The call that made an object: `YOLO(…)` of `model`, where that is seen."""
        if depth > _DEEPEST:
            return None
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in ("load", "to", "cuda"):
                return self._made_by(node.func.value, depth + 1)
            return node
        given = [each for each in self._all_set(node) if not is_made_of(each, plain_name(node))]
        return self._made_by(given[-1], depth + 1) if given else None

    def _all_set(self, node: ast.expr) -> list[ast.expr]:
        """Everything a variable is set to, and what is passed where it is a parameter."""
        name, function = plain_name(node), self._function(node)
        if not name:
            return []
        if name.startswith("self."):  # set in one method, used in another
            return [each for (_, n), found in self._set.items() if n == name for each in found]
        own = self._set.get((function, name), [])
        if function is not None and name in parameters_of(function):
            return own + self._passed(function, name)
        return own or self._set.get((None, name), [])

    def _passed(self, function: Function, name: str) -> list[ast.expr]:
        place = list(parameters_of(function)).index(name)
        found = []
        for call in self._calls_of(function):
            named = [each.value for each in call.keywords if each.arg == name]
            found += named or call.args[place : place + 1]
        return found

    def _calls_of(self, function: Function) -> list[ast.Call]:
        """Calls of a function, or of a method on what is no detector."""
        if function not in self._calls_by:
            self._calls_by[function] = []  # what it calls on its own parameter asks for it again
            method = isinstance(self._parents.get(function), ast.ClassDef)
            kind = ast.Attribute if method else ast.Name
            self._calls_by[function] = [
                call
                for call in self._calls
                if isinstance(call.func, kind) and last_name(call.func) == function.name
                if not isinstance(call.func, ast.Attribute)
                or not self._is_yolo(self._made_by(call.func.value))
            ]
        return self._calls_by[function]

    def _often(self, node: ast.AST, depth: int = 0) -> bool:
        """Whether it may run several times: in a loop, or in a function that does."""
        if any(isinstance(each, _LOOPS) for each in self._around(node)):
            return True
        function = self._function(node)
        if function is None or depth > _DEEPEST:
            return False
        calls = self._calls_of(function)
        return len(calls) > 1 or any(self._often(call, depth + 1) for call in calls)

    # --- values -----------------------------------------------------------------------------------

    def _value(self, node: ast.expr, depth: int = 0) -> object:
        if depth > _DEEPEST:
            return UNKNOWN
        if (written := literal(node)) is not UNKNOWN:
            return written
        try:
            return self._computed(node, depth + 1)
        except (ValueError, TypeError, KeyError, IndexError, ArithmeticError, AttributeError):
            return UNKNOWN

    def _computed(self, node: ast.expr, depth: int) -> object:
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self._named(node, depth)
        if isinstance(node, ast.Subscript):
            whole, place = self._value(node.value, depth), self._value(node.slice, depth)
            if isinstance(whole, (dict, list, tuple, str)) and place is not UNKNOWN:
                found: object = whole[place]  # type: ignore[index, call-overload]
                return found
            return UNKNOWN
        if isinstance(node, ast.Dict) and all(node.keys):
            keys = [self._value(key, depth) for key in node.keys if key]
            values = [self._value(each, depth) for each in node.values]
            return UNKNOWN if UNKNOWN in keys else dict(zip(keys, values, strict=True))
        if isinstance(node, ast.Call):
            return self._called(node, depth)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            left, right = self._value(node.left, depth), self._value(node.right, depth)
            if is_number(left) and is_number(right):
                computed: object = _OPERATORS[type(node.op)](left, right)
                return computed
            if isinstance(node.op, ast.Add) and isinstance(left, str) and isinstance(right, str):
                return left + right
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            return joined(self._value(node.left, depth), self._value(node.right, depth))
        if isinstance(node, ast.JoinedStr):
            parts = [self._value(part, depth) for part in node.values]
            return "".join(map(str, parts)) if UNKNOWN not in parts else UNKNOWN
        if isinstance(node, ast.FormattedValue) and node.format_spec is None:
            return self._value(node.value, depth)
        return UNKNOWN

    def _called(self, node: ast.Call, depth: int) -> object:
        name = ast.unparse(node.func)
        given = [self._value(each, depth) for each in node.args]
        if UNKNOWN in given:
            return UNKNOWN
        if name in _CASTS and len(given) == 1 and not node.keywords:
            cast: object = _CASTS[name](given[0])
            return cast
        if name == "dict" and not given and all(each.arg for each in node.keywords):
            return {str(each.arg): self._value(each.value, depth) for each in node.keywords}
        if isinstance(node.func, ast.Attribute):
            path = self._value(node.func.value, depth)
            if isinstance(path, PurePosixPath):
                return self._paths.method(path, node.func.attr, given)
        return UNKNOWN if node.keywords else self._paths.called(self._full_name(node.func), given)

    def _named(self, node: ast.Name | ast.Attribute, depth: int) -> object:
        given = self._all_set(node)
        function = self._function(node)
        if isinstance(node, ast.Attribute):
            if any(_OPTIONS.search(ast.unparse(each)) for each in self._origins(node.value)):
                # An option that the script changes by itself is not what the command line says.
                return UNKNOWN if given else self._values.get(node.attr, UNKNOWN)
            whole = UNKNOWN if given else self._value(node.value, depth)
            if isinstance(whole, PurePosixPath):
                return part_of(whole, node.attr)
        elif node.id == "__file__" and not given:
            return self._paths.file
        elif node.id in self._globals:
            return UNKNOWN
        elif function is not None and node.id in parameters_of(function):
            return self._parameter(function, node.id, given, depth)
        return self._value(given[0], depth) if len(given) == 1 else UNKNOWN

    def _origins(self, node: ast.expr) -> list[ast.expr]:
        """The expressions that made a variable, also where it came in as a parameter."""
        found, seen = self._all_set(node), 0
        while len(found) == 1 and isinstance(found[0], ast.Name) and seen < _DEEPEST:
            found, seen = self._all_set(found[0]), seen + 1
        return found

    def _parameter(
        self, function: Function, name: str, given: list[ast.expr], depth: int
    ) -> object:
        """The value that every call passes; else that of the option, or the default."""
        calls = self._calls_of(function)
        if given:
            same = len(given) == 1 and len(calls) <= 1
            return self._value(given[0], depth) if same else UNKNOWN
        if any(each.arg is None for call in calls for each in call.keywords):
            return UNKNOWN
        started_by_a_library = bool(function.decorator_list) or not calls
        if name in self._values and started_by_a_library:
            return self._values[name]
        _, default = parameters_of(function)[name]
        return UNKNOWN if default is None else self._value(default, depth)

    # --- places -----------------------------------------------------------------------------------

    def _around(self, node: ast.AST) -> Iterator[ast.AST]:
        while (node := self._parents.get(node, self._tree)) is not self._tree:
            yield node

    def _function(self, node: ast.AST) -> Function | None:
        inside = (each for each in self._around(node) if isinstance(each, Function))
        return next(inside, None)


_YOLO_NAMES = ("ultralytics.YOLO", "ultralytics.models.YOLO", "ultralytics.models.yolo.YOLO")


def _changes(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The variables that a node sets, each with what it is set to."""
    yield from assignments(node)
    if isinstance(node, ast.AugAssign):
        yield node.target, node  # type: ignore[misc]  # no expression: a value nobody can read
    elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
        yield node.target, node.iter
        yield node.target, node.iter  # set several times


def is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
