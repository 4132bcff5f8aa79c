"""Each setting with its value and where that comes from: the environment, `.env` or a default."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import SecretStr

from guardianflow.support.secrets.redaction import shown_address

from ..settings import (
    Settings,
    came_from_dotenv,
    load_settings,
    names_of,
    read_dotenv,
    unknown_names,
)

MASK = "********"


class Source(StrEnum):
    ENVIRONMENT = "environment"
    DOTENV = ".env"
    DEFAULT = "default"


@dataclass(frozen=True)
class ShownSetting:
    """A setting.

    Args:
        name: the variable that says it, or would.
        value: a secret's is MASK; None where there is none.
        source: where it comes from.
        meaning: what it is, in a sentence.
    """

    name: str
    value: str | None
    source: Source
    meaning: str


def shown_settings() -> list[ShownSetting]:
    """Every setting, in the order of the class.

    Raises:
        ConfigurationError: a setting can't be used.
    """
    settings, dotenv = load_settings(), read_dotenv()
    in_environment = {name.upper() for name in os.environ if not came_from_dotenv(name)}
    in_dotenv = {name.upper() for name, value in dotenv.items() if value is not None}

    def row(field: str, meaning: str) -> ShownSetting:
        names, value = names_of(field), _shown(getattr(settings, field))
        for source, given in ((Source.ENVIRONMENT, in_environment), (Source.DOTENV, in_dotenv)):
            for name in names:
                if name in given:
                    return ShownSetting(name, value, source, meaning)
        return ShownSetting(names[0], value, Source.DEFAULT, meaning)

    return [row(name, each.description or "") for name, each in Settings.model_fields.items()]


def unused_names() -> list[str]:
    """Variables, here or in `.env`, that look like settings of ours and are none."""
    return sorted({*unknown_names(os.environ), *unknown_names(read_dotenv())})


def _shown(value: Any) -> str | None:
    if value is None or value == ():
        return None
    if isinstance(value, SecretStr):
        return MASK if value.get_secret_value() else None
    if isinstance(value, tuple):
        return os.pathsep.join(map(str, value))
    return shown_address(str(value))
