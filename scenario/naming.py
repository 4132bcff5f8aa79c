"""The names of experiments, runs and models.

    experiment   {customer}/{region}-{plant}/{zone}
    run          {task}-{architecture}-{experiment type}-{version}
    model        {customer}/{region}-{plant}/{zone}/{task}
                 {customer}/{region}-{plant}/{zone}/{task}__{backend}_{precision}

MLflow refuses '/' in registered names, so the registered name has '.' where people write '/'.
That works both ways only while no part of a name holds one of these itself: `check_part`.
"""

from __future__ import annotations

import re
import unicodedata

from guardianflow.contracts.backends import ORIGINAL

MAX_PART_LENGTH = 45
"""Five parts and the longest suffix together stay within the 256 characters MLflow stores."""

FORBIDDEN = (".", "/", ":", "%", "__", "\\", "@", "#", "?")
"""'.', '/' and '__' join parts; MLflow refuses ':' and '%'; the rest break models:/NAME@alias."""

WEIGHTS_SUFFIX = ".pt"

ORIGINAL_VARIANTS = ("fp32", ORIGINAL)
"""The trained detector itself: its registered name has no suffix."""


def check_part(value: str) -> str:
    """One part of a name, in composed Unicode form (NFC), or ValueError saying what is wrong.

    Hangul typed on macOS comes decomposed: without NFC two names that look alike would differ.
    """
    part = unicodedata.normalize("NFC", value)
    if not part.strip():
        raise ValueError("it is empty")
    if part != part.strip():
        raise ValueError("it has a space at an end")
    found = [repr(mark) for mark in FORBIDDEN if mark in part]
    if found:
        raise ValueError(f"it contains {' and '.join(found)}")
    if part.startswith("_") or part.endswith("_"):
        raise ValueError("it begins or ends with '_'")
    if not all(character.isprintable() for character in part):
        raise ValueError("it contains a character that can't be seen")
    if len(part) > MAX_PART_LENGTH:
        raise ValueError(f"it has {len(part)} characters")
    return part


def architecture_of_weights(written: object) -> str:
    """'weights/yolov8s.pt' → 'yolov8s'; '' for what is no file of weights."""
    if not isinstance(written, str) or not written.lower().endswith(WEIGHTS_SUFFIX):
        return ""
    return file_name(written)[: -len(WEIGHTS_SUFFIX)]


def file_name(path: str) -> str:
    """The last part of a path as people write it, on Windows too."""
    return re.split(r"[/\\]", path)[-1]


def normalise_architecture(architecture: str) -> str:
    """'yolov11l' → 'yolo11l': from version 11 on the family is written without the v.

    'yolov8s' stays, as that is its published name; anything else stays too.
    """
    match = re.fullmatch(r"yolov(\d+)(.*)", architecture)
    if match and int(match[1]) >= 11:
        return f"yolo{match[1]}{match[2]}"
    return architecture


def experiment_name(customer: str, region: str, plant: str, zone: str) -> str:
    return f"{customer}/{region}-{plant}/{zone}"


def run_name(task: str, architecture: str, experiment_type: str, version: str) -> str:
    return f"{task}-{architecture}-{experiment_type}-{version}"


def model_name(experiment: str, task: str, variant: str) -> str:
    """The model's name as people write it.

    Args:
        experiment: as `experiment_name` gives it.
        variant: '{backend}_{precision}'; 'fp32' is the trained detector itself.
    """
    base = f"{experiment}/{task}"
    return base if variant in ORIGINAL_VARIANTS else f"{base}__{variant}"


def to_registered_name(name: str) -> str:
    """The form that MLflow stores: '.' for '/'. A name already in that form stays."""
    return name.replace("/", ".")


def version_reference(version: str) -> str:
    """'a/b/ppe/3', 'a.b.ppe/3' or 'models:/a.b.ppe/3' → 'models:/a.b.ppe/3'; '@champion' alike."""
    bare = version.removeprefix("models:/")
    mark = "@" if "@" in bare else "/"
    name, _, which = bare.rpartition(mark)
    return f"models:/{to_registered_name(name)}{mark}{which}"


def to_display_name(name: str) -> str:
    """The form that people read and write: '/' for '.'. A name already in that form stays."""
    return name.replace(".", "/")
