"""What `-p NAME=VALUE` means to the commands of designs.

learning_rate=[0.001, 0.01]        values to try: sweep.parameters.training.learning_rate
augmentation=[true, false]         of an ablation: ablation.components.augmentation
lr={low: 0.001, high: 0.1}         a range of them
epochs=5                           one value for all runs: training.epochs
benchmark.batch_sizes=[1]          a field that holds a list, as it is

An override goes before what the file tries of the same field, whichever name the file has for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..alarm_conflicts import look
from ..explain import KeyPath
from ..sections import HOMES
from ..spellings import FLAT
from ..yaml_tree import read_value
from .components import component_path
from .parameters import resolve
from .sections import names_in
from .tried import PathOf, path_or_name

TRIED: Mapping[str, tuple[str, PathOf]] = {
    "sweep": ("sweep.parameters", resolve),
    "ablation": ("ablation.components", component_path),
}
"""Design → the mapping that says what it tries, and what its names stand for."""
_HOLDERS: Sequence[tuple[str, str, PathOf]] = (
    ("sweep", "parameters", resolve),
    ("ablation", "components", component_path),
    ("ablation", "baseline", component_path),
)


def as_design_overrides(overrides: Sequence[str], design: str = "") -> list[str]:
    """Overrides of a scenario, from what was given to the command of a design, or of none."""
    return [_as_override(each, design) for each in overrides]


def tried_among(overrides: Sequence[str]) -> list[str]:
    """Those that name values to try, so that only a sweep or an ablation can take them."""
    return [
        each
        for each in overrides
        if any(_as_override(each, design).startswith(f"{place}.")
               for design, (place, _) in TRIED.items())
        and not each.lstrip().startswith(tuple(TRIED))
    ]  # fmt: skip


def _as_override(text: str, design: str) -> str:
    name, equals, written = text.partition("=")
    name = name.strip()
    try:
        value = read_value(written)
    except ValueError:
        return text  # told with the other overrides
    several = isinstance(value, (list, dict))
    place, path_of = TRIED.get(design, ("", resolve))
    try:
        path = path_of(name)
    except ValueError:
        of_scenario = "." in name or name in HOMES[""] or name in FLAT
        tried = equals and several and place and not of_scenario
        return f"{place}.{text}" if tried else text
    if several:
        return f"{place}.{path}={written}" if place else text
    return text if name in FLAT or "." not in path else f"{path}={written}"


# --- what the file has ----------------------------------------------------------------------------


def written_place(values: Mapping[str, object], path: KeyPath) -> KeyPath:
    """Where the file has what a key of an override means: `sweep.parameters.lr` is the value that
    it may call learning_rate, or training: {learning_rate: …}."""
    for section, field, path_of in _HOLDERS:
        if path[:2] != (section, field):
            continue
        for end in range(3, len(path) + 1):
            name = ".".join(map(str, path[2:end]))
            try:
                wanted = path_of(name)
            except ValueError:
                continue
            held = look(look(values, section), field)
            there = (place for place, other, _ in names_in(held)
                     if path_or_name(path_of, other) == wanted)  # fmt: skip
            return (section, field, *next(there, (name,)), *path[end:])
    return path


def fixed_places(values: Mapping[str, object], path: KeyPath) -> list[KeyPath]:
    """Where the file tries values of a field that an override gives one value."""
    wanted = ".".join(map(str, path))
    return [
        (section, field, *place)
        for section, field, path_of in _HOLDERS
        if field != "baseline"
        for place, name, _ in names_in(look(look(values, section), field))
        if path_or_name(path_of, name) == wanted
    ]
