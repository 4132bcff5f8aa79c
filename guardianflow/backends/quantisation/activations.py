"""Cheaper activations in a detector's float network, batch norms measured anew behind them.

    SiLU        x · sigmoid(x)
    HardSwish   x · clip(x / 6 + 1/2, 0, 1)     no exponential: fused into an 8-bit convolution
    ReLU        max(x, 0)                       for nothing: the convolution's own rounding does it
    ReLU6       clip(x, 0, 6)

Once convolutions are 8-bit, SiLU is what costs. HardSwish is close to it, but not equal: values
shift layer by layer, and batch norms, whose statistics are those of the old activations, no longer
bring them to mean 0 and spread 1. So the statistics are measured anew on images, front to back in
one pass, and then weights are fitted to what the layers gave before (see reconstruction). What is
in front of the first change stays as it was.

All SiLU of an Ultralytics network are one and the same module, so each layer is given its own.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...contracts.errors import BackendError, ConfigurationError
from ...contracts.quantisation import (
    LEAST_IMAGES,
    ActivationChange,
    ActivationGroup,
    NetworkChange,
)
from ...contracts.results import DetectorPackage
from ..exporting import foreign_errors
from ..weights import checkpoints, ultralytics_models
from .calibration import CalibrationImages, batches
from .reconstruction import reconstruct

if TYPE_CHECKING:
    import torch

PARTS = 8
MOST_IMAGES = 96
CLASSES = {"hardswish": "Hardswish", "relu": "ReLU", "relu6": "ReLU6"}
"""Our name of an activation → its class in torch.nn."""


@dataclass(frozen=True, eq=False)
class Step:
    """A SiLU or a batch norm, where the network's execution meets it first.

    Args:
        owner: the module that has it under `name`.
        place: its name in the whole network, 'model.0.act'.
        values: how many numbers a SiLU works off on one image; 0 for a batch norm.
    """

    owner: torch.nn.Module
    name: str
    place: str
    values: int

    @property
    def module(self) -> Any:
        return getattr(self.owner, self.name)


def open_network(source: DetectorPackage) -> torch.nn.Module:
    """A PyTorch package's network, float32, with the head that the package names and no other."""
    spec = source.spec
    model: Any = ultralytics_models.load_detector(
        source.weights_path, checkpoints.accepted_by(spec)
    )
    if ultralytics_models.is_end_to_end(model):
        model.end2end = spec.output == "end_to_end"
        model.model[-1].fuse()  # takes the other head away, as an export does
    network: torch.nn.Module = model.eval()
    return network


def steps_of(model: torch.nn.Module, side: int) -> list[Step]:
    """Every SiLU and batch norm that the network executes on an image, in order of execution.

    Afterwards no two layers share a SiLU.
    """
    import torch

    places = [
        Step(owner, name, f"{path}.{name}" if path else name, 0)
        for path, owner in model.named_modules()
        for name, child in owner._modules.items()
        if type(child) is torch.nn.SiLU
        or (isinstance(child, torch.nn.BatchNorm2d) and child.running_mean is not None)
    ]
    met = Counter[Step]()

    def note(step: Step, module: torch.nn.Module, _: Any, output: torch.Tensor) -> None:
        met[step] += output[0].numel() if isinstance(module, torch.nn.SiLU) else 0

    with ExitStack() as hooks, torch.no_grad():
        for step in places:
            if type(step.module) is torch.nn.SiLU:
                setattr(step.owner, step.name, torch.nn.SiLU(step.module.inplace))
            hooks.enter_context(step.module.register_forward_hook(partial(note, step)))
        model(torch.zeros(1, 3, side, side))
    return [replace(step, values=values) for step, values in met.items()]


