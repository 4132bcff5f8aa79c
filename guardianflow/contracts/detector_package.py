"""A detector's files and their description: what is exported, registered, judged and shipped.

    DetectorSpec      all that is said of the files; stored beside them as detector.json
    DetectorPackage   a directory with the files and detector.json
    digest            the model's identity: sha256 over everything in detector.json, and so over
                      the list of its files with their hashes, class names, thresholds, input
                      size, output kind, and where it comes from
    IdentityRule      by which rule a recorded identity was made

A model whose class names are swapped, or whose threshold is 0.99, is another model: identities
cover the whole description, not the weights alone. Standard library only: this file travels with
logged models and bundles.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

from .errors import SourceError

SPEC_FILE = "detector.json"
PRECISIONS = ("fp32", "fp16", "int8")
OUTPUTS = ("grid", "end_to_end")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WORD = re.compile(r"[a-z][a-z0-9_]*")


class IdentityRule(StrEnum):
    """The rule by which a recorded identity was made."""

    WHOLE = "whole description"
    FILES = "files only"
    """Of models registered before identities covered the description."""

    @property
    def note(self) -> str:
        """Tells people of a model that was verified by it; '' where there is nothing to tell."""
        if self is IdentityRule.WHOLE:
            return ""
        return (
            "verified by the old rule: an earlier release registered it with the sha256 of its "
            "files alone. Register it anew to have its class names and thresholds covered too"
        )


@dataclass(frozen=True)
class DetectorSpec:
    """All that is needed to run a detector's files rightly; stored beside them as detector.json.

    Args:
        backend: 'pytorch', 'onnx', 'openvino' or 'tensorrt'.
        precision: 'fp32', 'fp16' or 'int8', as the files hold it.
        architecture: e.g. 'yolo11n'.
        class_names: index = class id.
        input_size: side of the square network input, pixels.
        output: 'grid' (N×(4+classes)×anchors, boxes as centre/size in input pixels, needs NMS)
            or 'end_to_end' (N×K×6: x1, y1, x2, y2, score, class; NMS-free heads).
        weights: file the backend opens, relative to the package directory.
        files: relative name → sha256 (hex) of every file of the package but detector.json.
        conf_threshold, iou_threshold: the deployed thresholds.
        lineage: where it comes from: source_run_id, data_fingerprint, recipe, versions …
    """

    backend: str
    precision: str
    architecture: str
    class_names: tuple[str, ...]
    input_size: int
    output: str
    weights: str
    files: Mapping[str, str]
    conf_threshold: float = 0.25
    iou_threshold: float = 0.45
    lineage: Mapping[str, str] = field(default_factory=dict)

    @property
    def variant(self) -> str:
        """'openvino_int8': the suffix of the registered name."""
        return f"{self.backend}_{self.precision}"

    @property
    def answers(self) -> str:
        """sha256 (hex) over what decides which boxes are found: two of one value find the same."""
        kept = {k: v for k, v in asdict(self).items() if k not in ("architecture", "lineage")}
        return _digest_of(kept)

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> DetectorSpec:
        """Raises SourceError when the text is not a detector.json of ours; says why."""
        try:
            values: Any = json.loads(text)
            if isinstance(values["class_names"], list):
                values["class_names"] = tuple(values["class_names"])
            spec = cls(**values)
            problem = next(_problems(spec), "")
        except (ValueError, KeyError, TypeError, RecursionError) as exc:
            raise SourceError(f"{SPEC_FILE} is not a detector description: {exc}") from exc
        if problem:
            raise SourceError(f"{SPEC_FILE} is not a detector description: {problem}")
        return spec


def _problems(spec: Any) -> Iterator[str]:
    """Everything that keeps a description from being one, whoever wrote it."""
    if not isinstance(spec.backend, str) or not _WORD.fullmatch(spec.backend):
        yield f"backend must be a name but is {spec.backend!r}"
    for name, allowed in (("precision", PRECISIONS), ("output", OUTPUTS)):
        if (value := getattr(spec, name)) not in allowed:
            yield f"{name} must be one of {', '.join(allowed)} but is {value!r}"
    if not isinstance(spec.architecture, str):
        yield f"architecture must be a text but is {spec.architecture!r}"
    names = spec.class_names
    if not isinstance(names, tuple) or not all(isinstance(n, str) and n for n in names):
        yield f"class_names must be a list of names but is {names!r:.80}"
    size = spec.input_size
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        yield f"input_size must be a positive integer but is {size!r}"
    for name in ("conf_threshold", "iou_threshold"):
        value = getattr(spec, name)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or not 0 <= value <= 1:
            yield f"{name} must lie in 0…1 but is {value!r}"
    for name in ("files", "lineage"):
        value = getattr(spec, name)
        texts = isinstance(value, dict) and all(
            isinstance(k, str) and isinstance(v, str) for k, v in value.items()
        )
        if not texts:
            yield f"{name} must map texts to texts but is {value!r:.80}"
            return
    for file, digest in spec.files.items():
        if not is_inside(file) or file == SPEC_FILE:
            yield f"files names {file!r}, which can't be a file of a package"
        if not _SHA256.fullmatch(digest):
            yield f"files must give a sha256 for {file!r} but gives {digest!r:.80}"
    if spec.weights not in spec.files:
        yield f"weights must be one of its files but is {spec.weights!r}"


@dataclass(frozen=True)
class DetectorPackage:
    """A directory with a detector's files and detector.json.

    Args:
        verified_by: the rule by which a registry's record of it was kept; see IdentityRule.
    """

    directory: Path
    spec: DetectorSpec
    verified_by: IdentityRule = IdentityRule.WHOLE

    @property
    def weights_path(self) -> Path:
        return self.directory / self.spec.weights

    @property
    def size_bytes(self) -> int:
        return sum((self.directory / name).stat().st_size for name in self.spec.files)

    @property
    def digest(self) -> str:
        """The model's identity: sha256 (hex) over everything that detector.json says."""
        return _digest_of(asdict(self.spec))

    @property
    def files_digest(self) -> str:
        """sha256 (hex) over names and hashes of the files: the identity by the rule FILES."""
        return hashlib.sha256(
            json.dumps(dict(sorted(self.spec.files.items()))).encode()
        ).hexdigest()

    def rule_of(self, recorded: str) -> IdentityRule | None:
        """The rule by which a recorded identity is this package's; None where it is another's."""
        if recorded == self.digest:
            return IdentityRule.WHOLE
        return IdentityRule.FILES if recorded == self.files_digest else None

    @classmethod
    def create(cls, directory: Path, spec: DetectorSpec) -> DetectorPackage:
        """Hash the files in `directory`, write detector.json beside them, last.

        Raises:
            SourceError: the description has a value that it can't have; links among the files.
        """
        names = sorted(
            path.relative_to(directory).as_posix()
            for path in directory.rglob("*")
            if not path.is_dir() and path != directory / SPEC_FILE
        )
        linked = [name for name in names if not is_plain_file(directory, name)]
        if linked:
            raise SourceError(f"{directory} holds {linked[0]}, which must be a file but is none")
        spec = replace(spec, files={name: sha256_of(directory / name) for name in names})
        if problem := next(_problems(spec), ""):
            raise SourceError(f"{directory} can't be made a detector: {problem}")
        (directory / SPEC_FILE).write_text(spec.to_json(), encoding="utf-8")
        return cls(directory, spec)

    def with_lineage(self, lineage: Mapping[str, str]) -> DetectorPackage:
        """The same files, with more said of where they come from; detector.json is rewritten."""
        spec = replace(self.spec, lineage={**self.spec.lineage, **lineage})
        (self.directory / SPEC_FILE).write_text(spec.to_json(), encoding="utf-8")
        return DetectorPackage(self.directory, spec)

    @classmethod
    def load(cls, directory: Path, *, alone: bool = False) -> DetectorPackage:
        """Read detector.json and check every file that it names against its sha256.

        Args:
            alone: nothing but these files may lie in the directory.

        Raises:
            SourceError: no detector.json or no true one; a file is missing, its content changed,
                it is a link or lies behind one; or others lie there.
        """
        if not is_plain_file(directory, SPEC_FILE):
            raise SourceError(f"{directory} holds no {SPEC_FILE}: it is not a detector package")
        try:
            spec = DetectorSpec.from_json((directory / SPEC_FILE).read_text(encoding="utf-8"))
        except UnicodeDecodeError as exc:
            raise SourceError(f"{directory / SPEC_FILE} is not UTF-8: {exc}") from exc
        changed = [
            name
            for name, digest in spec.files.items()
            if not is_plain_file(directory, name) or sha256_of(directory / name) != digest
        ]
        if changed:
            raise SourceError(
                f"{directory}: {', '.join(changed)} missing, no plain file, or different from the "
                f"sha256 in {SPEC_FILE}; fetch the package again"
            )
        if alone and (others := sorted(set(_files_below(directory)) - {*spec.files, SPEC_FILE})):
            raise SourceError(
                f"{directory} must hold the files that {SPEC_FILE} names and no other, but holds "
                f"{', '.join(others[:5])}; fetch the package again"
            )
        return cls(directory, spec)


