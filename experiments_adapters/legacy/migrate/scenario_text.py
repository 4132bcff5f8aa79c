"""scenario.yaml of a draft: every value with where it comes from, every gap with a TODO."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from scenario import SiteConfig, TaskConfig

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
    for title, section in (
        ("model", fields.model),
        ("dataset", fields.dataset),
        ("environment", fields.environment),
        ("training", fields.training),
    ):
        lines += ["", f"{title}:", *_section(section)]
    lines += _options(fields.options)
    for each in fields.not_taken:
        lines.append(f"  # Not taken over: {comment(each)}")
    return "\n".join(lines) + "\n"


def plain_name(name: str) -> str:
    """A scenario's name of any experiment's name."""
    return re.sub(r"_{2,}", "_", re.sub(r"[^\w-]+", "_", name)).strip("_-") or "migrated"


def _section(values: Mapping[str, Value]) -> Iterator[str]:
    for name, value in values.items():
        yield from _lines(name, value, "  ")


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
    if value.value is None and value.todo:
        yield f"{indent}# TODO {name}: {comment(value.note)}"
        return
    if value.todo:
        yield f"{indent}# TODO {name}: {comment(value.note)}"
    note = f"  # {comment(value.note)}" if value.note and not value.todo else ""
    yield f"{indent}{scalar(name)}: {_written(value.value)}{note}"


def _written(value: object) -> str:
    """As YAML; what JSON writes is YAML too."""
    if isinstance(value, (bool, int, float, str)):
        return scalar(value)
    return json.dumps(value, ensure_ascii=False)
