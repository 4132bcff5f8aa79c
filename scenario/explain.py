"""From pydantic's list of errors to sentences in our own words.

    explain(model, error, values, homes) → [Finding(path, message, of_key)]

A message is made of the field's `Expected` (or its choices, or its section's keys) and of the
value that came; pydantic says only where. Who knows the file turns a path into file:line:column.
"""

from __future__ import annotations

import json
import types
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from guardianflow.support.suggestions import did_you_mean, nearest
from guardianflow.support.text.shortening import shortened

from .conflicts import conflicts
from .fields.values import ONE, SEVERAL, Expected, number_or_text

KeyPath = tuple[str | int, ...]
Homes = Mapping[str, Collection[str]]
"""Sections of a scenario, '' for its top → the keys of each."""
SHOWN_LENGTH = 60

_ABSENT = object()


@dataclass(frozen=True)
class Finding:
    """One thing wrong.

    Args:
        path: keys and indices from the top of the scenario.
        of_key: the key itself is at fault, not its value.
    """

    path: KeyPath
    message: str
    of_key: bool = False


def explain(
    model: type[BaseModel],
    error: ValidationError,
    values: Mapping[str, object],
    homes: Homes,
) -> list[Finding]:
    """Every problem that pydantic found, and every contradiction between sections besides.

    Args:
        model: the class that was validated.
        values: what it was validated from.
        homes: where else a key that it does not know may belong.
    """
    found = list(_findings(model, error, values, homes))
    unknown = ((f.path[:-1], f.path[-1]) for f in found if f.of_key)
    mended = {(*up, each) for up, key in unknown for each in nearest(key, _keys_at(model, up), 1)}
    kept = [f for f in found if f.path not in mended or _value_at(values, f.path) is not _ABSENT]
    own = getattr(model, "contradictions", conflicts)
    kept += [Finding(_as_written(path, values), each) for path, each in own(values)]
    return list(dict.fromkeys(kept))


