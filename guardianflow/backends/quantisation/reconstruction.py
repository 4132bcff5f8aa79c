"""Fits convolutions anew after activations were changed, so that layers give what they gave.

    original network ──► what each convolution gave, in random places of some images
    changed network  ──► front to back, all images at once: solve a layer, compute it, go on

HardSwish is not SiLU, and what differs adds up from layer to layer. For each layer,

- its values are scaled and shifted, channel by channel, to where the new activation is most like
  the old one: a · hardswish(k·x + c) + b ≈ silu(x), a third of the error of hardswish(x). Those who
  read the layer undo a and b, as far as they can (see layer_trace);
- weights and bias are solved by least squares, from what it is given now to what it gave then, so
  that errors of the layers before are made up for as far as they are linear;
- steps of Gauss and Newton go on with what is left behind the activation, where it counts.

Nothing is trained and no label is read. Some images are in no equation: they say how much a layer's
weights may move and when its steps end. Others take no part at all, and the whole is kept only if
the network answers more like the original on those, for sure, than before.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ...contracts.errors import BackendError
from ..exporting import foreign_errors
from . import confirmation, layer_fit
from .calibration import batches, spread
from .layer_trace import Layer, layers_of
from .output_error import output_error

if TYPE_CHECKING:
    import torch

LOGGER = logging.getLogger(__name__)
MOST_PIXELS = 64 * 640 * 640
"""Of all images together: they pass the changed network at once, which takes about 4 GB."""
LEAST_IMAGES = 24
CONFIRM_EVERY = 6
"""Of the images, one in so many confirms the gain, and has no part in anything else."""
JUDGE_EVERY = 5
"""Of the others, one in so many is in no equation and chooses among a layer's solutions."""
SPOTS = 256
"""Places of each image where a layer's values are looked at."""
LEAST_SCALE = 1e-6
SEED = 42
SETTINGS = (
    *(MOST_PIXELS, LEAST_IMAGES, CONFIRM_EVERY, JUDGE_EVERY, SPOTS, LEAST_SCALE, SEED),
    *(confirmation.SURE, *layer_fit.SETTINGS),
)
"""What a result hangs on, beside the networks and the images."""


@dataclass(eq=False)
class _Layer:
    """A layer of the changed network and of the original, and what that gave there.

    Args:
        spots: images × places, of the original's output seen as one row.
        given: images × channels × places: what its norm gave, or the convolution without one.
    """

    now: Layer
    then: Layer
    spots: list[Any] = field(default_factory=list)
    given: list[torch.Tensor] = field(default_factory=list)


