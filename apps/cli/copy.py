"""`guardianflow copy`: a registered detector from this registry to another one."""

from __future__ import annotations

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.secrets.redaction import learn_text, shown_address
from guardianflow.support.terminal import print_answer, say

from .options import CopyCommand

STORES = ("http://", "https://", "sqlite:///", "postgresql://", "postgresql+psycopg://")


def show_copy(asked: CopyCommand) -> int:
    """Copy, and print what is there now.

    Raises:
        ConfigurationError: --to is no address of a registry.
    """
    learn_text(asked.target)
    if not asked.target.startswith(STORES):
        raise ConfigurationError(
            f"--to must be the address of a registry (http://…, https://…, sqlite:///…, "
            f"postgresql://…) but got '{shown_address(asked.target)}'"
        )
    from pipelines.registered_models.copy import copy_model
    from pipelines.settings import load_settings
    from pipelines.wiring import connect

    ports = connect(load_settings().tracking_uri)
    target = connect(asked.target)
    copied = copy_model(asked.model, ports, target, say=say)
    place = shown_address(target.store.tracking_uri)
    done = "is now" if copied.made else "was copied before, and is"
    lines = [
        f"{copied.source.display_name} version {copied.source.version} {done} version "
        f"{copied.target.version} in {place}",
        f"sha256    {copied.target.tags.get('sha256', '')}, compared there",
        *(["report    of the release went along"] if copied.report else []),
        f"promote   MLFLOW_TRACKING_URI={place} guardianflow release … there; a verdict is not "
        "copied",
    ]
    answer = {
        "status": RunStatus.FINISHED,
        "made": copied.made,
        "model": copied.target.display_name,
        "from": {"version": copied.source.version, "run_id": copied.source.run_id},
        "to": {
            "registry": place,
            "version": copied.target.version,
            "aliases": list(copied.target.aliases),
            "run_id": copied.target.run_id,
        },
        "sha256": copied.target.tags.get("sha256", ""),
        "report": copied.report,
    }
    print_answer(asked.as_json, answer, "\n".join(lines))
    return 0
