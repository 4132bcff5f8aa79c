"""The data of a run, as MLflow's own client and page see it."""

from __future__ import annotations

import json

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from guardianflow.contracts.results import DataInput, RunRequest
from guardianflow.run_tracking.mlflow_store import MlflowStore

FINGERPRINT = "0123456789abcdef" * 4


def test_the_column_dataset_is_filled(sqlite_uri: str) -> None:
    store = MlflowStore(sqlite_uri)
    run_id = store.start_run(RunRequest("a/b/c", "x"))
    store.log_data(run_id, DataInput("demo-ppe", FINGERPRINT, "train", "demo://ppe?seed=7"))
    client = MlflowClient(tracking_uri=sqlite_uri)
    experiment = client.get_experiment_by_name("a/b/c")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    (entry,) = run.inputs.dataset_inputs
    assert (entry.dataset.name, entry.dataset.digest) == ("demo-ppe", FINGERPRINT[:32])
    assert json.loads(entry.dataset.source) == {"uri": "demo://ppe?seed=7"}
    tags = {tag.key: tag.value for tag in entry.tags}
    assert tags[MLFLOW_DATASET_CONTEXT] == "train"
    assert tags["guardianflow.data_fingerprint"] == FINGERPRINT
    # How the page filters by the column.
    assert client.search_runs([experiment.experiment_id], "dataset.digest = 'f'") == []
    found = client.search_runs([experiment.experiment_id], "dataset.name = 'demo-ppe'")
    assert [each.info.run_id for each in found] == [run_id]


def test_what_others_logged_is_read_too(sqlite_uri: str) -> None:
    store = MlflowStore(sqlite_uri)
    run_id = store.start_run(RunRequest("a/b/c", "x"))
    foreign = DatasetInput(Dataset("theirs", "d1", "local", "no json"))
    MlflowClient(tracking_uri=sqlite_uri).log_inputs(run_id, [foreign])
    assert store.get_run(run_id).data == (DataInput("theirs", "d1", ""),)
