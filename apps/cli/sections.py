"""Commands in the order of the work, not of the alphabet."""

from __future__ import annotations

import click

SECTIONS = {
    "Make and measure models": ("pipeline", "train", "quant", "infer", "compare", "mot"),
    "Decide and deploy": ("release", "report", "promote", "rollback", "pull"),
    "Look": ("list", "models", "versions", "history", "uri", "doctor"),
    "Old scripts": ("scan", "run", "wrap", "status", "migrate"),
}


class SectionedGroup(click.Group):
    """A group whose help shows its commands under headings; what none names comes last."""

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
