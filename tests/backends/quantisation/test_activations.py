"""Activations of a float network are changed by groups, and its batch norms measured anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoints import SIDE, draw_images
from torch import nn

from guardianflow.backends.quantisation import activations
from guardianflow.backends.quantisation.calibration import CalibrationImages
from guardianflow.contracts.errors import BackendError, ConfigurationError
from guardianflow.contracts.quantisation import ActivationChange, NetworkChange
from guardianflow.contracts.results import DetectorPackage

MakePackage = Callable[..., DetectorPackage]
SMALL = 8


def drawn(count: int = 16, side: int = SMALL) -> CalibrationImages:
    return CalibrationImages(list(draw_images(count, side=side, seed=7)), side)


def stacked(*, norm: bool = True, activation: type[nn.Module] = nn.SiLU) -> nn.Sequential:
    """Two convolutions that share one activation, as Ultralytics' do."""
    torch.manual_seed(3)
    shared = activation()
    layers: list[nn.Module] = []
    for channels in (3, 4):
        layers += [nn.Conv2d(channels, 4, 3, bias=False)]
        layers += [nn.BatchNorm2d(4, momentum=0.03)] if norm else []
        layers += [shared]
    return nn.Sequential(*layers).eval()


def groups_of(network: nn.Module, side: int = SMALL) -> list[tuple[str, ...]]:
    steps = activations.steps_of(network, side)
    return [group.places for group in activations.activation_groups(steps)]


def test_layers_that_share_an_activation_are_changed_one_by_one() -> None:
    network = stacked()
    assert network[2] is network[5]
    assert groups_of(network) == [("2",), ("5",)]
    change = ActivationChange.of(("activations 1 of 2",))
    done = activations.change_activations(network, change, drawn(), SMALL, "grid")
    assert NetworkChange.from_lineage(done.as_lineage()) == done
    assert NetworkChange.from_lineage({}) is None
    assert [type(network[place]) for place in (2, 5)] == [nn.Hardswish, nn.SiLU]
    assert (done.changed, done.in_all) == (1, 2)


def test_batch_norms_behind_the_change_have_the_statistics_of_the_changed_network() -> None:
    """Those before it keep theirs. Two batches of eight images: a mean of two means."""
    network = stacked()
    before = network[1].running_mean.clone()
    images = drawn(16)
    change = ActivationChange.of(("activations 1 of 2",), "relu6")
    done = activations.change_activations(network, change, images, SMALL, "grid")
    assert (done.measured, done.norms, done.images) == (1, 2, 16)
    assert torch.equal(network[1].running_mean, before)
    means, spreads = [], []
    for start in (0, 8):
        batch = np.concatenate(list(images)[start : start + 8])
        with torch.no_grad():
            seen = network[3](network[1](network[0](torch.from_numpy(batch))).clamp(0, 6))
        means.append(seen.mean((0, 2, 3)))
        spreads.append(seen.var((0, 2, 3)))
    torch.testing.assert_close(network[4].running_mean, torch.stack(means).mean(0))
    torch.testing.assert_close(network[4].running_var, torch.stack(spreads).mean(0))
    assert network[4].momentum == 0.03
    assert not any(module.training for module in network.modules())


def test_frozen_parameters_make_no_difference() -> None:
    usual, frozen = stacked(), stacked().requires_grad_(False)
    for network in (usual, frozen):
        change = ActivationChange.of(("activations 1 of 2", "activations 2 of 2"))
        activations.change_activations(network, change, drawn(), SMALL, "grid")
    assert torch.equal(usual[4].running_var, frozen[4].running_var)
    assert not any(parameter.requires_grad for parameter in frozen.parameters())


def test_groups_work_off_about_as_many_numbers_and_hold_every_activation_once(
    package: MakePackage,
) -> None:
    network = activations.open_network(package())
    steps = activations.steps_of(network, SIDE)
    groups = activations.activation_groups(steps)
    values = {step.place: step.values for step in steps if step.values}
    assert [place for group in groups for place in group.places] == list(values)
    assert len(values) == 77  # of yolo11n
    assert [group.name for group in groups] == [f"activations {n} of 8" for n in range(1, 9)]
    work = [sum(values[place] for place in group.places) for group in groups]
    assert max(work) - min(work) <= 2 * max(values.values())


