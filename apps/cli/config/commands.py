"""The commands about settings: `guardianflow config …`. Only click is imported here."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.options import switch

from ..flags import Command
from ..options import ARRAY, OBJECT


@dataclass(frozen=True)
class ConfigShowCommand:
    as_json: bool = switch("--json", ARRAY)


@dataclass(frozen=True)
class ConfigCheckCommand:
    as_json: bool = switch("--json", OBJECT)


CONFIG_COMMANDS: tuple[Command, ...] = (
    Command(
        "show",
        "apps.cli.config.show:show_settings",
        ConfigShowCommand,
        "Show every setting and where it comes from: the environment, .env, or a default.",
        """\
  guardianflow config show
  guardianflow config show --json

\b
Secrets are shown as ********.
""",
    ),
    Command(
        "check",
        "apps.cli.config.check:show_check",
        ConfigCheckCommand,
        """Reach every service that the settings name, and say how to mend what is wrong.

A file is sent through the store of artifacts and compared with what comes back. A run is made for
it in the experiment guardianflow-config-check and removed again.
""",
        """\
  guardianflow config check
  guardianflow config check --json

\b
Exit codes: 0 everything can be used; 1 something can't; 2 the settings themselves are wrong.
""",
    ),
)