def is_inside(name: str) -> bool:
    """Whether a file name stays in its directory and is written in one way only."""
    plain = name.isprintable() and "\\" not in name
    parts = PurePosixPath(name).parts
    stays = bool(parts) and not name.startswith("/") and ".." not in parts
    return plain and stays and "/".join(parts) == name


def is_plain_file(directory: Path, name: str) -> bool:
    """Whether `name` below the directory is a regular file, reached through no link."""
    path = directory
    parts = PurePosixPath(name).parts
    for place, part in enumerate(parts, 1):
        path = path / part
        try:
            mode = os.lstat(path).st_mode
        except (OSError, ValueError):
            return False
        if not (stat.S_ISREG(mode) if place == len(parts) else stat.S_ISDIR(mode)):
            return False
    return bool(parts)


def sha256_of(path: Path) -> str:
    """sha256 (hex) of a file's content, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _digest_of(values: Mapping[str, Any]) -> str:
    # A field that is added later must be left out here where it has its default, or the models
    # that stand in registries would have another identity.
    text = json.dumps({"detector": values}, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _files_below(directory: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(directory):  # follows no links
        linked = [name for name in folders if Path(folder, name).is_symlink()]
        for name in (*files, *linked):
            yield Path(folder, name).relative_to(directory).as_posix()
