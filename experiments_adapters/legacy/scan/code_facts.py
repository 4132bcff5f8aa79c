"""A script's syntax tree → what it calls, imports, defines and names.

One walk collects imports, assignments and calls; then each call's name is resolved, so that
`model.train(…)` is known for what it is wherever `model = YOLO(…)` stands.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .meanings.calls import DETECTORS, TRAINERS, Meaning, meaning_of
from .meanings.commands import PIPELINES, STARTERS, meaning_of_command, meaning_of_pipeline
from .meanings.text_patterns import calls_in_text
from .source import Source
from .syntax import assignments, imported_names, is_made_of, last_name, plain_name

MODULE = ""
"""The name of the place outside every function."""


@dataclass(frozen=True)
class Evidence:
    """One call that says what the script does.

    Args:
        place: the top function or class it stands in; '' outside all.
        guarded: only where a file is missing: `if not exists(engine): model.export(…)`.
    """

    meaning: Meaning
    line: int
    place: str = MODULE
    guarded: bool = False


@dataclass(frozen=True)
class Facts:
    """The facts of a script's code.

    Args:
        modules: dotted names of what it imports; relative ones without their dots.
        uses: module → names that it takes from there.
        places: functions and classes at the top → the names they mention; MODULE: those outside.
        acts: code at the top does more than define: running it does something.
        has_main: `if __name__ == "__main__"`.
        is_test: pytest or unittest.
        data, weights: paths in its strings.
    """

    evidence: tuple[Evidence, ...] = ()
    modules: frozenset[str] = frozenset()
    uses: dict[str, frozenset[str]] = field(default_factory=dict)
    places: dict[str, frozenset[str]] = field(default_factory=dict)
    acts: bool = False
    has_main: bool = False
    is_test: bool = False
    data: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()

    def reachable(self, names: Iterable[str]) -> frozenset[str]:
        """The places that run when those of the names do, as far as names tell."""
        seen: set[str] = set()
        waiting = [name for name in names if name in self.places]
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += [each for each in self.places[name] if each in self.places]
        return frozenset(seen)


_GUARD = re.compile(r"exists|isfile|is_file|not_|engine|onnx", re.I)
_DATA = re.compile(r"\.(?:yaml|yml)$", re.I)
_WEIGHTS = re.compile(
    r"\.(?:pt|pth|onnx|engine|trt|torchscript|xml|ckpt|weights|tflite|rknn|hef|dxnn|mnn|dlc|mxq)$",
    re.I,
)
_DATA_FOLDER = re.compile(r"(?:^|/)(?:data|datasets?|images?|데이터|데이터셋)(?:/|$)", re.I)


def read_facts(source: Source) -> Facts:
    """Reads the facts of a script; of one without a syntax tree from its text."""
    if source.tree is None:
        return _facts_of_text(source)
    walk = _Walk()
    walk.module(source.tree)
    data, weights = walk.paths()
    return Facts(
        evidence=(*walk.evidence(), *_evidence_of_commands(source)),
        modules=frozenset(walk.modules),
        uses={module: frozenset(names) for module, names in walk.uses.items()},
        places={name: frozenset(names) for name, names in walk.places.items()},
        acts=walk.acts or bool(source.commands),
        has_main=walk.has_main,
        is_test=bool({"pytest", "unittest"} & walk.modules)
        and any(name.lower().startswith("test") for name in walk.places),
        data=data,
        weights=weights,
    )


def _evidence_of_commands(source: Source) -> list[Evidence]:
    found = map(meaning_of_command, source.commands)
    return [Evidence(meaning, 0) for meaning in found if meaning]


class _Walk:
    """Collects from a tree what is needed; resolves names afterwards."""

    def __init__(self) -> None:
        self.modules: set[str] = set()
        self.uses: dict[str, set[str]] = {}
        self.aliases: dict[str, str] = {}
        self.made_by: dict[tuple[str, str], ast.expr] = {}
        self.functions: set[str] = set()
        self.bases: dict[str, ast.expr] = {}
        self.detectors: dict[str, str] | None = None
        self.returned: dict[str, ast.expr] = {}
        self.written: dict[tuple[str, str], ast.expr] = {}
        self.places: dict[str, set[str]] = {MODULE: set()}
        self.calls: list[tuple[ast.Call, str, bool]] = []
        self.strings: list[tuple[str, str]] = []
        self.acts = False
        self.has_main = False

    def module(self, tree: ast.Module) -> None:
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                self.places.setdefault(node.name, set())
                if not isinstance(node, ast.ClassDef):
                    self.functions.add(node.name)
                self._walk(node, node.name)
                for decorator in node.decorator_list:  # @app.command() runs what it decorates
                    if isinstance(decorator, ast.Call):
                        self.places[MODULE].add(node.name)
            else:
                self._top_level(node)
                self._walk(node, MODULE)

    def _top_level(self, node: ast.stmt) -> None:
        if isinstance(node, ast.If) and _is_main_guard(node.test):
            self.has_main = self.acts = True
        elif isinstance(node, (ast.For, ast.While, ast.With)):
            self.acts = True
        elif isinstance(node, (ast.If, ast.Try)) or (
            isinstance(node, (ast.Expr, ast.Assign)) and isinstance(node.value, ast.Call)
        ):
            self.acts = self.acts or _does_something(node)

    def _walk(self, top: ast.AST, place: str) -> None:
        mentioned = self.places[place]
        waiting: list[tuple[ast.AST, bool]] = [(top, False)]
        while waiting:
            node, guarded = waiting.pop()
            kind = type(node)
            if kind is ast.Name:
                mentioned.add(node.id)  # type: ignore[attr-defined]
                continue
            if kind is ast.Constant:
                if isinstance(node.value, str):  # type: ignore[attr-defined]
                    self._string(node.value, "")  # type: ignore[attr-defined]
                continue
            if isinstance(node, ast.Call):
                self.calls.append((node, place, guarded))
                for keyword in node.keywords:
                    if isinstance(keyword.value, ast.Constant):
                        self._string(keyword.value.value, keyword.arg or "")
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                self._import(node)
                continue
            elif isinstance(node, ast.ClassDef) and node.bases:
                self.bases[node.name] = node.bases[0]
            elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
                for target, value in assignments(node):
                    self._assignment(target, value, place)
            elif isinstance(node, ast.withitem) and node.optional_vars is not None:
                self._assignment(node.optional_vars, node.context_expr, place)
            elif isinstance(node, ast.Return):
                if place in self.functions and isinstance(
                    node.value, (ast.Call, ast.Name, ast.Attribute)
                ):
                    self.returned[place] = node.value
            elif isinstance(node, ast.arg) and node.annotation is not None:
                self.made_by[place, node.arg] = ast.Call(node.annotation, [], [])
            elif isinstance(node, ast.If) and _asks_for_a_file(node.test):
                waiting += [(child, True) for child in node.body]
                waiting += [(child, guarded) for child in (node.test, *node.orelse)]
                continue
            waiting += [(child, guarded) for child in _children(node)]

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.aliases.update(imported_names(node))
        module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
        self.modules.update([module] if module else [])
        for alias in node.names:
            self.modules.add(f"{module}.{alias.name}" if module else alias.name)
            if isinstance(node, ast.ImportFrom):
                self.uses.setdefault(module or alias.name, set()).add(alias.name)

    def _assignment(self, target: ast.expr, value: ast.expr, place: str) -> None:
        while isinstance(value, (ast.Await, ast.IfExp)):
            value = value.value if isinstance(value, ast.Await) else value.body
        if isinstance(value, (ast.Call, ast.Name, ast.Attribute)):
            name = plain_name(target)
            if name and plain_name(value) != name and not is_made_of(value, name):
                self.made_by[place, name] = value
        elif isinstance(value, (ast.List, ast.Tuple, ast.JoinedStr, ast.BinOp)):
            if isinstance(target, ast.Name):
                self.written[place, target.id] = value
        elif isinstance(value, ast.Constant) and isinstance(target, ast.Name):
            self.written[place, target.id] = value
            self._string(value.value, target.id)

    def _string(self, value: object, name: str) -> None:
        if isinstance(value, str) and 3 < len(value) < 300 and "\n" not in value:
            self.strings.append((value, name))

    # --- afterwards ------------------------------------------------------------------------------

    def evidence(self) -> Iterator[Evidence]:
        for call, place, guarded in self.calls:
            name = self._name(call.func, place)
            module, _, attribute = name.rpartition(".")
            if module in self.modules and attribute.isidentifier():
                self.uses.setdefault(module, set()).add(attribute)
            keywords = frozenset(each.arg or "**" for each in call.keywords)
            if STARTERS.match(name):
                meaning = meaning_of_command(" ".join(self._texts(call, place)))
            elif PIPELINES.search(name):
                meaning = meaning_of_pipeline(" ".join(self._texts(call, place)))
            else:
                meaning = meaning_of(name, keywords, len(call.args))
                if meaning is None and (other := self._made_elsewhere(call.func)):
                    meaning = meaning_of(other, keywords, len(call.args))
            if meaning is not None:
                yield Evidence(meaning, call.lineno, place, guarded)

    def _texts(self, call: ast.Call, place: str) -> Iterator[str]:
        """The words of a command, written in the call or in a variable before it."""
        for argument in call.args:
            if isinstance(argument, ast.Name):
                key = (place, argument.id)
                argument = self.written.get(key) or self.written.get((MODULE, key[1]), argument)
            for node in ast.walk(argument):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value

    def _name(self, node: ast.expr, place: str, depth: int = 0) -> str:
        """The full name of what is called; '()' behind a part that is a call's result."""
        if depth > 12:
            return "?"
        if isinstance(node, (ast.Name, ast.Attribute)):
            made = self._origin(plain_name(node), place)
            if made is not None:
                return self._name(made, place, depth + 1)
        if isinstance(node, ast.Name):
            base = self._detector_class(node.id, depth) if node.id in self.bases else ""
            if node.id == "self" and place in self.bases and (own := self._detector_class(place)):
                return f"{own}()"
            return base or self.aliases.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            return f"{self._name(node.value, place, depth + 1)}.{node.attr}"
        if isinstance(node, ast.Call):
            if place in self.bases and last_name(node.func) == "super":
                return f"{self._detector_class(place, depth)}()"
            made = self.returned.get(node.func.id) if isinstance(node.func, ast.Name) else None
            if made is not None:  # model = load_model(), which returns YOLO(…)
                return self._name(made, node.func.id, depth + 1)  # type: ignore[attr-defined]
            return f"{self._name(node.func, place, depth + 1)}()"
        if isinstance(node, (ast.Subscript, ast.Await)):
            return self._name(node.value, place, depth + 1)
        return "?"

    def _detector_class(self, name: str, depth: int = 0) -> str:
        """The detector or trainer that a class of the script is derived from; '' for another."""
        base = self._name(self.bases[name], MODULE, depth + 1)
        made = f"{base}()"
        return base if DETECTORS.search(made) or TRAINERS.search(made) else ""

    def _origin(self, name: str, place: str) -> ast.expr | None:
        """The expression that made a variable: in the same function, else at the top."""
        return self.made_by.get((place, name)) or self.made_by.get((MODULE, name))

    def _made_elsewhere(self, called: ast.expr) -> str:
        """The name of a call on a detector that another function made and handed on.

        Not of .train(), which a network of torch has too.
        """
        base = called.value if isinstance(called, ast.Attribute) else called
        method = f".{called.attr}" if isinstance(called, ast.Attribute) else ""
        variable = plain_name(base)
        if not variable or method == ".train":
            return ""
        if self.detectors is None:
            names = [(name, self._name(made, at)) for (at, name), made in self.made_by.items()]
            self.detectors = {name: full for name, full in names if DETECTORS.search(full)}
        return self.detectors[variable] + method if variable in self.detectors else ""

    def paths(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Paths of data and of weights among the strings."""
        data: dict[str, None] = {}
        weights: dict[str, None] = {}
        for written, name in self.strings:
            text = written.rpartition("=")[2].strip()  # data=ppe.yaml on a command line
            if "*" in text or " -" in text or text.startswith((".pt", ".onnx", ".engine")):
                continue
            called_data = name.lower().startswith("data")
            if _WEIGHTS.search(text):
                weights[text] = None
            elif _DATA.search(text):
                if called_data or "data" in text.lower():
                    data[text] = None
            elif "/" in text and " " not in text and (called_data or _DATA_FOLDER.search(text)):
                data[text] = None
        return tuple(sorted(data))[:10], tuple(sorted(weights))[:10]


@functools.cache
def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    """The fields that may hold what is looked for: no contexts, no operators."""
    return tuple(name for name in kind._fields if name not in ("ctx", "op", "ops", "kind"))


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """As ast.iter_child_nodes, for fields that matter: it is most of a scan's work."""
    for name in _fields(type(node)):  # type: ignore[arg-type]  # a class can be hashed
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            yield value
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, ast.AST):
                    yield item


