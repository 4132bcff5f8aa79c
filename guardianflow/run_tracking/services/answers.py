"""The answer of a service that was asked; words for people are made where it is shown."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

MEBIBYTE = 1 << 20
CHECKSUM_FRAME = b"x-amz-checksum-"
"""Stands in the frames that boto3 sends its checksums in."""


class Cause(StrEnum):
    """Why a service can't be used."""

    UNREACHABLE = "unreachable"
    CERTIFICATE = "certificate"
    LOGIN = "login"
    FORBIDDEN = "forbidden"
    HOST = "host"
    WORKSPACE = "workspace"
    NOT_MLFLOW = "not_mlflow"
    BYTES = "bytes"
    CHECKSUM_FRAMES = "checksum_frames"
    KEY = "key"
    BUCKET = "bucket"
    LIBRARY = "library"
    REFUSED = "refused"


@dataclass(frozen=True)
class Answer:
    """What a service said.

    Args:
        address: of the service, without a login.
        cause: what is wrong; None where nothing is.
        detail: what was seen: a version, a place, the words of a library.
    """

    address: str
    cause: Cause | None = None
    detail: str = ""


@dataclass(frozen=True)
class Sample:
    """Bytes to send there and back: no two of them alike, whatever a store keeps of earlier ones.

    Args:
        size: bytes. Over 8 MiB boto3 sends several parts.
    """

    size: int = 9 * MEBIBYTE

    @cached_property
    def content(self) -> bytes:
        return os.urandom(self.size)

    def compare(self, returned: bytes) -> Cause | None:
        """Why what came back is not what was sent; None where it is."""
        if hashlib.sha256(returned).digest() == hashlib.sha256(self.content).digest():
            return None
        return Cause.CHECKSUM_FRAMES if CHECKSUM_FRAME in returned else Cause.BYTES
