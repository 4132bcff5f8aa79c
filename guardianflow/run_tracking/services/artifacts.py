"""Sends bytes through the store of artifacts and compares what comes back, as a run would."""

from __future__ import annotations

import os
from contextlib import suppress

from ...contracts.errors import GuardianFlowError
from ...contracts.results import RunRequest
from ...contracts.run_status import RunStatus
from ...support.files import scratch_folder
from ...support.secrets.redaction import shown_address
from ..mlflow_store import MlflowStore
from .answers import Answer, Sample

EXPERIMENT = "guardianflow-config-check"
FILE = "sample.bin"


def round_trip_artifacts(tracking_uri: str | None) -> Answer:
    """Log a file to a run made for it, download it, compare; then remove the file and the run.

    The experiment stays, with runs that are marked as deleted: MLflow removes those only by
    `mlflow gc`.

    Args:
        tracking_uri: see `resolve_tracking_uri`.

    Raises:
        TrackingError: the store can't be opened.
    """
    sample = Sample()
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    store = MlflowStore(tracking_uri)
    run_id = store.start_run(RunRequest(EXPERIMENT, "round-trip"))
    place = ""
    try:
        run = store.connection.doing("read the run of the check").get_run(run_id)
        place = str(run.info.artifact_uri)
        address = shown_address(place)
        with scratch_folder("guardianflow-check-") as scratch:
            sent = scratch / FILE
            sent.write_bytes(sample.content)
            store.log_files(run_id, sent)
            returned = store.download(run_id, FILE, scratch / "back").read_bytes()
        return Answer(address, sample.compare(returned), f"{len(returned)} bytes")
    finally:
        _remove(store, run_id, place)


def _remove(store: MlflowStore, run_id: str, place: str) -> None:
    with suppress(GuardianFlowError):  # what went wrong before matters more
        store.end_run(run_id, RunStatus.FINISHED)
        if place:
            files = store.connection.files_at(place)
            store.connection.call("remove the sample", files.delete_artifacts)
        store.connection.doing("delete the run of the check").delete_run(run_id)
