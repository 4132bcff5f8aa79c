"""A scenario file, or flags, → a checked Scenario; and a Scenario → YAML.

Everything that is wrong is told at once: YAML, unknown keys, wrong values, contradictions,
overrides and the experiment type, each with file:line:column or the override that set it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from guardianflow.contracts.errors import Problem, Problems, ScenarioError
from guardianflow.support.secrets.redaction import learn_mapping

from . import explain
from .files import find_scenario_file, read_scenario_text
from .overrides import Override, Overrides, apply_override, read_overrides
from .schema import EXPERIMENT_TYPES, Scenario, type_problem
from .sections import HOMES
from .yaml_tree import Document, in_order, read_document


def load_scenario(
    path: str | Path,
    *,
    overrides: Overrides = (),
    experiment_type: str | None = None,
    search_dirs: Sequence[Path] = (),
) -> Scenario:
    """Read a scenario file.

    Args:
        path: of a YAML file in UTF-8; a relative one is looked for in the working directory,
            then in `search_dirs`.
        overrides: 'training.epochs=5' texts, or a mapping {'training.epochs': 5}.
        experiment_type: 'train', 'infer' or 'quant': the answer is of that class.

    Raises:
        ScenarioError: every problem of the file and the overrides.
    """
    file = find_scenario_file(path, search_dirs)
    document = read_document(read_scenario_text(file), str(file))
    scenario = _checked(document, str(file), overrides, experiment_type)
    scenario._source_path = file.absolute()
    return scenario


def parse_scenario(text: str, origin: str) -> Scenario:
    """As load_scenario, of a text that lies in no file.

    Args:
        origin: how an error names it.
    """
    return _checked(read_document(text, origin), origin, (), None)


def build_scenario(
    values: Mapping[str, object],
    origin: str = "command line",
    *,
    overrides: Overrides = (),
    experiment_type: str | None = None,
) -> Scenario:
    """Make a scenario of values that stand in no file.

    Args:
        values: as a file would have them, nested, or with dotted keys ('training.epochs').
        origin: how an error names the place they come from.

    Raises:
        ScenarioError: every problem of the values and the overrides.
    """
    document = Document()
    for key, value in values.items():
        path: explain.KeyPath = tuple(str(key).split("."))
        try:
            apply_override(document.values, Override(path, value, origin))
        except ValueError as error:
            document.problems.add(str(error), origin)
    return _checked(document, origin, overrides, experiment_type)


def dump_scenario(scenario: Scenario) -> str:
    """The whole scenario, defaults filled in, as YAML that loads to the same scenario."""
    yaml = YAML(typ="rt", pure=True)
    yaml.width = 2**31
    yaml.allow_unicode = True
    stream = StringIO()
    yaml.dump(_plain(scenario), stream)
    return stream.getvalue()


# --- checking -----------------------------------------------------------------------------------


class _Places:
    """Says of a problem where it is: in the file, or in which override."""

    def __init__(self, document: Document, origin: str) -> None:
        self._document, self._origin = document, origin
        self._overridden: dict[explain.KeyPath, str] = {}

    def override(self, path: explain.KeyPath, where: str) -> None:
        self._overridden = {p: w for p, w in self._overridden.items() if p[: len(path)] != path}
        self._overridden[path] = where

    def problem(self, message: str, path: explain.KeyPath, of_key: bool = False) -> Problem:
        """At the override that set it, else at its place in the file, else at its section's."""
        for length in range(len(path), 0, -1):
            if where := self._overridden.get(path[:length]):
                return Problem(message, where)
        if path not in self._document.places:
            below = (w for p, w in self._overridden.items() if p[: len(path)] == path)
            if where := next(below, ""):
                return Problem(message, where)
        return self._document.problem(message, self._origin, path, of_key)


def _checked(
    document: Document, origin: str, given: Overrides, experiment_type: str | None
) -> Scenario:
    overrides, wrong_overrides = read_overrides(given)
    problems = Problems(document.problems + wrong_overrides)
    readable = bool(document.values) or not document.problems
    places = _Places(document, origin)
    for override in overrides:
        try:
            for path in apply_override(document.values, override):
                places.override(path, override.where)
        except ValueError as error:
            problems.add(str(error), override.where)
    learn_mapping(document.values)  # before a message quotes them
    declared = document.values.get("experiment_type")
    if experiment_type is not None and (wrong := type_problem(declared, experiment_type)):
        known = experiment_type in EXPERIMENT_TYPES
        problems.append(places.problem(wrong, ("experiment_type",)) if known else Problem(wrong))
    try:
        if readable:
            scenario = Scenario.model_validate(document.values)
    except ValidationError as error:
        found = explain.explain(Scenario, error, document.values, HOMES)
        problems += [places.problem(f.message, f.path, f.of_key) for f in found]
    if problems:
        raise ScenarioError(in_order(problems))
    if experiment_type is None:
        return scenario
    return scenario.as_type(next(t for t in EXPERIMENT_TYPES if t == experiment_type))


# --- writing ------------------------------------------------------------------------------------


def _plain(value: object) -> object:
    """For YAML: sections as mappings without what is not set, short lists on one line."""
    if isinstance(value, BaseModel):
        return {name: _plain(each) for name, each in value if each not in (None, ())}
    if isinstance(value, Mapping):
        return {_plain(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        items = CommentedSeq(_plain(each) for each in value)
        if not any(isinstance(each, (Mapping, CommentedSeq)) for each in items):
            items.fa.set_flow_style()
        return items
    if isinstance(value, str) and not value.isprintable():
        return DoubleQuotedScalarString(value)  # the one style that escapes every character
    return value
