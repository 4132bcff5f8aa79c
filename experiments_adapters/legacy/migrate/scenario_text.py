"""scenario.yaml of a draft: every value with where it comes from, every gap with a TODO."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

from scenario import SiteConfig, TaskConfig
from scenario.naming import MAX_PART_LENGTH

from ..scan.write import comment, quoted, scalar
from .values import Fields, Value


def scenario_text(
    name: str, site: SiteConfig, task: TaskConfig, fields: Fields, script: Path, target: Path
) -> str:
    """The file.

    Args:
        name: of the experiment in the registry.
        target: the directory that it will lie in.
    """
    lines = [
        f"# DRAFT, to be reviewed: written by `guardianflow migrate` from {comment(str(script))}.",
        "# Look for TODO, here and in train.py. Then:",
        f"#   guardianflow train {comment(str(target / 'scenario.yaml'))} "
        f"-e {comment(str(target))} --dry-run",
        f"name: {scalar(plain_name(name))}",
        "version: v1",
        "experiment_type: train",
        "",
        "site:",
        *(f"  {key}: {scalar(str(value))}" for key, value in dict(site).items()),
        "",
        "task:",
        f"  type: {scalar(task.type)}",
    ]
    if task.classes:
        lines.append(f"  classes: [{', '.join(map(quoted, task.classes))}]")
    for title in ("model", "dataset", "environment", "training"):
        lines += ["", f"{title}:"]
        for key, value in getattr(fields, title).items():
            lines += _lines(key, value, "  ")
    lines += _options(fields.options)
    lines += [f"  # Not taken over: {comment(each)}" for each in fields.not_taken]
    return "\n".join(lines) + "\n"


def plain_name(name: str) -> str:
    """A scenario's name of any experiment's name: two long ones that begin alike stay two."""
    whole = unicodedata.normalize("NFC", name)
    plain = re.sub(r"_{2,}", "_", re.sub(r"[^\w-]+", "_", whole)).strip("_-") or "migrated"
    if len(plain) <= MAX_PART_LENGTH:
        return plain
    mark = hashlib.sha256(whole.encode()).hexdigest()[:6]
    return f"{plain[: MAX_PART_LENGTH - len(mark) - 1].rstrip('_-')}-{mark}"


def _options(values: Mapping[str, Value]) -> Iterator[str]:
    known = {name: value for name, value in values.items() if not value.todo}
    for name, value in values.items():
        if value.todo:
            yield f"  # TODO option {comment(name)}: {comment(value.note)}"
    if known:
        yield "  options:"
        for name, value in known.items():
            yield from _lines(name, value, "    ")


def _lines(name: str, value: Value, indent: str) -> Iterator[str]:
    if value.todo:
        yield f"{indent}# TODO {name}: {comment(value.note)}"
        if value.value is None:
            return
    note = f"  # {comment(value.note)}" if value.note and not value.todo else ""
    yield f"{indent}{scalar(name)}: {_written(value.value)}{note}"


def _written(value: object) -> str:
    """As YAML; what JSON writes is YAML too."""
    if isinstance(value, (bool, int, float, str)):
        return scalar(value)
    return json.dumps(value, ensure_ascii=False)
