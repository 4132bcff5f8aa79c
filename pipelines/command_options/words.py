"""Reads what stands behind `python -m pipelines.X`, with argparse."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

from guardianflow.contracts.errors import ScenarioError
from guardianflow.support.terminal import ArgumentParser

from .declared import Option, options_of

Asked = TypeVar("Asked")
FORCE_ALL = "all"


def read_words(
    kind: type[Asked],
    module: str,
    names: Sequence[str],
    description: str,
    argv: Sequence[str] | None,
    **fixed: Any,
) -> tuple[Asked, list[str]]:
    """Read the words behind `python -m pipelines.{module}`.

    Args:
        kind: the family's dataclass.
        names: of the options that the module takes.
        fixed: its fields that are no options; an option's other default.

    Returns:
        What is asked, and the words that are no options: see `overrides_from`.
    """
    parser = ArgumentParser(
        prog=f"python -m pipelines.{module}", description=description, allow_abbrev=False
    )
    for each in options_of(kind, names):
        flags = module_flags(each)
        said = each.texts.get(module, each.text)
        text = said[:1].lower() + said[1:].removesuffix(".")
        more: dict[str, Any] = {"nargs": "+"} if each.several else {}
        if each.type is bool:
            more = {"nargs": "?", "const": True, "type": parse_switch}
        elif each.bare:
            more = {"nargs": "?", "const": each.bare, "type": parse_forced}
        elif each.type is int:
            more = {"type": partial(parse_number, least=each.least)}
        parser.add_argument(
            *flags,
            dest=each.name,
            metavar=flags[0].removeprefix("--").replace("-", "_").upper(),
            required=each.is_argument,
            default=each.default,
            help=(text if each.module is None else each.module) or None,
            **more,
        )
    parser.set_defaults(**fixed)
    given, rest = parser.parse_known_args(argv)
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in vars(given).items()}
    return kind(**values), rest


def module_flags(each: Option) -> list[str]:
    if each.module_flags:
        return each.module_flags.split()
    long = [flag for flag in each.flags.split() if flag.startswith("--")]
    return long[:1] or [f"--{each.name}"]


def parse_number(text: str, least: int | None) -> int:
    """A whole number, not below the least one."""
    try:
        number = int(text)
    except ValueError:
        number = None
    if number is None or (least is not None and number < least):
        from_least = "" if least is None else f" ≥ {least}"
        raise argparse.ArgumentTypeError(f"expected a whole number{from_least} but got '{text}'")
    return number


def parse_switch(text: str) -> bool:
    """A switch's value as `mlflow run` passes it."""
    if text.lower() in ("true", "yes", "1"):
        return True
    if text.lower() in ("false", "no", "0", ""):
        return False
    raise argparse.ArgumentTypeError(f"expected true or false but got '{text}'")


def parse_forced(text: str) -> str:
    """FORCE_ALL, a stage or variant, or '': `mlflow run` passes -P force=true as a switch's."""
    try:
        return FORCE_ALL if text == FORCE_ALL or parse_switch(text) else ""
    except argparse.ArgumentTypeError:
        return text


def overrides_from(rest: Sequence[str]) -> list[str]:
    """`--training.epochs 5`, as `mlflow run -P training.epochs=5` passes it on.

    Raises:
        ScenarioError: a flag that is no field of a scenario, or one without a value.
    """
    problems, pairs, words = [], [], iter(rest)
    for word in words:
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not name:
            problems.append(f"expected --section.field VALUE but got '{word}'")
        elif equals:
            pairs.append(f"{name}={value}")
        elif (following := next(words, None)) is not None:
            pairs.append(f"{name}={following}")
        else:
            problems.append(f"'{word}' has no value; write {word} VALUE")
    if problems:
        raise ScenarioError(problems)
    return pairs
