"""Copies a registered detector to another registry: whole, or not at all.

    describe → fetch, verified → a run there with the lineage → register → fetch there, verified →
    candidate

The verdict of a release is the other registry's to give: what was said here goes along under
`copied.…`, with the report, and promotes nothing there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from guardianflow.contracts.detector_package import DetectorPackage
from guardianflow.contracts.errors import (
    ConfigurationError,
    GuardianFlowError,
    TrackingError,
)
from guardianflow.contracts.releases import CANDIDATE, EVIDENCE_TAG
from guardianflow.contracts.results import RegisteredModel, RunRequest
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.secrets.redaction import shown_address

from ..wiring import Ports
from .pull import LINEAGE_TAGS, described, full_reference
from .registry import local_person

FROM_TAG, DIGEST_TAG, MODEL_ID_TAG = "copied.from", "sha256", "logged_model_id"
RELEASE, COPIED_RELEASE = "release.", "copied.release."
REPORT_FOLDER = "report"
KEPT_OF_RUN = ("site.", "task.", "data.", "exp.", "scenario.", "source.")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Copied:
    """What came of it.

    Args:
        source, target: the version here and the one there.
        made: False where it was there already.
        report: the release's report went along.
    """

    source: RegisteredModel
    target: RegisteredModel
    made: bool
    report: bool = False


def copy_model(
    reference: str, ports: Ports, target: Ports, *, say: Say = lambda _text: None
) -> Copied:
    """Register a detector of one registry in another one, as candidate.

    Args:
        reference: 'NAME@alias', 'NAME/3', or 'NAME', which means its champion.
        ports, target: from where, and to where.

    Raises:
        ConfigurationError: both are one registry.
        SourceError: no such model, version or alias; a file that does not match its sha256.
        TrackingError: a store refuses; nothing is registered there then.
    """
    here = shown_address(ports.store.tracking_uri)
    if ports.store.tracking_uri == target.store.tracking_uri:
        raise ConfigurationError(
            f"--to must be another registry but is {here}, where the model is already"
        )
    model = described(full_reference(reference), ports)
    origin = f"{here} {model.name}/{model.version}"
    for there in target.registry.list_models(model.name):
        same = there.tags.get(DIGEST_TAG) == model.tags.get(DIGEST_TAG)
        if there.name == model.name and same and there.tags.get(FROM_TAG) == origin:
            return Copied(model, there, made=False)
    with tempfile.TemporaryDirectory(prefix="guardianflow-copy-") as scratch:
        say(f"fetching {model.display_name} version {model.version}")
        package = ports.registry.fetch(model.uri, Path(scratch) / "package")
        report = _report(model, ports, Path(scratch), say)
        run_id = target.store.start_run(_run_request(model, origin, ports))
        try:
            if report is not None:
                target.store.log_files(run_id, report, REPORT_FOLDER)
            say(f"registering it in {shown_address(target.store.tracking_uri)}")
            made = target.registry.register(
                run_id,
                package,
                model.name,
                alias=CANDIDATE,
                tags=_tags(model, origin),
                check=partial(_check_arrived, target, package, Path(scratch) / "back"),
            )
        except BaseException:
            target.store.end_run(run_id, RunStatus.FAILED)
            raise
        target.store.end_run(run_id)
    return Copied(model, made, made=True, report=report is not None)


def _check_arrived(target: Ports, package: DetectorPackage, place: Path, uri: str) -> None:
    """Fetch it back: every file's sha256 is compared, and the whole description's."""
    back = target.registry.fetch(uri, place)
    if back.digest != package.digest:
        raise TrackingError(
            f"what arrived as {uri} must have the sha256 {package.digest} but has {back.digest}. "
            "It was taken back there"
        )


def _tags(model: RegisteredModel, origin: str) -> dict[str, str]:
    """The version's own, its verdict under another name, and where it comes from."""
    kept = {
        (COPIED_RELEASE + key[len(RELEASE) :] if key.startswith(RELEASE) else key): value
        for key, value in model.tags.items()
        if key not in (DIGEST_TAG, MODEL_ID_TAG)
    }
    return {**kept, FROM_TAG: origin, "copied.aliases": ", ".join(model.aliases)}


def _run_request(model: RegisteredModel, origin: str, ports: Ports) -> RunRequest:
    """The run there, with the lineage of the one here."""
    run = ports.run_if_there(model.run_id)  # it may have been deleted
    parts = model.display_name.split("/")
    experiment = run.experiment_name if run else "/".join(parts[:-1]) or model.display_name
    tags = {
        key: value
        for key, value in (run.tags if run else {}).items()
        if key.startswith(KEPT_OF_RUN) or key in LINEAGE_TAGS
    }
    tags |= {FROM_TAG: origin, "copied.run_id": model.run_id or "", "copied.by": local_person()}
    name = run.run_name if run else parts[-1]
    return RunRequest(experiment, f"copy-{name}", tags, dict(run.params) if run else {})


def _report(model: RegisteredModel, ports: Ports, scratch: Path, say: Say) -> Path | None:
    """The report of the release that judged it; a missing one is told."""
    run_id = model.tags.get(EVIDENCE_TAG, "")
    if not run_id:
        return None
    try:
        return ports.store.download(run_id, REPORT_FOLDER, scratch / "release")
    except GuardianFlowError as exc:
        say(f"the release's report does not go along: {exc}")
        return None