def shown(value: object) -> str:
    """A value as its writer knows it, short however large it is."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return f"a mapping with {_few(map(str, value), 'key')}"
    if isinstance(value, (list, tuple)):
        if len(value) > 8:
            return f"a list of {len(value)}"
        return short(f"[{', '.join(map(shown, value))}]")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return short(str(getattr(value, "source_text", value)))
    if isinstance(value, str):
        return short(json.dumps(value[: SHOWN_LENGTH * 2], ensure_ascii=False))
    return f"a {type(value).__name__}"


# --- the sentences ------------------------------------------------------------------------------


def _findings(
    model: type[BaseModel], error: ValidationError, values: Mapping[str, object], homes: Homes
) -> Iterator[Finding]:
    for each in error.errors(include_url=False):
        path = tuple(part for part in each["loc"] if part not in (ONE, SEVERAL))
        of_key = bool(path) and path[-1] == "[key]"
        path = path[:-1] if of_key else path
        if each["type"] == "string_unicode" and isinstance(_value_at(values, path), Mapping):
            inside = f" in '{_dotted(path)}'" if path else ""
            yield Finding(path, f"the key {each['input']!a}{inside} holds a broken character")
            continue
        if not path:  # the class's own check of itself: `conflicts` says what it found
            continue
        annotation, expected = _annotation_at(model, path)
        schema_path, path = path, _as_written(path, values)
        if each["type"] == "extra_forbidden":
            yield Finding(path, _unknown(model, schema_path, path, homes), of_key=True)
        elif each["type"] == "missing":
            yield Finding(path, _missing(path, annotation, expected))
        elif of_key:
            hint = _reason(each.get("ctx"))
            message = f"'{short(str(path[-1]))}' can't be a key of '{_dotted(path[:-1])}'{hint}"
            yield Finding(path, message, of_key=True)
        else:
            got = _value_at(values, path)
            got = each["input"] if got is _ABSENT else got
            hint = _reason(each.get("ctx"))
            yield Finding(path, _wrong(path, annotation, expected, got, hint))


def _as_written(path: KeyPath, values: Mapping[str, object]) -> KeyPath:
    """Where a value stands in the file, if it came by `quantization.variants` and shared keys."""
    written = values.get("quantization")
    if path[:1] != ("quantization",) or not isinstance(written, Mapping):
        return path
    if len(path) < 2 or not isinstance(path[1], int):
        return path
    variant = ("quantization", "variants", *path[1:])
    shared = len(path) > 2 and _value_at(values, variant) is _ABSENT and path[2] in written
    return ("quantization", *path[2:]) if shared else variant


def _unknown(model: type[BaseModel], path: KeyPath, written: KeyPath, homes: Homes) -> str:
    key, parent = path[-1], path[:-1]
    where = f" in '{_dotted(written[:-1])}'" if parent else ""
    start = f"unknown key '{short(str(key))}'{where}"
    known = _keys_at(model, parent)
    if hint := did_you_mean(key, known, 1):
        return f"{start}{hint}"
    for place, keys in homes.items():
        if key in keys and place != _dotted(parent):
            return f"{start}; it belongs to " + (f"'{place}'" if place else "the top")
    return f"{start}; known are {', '.join(known)}"


def _missing(path: KeyPath, annotation: object, expected: str) -> str:
    section = _section_of(annotation)
    if section is not None:
        fields = _fields_by_key(section)
        needed = [name for name, field in fields.items() if field.is_required()]
        return f"section '{_dotted(path)}' is missing; it needs {' and '.join(needed)}"
    parent = f" in '{_dotted(path[:-1])}'" if path[:-1] else ""
    expected = expected or f"one of {', '.join(_choices(annotation))}"
    return f"'{path[-1]}' is missing{parent}; it must be {expected}"


def _wrong(path: KeyPath, annotation: object, expected: str, got: object, hint: str) -> str:
    choices = _choices(annotation)
    section = _section_of(annotation)
    if choices and isinstance(got, str):
        hint = did_you_mean(got, choices, 1)
    elif isinstance(got, str) and annotation in (int, float) and number_or_text(got) != got:
        hint = "; write it without quotes"
    if choices:
        expected = choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    elif section is not None and not expected:
        expected = f"a mapping with {_few(_fields_by_key(section), 'key')}"
    return f"{_dotted(path)} must be {expected} but got {shown(got)}{hint}"


def _reason(context: Mapping[str, Any] | None) -> str:
    """The words of our own validator about this value."""
    said = str((context or {}).get("error", ""))
    return f"; {shortened(said, 200)}" if said else ""


# --- the schema ---------------------------------------------------------------------------------


def _annotation_at(model: type[BaseModel], path: KeyPath) -> tuple[object, str]:
    """The type at a path and what it must be; (None, '') beyond the schema."""
    annotation: object = model
    expected = ""
    for part in path:
        annotation, expected = _step(annotation, part)
    return annotation, expected


def _step(annotation: object, part: str | int) -> tuple[object, str]:
    for arm in arms_of(annotation):
        if isinstance(part, str) and (section := _section_of(arm)):
            field = _fields_by_key(section).get(part)
            return _unwrapped(field.annotation, field.metadata) if field else (None, "")
        if isinstance(part, int) and get_origin(arm) is tuple:
            return _unwrapped(get_args(arm)[0], ())
        if get_origin(arm) is dict:
            return _unwrapped(get_args(arm)[1], ())
    return None, ""


def _unwrapped(annotation: object, metadata: Sequence[object]) -> tuple[object, str]:
    """An annotation without Annotated and None, and the words of its Expected."""
    words = [each.text for each in metadata if isinstance(each, Expected)]
    while get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        words += [each.text for each in more if isinstance(each, Expected)]
    union = get_origin(annotation) in (Union, types.UnionType)
    arms = [arm for arm in get_args(annotation) if arm is not type(None)] if union else []
    if len(arms) == 1:
        inner, inner_words = _unwrapped(arms[0], ())
        return inner, words[0] if words else inner_words
    if annotation is bool and not words:
        words = ["true or false"]
    return annotation, words[0] if words else ""


def arms_of(annotation: object) -> tuple[object, ...]:
    """The alternatives of a union, bare; a type that is none is its only one."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(bare for arm in get_args(annotation) for bare in arms_of(arm))
    return (annotation,)


def _section_of(annotation: object) -> type[BaseModel] | None:
    arm = arms_of(annotation)[0]
    return arm if isinstance(arm, type) and issubclass(arm, BaseModel) else None


def _choices(annotation: object) -> list[str]:
    return [str(c) for c in get_args(annotation)] if get_origin(annotation) is Literal else []


def _keys_at(model: type[BaseModel], path: KeyPath) -> list[str]:
    section = _section_of(_annotation_at(model, path)[0])
    return list(_fields_by_key(section)) if section else []


def _fields_by_key(section: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields under the names a file gives them."""
    return {field.alias or name: field for name, field in section.model_fields.items()}


# --- small things -------------------------------------------------------------------------------


def _value_at(values: object, path: KeyPath) -> object:
    for part in path:
        if not isinstance(values, (Mapping, list, tuple)):
            return _ABSENT
        try:
            values = values[part]  # type: ignore[index]  # a key or an index, whichever fits
        except (KeyError, IndexError, TypeError):
            return _ABSENT
    return values


def _dotted(path: KeyPath) -> str:
    return ".".join(short(str(part)) for part in path)


def _few(names: Iterable[str], noun: str) -> str:
    every = [short(name) for name in names]
    if not every:
        return f"no {noun}s"
    more = f" and {len(every) - 8} more" if len(every) > 8 else ""
    return f"the {noun}{'s' if len(every) > 1 else ''} {', '.join(every[:8])}{more}"


def short(text: str) -> str:
    """A text as a message shows it."""
    return shortened(text, SHOWN_LENGTH)
