"""Single values set over a file: `training.epochs=5`, `quantization.0.precision=int8`.

A key is the path of a value, with dots; the value is YAML, so `[1, 8]` is a list, `'5'` is text
and nothing after '=' is null. The last of two overrides of one key counts.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from guardianflow.contracts.errors import Problem, Problems, ScenarioError
from guardianflow.contracts.given import whole_number

from .explain import KeyPath, short, shown
from .yaml_tree import read_value

Overrides = Sequence[str] | Mapping[str, object]


@dataclass(frozen=True)
class Override:
    """One value to set.

    Args:
        where: how an error names it, e.g. "override 'training.epochs=5'".
    """

    path: KeyPath
    value: object
    where: str


def parse_overrides(items: Sequence[str]) -> dict[str, object]:
    """'training.epochs=5' → {'training.epochs': 5}.

    Raises:
        ScenarioError: every item that is not KEY=VALUE, or whose value is not YAML.
    """
    overrides, problems = read_overrides(items)
    if problems:
        raise ScenarioError(problems)
    return {".".join(str(part) for part in each.path): each.value for each in overrides}


def read_overrides(given: Overrides) -> tuple[list[Override], list[Problem]]:
    """Overrides in their order, and what is wrong with the others.

    Args:
        given: 'KEY=VALUE' texts, or a mapping of keys to values that are taken as they are.
    """
    overrides: list[Override] = []
    problems = Problems()
    if isinstance(given, str):
        given = [given]
    if isinstance(given, Mapping):
        pairs = [(str(key), value, f"{key}={shown(value)}") for key, value in given.items()]
    else:
        pairs = []
        for item in given:
            key, equals, text = item.partition("=")
            try:
                pairs.append((key if equals else "", read_value(text), item))
            except ValueError as error:
                message = f"{error}; quote the value if it is text: {short(key)}='\"…\"'"
                problems.add(message, _named(item))
    for key, value, item in pairs:
        parts = [part.strip() for part in key.split(".")]
        if all(parts):
            path = tuple(part if (n := whole_number(part)) is None else n for part in parts)
            overrides.append(Override(path, value, _named(item)))
        else:
            problems.add("must be KEY=VALUE like training.epochs=5", _named(item))
    return overrides, problems


def apply_override(values: dict[str, object], override: Override) -> list[KeyPath]:
    """Set one value.

    Returns:
        Where it was set. `quantization.calibration_size` reaches every variant that has its own.

    Raises:
        ValueError: the path leads through something that is neither a section nor a list.
    """
    return [
        _set(values, path, copy.deepcopy(override.value))
        for path in _paths_in(values, override.path)
    ]


def _paths_in(values: Mapping[str, object], path: KeyPath) -> list[KeyPath]:
    """Where a key of `quantization` stands, in whichever of its three forms it is written."""
    written = values.get("quantization")
    if path[0] != "quantization" or len(path) < 2:
        return [path]
    rest = path[1:]
    variants = written.get("variants") if isinstance(written, Mapping) else written
    if not isinstance(variants, list):  # one mapping is its own variant 0
        return [("quantization", *rest[1:])] if rest[0] == 0 and len(rest) > 1 else [path]
    inside: KeyPath = ("quantization", "variants") if written is not variants else ("quantization",)
    if isinstance(rest[0], int):
        return [(*inside, *rest)]
    if rest[0] == "variants":
        return [path]
    if written is variants:
        return [(*inside, i, *rest) for i in range(len(variants))]
    own = [i for i, each in enumerate(variants) if isinstance(each, Mapping) and rest[0] in each]
    return [path, *((*inside, i, *rest) for i in own)]


def _set(values: dict[str, object], path: KeyPath, value: object) -> KeyPath:
    holder: Any = values
    taken: list[str | int] = []
    for depth, part in enumerate(path):
        above = ".".join(str(each) for each in path[:depth])
        if isinstance(holder, list):
            if not holder:
                raise ValueError(f"'{above}' is an empty list")
            if not isinstance(part, int) or part >= len(holder):
                indices = f"0 to {len(holder) - 1}"
                raise ValueError(
                    f"'{above}' is a list with the indices {indices}, not '{short(str(part))}'"
                )
        elif isinstance(holder, dict):
            part = str(part)
        else:
            raise ValueError(f"'{above}' is {shown(holder)}, so nothing can be set under it")
        taken.append(part)
        if depth == len(path) - 1:
            holder[part] = value
        elif isinstance(holder, dict) and holder.get(part) is None:
            holder[part] = {}
        holder = holder[part]
    return tuple(taken)


def _named(item: str) -> str:
    return f"override '{short(item)}'"
