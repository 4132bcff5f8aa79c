"""A scenario file, or flags, → a checked Scenario; and a Scenario → YAML.

Everything that is wrong is told at once: YAML, unknown keys, wrong values, contradictions,
overrides and the experiment type, each with file:line:column or the override that set it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from guardianflow.contracts.errors import Problem, ScenarioError
from guardianflow.support.secrets.redaction import learn_mapping

from . import explain
from .designs.flags import fixed_places, written_place
from .files import find_scenario_file, read_scenario_text
from .overrides import Override, Overrides, apply_override, read_overrides
from .schema import EXPERIMENT_TYPES, HOMES, Scenario, type_problem
from .spellings import make_plain, plain_path, site_places
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
    sites = site_places(file, search_dirs)
    scenario = _checked(document, overrides, experiment_type, sites)
    scenario._source_path = file.absolute()
    return scenario


def parse_scenario(
    text: str, origin: str, *, overrides: Overrides = (), source_path: Path | None = None
) -> Scenario:
    """As load_scenario, of a text that lies in no file.

    Args:
        origin: how an error names it.
        source_path: the file that it once was: relative paths in it start there.
    """
    document = read_document(text, origin)
    scenario = _checked(document, overrides, None, site_places(None, ()))
    scenario._source_path = source_path
    return scenario


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
    document = Document(origin)
    for key, value in values.items():
        path: explain.KeyPath = tuple(str(key).split("."))
        try:
            apply_override(document.values, Override(path, value, origin))
        except ValueError as error:
            document.problems.add(str(error), origin)
    return _checked(document, overrides, experiment_type, site_places(None, ()))


def dump_scenario(scenario: Scenario) -> str:
    """The whole scenario, defaults filled in, as YAML that loads to the same scenario."""
    yaml = YAML(typ="rt", pure=True)
    yaml.width = 2**31
    yaml.allow_unicode = True
    stream = StringIO()
    yaml.dump(_plain(scenario), stream)
    return stream.getvalue()


# --- checking -----------------------------------------------------------------------------------


def _checked(
    document: Document, given: Overrides, experiment_type: str | None, site_dirs: Sequence[Path]
) -> Scenario:
    overrides, wrong_overrides = read_overrides(given)
    problems = document.problems
    readable = bool(document.values) or not problems
    problems += wrong_overrides
    make_plain(document, site_dirs)
    for override in overrides:
        declared = document.values.get("experiment_type")
        override = replace(override, path=plain_path(override.path, declared))
        try:
            for path in _set_all(document.values, override):
                document.override(path, override.where)
        except ValueError as error:
            problems.add(str(error), override.where)
    make_plain(document, site_dirs)  # what the overrides brought
    learn_mapping(document.values)  # before a message quotes them
    declared = document.values.get("experiment_type")
    if experiment_type is not None and (wrong := type_problem(declared, experiment_type)):
        known = experiment_type in EXPERIMENT_TYPES
        at = ("experiment_type",)
        problems.append(document.problem(wrong, at) if known else Problem(wrong))
    try:
        if readable:
            scenario = Scenario.model_validate(document.values)
    except ValidationError as error:
        for each in explain.explain(Scenario, error, document.values, HOMES):
            document.tell(each.message, each.path, each.of_key)
    if problems:
        raise ScenarioError(in_order(problems))
    if experiment_type is None:
        return scenario
    return scenario.as_type(next(t for t in EXPERIMENT_TYPES if t == experiment_type))


def _set_all(values: dict[str, object], override: Override) -> list[explain.KeyPath]:
    """Where an override was set: its field, and what a design tries of that field."""
    override = replace(override, path=written_place(values, override.path))
    places = apply_override(values, override)
    if not isinstance(override.value, (list, dict)):
        for place in fixed_places(values, override.path):
            places += apply_override(values, replace(override, path=place, value=[override.value]))
    return places


# --- writing ------------------------------------------------------------------------------------


def _plain(value: object) -> object:
    """For YAML: sections as mappings without what is not set, short lists on one line."""
    if isinstance(value, BaseModel):
        names = {name: each.alias or name for name, each in type(value).model_fields.items()}
        return {names[name]: _plain(each) for name, each in value if each not in (None, ())}
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
