"""Checks a directory of edge bundles: it must hold what was pulled, and nothing else.

    DIR/current  → versions/NAME      the bundle at work; a relative link
    DIR/previous → versions/NAME      the one before it
    DIR/versions/NAME/                a bundle: SHA256SUMS names every other file in it
    DIR/.guardianflow-bundle.json     says that the directory is ours

Nothing here trusts what it reads: links are never followed inside a bundle, and a name that leads
out of it is a finding. Reading only; standard library only.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...contracts.detector_package import (
    SPEC_FILE,
    DetectorPackage,
    DetectorSpec,
    IdentityRule,
    is_inside,
    sha256_of,
)
from ...contracts.errors import BundleError, ConfigurationError, SourceError

OWN_PREFIX = ".guardianflow-"
MARKER = f"{OWN_PREFIX}bundle.json"
VERSIONS, CURRENT, PREVIOUS = "versions", "current", "previous"
SUMS_FILE = "SHA256SUMS"
LABELS_FILE, DESCRIPTION_FILE, RUN_SCRIPT = "labels.txt", "model.yaml", "run_detector.py"
STATEMENT_FILE, SIGNATURE_FILE = "release.json", "release.json.minisig"
RELEASE_FILES = frozenset({STATEMENT_FILE, SIGNATURE_FILE})
"""Of a model that the team has signed; guardianflow/release/signing writes and checks them."""
REQUIRED = (SPEC_FILE, LABELS_FILE, DESCRIPTION_FILE, RUN_SCRIPT)
SHORT_DIGEST = 16
"""Hexadecimal digits of the model's identity in a bundle's name."""
OLD_SHORT_DIGEST = 8
"""In bundles pulled by earlier releases, of the sha256 of the model's files alone."""
# File systems make it at their root; it is nobody's content.
_NOT_CONTENT = frozenset({"lost+found"})
_SUMS_LINE = re.compile(r"([0-9a-f]{64}) [ *](.{1,4096})")  # a path has no more
REPAIR = re.compile(r"-r\d+$")
"""What the name of a bundle ends with that took the place of a damaged one."""
_NAME_END = re.compile(rf"-([0-9a-f]{{{SHORT_DIGEST}}}|[0-9a-f]{{{OLD_SHORT_DIGEST}}})(?:-r\d+)?$")


@dataclass(frozen=True)
class BundleCheck:
    """Findings about one bundle; nothing is wrong when every tuple is empty.

    Args:
        name: of its directory under versions/.
        sha256: the model's identity, as the registered version has it; '' where unreadable.
        files: how many were compared.
        missing, extra, changed: file names relative to the bundle.
        problems: all else that is wrong, in words.
        verified_by: the rule by which the model's identity was compared.
    """

    name: str
    sha256: str = ""
    files: int = 0
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    verified_by: IdentityRule = IdentityRule.WHOLE

    @property
    def intact(self) -> bool:
        return not (self.missing or self.extra or self.changed or self.problems)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def check_directory(target: Path) -> BundleCheck:
    """Verify every file under `current`.

    Raises:
        ConfigurationError: `target` is no directory that a pull has made.
        BundleError: nothing has been pulled into it yet, or `current` leads elsewhere.
    """
    if not (target / MARKER).is_file():
        raise ConfigurationError(
            f"{target} must be a directory that `guardianflow pull --to` has filled, but it holds "
            f"no {MARKER}; name the directory above 'current'"
        )
    if not os.path.lexists(target / CURRENT):
        raise BundleError(
            f"{target} has no '{CURRENT}': no pull into it was completed. Pull a model into it"
        )
    name = linked_name(target, CURRENT)
    if name is None:
        raise BundleError(
            f"{target / CURRENT} must be a link to {VERSIONS}/NAME beside it but is not. Pull the "
            "model again; that sets it"
        )
    return check_bundle(target / VERSIONS / name)


def is_foreign(target: Path) -> bool:
    """True where the directory holds something and was not made by a pull."""
    names = {entry.name for entry in target.iterdir()} - _NOT_CONTENT
    return MARKER not in names and any(not name.startswith(OWN_PREFIX) for name in names)


def linked_name(target: Path, link: str) -> str | None:
    """The bundle that 'current' or 'previous' names; None where it names none of ours.

    The bundle itself may be missing.
    """
    place = target / link
    if not place.is_symlink():
        return None
    parts = place.readlink().parts
    if len(parts) != 2 or parts[0] != VERSIONS or parts[1] in ("..", "."):
        return None
    return parts[1]


