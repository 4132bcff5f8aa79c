"""YAML text → plain values, with the place of each.

The text is composed to nodes and the values are made here: no tag can run code, duplicate keys
are all told, every value keeps its line and column, and numbers keep the text they were written
as, so that `version: 012` or `dvc_hash: 12e4` can still be read as text.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from guardianflow.contracts.errors import Problem, Problems
from guardianflow.support.text.shortening import shortened

MAX_VALUES = 20_000
MAX_DEPTH = 50
MAX_NUMBER_LENGTH = 1_000
"""Characters of a number: in any base far below what Python refuses to write as decimals."""
CORE = "tag:yaml.org,2002:"

KeyPath = tuple[str | int, ...]


class WrittenInt(int):
    """A whole number that remembers how it was written."""

    source_text: str


class WrittenFloat(float):
    """A number that remembers how it was written."""

    source_text: str


@dataclass(frozen=True)
class Place:
    """Line and column, from 1, of a value and of its key (its own in a list)."""

    value: tuple[int, int]
    key: tuple[int, int]


@dataclass
class Document:
    """The content of a text, and what was set over it.

    Args:
        file: how an error names it; '' of a text that lies in none.
        values: mappings, lists and scalars; {} where the text could not be read.
        places: path from the top → where it stands.
        problems: what is wrong with it as YAML.
        overridden: path → how an error names the override that set it.
    """

    file: str
    values: dict[str, object] = field(default_factory=dict)
    places: dict[KeyPath, Place] = field(default_factory=dict)
    problems: Problems = field(default_factory=Problems)
    overridden: dict[KeyPath, str] = field(default_factory=dict)

    def override(self, path: KeyPath, where: str) -> None:
        self.overridden = {p: w for p, w in self.overridden.items() if p[: len(path)] != path}
        self.overridden[path] = where

    def tell(self, message: str, path: KeyPath, of_key: bool = False) -> None:
        """One more of its problems; as `problem`."""
        self.problems.append(self.problem(message, path, of_key))

    def problem(self, message: str, path: KeyPath, of_key: bool = False) -> Problem:
        """A problem of a value, told at the override that set it, else where it stands, else its
        key, else what should hold it.

        Args:
            of_key: the key itself is at fault.
        """
        set_by = [self.overridden.get(path[:length], "") for length in range(len(path), 0, -1)]
        if path not in self.places:
            set_by += [w for p, w in self.overridden.items() if p[: len(path)] == path]
        if where := next(filter(None, set_by), ""):
            return Problem(message, where)
        for length in range(len(path), -1, -1):
            if place := self.places.get(path[:length]):
                exact = length == len(path) and not of_key
                return problem_at(message, self.file, place.value if exact else place.key)
        return Problem(message, self.file)


def problem_at(message: str, file: str, at: tuple[int, int]) -> Problem:
    """A problem at a line and column; of a text that lies in no file (''), without a place."""
    return Problem(message, f"{file}:{at[0]}:{at[1]}" if file else "", at)


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Each once: down the file first, then those of no place as they came."""
    return sorted(dict.fromkeys(problems), key=lambda each: each.at or (math.inf, 0))


@dataclass(frozen=True)
class FileKind:
    """The kind of a file, for the words of its problems.

    Args:
        noun: 'scenario'.
        needs: what an empty one lacks.
        max_values: more than that many values are a mistake, or an attack.
    """

    noun: str
    needs: str
    max_values: int = MAX_VALUES


SCENARIO = FileKind("a scenario", "at least name, site, task, model and dataset")


def read_document(text: str, file: str, kind: FileKind = SCENARIO) -> Document:
    """Read the text of a YAML file; what is wrong is in the answer's `problems`."""
    document = Document(file)
    yaml = YAML(typ="safe", pure=True)
    root = _compose(yaml, text, document)
    if document.problems:
        return document
    if root is None:
        message = f"the file is empty; {kind.noun} has {kind.needs}"
        document.problems.add(message, file)
    elif not isinstance(root, MappingNode):
        came = "a list" if isinstance(root, SequenceNode) else "a single value"
        message = f"{kind.noun} must be a mapping like 'name: …' at its top but is {came}"
        document.problems.append(problem_at(message, file, _start(root)))
    else:
        values = _Walk(document, yaml.constructor, kind).value(root, ())
        document.values = values if isinstance(values, dict) else {}
    return document


def read_value(text: str) -> object:
    """One value as YAML has it ('5' → 5, '[1, 8]' → a list, '' → None).

    Raises:
        ValueError: it is no YAML; says why.
    """
    document = Document("")
    yaml = YAML(typ="safe", pure=True)
    root = _compose(yaml, text, document)
    value = None
    if root is not None and not document.problems:
        value = _Walk(document, yaml.constructor).value(root, ())
    if document.problems:
        raise ValueError("; ".join(problem.message for problem in document.problems))
    return value


# --- composing ----------------------------------------------------------------------------------


def _compose(yaml: YAML, text: str, document: Document) -> Node | None:
    file, problems = document.file, document.problems
    try:
        with warnings.catch_warnings():
            # Giving an anchor's name a second time is allowed; the later one counts from there.
            warnings.simplefilter("ignore", ReusedAnchorWarning)
            node: Node | None = yaml.compose(text)
            return node
    except MarkedYAMLError as error:
        problems.append(_syntax_problem(error, text, file))
    except RecursionError:
        problems.add("it is nested too deep to be read", file)
    except YAMLError as error:
        problems.append(_character_problem(error, text, file))
    return None