def _is_main_guard(test: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(test))


def _asks_for_a_file(test: ast.expr) -> bool:
    """`not os.path.exists(…)`: what follows happens once, to prepare."""
    negated = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    return negated and any(_GUARD.search(last_name(node)) for node in ast.walk(test))


_QUIET = re.compile(
    r"^(?:filterwarnings|simplefilter|basicConfig|getLogger|set_start_method|append|insert|Path|"
    r"resolve|getenv|get|join|abspath|dirname|environ|setdefault|seed|manual_seed|register|compile"
    r"|namedtuple|TypeVar|partial|set_printoptions|use|load_dotenv|Logger|create_logger|device"
    r"|is_available|setlocale|set_num_threads|cpu_count|parent|Lock|dict|set|list|tuple|int|float"
    r"|str|getcwd|print)$"
)


def _does_something(node: ast.stmt) -> bool:
    """Whether a statement at the top does more than prepare the module."""
    calls = (inner for inner in ast.walk(node) if isinstance(inner, ast.Call))
    return any(not _QUIET.match(last_name(call.func) or "?") for call in calls)


# --- without a syntax tree ------------------------------------------------------------------------


_IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+import|import\s+([\w.]+))", re.M)


def _facts_of_text(source: Source) -> Facts:
    """The facts of a script without a syntax tree: the calls that can be found in its text."""
    text = re.sub(r"(?m)#.*$", "", source.text)
    evidence = []
    for name, at in calls_in_text(text):
        if meaning := meaning_of(name, frozenset(), 0):
            evidence.append(Evidence(meaning, text.count("\n", 0, at) + 1))
    evidence += _evidence_of_commands(source)
    modules = {first or second for first, second in _IMPORT.findall(text)}
    main = "__main__" in text
    return Facts(
        evidence=tuple(evidence),
        modules=frozenset(modules),
        acts=bool(evidence) or main,
        has_main=main,
    )