def check_bundle(bundle: Path) -> BundleCheck:
    """Compare a bundle's files with its SHA256SUMS and, where it is signed, with what was signed;
    and its model with its name. Whether the signature holds is not looked at.
    """
    if bundle.is_symlink() or not bundle.is_dir():
        return BundleCheck(bundle.name, problems=(f"{bundle} is not there",))
    plain = {
        Path(entry.path).relative_to(bundle).as_posix(): entry.is_file(follow_symlinks=False)
        for entry in _entries(bundle)
    }
    present = {name for name, is_plain in plain.items() if is_plain}
    sums_text = _text_of(bundle / SUMS_FILE) if SUMS_FILE in present else None
    if sums_text is None:
        return BundleCheck(
            bundle.name,
            missing=(SUMS_FILE,),
            problems=("nothing can be verified without it",),
        )
    sums, problems = read_sums(sums_text)
    missing = [name for name in (*sums, *REQUIRED) if name not in present]
    extra = plain.keys() - (present & {*sums, SUMS_FILE})  # links and sockets too
    changed = [name for name in sums if name in present and _differs(bundle / name, sums[name])]
    digest, rule, described = _model_problems(bundle, sums, present)
    if STATEMENT_FILE in present:
        own = {name: each for name, each in sums.items() if name not in RELEASE_FILES}
        signed = _signed_files(bundle)
        if signed is None:
            problems = (*problems, f"{STATEMENT_FILE} is not what `guardianflow sign` writes")
            signed = own
        missing += signed.keys() - plain.keys()
        extra |= own.keys() - signed.keys()
        changed += [name for name, each in own.items() if signed.get(name, each) != each]
    return BundleCheck(
        name=bundle.name,
        sha256=digest,
        files=len(sums),
        missing=tuple(sorted(dict.fromkeys(missing))),
        extra=tuple(sorted(extra)),
        changed=tuple(sorted(dict.fromkeys(changed))),
        problems=(*problems, *described),
        verified_by=rule,
    )


def read_sums(text: str) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """File name → sha256 of a SHA256SUMS, and what is wrong with its lines."""
    sums: dict[str, str] = {}
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        found = _SUMS_LINE.fullmatch(line)
        if found is None:
            problems.append(f"{SUMS_FILE} line {number} is not '<sha256>  <file>'")
        elif not is_inside(found[2]):
            problems.append(
                f"{SUMS_FILE} line {number} names '{found[2]}', which leads out of the bundle"
            )
        elif found[2] in sums:
            problems.append(f"{SUMS_FILE} line {number} names '{found[2]}' a second time")
        else:
            sums[found[2]] = found[1]
    return sums, tuple(problems)


def _signed_files(bundle: Path) -> Mapping[str, str] | None:
    """File name → sha256 that a statement holds; None where it is none of ours."""
    try:
        return {**json.loads(_text_of(bundle / STATEMENT_FILE) or "")["files"]}
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _entries(directory: str | Path) -> Iterator[os.DirEntry[str]]:
    """All below it but directories."""
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(entry.path)
            else:
                yield entry


def _differs(path: Path, digest: str) -> bool:
    """A file that can't be read, as on a failing card, counts as changed."""
    try:
        return sha256_of(path) != digest
    except OSError:
        return True


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _model_problems(
    bundle: Path, sums: Mapping[str, str], present: set[str]
) -> tuple[str, IdentityRule, tuple[str, ...]]:
    """The model's identity, its rule, and what its description contradicts in the bundle."""
    text = _text_of(bundle / SPEC_FILE) if SPEC_FILE in present else None
    if text is None:
        return "", IdentityRule.WHOLE, ()  # missing or changed, and reported as that
    try:
        package = DetectorPackage(bundle, DetectorSpec.from_json(text))
    except SourceError as exc:
        return "", IdentityRule.WHOLE, (str(exc),)
    problems = [
        f"{SPEC_FILE} and {SUMS_FILE} disagree about {name}"
        for name, expected in package.spec.files.items()
        if sums.get(name) != expected
    ]
    if _text_of(bundle / LABELS_FILE) != labels_text(package.spec):
        problems.append(f"{SPEC_FILE} and {LABELS_FILE} name different classes")
    named = _NAME_END.search(bundle.name)
    old = named is not None and len(named[1]) == OLD_SHORT_DIGEST
    digest = package.files_digest if old else package.digest
    if named is None or not digest.startswith(named[1]):
        problems.append(
            f"the bundle is named {bundle.name} but its model's sha256 begins with "
            f"{digest[:SHORT_DIGEST]}"
        )
    return digest, IdentityRule.FILES if old else IdentityRule.WHOLE, tuple(problems)


def labels_text(spec: DetectorSpec) -> str:
    """The content of labels.txt."""
    return "".join(f"{name}\n" for name in spec.class_names)