def test_the_head_that_is_not_deployed_is_in_no_group(package: MakePackage) -> None:
    network: Any = activations.open_network(package("yolo26n"))
    found = {place for group in groups_of(network, SIDE) for place in group}
    assert any(".one2one_cv3." in place for place in found)
    assert not any(place.startswith("model.23.cv3.") for place in found)


def test_a_network_of_other_activations_has_no_group() -> None:
    assert groups_of(stacked(activation=nn.ReLU)) == []


def test_a_fused_network_gets_its_batch_norms_back(package: MakePackage) -> None:
    """Put in so that nothing changes yet: then they are measured like any other."""
    images = drawn(16, SIDE)
    network: Any = activations.open_network(package()).fuse(verbose=False)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    batch = torch.from_numpy(np.concatenate(list(images)))
    with torch.no_grad():
        before = network(batch)[0]
    put_in = activations.put_norms_in(network, images.few(activations.MOST_IMAGES))
    with torch.no_grad():
        after = network(batch)[0]
    assert put_in == 81
    # Pixels, up to hundreds; processors differ in the order they add in.
    torch.testing.assert_close(after, before, rtol=1e-3, atol=0.1)
    change = ActivationChange.of(("activations 8 of 8",))
    done = activations.change_activations(network, change, images, SIDE, "grid")
    assert (done.changed, done.in_all, done.put_in) == (11, 77, 0)


def test_too_few_images_and_a_network_without_batch_norm_are_refused_with_the_reason() -> None:
    change = ActivationChange.of(("activations 1 of 2",))
    with pytest.raises(ConfigurationError, match=r"on 16 train images at least.*there are 15"):
        activations.change_activations(stacked(), change, drawn(15), SMALL, "grid")
    with pytest.raises(BackendError, match="no batch norm behind the activations"):
        activations.change_activations(stacked(norm=False), change, drawn(), SMALL, "grid")


def test_a_statistic_that_is_not_finite_is_refused_and_names_its_place() -> None:
    network = stacked()
    with torch.no_grad():
        network[3].weight[0] = float("inf")
    change = ActivationChange.of(("activations 1 of 2",))
    with pytest.raises(BackendError, match="the batch norm 4 has a mean or spread"):
        activations.change_activations(network, change, drawn(), SMALL, "grid")


def test_a_saved_network_is_opened_as_it_was(package: MakePackage, tmp_path: Path) -> None:
    source, images = package(), drawn(16, SIDE)
    network = activations.open_network(source)
    change = ActivationChange.of(("activations 2 of 8",))
    activations.change_activations(network, change, images, SIDE, "grid")
    (tmp_path / "made").mkdir()
    activations.save_network(network, tmp_path / "made" / "model.pt")
    again = activations.open_network(
        DetectorPackage(
            tmp_path / "made",
            DetectorPackage.create(tmp_path / "made", changed_spec(source)).spec,
        )
    )
    batch = torch.from_numpy(np.concatenate(list(images)))[:2]
    with torch.no_grad():
        torch.testing.assert_close(again(batch)[0], network(batch)[0])
    assert sum(isinstance(module, nn.Hardswish) for module in again.modules()) == 4


def changed_spec(source: DetectorPackage) -> Any:
    from dataclasses import replace

    return replace(source.spec, weights="model.pt", files={})


def test_a_change_of_two_kinds_says_both_and_one_of_before_is_read_as_it_was() -> None:
    two = (("a", "hardswish"), ("b", "relu"), ("c", "relu"))
    assert ActivationChange(two).label == "hardswish in 1 group and relu in 2"
    assert ActivationChange.of("ab").label == "hardswish in 2 groups"
    done = NetworkChange(two, 3, 4, 5, 6, 7)
    assert NetworkChange.from_lineage(done.as_lineage()) == done
    before = NetworkChange.from_lineage({"activations": "relu6", "activation_groups": "a, b"})
    assert before is not None and before.kinds == (("a", "relu6"), ("b", "relu6"))
