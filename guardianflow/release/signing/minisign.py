"""Keys and signatures in the format of minisign (https://jedisct1.github.io/minisign/): Ed25519.

    team.key   the secret key, without a password; its owner alone may read it
    team.pub   two lines that every box gets
    X.minisig  four lines: a comment, the signature of the content's BLAKE2b-512, a comment that is
               signed too, and the signature of both

Whoever has the program checks a file with `minisign -Vm FILE -p team.pub`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ...contracts.errors import ConfigurationError, UnsignedReleaseError

KEY_KIND, HASHED_KIND = b"Ed", b"ED"
NO_PASSWORD, CHECKSUM_KIND = b"\0\0", b"B2"
ID_BYTES, SEED_BYTES, PUBLIC_BYTES, SIGNATURE_BYTES = 8, 32, 32, 64
UNTRUSTED, TRUSTED = "untrusted comment: ", "trusted comment: "
LONGEST_FILE = 4096
_NO_KDF = bytes(32 + 8 + 8)
"""Salt and limits of a password, where there is none."""


@dataclass(frozen=True)
class PublicKey:
    """Checks signatures.

    Args:
        key_id: as minisign shows it, 16 hexadecimal digits.
    """

    key_id: str
    content: bytes

    def text(self) -> str:
        """The file team.pub."""
        return f"{UNTRUSTED}minisign public key {self.key_id}\n{self.line()}\n"

    def line(self) -> str:
        return base64.b64encode(KEY_KIND + _id_bytes(self.key_id) + self.content).decode()

    def check(self, content: bytes, signature: str) -> str:
        """The signed comment of a signature that this key made of the content.

        Raises:
            UnsignedReleaseError: it is another key's, of another content, or no signature.
        """
        lines = signature.splitlines()
        if len(signature) > LONGEST_FILE or len(lines) != 4 or not lines[2].startswith(TRUSTED):
            raise UnsignedReleaseError("the signature is not in minisign's format")
        signed = _decoded(lines[1], len(HASHED_KIND) + ID_BYTES + SIGNATURE_BYTES)
        sealed = _decoded(lines[3], SIGNATURE_BYTES)
        if signed is None or sealed is None or signed[:2] != HASHED_KIND:
            raise UnsignedReleaseError("the signature is not in minisign's format")
        key_id, made = _shown_id(signed[2:10]), signed[10:]
        if key_id != self.key_id:
            raise UnsignedReleaseError(f"key {key_id} signed it, and {self.key_id} is trusted")
        comment = lines[2].removeprefix(TRUSTED)
        if not self._made(made, hashlib.blake2b(content).digest()):
            raise UnsignedReleaseError("the signature is of something else")
        if not self._made(sealed, made + comment.encode("utf-8", "surrogatepass")):
            raise UnsignedReleaseError("the comment of the signature was changed")
        return comment

    def _made(self, signature: bytes, content: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.content).verify(signature, content)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class SecretKey:
    """Makes signatures. Never shown."""

    key_id: str
    _key: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def make(cls) -> SecretKey:
        """A new one."""
        return cls(_shown_id(secrets.token_bytes(ID_BYTES)), Ed25519PrivateKey.generate())

    @property
    def public(self) -> PublicKey:
        return PublicKey(self.key_id, self._key.public_key().public_bytes_raw())

    def sign(self, content: bytes, comment: str) -> str:
        """The file X.minisig of a content.

        Args:
            comment: one line that is signed too.
        """
        made = self._key.sign(hashlib.blake2b(content).digest())
        line = base64.b64encode(HASHED_KIND + _id_bytes(self.key_id) + made).decode()
        sealed = base64.b64encode(self._key.sign(made + comment.encode())).decode()
        return f"{UNTRUSTED}signature from guardianflow\n{line}\n{TRUSTED}{comment}\n{sealed}\n"

    def text(self) -> str:
        """The file team.key, as `minisign -G -W` writes it: without a password."""
        pair = self._key.private_bytes_raw() + self.public.content
        number = _id_bytes(self.key_id)
        checksum = hashlib.blake2b(KEY_KIND + number + pair, digest_size=32).digest()
        content = KEY_KIND + NO_PASSWORD + CHECKSUM_KIND + _NO_KDF + number + pair + checksum
        return f"{UNTRUSTED}minisign secret key\n{base64.b64encode(content).decode()}\n"


def read_public_key(given: str, file: Path) -> PublicKey:
    """The key of a file like team.pub, or of its second line.

    Args:
        given: as it was given, a path or the line.
        file: the path that it would be.

    Raises:
        ConfigurationError: it is neither.
    """
    content = _decoded(given.strip(), len(KEY_KIND) + ID_BYTES + PUBLIC_BYTES)
    if content is None:
        content = _decoded(_second_line(file), len(KEY_KIND) + ID_BYTES + PUBLIC_BYTES)
    if content is None or content[:2] != KEY_KIND:
        raise ConfigurationError(
            f"the key must be the file of a public key (guardianflow keys make), or its second "
            f"line, but {file} is none"
        )
    return PublicKey(_shown_id(content[2:10]), content[10:])


def read_secret_key(file: Path) -> SecretKey:
    """The key of a file like team.key.

    Raises:
        ConfigurationError: it is none, has a password, or others may read it.
    """
    length = 6 + len(_NO_KDF) + ID_BYTES + SEED_BYTES + PUBLIC_BYTES + 32
    content = _decoded(_second_line(file), length)
    if content is None or content[:2] != KEY_KIND or content[4:6] != CHECKSUM_KIND:
        raise ConfigurationError(
            f"{file} must be a secret key (guardianflow keys make) but is none"
        )
    if content[2:4] != NO_PASSWORD:
        raise ConfigurationError(
            f"{file} has a password, which can't be asked for here: sign with a key that has none "
            "(guardianflow keys make, minisign -G -W) and keep it where few may read"
        )
    if os.name == "posix" and (mode := file.stat().st_mode) & 0o077:
        raise ConfigurationError(
            f"{file} may be read by others (mode {mode & 0o777:o}): chmod 600 it, and make a new "
            "key if others have had it"
        )
    kept = content[6 + len(_NO_KDF) :]
    number, pair, checksum = kept[:8], kept[8:72], kept[72:]
    if hashlib.blake2b(KEY_KIND + number + pair, digest_size=32).digest() != checksum:
        raise ConfigurationError(f"{file} is damaged: its checksum is another one")
    key = Ed25519PrivateKey.from_private_bytes(pair[:SEED_BYTES])
    return SecretKey(_shown_id(number), key)


def _second_line(file: Path) -> str:
    """Raises ConfigurationError: it can't be read, or is far too large."""
    try:
        if file.stat().st_size > LONGEST_FILE:
            raise ConfigurationError(f"{file} must be a key but has {file.stat().st_size} bytes")
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"the key {file} can't be read: {exc}") from exc
    return lines[1].strip() if len(lines) > 1 else ""


def _decoded(line: str, length: int) -> bytes | None:
    """The bytes of a line of base64; None where it is none or of another length."""
    try:
        content = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        return None
    return content if len(content) == length else None


def _shown_id(number: bytes) -> str:
    return f"{int.from_bytes(number, 'little'):016X}"


def _id_bytes(shown: str) -> bytes:
    return int(shown, 16).to_bytes(ID_BYTES, "little")
