"""Training-on after activations were changed: by the original's answers, never without a gain."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoints import build_checkpoint, draw_images

from experiments_adapters.yolo import distil
from experiments_adapters.yolo.distil import GainNotConfirmedError
from experiments_adapters.yolo.finetune import NoTimeToTrainError
from guardianflow.backends.quantisation import activations
from guardianflow.backends.quantisation.calibration import CalibrationImages
from guardianflow.backends.weights.packages import package_from_weights
from guardianflow.contracts.errors import TrainerError
from guardianflow.contracts.quantisation import ActivationChange, Distillation

SIDE = 64
HARDSWISH = ActivationChange.of(tuple(f"activations {n} of 8" for n in range(1, 9)))


def names(count: int) -> list[str]:
    return [f"{place}.jpg" for place in range(count)]


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    return list(draw_images(40, side=SIDE, seed=5))


def networks(architecture: str, folder: Path, images: list[np.ndarray]) -> tuple[Any, Any]:
    """One with HardSwish, its batch norms measured, and the original."""
    file = build_checkpoint(architecture, folder / f"{architecture}.pt")
    package = package_from_weights(file, folder / "source", input_size=SIDE)
    changed, original = (activations.open_network(package) for _ in range(2))
    given = CalibrationImages(images, SIDE)
    activations.change_activations(changed, HARDSWISH, given, SIDE, package.spec.output)
    return changed, original


def state_of(network: Any) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in network.state_dict().items()}


def loss_on(network: Any, original: Any, images: list[np.ndarray]) -> float:
    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        given = distil.raw_predictions(network, batch)
        wanted = distil.raw_predictions(original, batch)
    return float(distil.head_loss(given, wanted, original.model[-1].reg_max).mean())


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("architecture", ["yolo11n", "yolo26n"])
def test_a_changed_network_answers_more_like_its_original_on_images_it_never_saw(
    architecture: str, tmp_path: Path, images: list[np.ndarray]
) -> None:
    network, original = networks(architecture, tmp_path, images)
    before, untouched, unseen = state_of(network), state_of(original), draw_images(8, SIDE, 99)
    untrained = loss_on(network, original, list(unseen))
    told: list[Mapping[str, float]] = []
    facts = distil.distil(
        network,
        original,
        images,
        names(40),
        Distillation(minutes=60, epochs=10),
        "cpu",
        lambda _, metrics: told.append(metrics),
    )
    assert loss_on(network, original, list(unseen)) < 0.9 * untrained
    held = [each["held_out"] for each in told]
    assert len(held) == distil.ROUNDS
    assert float(facts["distillation_loss_after"]) == pytest.approx(min(held), rel=1e-4)
    assert int(facts["distillation_round"]) == 1 + int(np.argmin(held))
    assert facts["distillation_images"] == "32"
    after = state_of(network)
    moved = {key for key, value in after.items() if not torch.equal(value, before[key])}
    # Mean and spread are those that were measured; what makes a distribution's mean is no weight.
    assert moved and not [key for key in moved if "running" in key or ".dfl." in key]
    assert all(torch.equal(value, untouched[key]) for key, value in state_of(original).items())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_after_a_worse_round_it_goes_on_from_the_best_one_in_smaller_steps(
    tmp_path: Path, images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distil, "NORMS_RATE", 0.3)
    network, original = networks("yolo11n", tmp_path, images)
    held: list[float] = []
    facts = distil.distil(
        network,
        original,
        images,
        names(40),
        Distillation(minutes=60, epochs=5),
        "cpu",
        lambda _, metrics: held.append(metrics["held_out"]),
    )
    before = float(facts["distillation_loss_before"])
    assert held[0] > 2 * before, "steps that are much too large"
    assert held[1] < before, "on from the network as it was, in steps a quarter as large"
    assert float(facts["distillation_loss_after"]) == pytest.approx(min(held), rel=1e-4)


@pytest.mark.slow
def test_what_held_out_images_do_not_confirm_is_an_error(
    tmp_path: Path, images: list[np.ndarray]
) -> None:
    """A network that answers as the original already can't gain."""
    _, original = networks("yolo11n", tmp_path, images)
    (tmp_path / "again").mkdir()
    _, twin = networks("yolo11n", tmp_path / "again", images)
    with pytest.raises(GainNotConfirmedError, match=r"8 held-out train images.*Nothing was kept"):
        distil.distil(twin, original, images, names(40), Distillation(minutes=60, epochs=1), "cpu")


@pytest.mark.slow
def test_where_ten_steps_do_not_fit_it_says_how_long_they_take(
    tmp_path: Path, images: list[np.ndarray]
) -> None:
    network, original = networks("yolo11n", tmp_path, images)
    with pytest.raises(NoTimeToTrainError, match=r"at least .* minutes here, but 0\.0 are allowed"):
        distil.distil(network, original, images, names(40), Distillation(minutes=1e-4), "cpu")


def test_a_recording_is_trained_on_or_held_out_never_both() -> None:
    groups = [f"gate {place // 6}" for place in range(60)]
    trained, judging = distil.held_out(groups, seed=3)
    assert sorted(trained + judging) == list(range(60))
    assert not {groups[place] for place in trained} & {groups[place] for place in judging}
    assert len(judging) == 12  # a fifth: two recordings
    assert distil.held_out(groups, seed=3) == (trained, judging)
    assert distil.held_out(groups, seed=4) != (trained, judging)


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (["one gate"] * 200, r"but there are 200 and 0 \(1 recordings"),
        (names(20), r"but there are 4 and 16 \(20 recordings"),
        (["a"] * 100 + ["b"] * 5, r"."),
    ],
)
def test_too_few_images_on_one_side_are_refused(groups: list[str], said: str) -> None:
    with pytest.raises(TrainerError, match=f"at least 8 train images to hold out.*{said}"):
        distil.held_out(groups, seed=0)


@pytest.mark.parametrize("bins", [1, 16])
def test_the_head_s_loss_is_0_where_both_answer_alike_and_counts_objects_not_anchors(
    bins: int,
) -> None:
    generator = torch.Generator().manual_seed(0)
    wanted = {
        "boxes": torch.randn(2, 4 * bins, 21, generator=generator),
        "scores": torch.full((2, 3, 21), -8.0),
    }
    wanted["scores"][0, 1, :2] = 4.0
    assert distil.head_loss(wanted, wanted, bins).tolist() == pytest.approx([0, 0], abs=1e-5)
    missed = {**wanted, "scores": torch.full((2, 3, 21), -8.0)}
    first, second = distil.head_loss(missed, wanted, bins).tolist()
    assert first > 1 and second == pytest.approx(0, abs=1e-5)
    moved = {**wanted, "boxes": wanted["boxes"].clone()}
    moved["boxes"][0, :, 5:] += torch.randn(4 * bins, 16, generator=generator)
    background = float(distil.head_loss(moved, wanted, bins)[0])
    moved["boxes"][0, :, :2] += torch.randn(4 * bins, 2, generator=generator)
    assert float(distil.head_loss(moved, wanted, bins)[0]) > 10 * background


def test_the_learning_rate_falls_in_each_phase() -> None:
    assert [distil.done_of_phase(rounds) for rounds in (0, 3, 6, 8)] == [0, 0.5, 0, 0.5]
