"""Reads configs/triggers.yaml: every problem at once, with file, line and column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from guardianflow.contracts.errors import ConfigurationError, ScenarioError
from scenario.designs.sections import SweepConfig
from scenario.explain import explain
from scenario.files import find_scenario_file, read_scenario_text
from scenario.yaml_tree import FileKind, in_order, read_document

from .schema import LargerBatch, Quantise, Rule, Scope, Triggers

DEFAULT_FILE = "configs/triggers.yaml"
KIND = FileKind("a file of triggers", "a list of rules")
HOMES = {
    "": tuple(Triggers.model_fields),
    "rules": tuple(Rule.model_fields),
    "scope": tuple(Scope.model_fields),
    "sweep": tuple(SweepConfig.model_fields),
    "quantise": tuple(Quantise.model_fields),
    "larger_batch": tuple(LargerBatch.model_fields),
}


def load_triggers(path: str | Path, search_dirs: Sequence[Path] = ()) -> Triggers:
    """Read the file; a relative path is looked for in the working directory, then in search_dirs.

    Raises:
        ConfigurationError: every problem of it.
    """
    try:
        file = find_scenario_file(path, search_dirs)
        text = read_scenario_text(file, "a file of triggers")
    except ScenarioError as exc:
        raise ConfigurationError(exc.problems) from exc
    return parse_triggers(text, str(file))


def parse_triggers(text: str, origin: str) -> Triggers:
    """As load_triggers, of a text; `origin` is how an error names it."""
    document = read_document(text, origin, KIND)
    try:
        if document.values or not document.problems:
            triggers = Triggers.model_validate(document.values)
    except ValidationError as error:
        for each in explain(Triggers, error, document.values, HOMES):
            document.tell(each.message, each.path, each.of_key)
    if document.problems:
        raise ConfigurationError(in_order(document.problems))
    return triggers
