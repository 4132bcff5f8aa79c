"""Commands in the order of the work, not of the alphabet."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import StringIO
from typing import Any

import click

from guardianflow.support.terminal import write

SECTIONS = {
    "Look after data": ("data",),
    "Make and measure models": (
        "pipeline",
        "train",
        "quant",
        "infer",
        "compare",
        "sweep",
        "ablation",
        "run-scenario",
        "mot",
        "alarms",
    ),
    "Decide and deploy": (*("release", "report", "sign", "promote", "rollback", "pull", "copy"),),
    "Act on figures": ("alerts", "optimize"),
    "Finish what was interrupted": ("resume", "sync", "reap"),
    "Look": (
        *("list", "models", "versions", "history", "uri", "metrics", "dashboard", "doctor"),
        "config",
    ),
    "Set up machines": ("bundle-wheels", "keys"),
    "Old scripts": ("scan", "run", "wrap", "status", "migrate"),
}


class SectionedGroup(click.Group):
    """A group whose help shows its commands under headings; what none names comes last."""

    def main(self, args: Sequence[str] | None = None, **more: Any) -> Any:  # type: ignore[override]
        """As click's own, but the errors, which repeat what was typed, are fit for a terminal."""
        if not more.pop("standalone_mode", True):
            return super().main(args, standalone_mode=False, **more)
        try:
            code = super().main(args, standalone_mode=False, **more)
        except click.ClickException as exc:
            shown = StringIO()
            exc.show(shown)
            write(shown.getvalue().rstrip("\n"), error=True)
            sys.exit(exc.exit_code)
        except click.Abort:
            write("Aborted!", error=True)
            sys.exit(1)
        sys.exit(code if isinstance(code, int) else 0)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        known = {name for names in SECTIONS.values() for name in names}
        others = tuple(name for name in self.list_commands(ctx) if name not in known)
        for title, names in {**SECTIONS, "Others": others}.items():
            rows = [
                (name, command.get_short_help_str(limit=formatter.width - 18))
                for name in names
                if (command := self.get_command(ctx, name)) is not None and not command.hidden
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)
