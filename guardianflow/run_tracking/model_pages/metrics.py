"""The numbers of a run that judged a model, shown on that model's page."""

from __future__ import annotations

from ...contracts.results import DataInput
from .. import data_inputs
from ..connection import Connection

SHOWN = ("det.", "mot.", "alarm.", "sys.", "bench.")
OF_ANOTHER = ".original."
"""A quantisation judges the model it started from as well."""
A_CALL = 1000


def show_metrics(connection: Connection, run_id: str, model_id: str, data: DataInput | None) -> int:
    """Tie what a run measured to the model it was measured of; the run itself stays as it is.

    Doing it again changes nothing: a point is the same by key, time, step and value.

    Args:
        data: what it was measured on.

    Returns:
        How many numbers.

    Raises:
        TrackingError: the store refuses.
    """
    from mlflow.entities import Metric

    run = connection.doing(f"read run {run_id}").get_run(run_id)
    dataset = data_inputs.to_entry(data).dataset if data is not None else None
    points = [
        Metric(
            point.key,
            point.value,
            point.timestamp,
            point.step,
            model_id=model_id,
            dataset_name=dataset.name if dataset else None,
            dataset_digest=dataset.digest if dataset else None,
        )
        for point in run.data.to_proto().metrics
        if point.key.startswith(SHOWN) and OF_ANOTHER not in point.key
    ]
    client = connection.doing(f"show the metrics of run {run_id} with model {model_id}")
    for start in range(0, len(points), A_CALL):
        client.log_batch(run_id, metrics=points[start : start + A_CALL], synchronous=True)
    return len(points)
