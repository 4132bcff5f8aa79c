"""dataset.groups: how the recording of an image is told.

    groups: {pattern: '(?P<camera>cam\\d+)_(?P<recording>\\d+_\\d+)_(?P<frame>\\d+)'}
    groups: {file: groups.csv}
    groups: folder

In short, as an override is typed: a pattern, or a path that ends with .csv, stands for itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator

from guardianflow.contracts.recordings.groups import GroupRule, GroupSource
from guardianflow.site_data.recordings.patterns import check_pattern
from guardianflow.support.suggestions import did_you_mean

from .fields import values as kind

FOLDER = str(GroupSource.FOLDER)
_SPELLINGS = (FOLDER, "groups.csv")
_TABLE = (".csv", ".tsv")


def plain_groups(value: object) -> object:
    """Every spelling as a mapping of one key, `{folder: true}` as the word alone.

    Raises:
        ValueError: it says nothing, or two things.
    """
    if value is None or isinstance(value, BaseModel):
        return value
    if isinstance(value, str):
        return _of_text(value.strip())
    if not isinstance(value, Mapping):
        raise ValueError("")
    given = {key: each for key, each in value.items() if each is not None and each is not False}
    if unknown := [str(key) for key in given if key not in set(GroupSource)]:
        raise ValueError(f"it has no key '{unknown[0]}'{did_you_mean(unknown[0], [*GroupSource])}")
    if len(given) != 1:
        said = " and ".join(map(str, given)) or "nothing"
        raise ValueError(f"it says {said}, one of pattern, file and folder is needed")
    ((key, text),) = given.items()
    if key == FOLDER:
        if text is not True:
            raise ValueError("the folder of an image is its recording: write groups: folder alone")
        return FOLDER
    if not isinstance(text, str):
        raise ValueError(f"its {key} is no text")
    return {key: text}


def _of_text(text: str) -> object:
    if text.lower() == FOLDER:
        return FOLDER
    if text.lower().endswith(_TABLE):
        return {str(GroupSource.FILE): text}
    if re.search(r"\(\?P<", text):
        return {str(GroupSource.PATTERN): text}
    raise ValueError(f"it is none of the three{did_you_mean(text, _SPELLINGS)}")


def rule_of(value: object) -> GroupRule:
    """The rule that any spelling stands for.

    Raises:
        ValueError: it is none, or its pattern tells nothing.
    """
    plain = plain_groups(value)
    if not isinstance(plain, Mapping):
        return GroupRule(GroupSource.FOLDER)
    ((key, text),) = plain.items()
    if key == GroupSource.PATTERN:
        try:
            check_pattern(text)
        except ValueError as exc:
            raise ValueError(f"of its pattern: {exc}") from exc
    else:
        kind.check_text(text)
    return GroupRule(GroupSource(key), text)


def _checked(value: dict[str, str] | str) -> dict[str, str] | str:
    rule_of(value)
    return value


Groups = Annotated[
    dict[str, str] | str,
    BeforeValidator(plain_groups),
    AfterValidator(_checked),
    kind.Expected("folder, {file: groups.csv} or {pattern: '(?P<recording>…)_(?P<frame>…)'}"),
]