def reconstruct(
    network: torch.nn.Module, original: torch.nn.Module, images: Sequence[Any], form: str
) -> int:
    """Fit the layers of a changed network where they are; how many were fitted.

    Args:
        network: with other activations; both in eval mode, with modules of the same names.
        original: as it was trained.
        images: uint8 S×S×3, RGB, letterboxed, of the train split.
        form: of the network's output, 'grid' or 'end_to_end', as DetectorSpec.output says.

    Returns:
        0 where there are fewer than 24 images, or where those that took no part don't confirm a
        gain; then the network is as it was given.

    Raises:
        BackendError: weights that are not finite, or what torch raised.
    """
    import torch

    if len(images) < LEAST_IMAGES:
        LOGGER.info("weights stay: %d images, fitting needs %d", len(images), LEAST_IMAGES)
        return 0
    confirming = images[::CONFIRM_EVERY]
    others = [each for i, each in enumerate(images) if i % CONFIRM_EVERY]
    used = spread(others, max(1, MOST_PIXELS // others[0].shape[0] ** 2))
    wanted, before = answers(original, confirming), copy.deepcopy(network.state_dict())
    errors = _errors(wanted, answers(network, confirming), form)
    judging = torch.arange(len(used)) % JUDGE_EVERY == 0
    with foreign_errors("fitting layers to what they gave before"), torch.no_grad():
        layers = _seen(network, original, used)
        with ExitStack() as hooks:
            for layer in layers:
                fit = _Fit(layer, judging)
                hooks.enter_context(layer.now.convolution.register_forward_hook(fit))
            network(torch.cat(list(batches(used))))
    require_finite(network.state_dict(), "fitting layers anew")
    after = _errors(wanted, answers(network, confirming), form)
    if confirmation.confirms(errors, after, [str(number) for number in range(len(after))]):
        return len(layers)
    LOGGER.info(
        "weights stay: on %d images that took no part the error was %.4f before and %.4f fitted",
        len(after), np.mean(errors), np.mean(after),
    )  # fmt: skip
    network.load_state_dict(before)
    return 0


def require_finite(values: Mapping[str, torch.Tensor], done: str) -> None:
    """Raises BackendError where what was done left a network with a value that is not finite."""
    for name, value in values.items():
        if not value.isfinite().all():
            raise BackendError(
                f"{done} left {name} with values that are not finite; nothing was kept"
            )


def _errors(wanted: Any, given: Any, form: str) -> list[float]:
    pairs = zip(wanted, given, strict=True)
    return [output_error(right[None], answer[None], form) for right, answer in pairs]


def answers(network: torch.nn.Module, images: Sequence[Any]) -> Any:
    """Raw outputs of a network, float32, a row for each image; uint8 S×S×3, RGB, letterboxed."""
    import torch

    with torch.no_grad(), foreign_errors("running the network"):
        given = [network(part) for part in batches(images)]
    return torch.cat([each[0] if isinstance(each, tuple) else each for each in given]).numpy()


def _seen(
    network: torch.nn.Module, original: torch.nn.Module, images: Sequence[Any]
) -> list[_Layer]:
    """The layers from the first changed activation on, with what the original gave in each."""
    side = images[0].shape[0]
    classes = tuple(_functions())
    then = {layer.name: layer for layer in layers_of(original, side, classes)}
    found = [
        _Layer(layer, then[layer.name])
        for layer in layers_of(network, side, classes)
        if layer.name in then
    ]
    changed = [type(each.now.activation) is not type(each.then.activation) for each in found]
    found = found[changed.index(True) :] if True in changed else []
    random = np.random.default_rng(SEED)
    with ExitStack() as hooks:
        for each in found:
            module = each.then.norm or each.then.convolution
            hooks.enter_context(module.register_forward_hook(partial(_note, each, random)))
        for part in batches(images):
            original(part)
    return found


def _functions() -> Mapping[type[torch.nn.Module], layer_fit.Activation]:
    import torch

    return {
        torch.nn.SiLU: torch.nn.functional.silu,
        torch.nn.Hardswish: torch.nn.functional.hardswish,
        torch.nn.ReLU: torch.nn.functional.relu,
        torch.nn.ReLU6: torch.nn.functional.relu6,
    }


def _activations(layer: _Layer) -> layer_fit.Activations | None:
    old, new = (_functions().get(type(each.activation)) for each in (layer.then, layer.now))
    return None if old is None or new is None else layer_fit.Activations(old, new)


def _note(
    layer: _Layer, random: np.random.Generator, _: Any, __: Any, output: torch.Tensor
) -> None:
    import torch

    whole = output.shape[2] * output.shape[3]
    spots = np.stack(
        [random.choice(whole, min(SPOTS, whole), replace=False) for _ in range(len(output))]
    )
    layer.spots.append(spots)
    index = torch.from_numpy(spots)[:, None].expand(-1, output.shape[1], -1)
    layer.given.append(output.flatten(2).gather(2, index))


class _Fit:
    """Solves a layer when the changed network comes to it, and gives on what it gives then."""

    def __init__(self, layer: _Layer, judging: torch.Tensor) -> None:
        self._layer, self._judging = layer, judging

    def __call__(
        self, convolution: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor
    ) -> torch.Tensor:
        import torch

        layer, groups = self._layer.now, convolution.groups
        spots = np.concatenate(self._layer.spots)
        patches = _patches(convolution, inputs[0], spots, output.shape[3])
        given = torch.cat(self._layer.given).transpose(1, 2)
        self._layer.given.clear()  # values of hundreds of layers would fill the memory

        def rows(values: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
            """Images × places × columns → groups × rows × columns of a group."""
            few = values[wanted].flatten(0, 1)
            return few.reshape(len(few), groups, -1).transpose(0, 1).contiguous()

        scale, shift = _of_norm(layer)
        weights = (convolution.weight * scale[:, None, None, None]).reshape(
            groups, convolution.out_channels // groups, -1
        )
        fitted, judged = ~self._judging, self._judging
        found = layer_fit.solve(
            layer_fit.Line(weights, shift.reshape(groups, 1, -1)),
            layer_fit.Rows(rows(patches, fitted), rows(given, fitted)),
            layer_fit.Rows(rows(patches, judged), rows(given, judged)),
            _activations(self._layer),
            layer.freedom,
        )
        _write(layer, found, scale)
        again: torch.Tensor = convolution.forward(inputs[0])  # calls no hook, this one neither
        return again


def _patches(convolution: Any, inputs: torch.Tensor, spots: Any, columns: int) -> torch.Tensor:
    """What the convolution sees in some places: images × places × (channels · kernel)."""
    import torch
    from torch.nn import functional

    (down, across), (high, wide) = convolution.padding, convolution.kernel_size
    (step_down, step_across), (apart_down, apart_across) = convolution.stride, convolution.dilation
    padded = functional.pad(inputs, (across, across, down, down))
    top = torch.from_numpy(spots // columns) * step_down
    left = torch.from_numpy(spots % columns) * step_across
    image = torch.arange(len(inputs))[:, None]
    parts = [
        padded[image, :, top + row * apart_down, left + column * apart_across]
        for row in range(high)
        for column in range(wide)
    ]
    return torch.stack(parts, -1).flatten(2)


def _of_norm(layer: Layer) -> tuple[torch.Tensor, torch.Tensor]:
    """What a norm makes of its convolution's weights and of 0: a factor and a bias a channel."""
    import torch

    norm: Any = layer.norm
    if norm is None:
        bias: Any = layer.convolution.bias
        return torch.ones_like(bias), bias
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    at_zero = 0 if layer.convolution.bias is None else layer.convolution.bias
    return scale, norm.bias + (at_zero - norm.running_mean) * scale


def _write(layer: Layer, line: layer_fit.Line, scale: torch.Tensor) -> None:
    """Put a line's numbers into the convolution and its norm, whose statistics stay."""
    convolution, norm = layer.convolution, layer.norm
    dead = scale.abs() < LEAST_SCALE  # such a norm lets nothing through, whatever the weights are
    weights = line.weights.reshape(convolution.weight.shape)
    divided = weights / scale.masked_fill(dead, 1.0)[:, None, None, None]
    kept = dead[:, None, None, None]
    convolution.weight.copy_(divided.where(~kept, convolution.weight))
    bias: Any = convolution.bias if norm is None else norm.bias
    _, at_zero = _of_norm(layer)
    bias.add_(line.bias.flatten() - at_zero)
