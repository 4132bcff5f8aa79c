"""The commands of `guardianflow` as they are, for tests that must leave none out."""

from __future__ import annotations

from collections.abc import Iterator

import click


def leaves(group: click.Group, before: str = "") -> Iterator[str]:
    """The words that call each command: 'train', and 'data check' of a group."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, f"{before}{name} ")
        else:
            yield before + name


def find_command(group: click.Group, words: str) -> click.Command:
    """The command that such words call."""
    found: click.Command = group
    for word in words.split():
        assert isinstance(found, click.Group)
        found = found.commands[word]
    return found
