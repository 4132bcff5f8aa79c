"""A network with other activations is fitted to what its layers gave before."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from checkpoints import SIDE, draw_images

from guardianflow.backends.quantisation import activations, reconstruction
from guardianflow.backends.quantisation.calibration import CalibrationImages
from guardianflow.backends.quantisation.output_error import output_error
from guardianflow.backends.quantisation.reconstruction import reconstruct
from guardianflow.contracts.quantisation import ActivationChange
from guardianflow.contracts.results import DetectorPackage

MakePackage = Callable[..., DetectorPackage]
ALL = tuple(f"activations {number} of 8" for number in range(1, 9))


def drawn(count: int, seed: int = 7) -> CalibrationImages:
    return CalibrationImages(list(draw_images(count, side=SIDE, seed=seed)), SIDE)


def every(images: CalibrationImages) -> list[Any]:
    return [images.image(index) for index in range(len(images))]


def settled(package: DetectorPackage) -> torch.nn.Module:
    """A network of drawn weights whose batch norms know its values, as a trained one's do."""
    network = activations.open_network(package)
    norms = [each for each in network.modules() if isinstance(each, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
        norm.reset_running_stats()
        norm.train()
    with torch.no_grad():
        network(torch.from_numpy(np.concatenate(list(drawn(64, seed=3)))))
    return network.eval()


def answers(network: torch.nn.Module, images: CalibrationImages) -> Any:
    with torch.no_grad():
        return network(torch.from_numpy(np.concatenate(list(images))))[0].numpy()


@pytest.mark.parametrize(("name", "form"), [("yolo11n", "grid"), ("yolo26n", "end_to_end")])
def test_a_changed_network_answers_more_like_the_original_on_images_it_never_saw(
    package: MakePackage, monkeypatch: pytest.MonkeyPatch, name: str, form: str
) -> None:
    original = settled(package(name))
    images, unseen = drawn(96), drawn(32, seed=8)
    errors = []
    for least in (1000, 24):  # first without fitting
        monkeypatch.setattr(reconstruction, "LEAST_IMAGES", least)
        network = copy.deepcopy(original)
        done = activations.change_activations(network, ActivationChange.of(ALL), images, SIDE, form)
        assert (done.fitted > 0) == (least == 24)
        errors.append(output_error(answers(original, unseen), answers(network, unseen), form))
    assert errors[1] < 0.8 * errors[0]


def test_layers_in_front_of_the_first_change_stay_as_they_were(package: MakePackage) -> None:
    original = settled(package())
    network = copy.deepcopy(original)
    change = ActivationChange.of(("activations 8 of 8",))
    done = activations.change_activations(network, change, drawn(96), SIDE, "grid")
    assert 0 < done.fitted < 40
    before, after = original.state_dict(), network.state_dict()
    assert torch.equal(before["model.0.conv.weight"], after["model.0.conv.weight"])
    assert not torch.equal(before["model.23.cv3.2.2.weight"], after["model.23.cv3.2.2.weight"])


def test_without_a_change_and_on_few_images_nothing_is_fitted(package: MakePackage) -> None:
    original = settled(package())
    network = copy.deepcopy(original)
    images = every(drawn(24))
    assert reconstruct(network, original, images, "grid") == 0
    changed = copy.deepcopy(original)
    activations.put_in(changed, ActivationChange.of(ALL), SIDE)
    assert reconstruct(changed, original, images[:23], "grid") == 0
    for each in (network, changed):
        assert all(map(torch.equal, each.state_dict().values(), original.state_dict().values()))


def test_what_held_out_images_do_not_confirm_is_taken_back_whole(
    package: MakePackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = settled(package())
    network = copy.deepcopy(original)
    activations.put_in(network, ActivationChange.of(ALL), SIDE)
    monkeypatch.setattr(reconstruction, "output_error", lambda *_: 0.1)
    assert reconstruct(network, original, every(drawn(24)), "grid") == 0
    assert all(map(torch.equal, network.state_dict().values(), original.state_dict().values()))
