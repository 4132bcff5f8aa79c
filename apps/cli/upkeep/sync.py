"""`guardianflow sync`: sends what was logged while the MLflow server was away."""

from __future__ import annotations

from pathlib import Path

from rich.progress import MofNCompleteColumn

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.given import given_path
from guardianflow.contracts.run_status import RunStatus
from guardianflow.run_tracking.spool.journals.journal import Unsent
from guardianflow.run_tracking.spool.sync import Sync, SyncResult, refused_before
from guardianflow.support.terminal import print_answer
from pipelines.console import StderrProgress

from ..options import SyncCommand


def show_sync(asked: SyncCommand) -> int:
    """Send every journal of a work directory.

    Returns:
        0 all is sent, 1 something is left or was refused.

    Raises:
        ConfigurationError: there is no such directory, or --to is no address.
    """
    from guardianflow.backends.catalogue import runtime_of
    from pipelines.settings import load_settings

    settings = load_settings()
    root = _spool_of(asked.work_dir) if asked.work_dir else settings.spool_dir
    if asked.to and not asked.to.startswith(("http://", "https://", "sqlite:///")):
        raise ConfigurationError(
            f"--to must be the address of a store, http://… or sqlite:///…, but got '{asked.to}'"
        )
    with StderrProgress(
        "sending", (MofNCompleteColumn(),), lambda done, total: f"sent {done} of {total} records"
    ) as progress:
        sync = Sync(
            root,
            asked.to or settings.tracking_uri,
            runtime_of,
            progress,
            redirect=bool(asked.to),
        )
        result = sync.run()
    whole = not (result.left or result.problems)
    answer = {
        "status": RunStatus.FINISHED if whole else RunStatus.FAILED,
        "sent": _as_dict(result.sent),
        "left": [
            {
                "journal": str(each.journal),
                "store": each.store,
                **_as_dict(each.unsent),
                "reason": each.reason,
            }
            for each in result.left
        ],
        "problems": result.problems,
        "refused": [str(path) for path in refused_before(root)],
    }
    print_answer(asked.as_json, answer, "\n".join(_lines(result, root)))
    return 0 if whole else 1


def _spool_of(work_dir: str) -> Path:
    """The spool of a work directory, or the directory itself where it is one.

    Raises:
        ConfigurationError: neither is there.
    """
    given = given_path(work_dir)
    for place in (given / "spool", given):
        if place.is_dir() and (place.name == "spool" or any(place.glob("*/journal.json"))):
            return place
    if given.is_dir():
        return given / "spool"  # nothing was ever left in it
    raise ConfigurationError(
        f"--work-dir must be a work directory or a copy of one, but {given} is no directory"
    )


def _as_dict(unsent: Unsent) -> dict[str, object]:
    return vars(unsent) | {"runs": sorted(unsent.runs)}


def _lines(result: SyncResult, root: Path) -> list[str]:
    lines = []
    if result.sent != Unsent():
        lines.append(f"sent {result.sent.text} of {len(result.sent.runs)} runs")
    elif not result.left:
        lines.append(f"nothing is left in {root}")
    lines += [
        f"left {each.unsent.text} in {each.journal}, for {each.store}: {each.reason}"
        for each in result.left
    ]
    lines += [f"problem {each}" for each in result.problems]
    if kept := refused_before(root):
        lines.append(f"{len(kept)} journals with records that a store refused: {root}/refused")
    return lines
