"""What would stop a script, or may do so, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """The reason why a script would not come through."""

    SYNTAX = "syntax"
    MODULE = "module"
    INPUT = "input"
    DATA = "data"
    WEIGHTS = "weights"
    OTHER_MACHINE = "other_machine"
    DOWNLOAD = "download"
    NOT_ASKED = "not_asked"


@dataclass(frozen=True)
class Finding:
    """One thing that was found before the start.

    Args:
        text: for people; names the line where one is known.
        certain: the script can't come through; else a warning.
    """

    cause: Cause
    text: str
    certain: bool = False

    def as_dict(self) -> dict[str, str | bool]:
        """For --json."""
        return {"cause": str(self.cause), "text": self.text, "certain": self.certain}
