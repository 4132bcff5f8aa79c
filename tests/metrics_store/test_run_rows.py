"""A row holds what a run's tags and parameters say; what they don't say is None."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guardianflow.contracts.results import RunRecord
from guardianflow.contracts.run_status import RunStatus
from guardianflow.metrics_store.run_rows import row_of

RUN = RunRecord("r1", "a/b-c/d", "run", RunStatus.FINISHED, 1000, 2000, {}, {}, {"det.mAP50": 0.5})


@pytest.mark.parametrize(
    "run",
    [
        replace(RUN, status=RunStatus.FAILED),
        replace(RUN, status=RunStatus.RUNNING, end_time_ms=None),
        replace(RUN, run_id="local-1"),
    ],
)
def test_only_a_finished_run_that_mlflow_has_got_has_a_row(run: RunRecord) -> None:
    assert row_of(run) is None


def test_an_experiment_that_is_named_otherwise_tells_no_site() -> None:
    row = row_of(replace(RUN, experiment_name="Default"))
    assert row is not None
    assert (row.customer, row.site, row.zone) == (None, None, None)


def test_a_quantised_model_s_variant_is_the_one_that_was_made() -> None:
    params = {"quant.backend": "openvino", "quant.precision": "int8"}
    row = row_of(replace(RUN, params=params))
    assert row is not None
    assert (row.backend, row.precision) == ("openvino", "int8")
    searched = {"guardianflow.variant": "openvino_int8-as-fp16"}
    other = row_of(replace(RUN, params=params, tags=searched))
    assert other is not None
    assert other.precision == "fp16"


def test_the_device_that_was_used_comes_before_the_one_asked_for() -> None:
    row = row_of(replace(RUN, params={"env.device": "auto"}, tags={"sys.device": "cuda:0"}))
    assert row is not None
    assert row.device == "cuda:0"


@pytest.mark.parametrize(
    ("tags", "trial_of"),
    [
        ({"sweep.index": "3", "exp.design": "sweep"}, "p"),
        ({"sweep.index": "3", "comparison.value": "openvino_int8"}, "p"),
        ({"sweep.judges": "r0", "sweep.index": "3"}, "p"),
        ({"guardianflow.stage": "quant-try"}, "p"),
        ({"comparison.variable": "quantization"}, None),  # as every quant run has it
        ({}, None),  # a stage of a pipeline
    ],
)
def test_a_trial_says_of_what(tags: dict[str, str], trial_of: str | None) -> None:
    row = row_of(replace(RUN, tags=tags, parent_run_id="p"))
    assert row is not None
    assert row.trial_of == trial_of
