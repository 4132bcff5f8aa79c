"""`guardianflow sign`: a registered version becomes one that boxes take."""

from __future__ import annotations

from guardianflow.contracts.given import given_path
from guardianflow.contracts.run_status import RunStatus
from guardianflow.release.signing.minisign import read_secret_key
from guardianflow.support.terminal import print_answer, say
from pipelines.registered_models.sign import sign_model
from pipelines.settings import load_settings
from pipelines.wiring import connect

from .commands import SignCommand


def show_sign(asked: SignCommand) -> int:
    """Sign, and say what was signed.

    Raises:
        ConfigurationError: no such key or version.
    """
    key = read_secret_key(given_path(asked.key))
    model, comment = sign_model(asked.model, key, connect(load_settings().tracking_uri), say)
    answer = {
        "status": RunStatus.FINISHED,
        "model": model.display_name,
        "registered_name": model.name,
        "version": model.version,
        "sha256": model.tags["sha256"],
        "key_id": key.key_id,
        "signed": comment,
    }
    text = (
        f"{model.display_name} version {model.version} is signed with key {key.key_id}: {comment}"
    )
    print_answer(asked.as_json, answer, text)
    return 0