def _syntax_problem(error: MarkedYAMLError, text: str, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    lines = text.splitlines() or [""]
    written = lines[min(line, len(lines) - 1)]
    said = str(error.problem or error.context)
    if "\\t" in said or (written[:column].isspace() and "\t" in written[:column]):
        said = "a tab indents this line; YAML takes spaces only"
    elif error.context and error.problem:
        said = f"{said} {error.context}"
    message = f"not valid YAML: {said}"
    if file:
        message += f"; the line reads: {_clipped(written.strip())}"
    return problem_at(message, file, (line + 1, column + 1))


def _character_problem(error: YAMLError, text: str, file: str) -> Problem:
    position = getattr(error, "position", None)
    if not isinstance(position, int):
        return Problem(f"not valid YAML: {_clipped(str(error))}", file)
    before = text[:position]
    place = (before.count("\n") + 1, position - before.rfind("\n"))
    character = text[position : position + 1]
    message = f"the character U+{ord(character):04X} is not allowed in YAML; remove it"
    return problem_at(message, file, place)


# --- values -------------------------------------------------------------------------------------


@dataclass
class _Walk:
    """Makes values of nodes, noting places and problems."""

    _document: Document
    _constructor: SafeConstructor
    _kind: FileKind = SCENARIO
    _open: list[int] = field(default_factory=list)  # ids of the nodes that are being walked
    _count: int = 0

    def value(self, node: Node, path: KeyPath, key: tuple[int, int] | None = None) -> object:
        start = _start(node)
        if key and isinstance(node, ScalarNode) and not node.value and not node.style:
            start = key  # nothing is written: its key is the place to look at
        self._document.places[path] = Place(start, key or start)
        self._count += 1
        if self._count > self._kind.max_values:
            if self._count == self._kind.max_values + 1:
                most = self._kind.max_values
                self._tell(f"more than {most} values; {self._kind.noun} is small", node)
            return None
        if id(node) in self._open:
            self._tell("this alias names the value that it is part of", node)
            return None
        if len(self._open) > MAX_DEPTH:
            self._tell(f"it is nested more than {MAX_DEPTH} deep", node)
            return None
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        if str(node.tag) not in (f"{CORE}map", f"{CORE}seq"):
            self._tell(
                f"the tag {_clipped(str(node.tag))} is not allowed; write a plain value", node
            )
            return None
        self._open.append(id(node))
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, path)
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        finally:
            self._open.pop()

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, object]:
        values: dict[str, object] = {}
        first_line: dict[str, int] = {}
        for source in itertools.chain([node], self._merged(node)):
            for key_node, value_node in source.value:
                key = None if str(key_node.tag) == f"{CORE}merge" else self._key(key_node)
                if key is not None and key not in values:
                    first_line[key] = key_node.start_mark.line + 1
                    values[key] = self.value(value_node, (*path, key), _start(key_node))
                elif key is not None and source is node:
                    said = f"key '{_clipped(key)}' is given twice; first on line {first_line[key]}"
                    self._tell(said, key_node)
        return values

    def _merged(self, node: MappingNode) -> Iterator[MappingNode]:
        """The mappings that '<<' names; what is written in the mapping itself goes before."""
        for key_node, value_node in node.value:
            if str(key_node.tag) != f"{CORE}merge":
                continue
            several = isinstance(value_node, SequenceNode)
            for source in value_node.value if several else [value_node]:
                if not isinstance(source, MappingNode):
                    self._tell("'<<' takes a mapping or a list of mappings", source)
                elif id(source) in self._open or source is node:
                    self._tell("this alias names the value that it is part of", key_node)
                else:
                    self._count += 1
                    yield source
                    if self._count <= self._kind.max_values:
                        yield from self._merged(source)

    def _key(self, node: Node) -> str | None:
        if not isinstance(node, ScalarNode):
            self._tell("a key must be text", node)
            return None
        if not node.value.strip():
            self._tell("a key is missing before this ':'", node)
            return None
        return str(node.value)

    def _scalar(self, node: ScalarNode) -> object:
        tag, text = str(node.tag), str(node.value)
        try:
            if tag == f"{CORE}null":
                return None
            if tag == f"{CORE}bool":
                return bool(self._constructor.construct_yaml_bool(node))
            if tag in (f"{CORE}int", f"{CORE}float") and len(text) > MAX_NUMBER_LENGTH:
                self._tell(f"a number of {len(text)} characters; quote it if it is text", node)
                return None
            if tag == f"{CORE}int":
                number = WrittenInt(self._constructor.construct_yaml_int(node))
                number.source_text = text
                return number
            if tag == f"{CORE}float":
                real = WrittenFloat(self._constructor.construct_yaml_float(node))
                real.source_text = text
                return real
        except (ValueError, KeyError, IndexError):
            self._tell(f"'{_clipped(text)}' can't be read as {tag.removeprefix(CORE)}", node)
            return None
        if tag in (f"{CORE}str", f"{CORE}timestamp"):  # a date stays the text it was written as
            return text
        self._tell(f"the tag {_clipped(tag)} is not allowed; write a plain value", node)
        return None

    def _tell(self, message: str, node: Node) -> None:
        self._document.problems.append(problem_at(message, self._document.file, _start(node)))


def _start(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _clipped(text: str) -> str:
    return shortened(text, 80)
