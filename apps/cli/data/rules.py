"""What the commands about data take for the place and the groups of a data set."""

from __future__ import annotations

import os
from pathlib import Path

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.given import given_path
from guardianflow.contracts.recordings.groups import GroupRule, GroupSource
from scenario.groups import rule_of

TABLE = "groups.csv"


def asked_rule(text: str, data: str) -> GroupRule:
    """The rule of --groups; without it, the table beside the data.

    Raises:
        ConfigurationError: it is none, and there is no table.
    """
    if text:
        try:
            return rule_of(text)
        except ValueError as exc:
            raise ConfigurationError(
                "--groups must be folder, groups.csv or a regular expression with "
                f"(?P<recording>…) or (?P<camera>…) but got '{text}': {exc}"
            ) from exc
    if table := table_beside(data):
        return GroupRule(GroupSource.FILE, str(table))
    raise ConfigurationError(
        f"nothing says which recording an image of {data} is of: give --groups, or see what is "
        f"proposed by: guardianflow data groups {data}"
    )


def table_beside(data: str) -> Path | None:
    """groups.csv in a data set's directory."""
    if "://" in data:
        return None
    place = given_path(data)
    table = Path(os.path.abspath(place if place.is_dir() else place.parent)) / TABLE  # noqa: PTH100
    return table if table.is_file() else None


def name_of(data: str) -> str:
    """How a data set is called in the names of files: its folder, or its file's stem."""
    if "://" in data:
        return "demo-" + data.partition("://")[2].partition("?")[0]
    place = Path(os.path.abspath(given_path(data)))  # noqa: PTH100 - links are kept
    return place.name if place.is_dir() or place.stem != "data" else place.parent.name
