"""A checked data set, remembered by the state of all its files.

Where nothing has changed, 100,000 images and labels are looked at in a second or two instead of
being read and checked anew. What is looked at: the data.yaml, every folder that it names and every
folder of labels, with all below them. A file that came, went or changed is seen; so is a release of
ours that would check otherwise. A set that such a look does not cover is not remembered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from ...contracts.data_warnings import DataWarning
from ...contracts.results import LocalDataset
from ...support.sealed_files import read_sealed, write_sealed
from .. import dvc
from ..data_yaml import Layout
from ..image_places import IMAGE_SUFFIXES
from ..label_places import FOREIGN_SUFFIXES, LABEL_SUFFIX
from ..labels import label_path_of
from .file_state import TreeState, state_of_trees

_SUFFIXES = frozenset({*IMAGE_SUFFIXES, *FOREIGN_SUFFIXES, LABEL_SUFFIX})


@dataclass(frozen=True)
class Watched:
    """What a set is made of, on the disk."""

    folders: tuple[Path, ...]
    files: tuple[Path, ...]

    def state(self) -> TreeState:
        """Raises OSError: something went while it was looked at."""
        return state_of_trees(self.folders, self.files, _matters)

    def dvc_hash(self) -> str | None:
        """What DVC says of it by now."""
        return dvc.combined_hash(dvc.tracking([*self.files, *self.folders]))


class KnownSet:
    """The memory of one data.yaml.

    Args:
        cache_dir: of data sets.
        data_yaml: absolute path.
    """

    def __init__(self, cache_dir: Path, data_yaml: Path) -> None:
        # A data.yaml may name folders relative to the working directory.
        key = hashlib.sha256(f"{data_yaml}\0{Path.cwd()}".encode("utf-8", "surrogateescape"))
        self.file = cache_dir / "sets" / f"{key.hexdigest()[:16]}.json"

    def recall(self) -> LocalDataset | None:
        """The set as it was checked; None where anything of it may be another by now."""
        kept = read_sealed(self.file)
        try:
            if not kept or kept["code"] != _checking_code():
                return None
            watched = Watched(tuple(map(Path, kept["folders"])), tuple(map(Path, kept["files"])))
            same = watched.state().digest == kept["state"]
            dataset = _from_dict(kept["dataset"]) if same else None
            return dataset if dataset and watched.dvc_hash() == dataset.dvc_hash else None
        except (OSError, KeyError, TypeError, ValueError):
            return None

    def keep(self, dataset: LocalDataset, watched: Watched | None, began_ns: int) -> None:
        """Remember a set that was read without a problem.

        Args:
            watched: None: not remembered.
            began_ns: when reading it began; where a file was changed since, or just before, it is
                not remembered.
        """
        if watched is None:
            return
        try:
            state = watched.state()
        except OSError:
            return
        if state.is_settled(began_ns) and watched.dvc_hash() == dataset.dvc_hash:
            kept = {
                "code": _checking_code(),
                "folders": [*map(str, watched.folders)],
                "files": [*map(str, watched.files)],
                "state": state.digest,
                "dataset": _as_dict(dataset),
            }
            write_sealed(self.file, kept)


def watched_of(layout: Layout) -> Watched | None:
    """The files that a set's check depends on; None where they can't all be named.

    A list of relative paths is looked up in several places, of which only one is known here.
    """
    folders: list[Path] = []
    files = [layout.data_yaml]
    for entry in dict.fromkeys(each for entries in layout.entries.values() for each in entries):
        if entry.is_file():
            files.append(entry)
            if not _names_absolutely(entry):
                return None
        else:
            folders += [entry, label_path_of(entry / "x").parent]
    if len(files) > 1:
        images = dict.fromkeys(image for split in layout.images.values() for image in split)
        parents = dict.fromkeys(
            each for i in images for each in (i.parent, label_path_of(i).parent)
        )
        folders += parents
    if any(image not in layout.labels.of for split in layout.images.values() for image in split):
        folders.append(layout.root)  # its labels may turn up elsewhere
    if layout.labels.respelled:
        return None
    return Watched(tuple(dict.fromkeys(folders)), tuple(files))


def _names_absolutely(listing: Path) -> bool:
    lines = listing.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines()
    return all(line.startswith(b"/") for line in map(bytes.strip, lines) if line)


def _matters(name: str) -> bool:
    dot = name.rfind(".")
    return name[dot:].lower() in _SUFFIXES if dot > 0 else False


@cache
def _checking_code() -> str:
    """sha256 over the modules that read and check data, and over the reader of images."""
    digest = hashlib.sha256(f"pillow {metadata.version('pillow')}".encode())
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _as_dict(dataset: LocalDataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "data_yaml": str(dataset.data_yaml),
        "class_names": dataset.class_names,
        "splits": {split: [*map(str, images)] for split, images in dataset.splits.items()},
        "fingerprint": dataset.fingerprint,
        "dvc_hash": dataset.dvc_hash,
        "without_labels": dict(dataset.without_labels),
        "train_objects": dataset.train_objects,
        "judged_pictures": sorted(map(str, dataset.judged_pictures)),
        "warnings": [each.to_dict() for each in dataset.warnings],
    }


class _Splits(Mapping[str, tuple[Path, ...]]):
    """Split → images, made into paths when they are asked for: most of the time that a look takes.

    Who wants to know only whether anything has changed does not ask.
    """

    def __init__(self, texts: Mapping[str, list[str]]) -> None:
        self._texts = texts
        self._paths: dict[str, tuple[Path, ...]] = {}

    def __getitem__(self, split: str) -> tuple[Path, ...]:
        if split not in self._paths:
            self._paths[split] = tuple(map(Path, self._texts[split]))
        return self._paths[split]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


def _from_dict(values: Mapping[str, Any]) -> LocalDataset:
    return LocalDataset(
        name=values["name"],
        data_yaml=Path(values["data_yaml"]),
        class_names=tuple(values["class_names"]),
        splits=_Splits(values["splits"]),
        fingerprint=values["fingerprint"],
        dvc_hash=values["dvc_hash"],
        without_labels=values["without_labels"],
        train_objects=values["train_objects"],
        judged_pictures=frozenset(map(Path, values["judged_pictures"])),
        warnings=tuple(map(DataWarning.from_dict, values["warnings"])),
    )
