"""The kinds of value a scenario holds, each with the words that say what it must be.

`Expected` travels with the type, so that the message for a wrong value ("must be a whole number
≥ 1 but got …") and docs/scenario.md say the same, and pydantic's own wording is never needed.
A validator's ValueError holds only what is wrong with this very value ("it contains '/'").
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, PlainSerializer

from guardianflow.backends.catalogue import CATALOGUE, device_names, made_names
from guardianflow.contracts.backends import SOURCE
from guardianflow.contracts.system import gpu_list
from guardianflow.support.text.spelling import nfc

from .. import naming

Item = TypeVar("Item", bound=Hashable)

STRICT = Field(strict=True)
MAX_TEXT_LENGTH = 1_000
MAX_TAG_LENGTH = 5_000
MAX_KEY_LENGTH = 200
# Beyond it a bootstrap's bounds would rest on draws that nobody has the time for.
MAX_CONFIDENCE = 0.999
RESERVED_TAGS = (
    "mlflow.", "exp.", "scenario.", "site.", "task.", "data.", "source.", "registered_model_",
)  # fmt: skip


ONE, SEVERAL = "<one>", "<several>"
"""Marks of a union's alternatives in pydantic's location of an error; explain.py takes them out."""


@dataclass(frozen=True)
class Expected:
    """Completes the sentence 'X must be …'."""

    text: str


def as_text(value: object) -> object:
    """Numbers and paths where text is wanted: `version: 012` means the text as it was written."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return str(getattr(value, "source_text", value))
    return str(value) if isinstance(value, PurePath) else value


def check_text(value: str) -> str:
    if not value.strip():
        raise ValueError("it is empty")
    if value != value.strip():
        raise ValueError("it has a space at an end")
    if not all(character == " " or character.isprintable() for character in value):
        raise ValueError("it contains a line break or a character that can't be seen")
    if len(value) > MAX_TEXT_LENGTH:
        raise ValueError(f"it has {len(value)} characters, {MAX_TEXT_LENGTH} are enough")
    return value


def check_class_name(value: str) -> str:
    return check_text(nfc(value))


def check_architecture(value: str) -> str:
    if naming.architecture_of_weights(value):  # ModelConfig reads it where it is said once
        raise ValueError("it names weights, but weights_path names other ones; keep one of the two")
    if value.endswith(".yaml"):
        raise ValueError("name the architecture alone")
    return naming.check_part(naming.normalise_architecture(value))


def check_device(value: str) -> str:
    """'gpu' and 'npu' are Intel's, which OpenVINO alone runs on: 'openvino:GPU', 'openvino:NPU'."""
    if several := gpu_list(re.sub(r"\s*,\s*", ",", value)):
        check_no_repeats(several)
        return ",".join(map(str, several))
    if value in DEVICES or re.fullmatch(r"cuda:\d+|\d+", value):
        return value
    name = value.lower().removeprefix(f"{OPENVINO}:")
    if re.fullmatch(r"(gpu|npu)(\.\d+)?", name) or value.lower() in (
        f"{OPENVINO}:cpu",
        f"{OPENVINO}:auto",
    ):
        return f"{OPENVINO}:{name.upper()}"
    raise ValueError("an NVIDIA GPU is called cuda, Intel's gpu" if "gpu" in value.lower() else "")


def check_multiple_of_32(value: int) -> int:
    if value % 32:
        below = value // 32 * 32
        near = f"{below} or {below + 32}" if below else "32"
        raise ValueError(f"the nearest is {near}")
    return value


def check_not_empty(values: object) -> object:
    if isinstance(values, (list, tuple)) and not values:
        raise ValueError("it is empty")
    return values


def null_is_unset(values: object) -> object:
    """No class names: those of the data set. An empty list is more likely a mistake."""
    return () if values is None else check_not_empty(values)


def check_no_repeats(values: tuple[Item, ...]) -> tuple[Item, ...]:
    repeated = next((v for i, v in enumerate(values) if v in values[:i]), None)
    if repeated is not None:
        raise ValueError(f"{repeated!r} is there twice")
    return values


