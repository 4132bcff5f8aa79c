"""Which Parquet files count, and which journals they hold: one small file, replaced whole."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property

from ..contracts.errors import MetricsStoreError
from .places.port import MANIFEST, Place

VERSION = 1


@dataclass(frozen=True)
class DataFile:
    """A Parquet file.

    Args:
        month: '2026-11'.
        columns: a digest of its columns; a store of another GuardianFlow may have others.
        other_keys: of metrics in its column `more`.
    """

    name: str
    month: str
    rows: int
    columns: str
    other_keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """What of the Parquet files and journals counts.

    Args:
        consumed: journals whose rows are in the files; they may still lie there.
        built: counts up with every change: no two manifests are alike.
    """

    files: tuple[DataFile, ...] = ()
    consumed: frozenset[str] = frozenset()
    built: int = 0

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.to_json()).hexdigest()[:16]

    def to_json(self) -> bytes:
        values = {
            "version": VERSION,
            "built": self.built,
            "files": [asdict(each) for each in self.files],
            "consumed": sorted(self.consumed),
        }
        return json.dumps(values, ensure_ascii=False, indent=1).encode()


def read_manifest(place: Place) -> Manifest:
    """The manifest; an empty one where there is none yet.

    Raises:
        MetricsStoreError: it is damaged, or of a newer GuardianFlow.
    """
    return parse_manifest(place.read(MANIFEST), place.address)


def parse_manifest(content: bytes, address: str) -> Manifest:
    """As read_manifest, of the file's content.

    Args:
        address: the place's, for messages.
    """
    if not content:
        return Manifest()
    try:
        values = json.loads(content)
        if values["version"] != VERSION:
            raise MetricsStoreError(
                f"the metrics store at {address} must be of version {VERSION} but is of "
                f"{values['version']}: use the GuardianFlow that wrote it, or make it anew with "
                "`guardianflow metrics rebuild`"
            )
        files = tuple(
            DataFile(**{**each, "other_keys": tuple(each["other_keys"])})
            for each in values["files"]
        )
        return Manifest(files, frozenset(values["consumed"]), int(values["built"]))
    except (KeyError, TypeError, ValueError) as exc:
        raise MetricsStoreError(
            f"{MANIFEST} of the metrics store at {address} is damaged ({exc}). Make the "
            "store anew with `guardianflow metrics rebuild`"
        ) from exc
