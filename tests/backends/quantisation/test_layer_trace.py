"""One pass through a network tells which convolutions may be fitted, and how far they are free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
import torch
from checkpoints import SIDE
from torch import Tensor, nn

from guardianflow.backends.quantisation import activations
from guardianflow.backends.quantisation.layer_trace import Freedom, Layer, layers_of
from guardianflow.contracts.results import DetectorPackage

KINDS = (nn.SiLU, nn.Hardswish, nn.ReLU6)
Forward = Callable[["Drawn", Tensor], Tensor]


class Drawn(nn.Module):
    """A convolution, norm and activation; then what `forward` makes of them; then another."""

    def __init__(self, forward: Forward, last: nn.Module | None = None) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.act = nn.SiLU(inplace=True)
        self.between = nn.Conv2d(4, 4, 1)
        self.last = last or nn.Conv2d(4, 2, 1)
        self._made = forward

    def forward(self, images: Tensor) -> Tensor:
        return self._made(self, self.act(self.norm(self.first(images))))


def found(forward: Forward, last: nn.Module | None = None) -> dict[str, Layer]:
    return {each.name: each for each in layers_of(Drawn(forward, last).eval(), 8, KINDS)}


def half_and_half(net: Drawn, given: Tensor) -> Tensor:
    first, second = given.chunk(2, 1)
    small = nn.functional.max_pool2d(torch.cat([second, first], 1), 2)
    out: Tensor = net.last(nn.functional.interpolate(small, scale_factor=2.0))
    return out


@pytest.mark.parametrize(
    ("forward", "freedom"),
    [
        (lambda net, given: net.last(given), Freedom.SCALED),
        (half_and_half, Freedom.SCALED),
        (lambda net, given: net.last(given + net.between(given)), Freedom.SHIFTED),
        (lambda net, given: net.last(given * 2), Freedom.NONE),
        (lambda net, given: net.last(given * net.between(given).sigmoid()), Freedom.NONE),
        (lambda net, given: net.last(given.softmax(1)), Freedom.NONE),
        (lambda net, given: given + net.last(given).sum(), Freedom.NONE),
        (lambda net, given: torch.cat([given, net.last(given)], 1), Freedom.NONE),
    ],
)
def test_values_are_free_as_far_as_those_who_read_them_can_undo_it(
    forward: Forward, freedom: Freedom
) -> None:
    assert found(forward)["first"].freedom is freedom


def test_a_shape_that_is_read_binds_nothing() -> None:
    def forward(net: Drawn, given: Tensor) -> Tensor:
        out: Tensor = net.last(given) + given.new_full((1, 2, 1, 1), 0.5)
        return out

    assert found(forward)["first"].freedom is Freedom.SCALED


@pytest.mark.parametrize(
    "last",
    [
        nn.Conv2d(4, 2, 1, bias=False),  # no place for a bias
        nn.Conv2d(4, 2, 3, padding=1, padding_mode="reflect"),
        nn.ConvTranspose2d(4, 2, 2),
        nn.Conv2d(4, 1, 1, bias=False),  # as the numbers 0, 1, 2 … of a distribution
    ],
)
def test_what_is_not_fitted_undoes_nothing(last: nn.Module) -> None:
    layers = found(lambda net, given: net.last(given), last)
    assert list(layers) == ["first"]
    assert layers["first"].freedom is Freedom.NONE


def test_a_convolution_that_is_passed_twice_is_left_alone() -> None:
    layers = found(lambda net, given: net.last(net.between(net.between(given))))
    assert list(layers) == ["first", "last"]
    assert layers["first"].freedom is Freedom.NONE


def test_a_layer_knows_its_norm_and_its_activation() -> None:
    layers = found(lambda net, given: net.last(torch.relu(net.between(given))))
    first = layers["first"]
    assert isinstance(first.norm, nn.BatchNorm2d) and isinstance(first.activation, nn.SiLU)
    assert (layers["last"].norm, layers["last"].activation) == (None, None)
    assert layers["between"].activation is None  # a function, and of no class that counts


@pytest.mark.parametrize("name", ["yolo11n", "yolov8n", "yolo26n"])
def test_every_convolution_of_a_detector_but_its_distribution_is_found(
    package: Callable[..., DetectorPackage], name: str
) -> None:
    network = activations.open_network(package(name))
    layers = layers_of(network, SIDE, KINDS)
    modules = {name for name, each in network.named_modules() if isinstance(each, nn.Conv2d)}
    assert {each.name for each in layers} == {each for each in modules if ".dfl" not in each}
    active = [each for each in layers if each.activation is not None]
    assert all(each.norm is not None for each in active)
    assert not [each.name for each in active if each.freedom is Freedom.NONE]
    freedoms = Counter(each.freedom for each in active)
    assert freedoms[Freedom.SCALED] > freedoms[Freedom.SHIFTED] > 0
