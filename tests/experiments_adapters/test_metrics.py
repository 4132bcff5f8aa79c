from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments_adapters.base import BaseTrainer, to_metric_keys
from experiments_adapters.metrics import checked_count, checked_metrics
from guardianflow.contracts.errors import TrainerError

DETECTION = ["mAP50", "mAP50_95", "precision", "recall", "f1", "box_loss", "cls_loss", "dfl_loss"]


def test_detection_metrics_go_to_det_and_all_else_to_train() -> None:
    assert to_metric_keys(dict.fromkeys(DETECTION, 0.5)) == {f"det.{n}": 0.5 for n in DETECTION}
    assert to_metric_keys({"lr": 1e-3, "val_box_loss": 2.0, "안전모": 1.0}) == {
        "train.lr": 1e-3,
        "train.val_box_loss": 2.0,
        "train.안전모": 1.0,
    }


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("mAP50-95", "det.mAP50_95"),
        ("metrics/mAP50-95(B)", "det.mAP50_95"),
        ("metrics/mAP50(B)", "det.mAP50"),
        ("train/box_loss", "det.box_loss"),
        ("det.mAP50", "det.mAP50"),
        ("train.loss", "train.loss"),
        ("val/box_loss", "train.val/box_loss"),
        ("mAP@0.5", "train.mAP_0.5"),
        ("map50", "train.map50"),
    ],
)
def test_other_spellings(name: str, key: str) -> None:
    assert to_metric_keys({name: 1.0}) == {key: 1.0}


def test_two_names_for_one_metric_must_agree() -> None:
    assert to_metric_keys({"mAP50-95": 0.4, "mAP50_95": 0.4}) == {"det.mAP50_95": 0.4}
    assert math.isnan(to_metric_keys({"a@": math.nan, "a_": math.nan})["train.a_"])
    with pytest.raises(TrainerError, match=r"'mAP50-95' \(0.4\) and 'mAP50_95' \(0.5\)"):
        to_metric_keys({"mAP50-95": 0.4, "mAP50_95": 0.5})


@given(st.dictionaries(st.text(min_size=1), st.floats(allow_nan=False)))
def test_keys_are_such_as_a_metric_store_takes(metrics: dict[str, float]) -> None:
    try:
        keyed = to_metric_keys(metrics)
    except TrainerError:
        return
    assert len(keyed) <= len(metrics)
    assert all(key.startswith(("det.", "train.")) for key in keyed)
    assert set(keyed.values()) == set(metrics.values())


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0),
        (0.25, 0.25),
        (Fraction(1, 4), 0.25),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3.0),
        (np.array(0.5), 0.5),
        (np.array([[2.0]]), 2.0),
    ],
)
def test_single_numbers_become_floats(value: Any, number: float) -> None:
    plain = checked_metrics({"a": value})
    assert plain == {"a": number}
    assert type(plain["a"]) is float


def test_torch_scalars_become_floats_even_with_a_gradient() -> None:
    torch = pytest.importorskip("torch")
    loss = (torch.ones(1, requires_grad=True) * 2).sum()
    assert checked_metrics({"loss": loss, "n": torch.tensor([3])}) == {"loss": 2.0, "n": 3.0}
    assert checked_count("epoch", torch.tensor(4)) == 4


def test_nan_and_infinity_pass() -> None:
    plain = checked_metrics({"a": math.nan, "b": math.inf})
    assert math.isnan(plain["a"])
    assert plain["b"] == math.inf


@pytest.mark.parametrize("value", [None, "0.5", True, [1.0], {}, np.zeros(2), np.array("x"), 1j])
def test_what_is_no_number_is_named_with_its_value(value: Any) -> None:
    with pytest.raises(TrainerError) as caught:
        checked_metrics({"good": 1.0, "bad": value, "": 1.0})
    message = str(caught.value)
    assert "'bad' is " in message
    assert "the name '' (str) is no text" in message
    assert "good" not in message


def test_metrics_must_be_a_mapping() -> None:
    with pytest.raises(TrainerError, match=r"must be a mapping .* but got 0.5 \(float\)"):
        checked_metrics(0.5)


def test_long_values_are_cut_short() -> None:
    with pytest.raises(TrainerError) as caught:
        checked_metrics({"a": list(range(10_000))})
    assert len(str(caught.value)) < 300


@given(st.integers(min_value=0))
def test_counts_stay_as_they_are(count: int) -> None:
    assert checked_count("epoch", count) == count
    assert checked_count("epoch", np.int32(count % 1000)) == count % 1000


@pytest.mark.parametrize("value", [-1, True, 1.0, "1", None])
def test_other_counts_are_refused(value: Any) -> None:
    with pytest.raises(TrainerError, match="step must be an integer of 0 or more but got"):
        checked_count("step", value)


def test_a_trainer_without_a_listener_still_checks_what_it_reports() -> None:
    class Mine(BaseTrainer):
        def train(self) -> None:
            self.on_batch_end(1, {"loss": 1.0})
            self.on_epoch_end(1, {"loss": "low"})  # type: ignore[dict-item]

        def get_best_model_path(self) -> str:
            return ""

    trainer = Mine("m", "t", "d")  # type: ignore[arg-type]
    assert (trainer.model_config, trainer.training_config) == ("m", "t")
    with pytest.raises(TrainerError, match="'loss' is 'low'"):
        trainer.train()
