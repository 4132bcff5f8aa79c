"""`guardianflow config show`: every setting, its value, and where that comes from."""

from __future__ import annotations

from dataclasses import asdict

from guardianflow.support.terminal import print_json, write
from pipelines.configuration.sources import ShownSetting, shown_settings, unused_names

from ..listing import Row, print_rows
from .commands import ConfigShowCommand


def show_settings(asked: ConfigShowCommand) -> int:
    """Print a row for each setting.

    Raises:
        ConfigurationError: a setting can't be used.
    """
    settings = shown_settings()
    if asked.as_json:
        print_json([asdict(each) for each in settings])
        return 0
    print_rows([_row(each) for each in settings])
    for name in unused_names():
        write(f"note: {name} is no setting of GuardianFlow: nothing reads it", error=True)
    return 0


def _row(each: ShownSetting) -> Row:
    return {
        "setting": each.name,
        "value": each.value,
        "from": each.source.value,
        "what it is": each.meaning,
    }