def activation_groups(steps: Iterable[Step]) -> tuple[ActivationGroup, ...]:
    """Cut the SiLU, in order of execution, into parts that work off about as many numbers.

    There are PARTS of them, fewer where there are fewer SiLU.

    Args:
        steps: as `steps_of` gives them.
    """
    activations = [step for step in steps if step.values]
    whole, done = sum(step.values for step in activations), 0
    members: dict[int, list[str]] = {}
    for step in activations:
        members.setdefault((done + step.values // 2) * PARTS // whole, []).append(step.place)
        done += step.values
    return tuple(
        ActivationGroup(f"activations {number} of {len(members)}", tuple(places))
        for number, places in enumerate(members.values(), 1)
    )


def change_activations(
    model: torch.nn.Module,
    change: ActivationChange,
    images: CalibrationImages,
    side: int,
    form: str,
) -> NetworkChange:
    """Change a network where it is: its activations, its batch norms' statistics, its weights.

    Args:
        change: whose groups are those of `activation_groups`.
        images: letterboxed images of the train split; up to 96 are used, spread evenly.
        form: of its output, as DetectorSpec.output says.

    Raises:
        ConfigurationError: too few images, or an unknown kind.
        BackendError: no batch norm to measure, or a statistic that is not finite.
    """
    require_images(len(images))
    for _, kind in change.kinds:
        if kind not in CLASSES:
            raise ConfigurationError(
                f"an activation must be one of {', '.join(CLASSES)} but is '{kind}'"
            )
    chosen = images.few(MOST_IMAGES)
    norms_put_in = put_norms_in(model, chosen)
    original = copy.deepcopy(model)
    steps, wanted = put_in(model, change, side)
    first = next((index for index, step in enumerate(steps) if step.place in wanted), len(steps))
    norms = [step for step in steps[first:] if not step.values]
    if not norms:
        raise BackendError(
            "the network has no batch norm behind the activations that are changed, so the shift "
            "that they bring can't be taken back; leave its activations as they are"
        )
    _measure(model, norms, chosen)
    return NetworkChange(
        change.kinds,
        changed=len(wanted),
        in_all=sum(bool(step.values) for step in steps),
        measured=len(norms),
        norms=sum(not step.values for step in steps),
        images=len(chosen),
        put_in=norms_put_in,
        fitted=reconstruct(model, original, chosen, form),
    )


def put_in(
    model: torch.nn.Module, change: ActivationChange, side: int
) -> tuple[list[Step], frozenset[str]]:
    """Put other activations into a network and leave its batch norms as they are.

    Returns:
        What it executes, in order; places of the activations that were changed.
    """
    import torch

    steps = steps_of(model, side)
    kinds = dict(change.kinds)
    wanted = {
        place: kinds[group.name]
        for group in activation_groups(steps)
        if group.name in kinds
        for place in group.places
    }
    for step in steps:
        if step.place in wanted:
            made = getattr(torch.nn, CLASSES[wanted[step.place]])(inplace=step.module.inplace)
            setattr(step.owner, step.name, made)
    return steps, frozenset(wanted)


def save_network(model: torch.nn.Module, file: Path) -> None:
    """Write a checkpoint that `ultralytics_models.load_detector` opens."""
    import torch

    size = ultralytics_models.trained_size(model)
    arguments = {} if size is None else {"imgsz": size}
    with foreign_errors("saving the network with other activations"):
        torch.save({"model": model, "train_args": arguments}, file)


def require_images(count: int) -> None:
    """Raises ConfigurationError where batch norms can't be measured on so few images."""
    if count < LEAST_IMAGES:
        raise ConfigurationError(
            f"changing activations measures batch norms anew, on {LEAST_IMAGES} train images at "
            f"least, but there are {count}; raise quantization.calibration_size or take more "
            "images into the train split, or leave quantization.search.allow_activations out"
        )


def _measure(model: torch.nn.Module, norms: Sequence[Step], images: Sequence[Any]) -> None:
    """Measure the inputs of batch norms; each sees what those before it make of a batch."""
    import torch

    before = {step.place: step.module.momentum for step in norms}
    for step in norms:
        step.module.reset_running_stats()
        step.module.momentum = None  # the plain mean over batches
        step.module.train()
    with torch.no_grad(), foreign_errors("measuring batch norms"):
        for batch in batches(images):
            model(batch)
    model.eval()
    for step in norms:
        norm = step.module
        norm.momentum = before[step.place]
        if not (norm.running_mean.isfinite().all() and norm.running_var.isfinite().all()):
            raise BackendError(
                f"the batch norm {step.place} has a mean or spread that is not finite with the "
                "changed activations; leave the activations of its group as they are"
            )


def put_norms_in(model: torch.nn.Module, images: Sequence[Any]) -> int:
    """Give the layers of a fused network their batch norms back; how many.

    A fused convolution has mean and spread of its output in its weights. Here they are read off
    its outputs on the images, and a batch norm is put behind it that changes nothing yet.
    """
    import torch
    from ultralytics.nn.modules import Conv

    layers = [m for m in model.modules() if isinstance(m, Conv) and not hasattr(m, "bn")]
    if not layers:
        return 0
    found = _moments(model, layers, images)
    for layer, (count, total, squares) in found.items():
        norm = torch.nn.BatchNorm2d(layer.conv.out_channels, eps=1e-3, momentum=0.03)
        mean = total / count
        variance = (squares / count - mean * mean).clamp_min(0)
        norm.running_mean, norm.running_var = mean.float(), variance.float()
        with torch.no_grad():
            norm.weight.copy_((norm.running_var + norm.eps).sqrt())
            norm.bias.copy_(norm.running_mean)
        layer.bn = norm.eval()
        layer.__dict__.pop("forward", None)  # what fusing had put there
    return len(found)


def _moments(
    model: torch.nn.Module, layers: Sequence[Any], images: Sequence[Any]
) -> Mapping[Any, tuple[int, Any, Any]]:
    """Layer → how many values each channel of its convolution gave, their sum, and of squares."""
    import torch

    found: dict[Any, tuple[int, Any, Any]] = {}

    def note(layer: Any, _: Any, __: Any, output: torch.Tensor) -> None:
        values = output.double()
        count, total, squares = found.get(layer, (0, 0.0, 0.0))
        found[layer] = (
            count + values[:, 0].numel(),
            total + values.sum((0, 2, 3)),
            squares + (values * values).sum((0, 2, 3)),
        )

    with ExitStack() as hooks, torch.no_grad():
        for layer in layers:
            hooks.enter_context(layer.conv.register_forward_hook(partial(note, layer)))
        for batch in batches(images):
            model(batch)
    return found
