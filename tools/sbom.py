"""Writes a software bill of materials of the lock: CycloneDX 1.6 as JSON; `make sbom` runs it.

    python tools/sbom.py [LOCK] > guardianflow.cdx.json

Every line of requirements.txt is a component with its version and package URL; who asked for it
('# via') gives the dependencies; a marker (another system, another Python) is a property.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LINE = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)(\[[^\]]*\])?==(?P<version>[^\s;\\]+)\s*(;\s*(?P<marker>[^\\]+))?"
)
FROM_FILE = "-r "


@dataclass
class Component:
    """A line of the lock, and what asked for it."""

    name: str
    version: str
    marker: str = ""
    asked_by: list[str] = field(default_factory=list)

    @property
    def purl(self) -> str:
        name = re.sub(r"[-_.]+", "-", self.name).lower()
        return f"pkg:pypi/{name}@{self.version.replace('+', '%2B')}"


def read_lock(text: str) -> list[Component]:
    """The components of a lock as `uv pip compile` writes it.

    Raises:
        ValueError: a line is neither a pinned requirement nor a comment.
    """
    found: list[Component] = []
    for number, line in enumerate(text.splitlines(), 1):
        plain = line.strip()
        if plain.startswith("#"):
            asked = plain.removeprefix("#").strip().removeprefix("via").strip()
            if found and line.startswith(" ") and asked:
                found[-1].asked_by.append(asked)
        elif plain:
            fits = LINE.fullmatch(plain)
            if fits is None:
                raise ValueError(f"line {number} must be NAME==VERSION but is '{plain}'")
            found.append(Component(fits["name"], fits["version"], (fits["marker"] or "").strip()))
    return found


def bill_of(components: list[Component], version: str) -> Mapping[str, Any]:
    """The bill: the same for the same lock, so that two can be compared."""
    ours = f"pkg:generic/guardianflow@{version}"
    by_name: dict[str, list[str]] = {}
    for each in components:
        by_name.setdefault(each.name, []).append(each.purl)
    needs: dict[str, list[str]] = {ours: [], **{each.purl: [] for each in components}}
    for each in components:
        for asker in each.asked_by:
            for purl in [ours] if asker.startswith(FROM_FILE) else by_name.get(asker, []):
                needs[purl].append(each.purl)
    listed = json.dumps([(each.purl, each.marker) for each in components])
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, listed)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": ours,
                "name": "guardianflow",
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": [_as_component(each) for each in components],
        "dependencies": [
            {"ref": ref, "dependsOn": sorted({*below})} for ref, below in needs.items()
        ],
    }


def _as_component(each: Component) -> Mapping[str, Any]:
    told: dict[str, Any] = {
        "type": "library",
        "bom-ref": each.purl,
        "name": each.name,
        "version": each.version,
        "purl": each.purl,
    }
    if each.marker:
        told["properties"] = [{"name": "python:marker", "value": each.marker}]
    return told


def main(words: list[str]) -> int:
    """Print the bill of a lock; 1 where it can't be read."""
    lock = Path(words[0]) if words else ROOT / "requirements.txt"
    init = (ROOT / "guardianflow" / "__init__.py").read_text(encoding="utf-8")
    version = re.search(r'^__version__ = "(.+)"', init, re.MULTILINE)
    try:
        components = read_lock(lock.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        sys.stderr.write(f"{lock}: {exc}\n")
        return 1
    bill = bill_of(components, version[1] if version else "0")
    sys.stdout.write(json.dumps(bill, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
