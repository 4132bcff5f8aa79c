"""Makes the commands of `guardianflow` from tables of commands and their options, with click."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from typing import Any

import click
from click.core import ParameterSource

from pipelines.options import Option, is_stage_or_variant, options_of


@dataclass(frozen=True)
class Command:
    """A command: what does its work, what it takes, what --help says.

    Args:
        work: 'module:function', imported when it is called. The function takes a value of `kind`
            and returns the exit code.
        kind: the dataclass of its options.
        text: what it does.
        epilog: examples, as they are to be shown.
        options: those it takes; () all.
        stage: what it runs of a scenario; '' where it runs none.
    """

    name: str
    work: str
    kind: type
    text: str
    epilog: str
    options: tuple[str, ...] = ()
    stage: str = ""

    def find_work(self) -> Any:
        """Import the function that does the work."""
        module, _, function = self.work.partition(":")
        return getattr(import_module(module), function)

    def for_click(self) -> click.Command:
        def run(**given: Any) -> None:
            from pipelines.command_line import run_guarded

            stage = {"stage": self.stage} if self.stage else {}
            asked = self.kind(**given, **stage, **_written(self.kind, given))
            sys.exit(run_guarded(lambda: self.find_work()(asked), as_json=asked.as_json))

        options = options_of(self.kind, self.options)
        return _Command(
            [each for each in options if each.bare],
            self.name,
            callback=run,
            params=[parameter_of(each, self.stage or self.name) for each in options],
            help=self.text,
            epilog=f"\b\nExamples:\n{self.epilog}",
        )


def group_of(name: str, text: str, commands: Iterable[Command]) -> click.Group:
    """`guardianflow NAME` with commands of its own."""
    return click.Group(name, help=text, commands=[each.for_click() for each in commands])


class _Command(click.Command):
    """A command with flags that may have a value: click would take the next word for it.

    Args:
        bare: those flags. `--force demo.yaml` is the flag alone, and a scenario.
    """

    def __init__(self, bare: Sequence[Option], *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._bare = {each.flags: each.bare for each in bare}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        following = [*args, ""][1:]
        whole = [
            f"{word}={self._bare[word]}"
            if word in self._bare and not is_stage_or_variant(after)
            else word
            for word, after in zip(args, following, strict=True)
        ]
        return super().parse_args(ctx, whole)


def parameter_of(each: Option, name: str) -> click.Parameter:
    """Click's parameter of an option of the command `name`."""
    kind: Any = each.type
    if each.choices:
        kind = click.Choice(each.choices)
    elif each.least is not None:
        kind = click.IntRange(min=each.least)
    required = each.required if isinstance(each.required, bool) else name in each.required
    more: dict[str, Any] = {} if required else {"default": each.default}
    if each.is_argument:
        flags = [each.name]
        return click.Argument(flags, type=kind, required=required, metavar=each.metavar, **more)
    if each.type is bool:
        more |= {"is_flag": True}
    elif each.bare:
        more |= {"is_flag": False, "flag_value": each.bare, "metavar": each.metavar}
    else:
        more |= {"type": kind, "multiple": each.several, "metavar": each.metavar}
    return click.Option(
        [*each.flags.split(), each.name],
        help=each.texts.get(name, each.text) or None,
        required=required,
        show_default=each.show_default or None,
        **more,
    )


def _written(kind: type, given: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """The field `written` of a dataclass that has one: which options stood on the command line."""
    if not any(each.name == "written" for each in fields(kind)):
        return {}
    source = click.get_current_context().get_parameter_source
    return {"written": frozenset(n for n in given if source(n) is ParameterSource.COMMANDLINE)}
