"""An option of a command, as a field of a frozen dataclass declares it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, get_args, get_origin, get_type_hints


@dataclass(frozen=True)
class Option:
    """One option of some commands.

    Args:
        flags: of `guardianflow`; a word without dashes is an argument there, and a flag that must
            be given of `python -m`.
        text: what --help says; '' nothing.
        texts: command → what it says instead.
        metavar: stands for the value in --help.
        choices: the values that `guardianflow` takes.
        least: the smallest number.
        show_default: --help tells it.
        required: must be given; or the commands it must be given to.
        bare: the value of the flag where none is given with it; '' it must have one.
        sets: the scenario's field that it overrides, `{}` for the value; 'DESIGN' for the section
            of the command's design.
        module_flags: of `python -m`; '' the first long one of `flags`.
        module: what `python -m … --help` says; None the same with a small letter, '' nothing.
    """

    flags: str
    text: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    least: int | None = None
    show_default: bool = False
    required: bool | tuple[str, ...] = False
    bare: str = ""
    sets: str = ""
    module_flags: str = ""
    module: str | None = None
    # of the field
    name: str = ""
    type: type = str
    several: bool = False
    default: Any = ""

    @property
    def is_argument(self) -> bool:
        return not self.flags.startswith("-")


def option(flags: str, text: str = "", *, default: Any = "", **more: Any) -> Any:
    """A field that is an option; `more` are values of Option."""
    return field(default=default, metadata={"option": Option(flags, text, **more)})


def switch(flag: str, text: str, **more: Any) -> Any:
    """A field that is False until its flag is given."""
    return option(flag, text, default=False, **more)


def number(flag: str, text: str = "", **more: Any) -> Any:
    """A field that is None until a number is given."""
    return option(flag, text, default=None, **more)


def options_of(kind: type, names: Sequence[str] = ()) -> list[Option]:
    """The options of a family's dataclass, or those of these names, in their order."""
    hints = get_type_hints(kind)
    found = {}
    for each in fields(kind):
        if declared := each.metadata.get("option"):
            hint = hints[each.name]
            found[each.name] = replace(
                declared,
                name=each.name,
                type=(get_args(hint) or (hint,))[0],  # int of 'int | None', str of 'tuple[str, …]'
                several=get_origin(hint) is tuple,
                default=each.default,
            )
    return [found[name] for name in names or found]
