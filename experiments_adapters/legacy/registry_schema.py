"""The sections of configs/experiments.yaml. docs/legacy.md describes every key.

`TODO` stands where the scan could not know. Such a file loads; what needs the value refuses it.
"""

from __future__ import annotations

import re
import shlex
import string
import warnings
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from guardianflow.support.text.spelling import nfc
from scenario.fields import values as kind
from scenario.sections import Section

from .scan.results import TODO

ScriptType = Literal["train", "infer", "quant"]
SCRIPT_TYPES: tuple[ScriptType, ...] = ("train", "infer", "quant")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")


def check_experiment_name(value: str) -> str:
    name = kind.check_text(nfc(value))
    if "/" in name or "\\" in name:
        raise ValueError("it contains a slash")
    if name.startswith("-"):
        raise ValueError("a command would take it for an option, because it begins with '-'")
    return name


def check_inside(value: str) -> str:
    """A path that stays below the directory of its experiment."""
    value = kind.check_text(value)
    if value.startswith(("/", "~")) or re.match(r"[A-Za-z]:", value):
        raise ValueError("it must be relative to the experiment's path")
    if ".." in re.split(r"[/\\]", value):
        raise ValueError("it leads out of the experiment's directory")
    return value


def check_template(value: str) -> str:
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise ValueError(f"{str(error).lower()}; quotes come in pairs") from error
    for word in words:
        placeholders(word)
    return value


def placeholders(template: str) -> tuple[str, ...]:
    """The names in braces, in order, each once.

    Raises:
        ValueError: a brace without its pair, or a placeholder that is no plain name.
    """
    found: dict[str, None] = {}
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"{error}; write {{{{ and }}}} for braces that are meant") from error
    for _, name, form, conversion in parts:
        if name is None:
            continue
        if not name.isidentifier() or form or conversion:
            raise ValueError(f"{{{name}}} is no placeholder; write one plain name like {{epochs}}")
        found[name] = None
    return tuple(found)


def check_placeholder_name(value: str) -> str:
    if not value.isidentifier():
        raise ValueError("letters, digits and _ may be used, as in {batch_size}")
    return value


def check_scalar(value: object) -> object:
    """A value that can be written on a command line."""
    plain = kind.plain_value(value)
    if plain is None or isinstance(plain, (dict, list)):
        raise ValueError("")
    return plain


def check_time(value: str) -> str:
    match = _TIME.fullmatch(value)
    if not match or float(match[1]) <= 0:
        raise ValueError("")
    return value


def check_variable(value: str) -> str:
    if not value or "=" in value or "\0" in value:
        raise ValueError("a variable's name has no '='")
    return value


def check_metric_pattern(value: str) -> str:
    try:
        with warnings.catch_warnings():
            # "Possible nested set": of what a later Python may read otherwise. Nothing to do yet.
            warnings.simplefilter("ignore", FutureWarning)
            names = re.compile(value).groupindex
    except (re.error, OverflowError) as error:
        raise ValueError(str(error)) from error
    except RecursionError as error:
        raise ValueError("its groups are nested too deep") from error
    if not names:
        raise ValueError("it has no named group like (?P<mAP50>…)")
    return value


Strict = Annotated[str, kind.STRICT]
ExperimentName = Annotated[
    Strict, AfterValidator(check_experiment_name), kind.Expected("the name of an experiment")
]
InsidePath = Annotated[
    kind.Written,
    AfterValidator(check_inside),
    kind.Expected("a path relative to the experiment's path"),
]
Pattern = Annotated[
    Strict,
    AfterValidator(check_inside),
    kind.Expected('a file name or glob like "train*.py", relative to the experiment\'s path'),
]
Patterns = Annotated[
    tuple[Pattern, ...],
    AfterValidator(kind.check_no_repeats),
    kind.Expected('a list of different patterns like ["train*.py"]'),
]
Template = Annotated[
    Strict,
    AfterValidator(check_template),
    kind.Expected('arguments with placeholders like "--epochs {epochs}"'),
]
PlaceholderName = Annotated[
    Strict, AfterValidator(check_placeholder_name), kind.Expected("a placeholder's name")
]
Scalar = Annotated[
    bool | int | float | str,
    PlainValidator(check_scalar),
    kind.Expected("text, a number, true or false"),
]
Defaults = Annotated[
    dict[PlaceholderName, Scalar],
    BeforeValidator(kind.null_is_empty),
    kind.Expected("a mapping of placeholders to values like {epochs: 100}"),
]
TimeLimit = Annotated[
    Strict,
    AfterValidator(check_time),
    kind.Expected("a time > 0 with its unit, s, m, h or d, like 24h"),
]
MetricPattern = Annotated[
    Strict,
    AfterValidator(check_metric_pattern),
    kind.Expected("a regular expression with named groups like 'mAP50=(?P<mAP50>[0-9.]+)'"),
]
Variables = Annotated[
    dict[Annotated[str, AfterValidator(check_variable)], kind.TagValue],
    BeforeValidator(kind.null_is_empty),
    kind.Expected('a mapping of names to text like {CUDA_VISIBLE_DEVICES: "0"}'),
]


class LegacySite(Section):
    """The plant that the directory's detector is for; TODO where nobody has said it yet."""

    customer: kind.NamePart = TODO
    region: kind.NamePart = TODO
    plant: kind.NamePart = "plant1"
    zone: kind.NamePart = "full"


class LegacyTask(Section):
    """The task and its `classes` in the order of their ids; empty: those of the model."""

    type: kind.NamePart = TODO
    classes: Annotated[
        tuple[kind.ClassName, ...],
        BeforeValidator(lambda value: () if value is None else value),
        AfterValidator(kind.check_no_repeats),
        kind.Expected("a list of different class names like [helmet, head]"),
    ] = ()


class EntryPoint(Section):
    """The start of one kind of work.

    `default`: the script that runs when none is named. `patterns`: those that may be named by a
    version. `args_template`: split like a shell's words, {placeholders} filled from `defaults` and
    from the command line.
    """

    default: InsidePath | None = None
    patterns: Patterns = ()
    args_template: Template = ""
    defaults: Defaults = Field(default_factory=dict)

    @property
    def placeholders(self) -> tuple[str, ...]:
        return placeholders(self.args_template)


class EntryPoints(Section):
    """The kinds of work of a directory; None: it has no script for that."""

    train: EntryPoint | None = None
    infer: EntryPoint | None = None
    quant: EntryPoint | None = None


class LegacyEnvironment(Section):
    """The interpreter (or a venv's directory) and the variables the scripts run with.

    None: the interpreter that runs guardianflow.
    """

    python: kind.Text | None = None
    variables: Variables = Field(default_factory=dict)


class LegacyArtifacts(Section):
    """Rules for the files of a script that are kept.

    `include`, `exclude`: globs below its directory; an empty `include` takes every known category.
    `max_file_mb`, `max_total_mb`: 10⁶ bytes; larger files, and those after the sum is reached, are
    left out and named. Weights come first.
    """

    include: Patterns = ()
    exclude: Patterns = ()
    max_file_mb: kind.PositiveNumber = 500.0
    max_total_mb: kind.PositiveNumber = 2000.0


class LegacyMetrics(Section):
    """Where the numbers are: files it writes, and patterns of the lines it prints."""

    files: Patterns = ()
    patterns: tuple[MetricPattern, ...] = ()


def seconds_of(limit: str) -> float:
    """'24h' → 86400.0."""
    return float(limit[:-1]) * _UNITS[limit[-1]]
