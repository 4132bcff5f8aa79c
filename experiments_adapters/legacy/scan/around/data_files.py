"""The data that a directory's scripts train on: classes from its data.yaml, and what they are for.

Only files that a script names, or that lie where everybody puts them, are opened; folders of data
are not listed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from guardianflow.contracts.errors import ConfigurationError
from scenario.fields.values import check_class_name
from scenario.files import read_scenario_text
from scenario.yaml_tree import read_document

MAX_BYTES = 64 * 1024
USUAL = ("data.yaml", "data/data.yaml", "dataset/data.yaml", "datasets/data.yaml", "dataset.yaml")
TASKS = {
    "ppe": ("ppe", "helmet", "hardhat", "vest", "안전모", "보호구", "안전장비", "안전조끼"),
    "fall": ("fall", "falldown", "falling", "넘어짐", "쓰러짐", "낙상", "추락", "전도"),
    "fire": ("fire", "smoke", "flame", "화재", "불꽃", "연기"),
    "collision": ("collision", "crash", "충돌", "부딪힘"),
    "stuck": ("stuck", "caught", "끼임", "협착"),
}
"""Task → words for it, whole, in small letters."""
_ALSO = {
    "ppe": ("helmets", "vests", "hat", "hardhats", "harness", "goggles", "보안경", "안전벨트"),
    "fall": ("fallen", "fell", "lying", "faint", "실신"),
    "fire": ("flames", "불", "화염"),
    "collision": ("collide",),
    "stuck": ("trapped", "jammed", "entrapment"),
}
"""Further words that say it as a class's name, but not as a directory's."""


def classes_of(directory: Path, named: Iterable[str]) -> tuple[tuple[str, ...], str]:
    """The classes in the order of their ids, and the file that says so; () where nothing is sure.

    Args:
        named: files of data that the scripts name, relative to the directory or to themselves.
    """
    written = [each for each in named if each.lower().endswith((".yaml", ".yml"))]
    found: dict[tuple[str, ...], str] = {}
    for name in dict.fromkeys(written or USUAL):
        file = directory / name
        if file.is_file() and (classes := _names_in(file)):
            found.setdefault(classes, name)
    if len(found) != 1:  # several trainings, each with classes of its own
        return (), ""
    return next(iter(found.items()))


def _names_in(file: Path) -> tuple[str, ...]:
    try:
        values = read_document(read_scenario_text(file, "data", MAX_BYTES), str(file)).values
    except ConfigurationError:
        return ()
    names = values.get("names")
    if isinstance(names, Mapping):
        by_id = {str(key): value for key, value in names.items()}
        names = [by_id.get(str(place)) for place in range(len(by_id))]
    if not isinstance(names, Sequence) or isinstance(names, str):
        return ()
    try:
        classes = tuple(check_class_name(name) for name in names if isinstance(name, str))
    except ValueError:
        return ()
    count = values.get("nc")
    whole = len(classes) == len(names) and len(set(classes)) == len(classes)
    return classes if whole and count in (None, len(classes)) else ()


def words_of(text: str) -> list[str]:
    """The words of a name, in small letters."""
    plain = unicodedata.normalize("NFC", text)
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain).casefold()
    return [word for word in re.split(r"[\W_\d]+", plain) if word]


def tasks_in(texts: Iterable[str], *, classes: bool = False) -> set[str]:
    """The tasks that words of the texts speak of.

    Args:
        classes: they are names of classes.
    """
    words = {word for text in texts for word in words_of(text)}
    return {
        task
        for task, names in TASKS.items()
        if words.intersection((*names, *(_ALSO[task] if classes else ())))
    }
