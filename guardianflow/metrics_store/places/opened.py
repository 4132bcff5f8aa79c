"""Opens the place that an address means."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ...contracts.errors import ConfigurationError
from ...contracts.given import given_path, given_url
from .directory import DirectoryPlace
from .port import Place
from .s3 import S3Place


def open_place(address: str | Path, kept: Path) -> Place:
    """A directory, or 's3://BUCKET/PREFIX'. Nothing is made or reached yet.

    Args:
        kept: a directory of this machine for what is fetched from a bucket.

    Raises:
        ConfigurationError: neither of the two.
    """
    written = str(address)
    if "://" not in written:
        return DirectoryPlace(given_path(written).absolute())
    url = given_url(written)
    if url.scheme != "s3" or not url.hostname or url.username or url.query or url.fragment:
        raise ConfigurationError(
            f"the metrics store must be a directory or s3://BUCKET/PREFIX but got '{written}'"
        )
    digest = hashlib.sha256(written.encode()).hexdigest()[:16]
    return S3Place(url.netloc, url.path, kept / digest)
