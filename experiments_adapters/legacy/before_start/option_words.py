"""An option of a script and the value it is given → words of its command line.

What `-p resume=true` is on the command line depends on how the script reads it: a switch alone
(argparse, click), `--no-amp` (typer), `--cache=False` (fire), several words or several flags.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence

from guardianflow.contracts.errors import ConfigurationError

from ..scan.results import Option

_TRUE = frozenset({"true", "1", "yes", "on", "y", "t"})
_FALSE = frozenset({"false", "0", "no", "off", "n", "f"})
_NUMBERS: dict[str, Callable[[str], object]] = {"int": int, "float": float}


def find_option(options: Sequence[Option], name: str) -> Option | None:
    """The option that is called so: by its destination, else by one of its flags."""
    by_flag = (each for each in options if name in map(_plain, (each.flag, *each.aliases)))
    return next((each for each in options if each.name == name), None) or next(by_flag, None)


def words_of(option: Option, value: str, given_as: str = "") -> list[str]:
    """The words that pass a value; none for a switch that is not to be set.

    Args:
        given_as: the name it was given under, for messages.

    Raises:
        ConfigurationError: the option can't take that value, or has no flag to be named by.
    """
    name, flag = given_as or option.name, option.flag
    if not flag:
        raise ConfigurationError(
            f"-p {name} is a positional argument of the script; write {{{option.name}}} where it "
            "belongs into args_template"
        )
    if option.switch not in ("", "append"):
        return _switched(option, value, name)
    if option.type == "bool":  # argparse takes any text but none at all as true
        return [flag, "True" if _truth(value, name) else ""]
    if option.several == "words":
        return [flag, *_split(value, name)]
    if option.several == "repeat":
        return [word for each in _split(value, name) for word in _pair(flag, each)]
    if number := _NUMBERS.get(option.type):
        try:
            number(value)
        except ValueError:
            raise ConfigurationError(
                f"-p {name} must be of type {option.type}, as the script reads it, but got "
                f"'{value}'"
            ) from None
    return _pair(flag, value)


def _switched(option: Option, value: str, name: str) -> list[str]:
    action, flag = option.switch, option.flag
    if action in ("help", "version"):
        raise ConfigurationError(f"-p {name} only makes the script print something and end")
    if action == "count":
        if not value.isdigit():
            raise ConfigurationError(f"-p {name} is counted, 0 or more, but got '{value}'")
        return [flag] * int(value)
    if action not in _ACTIONS:  # an action of the script's own takes values
        return [flag, *_split(value, name)]
    truth = _truth(value, name)
    if action == "value":
        return [f"{flag}={truth}"]
    on, _, off = flag.partition("/")
    if action in ("no-", "BooleanOptionalAction") and not off:
        off = f"--no-{flag.removeprefix('--')}"
    if action == "store_false" and option.name != _plain(flag):
        truth = not truth  # it is the value that is given, which the flag makes False
    return [on] if truth else [off] if off else []


_ACTIONS = frozenset(
    {"store_true", "store_false", "store_const", "append_const", "flag", "no-", "value"}
    | {"BooleanOptionalAction"}
)


def _pair(flag: str, value: str) -> list[str]:
    """A value that begins with a dash would be taken for an option."""
    if value.startswith("-") and flag.startswith("--"):
        return [f"{flag}={value}"]
    return [flag, value]


def _split(value: str, name: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError as exc:
        raise ConfigurationError(
            f"-p {name} takes several values, split like a shell's words, but got '{value}': {exc}"
        ) from None


def _truth(value: str, name: str) -> bool:
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise ConfigurationError(f"-p {name} is a switch: it must be true or false but got '{value}'")


def _plain(flag: str) -> str:
    """'batch_size' of '--batch-size'; of click's '--amp/--no-amp' the first."""
    return re.sub(r"\W", "_", flag.partition("/")[0].lstrip("-"))
