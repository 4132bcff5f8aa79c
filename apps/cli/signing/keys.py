"""`guardianflow keys make`: the pair of keys that releases are signed with."""

from __future__ import annotations

import os
from pathlib import Path

from guardianflow.contracts.errors import ConfigurationError, GuardianFlowError
from guardianflow.contracts.given import given_path
from guardianflow.contracts.run_status import RunStatus
from guardianflow.release.signing.minisign import SecretKey
from guardianflow.support.secrets.files import PRIVATE_FILE
from guardianflow.support.terminal import print_answer

from .commands import KeysMakeCommand

PUBLIC_FILE = 0o644


def make_keys(asked: KeysMakeCommand) -> int:
    """Write NAME.key and NAME.pub.

    Raises:
        ConfigurationError: the name can't be a file's, or one is there already.
        GuardianFlowError: they can't be written.
    """
    if Path(asked.name).name != asked.name or asked.name.startswith(("-", ".")):
        raise ConfigurationError(f"--name must be a plain name like 'team' but got {asked.name!r}")
    folder = given_path(asked.target)
    secret, public = folder / f"{asked.name}.key", folder / f"{asked.name}.pub"
    there = [str(each) for each in (secret, public) if os.path.lexists(each)]
    if there:
        raise ConfigurationError(
            f"{' and '.join(there)} must not be there yet: a key that is lost can't be made again. "
            "Name another --name"
        )
    key = SecretKey.make()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_new(secret, key.text(), PRIVATE_FILE)
        _write_new(public, key.public.text(), PUBLIC_FILE)
    except OSError as exc:
        raise GuardianFlowError(f"the keys can't be written to {folder}: {exc}") from exc
    answer = {
        "status": RunStatus.FINISHED,
        "key_id": key.key_id,
        "secret_key": str(secret),
        "public_key": str(public),
        "line": key.public.line(),
    }
    text = f"secret key  {secret}: keep it, show it to nobody\npublic key  {public}: for every box"
    print_answer(asked.as_json, answer, text)
    return 0


def _write_new(file: Path, text: str, mode: int) -> None:
    """Never over another file, and closed to others from its first byte on."""
    number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(number, "w", encoding="utf-8") as stream:
        stream.write(text)
