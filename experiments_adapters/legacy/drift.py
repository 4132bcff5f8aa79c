"""Changes in a directory since it was scanned: scripts added, removed, with other content.

The scan keeps the hashes of all scripts it saw beside the registry, in `.experiments.scan.json`
for `experiments.yaml`: the directories themselves stay as they are.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardianflow.contracts.errors import ConfigurationError, Problem
from guardianflow.contracts.results import sha256_of

from .registry_update import write_atomically
from .scan.walk import Walk, find_scripts
from .scan.write import portable


@dataclass(frozen=True)
class Drift:
    """The scripts of a directory, now against then; paths below it with '/'.

    Args:
        scanned_s: when it was scanned, seconds since 1970; None: it never was, so nothing is known.
        missing: there is no such directory now.
        unreadable: scripts and folders that can't be read now, each with its reason.
    """

    scanned_s: float | None
    missing: bool = False
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        return bool(self.missing or self.added or self.removed or self.changed)


def sidecar_of(registry: Path) -> Path:
    """Where the hashes that belong to a registry file are."""
    return registry.with_name(f".{registry.stem}.scan.json")


def record_scan(registry: Path, directories: Iterable[Path]) -> None:
    """Keep what the directories hold now; what is known of others stays.

    Raises:
        ConfigurationError: the file can't be written.
    """
    known = dict(_read(registry))
    now = round(time.time(), 3)
    for directory in directories:
        scripts = _hashes(find_scripts(directory))
        known[_key(directory)] = {"scanned_s": now, "scripts": scripts}
    text = json.dumps(known, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    write_atomically(sidecar_of(registry), text)


def find_drift(registry: Path, directories: Iterable[Path]) -> dict[Path, Drift]:
    """Finds the changes in each directory since its scan.

    Args:
        registry: the registry file.
        directories: absolute, as `LegacyExperiment.directory` gives them.

    Raises:
        ConfigurationError: the file with the hashes is damaged.
    """
    known = _read(registry)
    return {each: _drift(each, known.get(_key(each))) for each in directories}


def _hashes(walk: Walk) -> dict[str, str]:
    """Script → sha256 of its content (hex); what can't be read is noted in `walk`."""
    hashes = {}
    for script in walk.scripts:
        try:
            hashes[script.name] = sha256_of(Path(script.path))
        except OSError as error:
            walk.cannot_read(script.name, error)
    return hashes


def _drift(directory: Path, then: Mapping[str, Any] | None) -> Drift:
    scanned_s = None if then is None else float(then["scanned_s"])
    if not os.path.isdir(directory):  # noqa: PTH112 - also where a directory around it is closed
        return Drift(scanned_s, missing=True)
    if then is None:
        return Drift(None)
    before: Mapping[str, str] = then["scripts"]
    walk = find_scripts(directory)
    now = _hashes(walk)
    return Drift(
        scanned_s,
        added=tuple(sorted(now.keys() - before.keys())),
        # What can't be read is not gone.
        removed=tuple(sorted(before.keys() - now.keys() - walk.unreadable)),
        changed=tuple(sorted(name for name in now.keys() & before if now[name] != before[name])),
        unreadable=tuple(walk.problems),
    )


def _key(directory: Path) -> str:
    return portable(Path(os.path.abspath(directory)))  # noqa: PTH100 - links stay


def _read(registry: Path) -> dict[str, Any]:
    file = sidecar_of(registry)
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        for each in content.values():
            float(each["scanned_s"])
            dict(each["scripts"])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as exc:
        message = (
            f"must hold the hashes of the last scan but can't be read ({exc}); remove it and scan "
            "again: guardianflow scan DIR --update"
        )
        raise ConfigurationError(Problem(message, str(file))) from exc
    return dict(content)