def check_tag_key(value: str) -> str:
    if not re.fullmatch(r"[\w.\- :]{1,200}", value):
        raise ValueError("letters, digits and . - _ : may be used")
    if value.startswith(RESERVED_TAGS):
        raise ValueError("GuardianFlow or MLflow writes tags with this beginning itself")
    return value


def check_tag_value(value: str) -> str:
    if len(value) > MAX_TAG_LENGTH:
        raise ValueError(f"it has {len(value)} characters, {MAX_TAG_LENGTH} are the most")
    if any(unicodedata.category(character) == "Cs" for character in value):
        raise ValueError("it contains a broken character")
    return value


def plain_value(value: object, depth: int = 0) -> object:
    """Options as plain Python values, free of the reader's own number types.

    Raises:
        ValueError: something that neither YAML nor JSON can hold.
    """
    if depth > 20:
        raise ValueError("it is nested more than 20 deep")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return check_tag_value(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{float(value)} is not a finite number")
        return float(value)
    if isinstance(value, Mapping):
        return {option_key(k): plain_value(v, depth + 1) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [plain_value(item, depth + 1) for item in value]
    raise ValueError(f"a {type(value).__name__} can't be written to YAML")


def option_key(key: object) -> str:
    if isinstance(key, str) and key.strip() and len(key) <= MAX_KEY_LENGTH:
        return check_tag_value(key)
    raise ValueError(f"its keys must be text of 1 to {MAX_KEY_LENGTH} characters")


def by_its_name(value: object) -> object:
    """Users call the trained detector's own library 'native'."""
    return SOURCE if value in SOURCE_ALIASES else value


def check_no_twins(value: object) -> object:
    """Two spellings of one Hangul name (NFC and NFD) look alike and are one."""
    if isinstance(value, Mapping):
        seen: set[str] = set()
        for key in map(str, value):
            if nfc(key) in seen:
                raise ValueError(f"'{key}' is there twice, once in decomposed Hangul")
            seen.add(nfc(key))
    return value


def split_shares(value: object) -> object:
    """0.8, [0.8, 0.1, 0.1], [8, 1, 1], '80/10/10' and {train: 0.8, val: 0.2} as {train, val, test}.

    Raises:
        ValueError: they are no shares of a whole.
    """
    if isinstance(value, BaseModel):
        return value
    if isinstance(value, str):
        value = [number_or_text(part) for part in re.split(r"[:/,]", value)]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = [value, 1 - value] if value < 1 else [value, 100 - value]
    if isinstance(value, Mapping):
        if unknown := [str(key) for key in value if key not in SPLITS]:
            raise ValueError(f"'{unknown[0]}' is none of {', '.join(SPLITS)}")
        value = [value.get(split, 0) for split in SPLITS]
    if not isinstance(value, (list, tuple)) or not 2 <= len(value) <= len(SPLITS):
        raise ValueError("two or three shares are needed")
    if any(isinstance(each, bool) or not isinstance(each, (int, float)) for each in value):
        raise ValueError("each share must be a number")
    shares = [float(each) for each in value] + [0.0] * (len(SPLITS) - len(value))
    whole = math.fsum(shares)
    if not math.isfinite(whole) or min(shares) < 0 or shares[0] <= 0 or shares[1] <= 0:
        raise ValueError("train and val need a share each, and no share is below 0")
    counted = all(each.is_integer() for each in shares)
    if not counted and abs(whole - 1) > SHARES_TOLERANCE:
        raise ValueError(f"they add up to {whole:g}, not to 1")
    return dict(zip(SPLITS, (round(each / whole, 6) for each in shares), strict=True))


def number_or_text(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def null_is_empty(value: object) -> object:
    """A section with nothing under it (all its lines commented out) is an empty section."""
    return {} if value is None else value


SPLITS = ("train", "val", "test")
SHARES_TOLERANCE = 0.001
"""[0.333, 0.333, 0.333] is meant as a whole."""
LEARNING_RATE = 0.001
"""Of a training that names none."""
OPENVINO = "openvino"
DEVICES = ("auto", "cpu", "cuda", "mps", *device_names())
MADE = made_names()
SOURCE_ALIASES = CATALOGUE[SOURCE].aliases
SEARCHABLE = tuple(name for name in MADE if CATALOGUE[name].searchable)
TRAINABLE = tuple(name for name in MADE if CATALOGUE[name].trainable)
REACTIVATED = tuple(name for name in MADE if CATALOGUE[name].changes_activations)
"""Backends whose recipes may change activations."""

Written = Annotated[str, BeforeValidator(as_text), STRICT]
"""Text, or a number or path as it was written."""
Text = Annotated[Written, AfterValidator(check_text), Expected("one line of text")]
NamePart = Annotated[
    Written,
    AfterValidator(naming.check_part),
    Expected(
        f"a name of 1 to {naming.MAX_PART_LENGTH} characters without "
        f"{' '.join(naming.FORBIDDEN)} or '_' at an end"
    ),
]
ClassName = Annotated[Written, AfterValidator(check_class_name), Expected("a class name")]
ClassNames = Annotated[
    tuple[ClassName, ...],
    BeforeValidator(null_is_unset),
    AfterValidator(check_no_repeats),
    PlainSerializer(lambda names: names or None),
    Expected("a list of different class names like [helmet, head]"),
]
Architecture = Annotated[
    Written,
    AfterValidator(check_architecture),
    Expected("the name of an architecture like yolo11l"),
]
Device = Annotated[
    Written,
    AfterValidator(check_device),
    Expected(
        f"{', '.join(DEVICES)}, gpu, npu, openvino:AUTO, cuda:0, or the number of a GPU like 0 or "
        "0,1"
    ),
]
if TYPE_CHECKING:
    MadeBackend = str
    ComparedBackend = str
    SourceBackend = str
else:
    MadeBackend = Literal[MADE]
    ComparedBackend = Annotated[
        Literal[(*SOURCE_ALIASES, SOURCE, *MADE)], BeforeValidator(by_its_name)
    ]
    SourceBackend = Literal[SOURCE]
Positive = Annotated[int, Field(strict=True, ge=1), Expected("a whole number ≥ 1")]
NotNegative = Annotated[int, Field(strict=True, ge=0), Expected("a whole number ≥ 0")]
Seed = Annotated[
    int, Field(strict=True, ge=0, le=2**32 - 1), Expected("a whole number from 0 to 4294967295")
]
InputSize = Annotated[
    int,
    Field(strict=True, ge=32),
    AfterValidator(check_multiple_of_32),
    Expected("a multiple of 32 (pixels)"),
]
PositiveNumber = Annotated[
    float, Field(strict=True, gt=0, allow_inf_nan=False), Expected("a number > 0")
]
NotNegativeNumber = Annotated[
    float, Field(strict=True, ge=0, allow_inf_nan=False), Expected("a number ≥ 0")
]
Fraction = Annotated[
    float, Field(strict=True, ge=0, le=1, allow_inf_nan=False), Expected("a number from 0 to 1")
]
Confidence = Annotated[
    float,
    Field(strict=True, ge=0.5, le=MAX_CONFIDENCE, allow_inf_nan=False),
    Expected(f"a number from 0.5 to {MAX_CONFIDENCE}"),
]
ClassLimits = Annotated[
    dict[ClassName, Fraction],
    BeforeValidator(check_no_twins),
    BeforeValidator(null_is_empty),
    Expected("a mapping of class names to numbers from 0 to 1 like {helmet: 0.9}"),
]
BatchSizes = Annotated[
    tuple[Positive, ...],
    BeforeValidator(check_not_empty),
    AfterValidator(check_no_repeats),
    Expected("a list of different whole numbers ≥ 1 like [1, 8]"),
]
Sequences = Annotated[
    tuple[Text, ...],
    AfterValidator(check_no_repeats),
    Expected("a list of different directories like [cctv/gate], or [demo://crossing]"),
]
TagKey = Annotated[str, STRICT, AfterValidator(check_tag_key), Expected("the name of a tag")]
TagValue = Annotated[Written, AfterValidator(check_tag_value), Expected("text")]
Tags = Annotated[
    dict[TagKey, TagValue],
    BeforeValidator(null_is_empty),
    Expected("a mapping of names to text like {team: safety}"),
]
Options = Annotated[
    dict[str, object],
    AfterValidator(plain_value),
    BeforeValidator(null_is_empty),
    Expected("a mapping of the trainer's own settings like {mosaic: 0}"),
]
