"""Keys and signatures are minisign's, and nothing that was changed is taken."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from guardianflow.contracts.errors import ConfigurationError, UnsignedReleaseError
from guardianflow.release.signing.minisign import (
    LONGEST_FILE,
    PublicKey,
    SecretKey,
    read_public_key,
    read_secret_key,
)

CONTENT, COMMENT = "안전모 v3\n".encode(), "2026-11-28T19:20:00+00:00 kim@office"
# A published example of minisign's own: the key, and its signature of a file that holds `test`.
THEIR_KEY = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
THEIR_SIGNATURE = """untrusted comment: signature from minisign secret key
RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLz\
Zwo=
trusted comment: timestamp:1556193335\tfile:test
y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==
"""


@pytest.fixture(scope="module")
def key() -> SecretKey:
    return SecretKey.make()


@pytest.fixture(scope="module")
def signature(key: SecretKey) -> str:
    return key.sign(CONTENT, COMMENT)


def test_a_signature_that_minisign_itself_made_is_taken(tmp_path: Path) -> None:
    theirs = read_public_key(THEIR_KEY, tmp_path / "none")
    assert theirs.key_id == "E7620F1842B4E81F"
    assert theirs.line() == THEIR_KEY
    assert theirs.check(b"test", THEIR_SIGNATURE) == "timestamp:1556193335\tfile:test"
    with pytest.raises(UnsignedReleaseError, match="of something else"):
        theirs.check(b"test\n", THEIR_SIGNATURE)


def test_what_the_key_signed_is_taken(key: SecretKey, signature: str) -> None:
    assert key.public.check(CONTENT, signature) == COMMENT


def test_each_changed_byte_is_found(key: SecretKey, signature: str) -> None:
    with pytest.raises(UnsignedReleaseError, match="of something else"):
        key.public.check(CONTENT + b" ", signature)
    lines = signature.splitlines()
    for number in (1, 3):
        whole = base64.b64decode(lines[number])
        for place in range(len(whole)):
            changed = bytes([*whole[:place], whole[place] ^ 1, *whole[place + 1 :]])
            other = [*lines]
            other[number] = base64.b64encode(changed).decode()
            with pytest.raises(UnsignedReleaseError):
                key.public.check(CONTENT, "\n".join(other))
    with pytest.raises(UnsignedReleaseError, match="comment of the signature was changed"):
        key.public.check(CONTENT, signature.replace("kim", "lee"))
    with pytest.raises(UnsignedReleaseError, match="comment of the signature was changed"):
        key.public.check(CONTENT, signature.replace("kim", "k\udc81m"))  # found by fuzzing


def test_another_key_with_the_same_name_is_none(key: SecretKey, signature: str) -> None:
    other = SecretKey.make().public
    with pytest.raises(UnsignedReleaseError, match=f"key {key.key_id} signed it"):
        other.check(CONTENT, signature)
    with pytest.raises(UnsignedReleaseError, match="of something else"):
        PublicKey(key.key_id, other.content).check(CONTENT, signature)


@pytest.mark.parametrize(
    "text",
    ["", "\n\n\n", "a\nb\ntrusted comment: c\nd", "x" * (LONGEST_FILE + 1), "안\n전\n모\n것"],
)
def test_what_is_no_signature_is_refused(key: SecretKey, text: str) -> None:
    with pytest.raises(UnsignedReleaseError, match="format"):
        key.public.check(CONTENT, text)


def test_keys_come_back_from_their_files(key: SecretKey, signature: str, tmp_path: Path) -> None:
    secret, public = tmp_path / "team.key", tmp_path / "team.pub"
    secret.write_text(key.text())
    secret.chmod(0o600)
    public.write_text(key.public.text())
    again = read_secret_key(secret)
    assert again.sign(CONTENT, COMMENT) == signature  # Ed25519 is deterministic
    assert read_public_key(str(public), public) == key.public == again.public
    assert base64.b64encode(again._key.private_bytes_raw()).decode() not in repr(again)


def test_a_secret_key_that_others_may_read_is_refused(key: SecretKey, tmp_path: Path) -> None:
    file = tmp_path / "team.key"
    file.write_text(key.text())
    file.chmod(0o640)
    with pytest.raises(ConfigurationError, match=r"may be read by others \(mode 640\)"):
        read_secret_key(file)


def test_a_key_that_is_none_says_what_is_wrong(key: SecretKey, tmp_path: Path) -> None:
    file = tmp_path / "team.key"
    content = base64.b64decode(key.text().splitlines()[1])
    locked = base64.b64encode(content[:2] + b"Sc" + content[4:]).decode()
    damaged = base64.b64encode(content[:70] + bytes([content[70] ^ 1]) + content[71:]).decode()
    for text, reason in (
        (key.public.text(), "must be a secret key"),
        ("", "must be a secret key"),
        ("x" * 5000, "has 5000 bytes"),
        (f"untrusted comment: x\n{locked}\n", "has a password"),
        (f"untrusted comment: x\n{damaged}\n", "damaged"),
    ):
        file.write_text(text)
        file.chmod(0o600)
        with pytest.raises(ConfigurationError, match=reason):
            read_secret_key(file)
    with pytest.raises(ConfigurationError, match="can't be read"):
        read_secret_key(tmp_path / "none")
    with pytest.raises(ConfigurationError, match="public key"):
        read_public_key(str(file), file)
