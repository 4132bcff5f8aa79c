"""`guardianflow pull`: a registered detector into the directory of a box, and checking that one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import DownloadColumn, TransferSpeedColumn

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.given import given_path
from guardianflow.contracts.releases import OUTCOME_TAG
from guardianflow.contracts.results import RegisteredModel
from guardianflow.contracts.run_status import RunStatus
from guardianflow.release.bundle.check import (
    PREVIOUS,
    VERSIONS,
    BundleCheck,
    check_directory,
    linked_name,
)
from guardianflow.release.bundle.install import Installed
from guardianflow.support.terminal import print_answer, say
from pipelines.console import StderrProgress

from .options import PullCommand

if TYPE_CHECKING:
    from guardianflow.release.signing.minisign import PublicKey

SHOWN_FILES = 20


def show_pull(asked: PullCommand) -> int:
    """Pull, or check: what the flags ask for.

    Returns:
        0 done or intact, 1 damaged.

    Raises:
        ConfigurationError: flags that don't go together.
    """
    if asked.check and not asked.model and not asked.target:
        return check_bundles(given_path(asked.check), asked.as_json, trusted_key(asked))
    if asked.check or not asked.model or not asked.target:
        raise ConfigurationError(
            "pull needs a model and a directory (guardianflow pull NAME@champion --to DIR), or a "
            "directory to verify (guardianflow pull --check DIR)"
        )
    from pipelines.registered_models.pull import pull_model
    from pipelines.settings import load_settings
    from pipelines.wiring import connect

    key = trusted_key(asked)
    ports, target = connect(load_settings().tracking_uri), given_path(asked.target)
    with StderrProgress(
        "writing",
        (DownloadColumn(), TransferSpeedColumn()),
        lambda done, total: f"written {done / 1e6:.1f} of {total / 1e6:.1f} MB",
    ) as progress:
        model, installed = pull_model(
            asked.model, target, ports, key=key, say=say, progress=progress
        )
    text = "\n".join(pulled_lines(model, installed))
    answer = {
        "status": RunStatus.FINISHED,
        "done": installed.done,
        "model": model.display_name,
        "registered_name": model.name,
        "version": model.version,
        "aliases": list(model.aliases),
        "verdict": model.tags.get(OUTCOME_TAG),
        "sha256": model.tags.get("sha256", ""),
        "verified_key": key.key_id if key else None,
        "bundle": installed.name,
        "directory": str(installed.directory),
        "previous": installed.previous,
        "removed": list(installed.removed),
        "left_behind": list(installed.left_behind),
    }
    print_answer(asked.as_json, answer, text)
    return 0


def trusted_key(asked: PullCommand) -> PublicKey | None:
    """The key that must have signed; None where any model is taken.

    Raises:
        ConfigurationError: it can't be read.
    """
    from pipelines.settings import load_settings

    if not (given := asked.verify_key or load_settings().verify_key):
        return None
    from guardianflow.release.signing.minisign import read_public_key

    return read_public_key(given, given_path(given))


def check_bundles(target: Path, as_json: bool, key: PublicKey | None = None) -> int:
    """Verify every file under `current`; needs no store and no network."""
    found = check_directory(target)
    if key is not None and found.intact:
        from guardianflow.release.signing.releases import signature_problem

        if problem := signature_problem(target / VERSIONS / found.name, found, key):
            found = replace(found, problems=(problem,))
    previous = linked_name(target, PREVIOUS)
    status = "INTACT" if found.intact else "DAMAGED"
    whole = {"status": status, "directory": str(target), "previous": previous} | found.to_dict()
    print_answer(as_json, whole, "\n".join(check_lines(target, found, previous)))
    return 0 if found.intact else 1


def pulled_lines(model: RegisteredModel, installed: Installed) -> list[str]:
    aliases = "".join(f" @{alias}" for alias in model.aliases)
    what = {
        "installed": "pulled",
        "switched": "was complete in the directory already; switched to",
        "already current": "is current already and intact; nothing was changed:",
    }[installed.done]
    lines = [
        f"{model.display_name} version {model.version}{aliases}",
        f"{what} {installed.name}",
        f"current   {installed.directory}",
        f"previous  {installed.previous or '–'}",
    ]
    if OUTCOME_TAG in model.tags:
        lines.append(f"verdict   {model.tags[OUTCOME_TAG]}, by the release that judged it")
    lines += [f"removed   {name}" for name in installed.removed]
    lines += [f"could not be removed: {name}" for name in installed.left_behind]
    if installed.done != "already current":
        lines.append(f"try it: python {installed.directory}/run_detector.py IMAGE")
    return lines


def check_lines(target: Path, found: BundleCheck, previous: str | None) -> list[str]:
    if found.intact:
        return [
            f"{target}: intact",
            f"current   {found.name}, {found.files} files match their sha256",
            f"model     sha256 {found.sha256}",
            *([f"          {found.verified_by.note}"] if found.verified_by.note else []),
            f"previous  {previous or '–'}",
        ]
    lines = [f"{target}: DAMAGED", f"current   {found.name}"]
    for kind in ("missing", "changed", "extra"):
        names = getattr(found, kind)
        lines += [f"{kind:<9} {name}" for name in names[:SHOWN_FILES]]
        if len(names) > SHOWN_FILES:
            lines.append(f"{kind:<9} … and {len(names) - SHOWN_FILES} more")
    lines += [f"problem   {problem}" for problem in found.problems]
    lines.append("Pull the model again: a damaged bundle is replaced by a whole one")
    return lines
