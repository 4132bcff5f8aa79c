"""What a team signs when it releases a model: every file of the bundle that a box gets.

The statement names the model, its version, its identity, and the sha256 of each file of the bundle,
our modules that run the detector among them; model.yaml, which tells what the registry said when it
was signed, stands in it whole. SHA256SUMS follows from it. The statement is kept with the
registered version, and what a registry says besides is not believed: the files are made where the
model is pulled, and compared.

In a bundle both lie beside the model: release.json, the statement, and release.json.minisig.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ...contracts.detector_package import IdentityRule
from ...contracts.errors import UnsignedReleaseError
from ..bundle.build import bundle_name
from ..bundle.check import REPAIR, SIGNATURE_FILE, STATEMENT_FILE, BundleCheck
from .minisign import LONGEST_FILE, PublicKey, SecretKey

SIGNATURE_TAG = "minisign"
STATEMENT_TAG = "minisign.statement"
"""Of a registered version: the signature, and what was signed: compressed, in `.1`, `.2` … as a tag
holds no more than 5,000 characters; the tag without a number says how many.
"""
PART_LENGTH, MOST_PARTS = 4000, 100
LONGEST_STATEMENT = 1_000_000
FORMAT = 1


@dataclass(frozen=True)
class Release:
    """What is signed.

    Args:
        model: registered name, with dots.
        version: of the registered model.
        sha256: the model's identity.
        guardianflow: version of ours that made the files.
        files: name → sha256 of each file of the bundle, but for SHA256SUMS and the release's own.
        description: the content of model.yaml.
    """

    model: str
    version: str
    sha256: str
    guardianflow: str
    files: Mapping[str, str]
    description: str

    @classmethod
    def read(cls, statement: bytes) -> Release:
        """The release that a statement is of.

        Raises:
            ValueError: it is none of ours, or not written as it is signed.
        """
        try:
            said = json.loads(statement)
            release = cls(**{name: said[name] for name in cls.__dataclass_fields__})
            same = statement == release.statement()
        except (KeyError, TypeError, RecursionError) as exc:
            raise ValueError(f"it lacks {exc}") from exc
        if not same or not isinstance(release.files, dict):
            raise ValueError("it is not written as it is signed")
        return release

    def statement(self) -> bytes:
        """The very bytes that are signed."""
        told = {"guardianflow_release": FORMAT, **asdict(self)}
        return (json.dumps(told, ensure_ascii=False, sort_keys=True) + "\n").encode()

    def signed_by(self, key: SecretKey, who: str, when: str) -> str:
        """The signature, with who made it and when in the comment that is signed too."""
        return key.sign(self.statement(), " ".join(f"{when} {who}".split()))

    def check(self, signature: str, key: PublicKey) -> str:
        """The comment of the signature.

        Raises:
            UnsignedReleaseError: the key did not sign this.
        """
        try:
            return key.check(self.statement(), signature)
        except UnsignedReleaseError as exc:
            raise UnsignedReleaseError(
                f"{self.model} version {self.version} is not what key {key.key_id} has signed: "
                f"{exc}. Nothing was taken; find out who changed it"
            ) from exc

    def differing(self, sums: Mapping[str, str]) -> list[str]:
        """Names of files that are not those that were signed.

        Args:
            sums: name → sha256 of those that are there, without the release's own.
        """
        names = sorted({*self.files, *sums})
        return [name for name in names if self.files.get(name) != sums.get(name)]


@dataclass(frozen=True)
class SignedRelease:
    """A statement with its signature, as a registry or a bundle holds them; nothing is checked."""

    release: Release
    signature: str

    @property
    def files(self) -> Mapping[str, bytes]:
        """Both, as they lie in the bundle."""
        return {
            STATEMENT_FILE: self.release.statement(),
            SIGNATURE_FILE: self.signature.encode(),
        }


def release_tags(signed: SignedRelease) -> dict[str, str]:
    """Tags of a registered version by which `kept_release` finds it."""
    text = base64.b64encode(zlib.compress(signed.release.statement(), 9)).decode()
    parts = [text[i : i + PART_LENGTH] for i in range(0, len(text), PART_LENGTH)]
    tags = {f"{STATEMENT_TAG}.{number}": part for number, part in enumerate(parts, 1)}
    return {**tags, STATEMENT_TAG: str(len(parts)), SIGNATURE_TAG: signed.signature}


def kept_release(model: str, version: str, tags: Mapping[str, str]) -> SignedRelease | None:
    """The release that a registered version says it is; None where it has none of its own."""
    signature = tags.get(SIGNATURE_TAG, "")
    try:
        release = Release.read(_statement_in(tags))
    except ValueError:
        return None
    if not signature:
        return None
    if (release.model, release.version, release.sha256) != (model, version, tags.get("sha256")):
        return None
    return SignedRelease(release, signature)


def _statement_in(tags: Mapping[str, str]) -> bytes:
    """Raises ValueError: there is none, or it is damaged or too long."""
    count = min(int(tags.get(STATEMENT_TAG, "")), MOST_PARTS)
    text = "".join(tags.get(f"{STATEMENT_TAG}.{number}", "") for number in range(1, count + 1))
    try:
        unpacked = zlib.decompressobj()
        return unpacked.decompress(base64.b64decode(text, validate=True), LONGEST_STATEMENT)
    except zlib.error as exc:
        raise ValueError("it is damaged") from exc


def unsigned(model: str, version: str, key: PublicKey) -> UnsignedReleaseError:
    """The error of a version that holds no release of its own."""
    return UnsignedReleaseError(
        f"{model} version {version} is not signed, and only what key {key.key_id} has signed is "
        f"taken. Sign it: guardianflow sign {model}/{version} --key FILE"
    )


def signature_problem(bundle: Path, found: BundleCheck, key: PublicKey) -> str:
    """What keeps an intact bundle from being a signed release; '' where it is one.

    Args:
        bundle: its directory.
        found: what a check of its files has found, the statement's among it; its `sha256` is the
            model's identity.
    """
    try:
        release = Release.read(_small(bundle / STATEMENT_FILE, LONGEST_STATEMENT))
        signature = _small(bundle / SIGNATURE_FILE, LONGEST_FILE).decode()
    except (OSError, ValueError) as exc:
        return f"it holds no {STATEMENT_FILE} of ours with a signature: {exc}"
    try:
        release.check(signature, key)
    except UnsignedReleaseError as exc:
        return str(exc)
    if found.verified_by is not IdentityRule.WHOLE or release.sha256 != found.sha256:
        return f"{STATEMENT_FILE} is of the model {release.sha256}, and another one lies there"
    named = bundle_name(release.model, release.version, release.sha256)
    if REPAIR.sub("", bundle.name) != named:
        return f"{STATEMENT_FILE} is of {named}"
    return ""


def _small(file: Path, longest: int) -> bytes:
    if file.is_symlink() or file.stat().st_size > longest:
        raise ValueError(f"{file.name} is a link or too large")
    return file.read_bytes()
