"""Signs a registered version for boxes that take only what the team has released."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from guardianflow import __version__
from guardianflow.contracts.detector_package import IdentityRule
from guardianflow.contracts.errors import SourceError, UnsignedReleaseError
from guardianflow.contracts.results import RegisteredModel
from guardianflow.release.bundle.build import make_bundle
from guardianflow.release.bundle.check import DESCRIPTION_FILE
from guardianflow.release.signing.minisign import SecretKey
from guardianflow.release.signing.releases import (
    Release,
    SignedRelease,
    kept_release,
    release_tags,
)

from ..wiring import Ports
from .pull import facts_of, fetched, full_reference
from .registry import this_person


def sign_model(
    reference: str, key: SecretKey, ports: Ports, say: Callable[[str], object]
) -> tuple[RegisteredModel, str]:
    """Sign a version that is what was registered, and keep the signature with it.

    Args:
        reference: 'NAME@alias', 'NAME/3', or 'NAME', which means its champion.

    Returns:
        The version, and the comment that was signed: when and by whom.

    Raises:
        SourceError: no such version; its files are not those that were registered; an earlier
            release registered it, whose identity does not cover the description.
        TrackingError: the store can't be reached.
    """
    model = ports.registry.describe(full_reference(reference))
    say(f"fetching {model.display_name} version {model.version}, to sign what it is")
    when = datetime.now(UTC).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory(prefix="guardianflow-sign-") as folder:
        release = _release(model, ports, Path(folder), when)
    signature = release.signed_by(key, this_person(ports), when)
    tags = release_tags(SignedRelease(release, signature))
    ports.registry.tag_version(model.name, model.version, tags)
    kept = ports.registry.describe(model.uri)
    found = kept_release(kept.name, kept.version, kept.tags)
    if found is None or found.release != release:
        raise UnsignedReleaseError("the store did not keep what was signed; sign it again")
    return kept, found.release.check(found.signature, key.public)


def _release(model: RegisteredModel, ports: Ports, folder: Path, when: str) -> Release:
    """All that a box would get of the version from here and now."""
    package, runtime = fetched(model, ports, folder)
    if package.verified_by is not IdentityRule.WHOLE:
        raise SourceError(
            f"{model.display_name} version {model.version} can't be signed: its identity is the "
            "sha256 of its files alone. Register it anew"
        )
    facts = facts_of(model, package, ports, {"signed": {"time": when, "guardianflow": __version__}})
    bundle = make_bundle(
        package, model=model.name, version=model.version, facts=facts, runtime=runtime
    )
    description = bundle.contents[DESCRIPTION_FILE]
    assert isinstance(description, bytes)
    return Release(
        model=model.name,
        version=model.version,
        sha256=package.digest,
        guardianflow=__version__,
        files=dict(bundle.sums),
        description=description.decode(),
    )
