"""A quantised OpenVINO network as a PyTorch module, to be trained on and written back.

    calibrated network ── read ──→ TrainableNetwork ── trained ──→ the same network with new
    (float weights behind          (weights, biases and            weights, biases and ranges
    FakeQuantize)                  ranges are parameters)

The module computes what the network computes, from the image to the last convolutions, quantisers
included; the detection tail behind them is float and has nothing to train. Reading the network
that will run, rather than quantising the detector a second time in PyTorch, keeps the quantisers
exactly where the recipe put them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ...contracts.errors import BackendError
from ..quantisation import detection_tail as recipes
from ..quantisation.layer_groups import readers_of
from .tail import replace_output
from .trainable_operations import OPERATIONS, Constants, Function, constant_of, constants_of

QUANTISER = "FakeQuantize"
DECODED = frozenset({"Sigmoid"})
# Weights of a first layer that NNCF keeps to half of their range, for CPUs that add in 16 bits.
HALF_RANGE = 0.51


@dataclass(frozen=True)
class HeadBranch:
    """One of the last convolutions: `node` gives its result, bias added.

    Args:
        scores: class logits; else box distances.
        side: height of its feature map, by which levels are told apart.
    """

    node: str
    scores: bool
    side: int


class Quantiser(nn.Module):  # type: ignore[misc]  # torch has no types
    """A FakeQuantize whose step can be trained; its zero point stays where calibration put it.

    The step is kept as its logarithm: it stays above zero, and an optimiser's steps are relative.
    Gradients are those of the learned step size (Esser et al., "Learned Step Size Quantization",
    2020), computed by PyTorch.

    Args:
        low, high: float32, of one shape: the range of each channel, or of all.
        levels: how many values it tells apart.
        half: weights stay in half of the range.
    """

    def __init__(
        self, low: np.ndarray[Any, Any], high: np.ndarray[Any, Any], levels: int, half: bool = False
    ) -> None:
        super().__init__()
        varying = [axis for axis, length in enumerate(low.shape) if length > 1]
        if len(varying) > 1:
            raise BackendError(f"a range must vary along one axis but has the shape {low.shape}")
        step = (high - low).astype(np.float64).ravel() / (levels - 1)
        if not np.all(np.isfinite(step)) or np.any(step <= 0):
            raise BackendError("a calibrated range is empty or not finite, so it can't be trained")
        zero = np.clip(np.rint(-low.astype(np.float64).ravel() / step), 0, levels - 1)
        self.shape, self.levels = low.shape, levels
        self.axis = varying[0] if varying else None
        # Counted from the first channel's zero: PyTorch wants 0 to be one of the levels.
        self._zero = int(zero[0])
        self.low_level, self.high_level = -self._zero, levels - 1 - self._zero
        if half:
            self.low_level, self.high_level = -(levels // 4), levels // 4
        self.log_step = nn.Parameter(torch.from_numpy(np.log(step)).float())
        self.offset: torch.Tensor
        self.register_buffer("offset", torch.from_numpy(zero - self._zero).float())

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        step = self.log_step.exp()
        if self.axis is None:
            quantised = torch._fake_quantize_learnable_per_tensor_affine(
                values, step, self.offset, self.low_level, self.high_level, 1.0
            )
        else:
            quantised = torch._fake_quantize_learnable_per_channel_affine(
                values, step, self.offset, self.axis, self.low_level, self.high_level, 1.0
            )
        return quantised

    def range(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Low and high, float32, shaped as they were read; zero is one of the levels."""
        step = self.log_step.detach().exp().double().cpu().numpy()
        zero = self.offset.double().cpu().numpy() + self._zero
        low, high = -zero * step, (self.levels - 1 - zero) * step
        return (
            low.astype(np.float32).reshape(self.shape),
            high.astype(np.float32).reshape(self.shape),
        )


class TrainableNetwork(nn.Module):  # type: ignore[misc]  # torch has no types
    """A quantised network up to its last convolutions.

    Args:
        model: openvino.Model with float weights behind FakeQuantize; it is not changed.

    Raises:
        BackendError: an operation that is not known here; no convolutional detector.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._model = model
        nodes = {node.get_friendly_name(): node for node in model.get_ordered_ops()}
        graph = recipes.graph_of_openvino(model)
        self.branches = _branches(graph, nodes)
        self._nodes = _needed(nodes, [branch.node for branch in self.branches])
        self._trained = _trained_constants(self._nodes)
        self._input = model.inputs[0].get_node().get_friendly_name()
        self._place = {name: str(index) for index, name in enumerate(self._nodes)}
        self._constants = Constants(self._nodes, self._trained)
        self.weights = nn.ParameterDict()
        self.quantisers = nn.ModuleDict()
        self._steps: list[tuple[str, Function, tuple[tuple[str, int], ...]]] = []
        unknown = {
            node.get_type_name()
            for node in self._nodes.values()
            if node.get_type_name() not in OPERATIONS.keys() | {QUANTISER, "Constant", "Parameter"}
        }
        if unknown:
            raise BackendError(
                f"quantisation-aware training does not know the operations {sorted(unknown)} of "
                "this network; use method 'static', or a search without allow_qat"
            )
        for name, node in self._nodes.items():
            self._read(name, node)

    def _read(self, name: str, node: Any) -> None:
        kind, place = node.get_type_name(), self._place[name]
        if name in self._trained:
            values = torch.from_numpy(np.array(constant_of(node), dtype=np.float32))
            self.weights[place] = nn.Parameter(values)
        elif kind == QUANTISER:
            self.quantisers[place] = self._quantiser(node)
            self._steps.append((name, self.quantisers[place], _sources(node)[:1]))
        elif kind in OPERATIONS:
            self._steps.append((name, OPERATIONS[kind](node), _sources(node)))

    def _quantiser(self, node: Any) -> Quantiser:
        low, high, low_out, high_out = constants_of(node, (1, 2, 3, 4))
        if not (np.array_equal(low, low_out) and np.array_equal(high, high_out)):
            raise BackendError(f"{node.get_friendly_name()} scales what it quantises; it must not")
        source = node.input_value(0).get_node()
        half = False
        if source.get_type_name() == "Constant":
            half = bool(np.all(np.abs(constant_of(source)) <= HALF_RANGE * np.abs(low)))
        return Quantiser(low, high, int(node.get_attributes()["levels"]), half)

    def forward(self, images: torch.Tensor) -> dict[str, Any]:
        """Raw predictions, as Ultralytics' losses take them.

        Args:
            images: float32, N×3×S×S, RGB in 0…1.

        Returns:
            'boxes' N×(4·reg_max)×A and 'scores' N×classes×A (logits) over all levels, fine to
            coarse; 'feats', one tensor per level, of which only the shape counts.
        """
        values: dict[str, Any] = {name: self.weights[self._place[name]] for name in self._trained}
        values |= {self._input: images, **self._constants.on(images.device)}
        for name, operation, sources in self._steps:
            values[name] = operation(*(_pick(values, source) for source in sources))
        parts = {
            scores: [values[b.node] for b in self.branches if b.scores is scores]
            for scores in (False, True)
        }
        joined = {key: torch.cat([p.flatten(2) for p in each], 2) for key, each in parts.items()}
        return {"boxes": joined[False], "scores": joined[True], "feats": parts[True]}

    def ranges(self) -> list[torch.Tensor]:
        """The parameters that are quantisers' steps, as logarithms."""
        return [quantiser.log_step for quantiser in self.quantisers.values()]

    def require_finite(self) -> None:
        """Raises BackendError where training left a weight or range that is no number."""
        bad = sum(not bool(torch.isfinite(p).all()) for p in self.parameters())
        if bad:
            raise BackendError(
                f"training left {bad} weights or ranges that are not finite; nothing is kept. "
                "Lower quantization.qat.learning_rate"
            )

    def to_openvino(self) -> Any:
        """The network it was read from with what was trained: a new openvino.Model.

        Raises:
            BackendError: a weight or range is not finite.
        """
        from openvino import opset13 as operations

        self.require_finite()
        model = self._model.clone()
        for node in model.get_ordered_ops():
            name = node.get_friendly_name()
            place = self._place.get(name, "")
            if place in self.weights:
                values = self.weights[place].detach().cpu().numpy()
                replace_output(node, operations.constant(values))
            elif place in self.quantisers:
                low, high = self.quantisers[place].range()
                for port, values in enumerate((low, high, low, high), 1):
                    new = operations.constant(values)
                    node.input(port).replace_source_output(new.output(0))
        model.validate_nodes_and_infer_types()
        return model


def _pick(values: Mapping[str, Any], source: tuple[str, int]) -> Any:
    value = values[source[0]]
    return value[source[1]] if isinstance(value, (tuple, list)) else value


def _sources(node: Any) -> tuple[tuple[str, int], ...]:
    """Names of what feeds a node, each with the output it takes."""
    found = (node.input_value(index) for index in range(node.get_input_size()))
    return tuple((value.get_node().get_friendly_name(), value.get_index()) for value in found)


def _needed(nodes: Mapping[str, Any], ends: Sequence[str]) -> dict[str, Any]:
    """The nodes that the ends are computed from, in order; ranges are the quantisers' own."""
    needed: set[str] = set()
    waiting = list(ends)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            sources = _sources(nodes[name])
            if nodes[name].get_type_name() == QUANTISER:
                sources = sources[:1]
            waiting.extend(source for source, _ in sources)
    return {name: node for name, node in nodes.items() if name in needed}


def _trained_constants(nodes: Mapping[str, Any]) -> frozenset[str]:
    """Weights of convolutions, and what is added to their results."""
    trained: set[str] = set()
    for node in nodes.values():
        kind = node.get_type_name()
        if kind in recipes.CONVOLUTIONS:
            weights = node.input_value(1).get_node()
            while weights.get_type_name() in recipes.REARRANGEMENTS | {QUANTISER}:
                weights = weights.input_value(0).get_node()
            if weights.get_type_name() == "Constant":
                trained.add(weights.get_friendly_name())
        elif kind == "Add":
            first, second = (node.input_value(port).get_node() for port in (0, 1))
            if first.get_type_name() in recipes.CONVOLUTIONS and (
                second.get_type_name() == "Constant"
            ):
                trained.add(second.get_friendly_name())
    return frozenset(trained)


def _branches(graph: recipes.Graph, nodes: Mapping[str, Any]) -> tuple[HeadBranch, ...]:
    """The last convolutions, fine levels first: scores where a sigmoid is what they go to."""
    readers, found = readers_of(graph), []
    for name in recipes.last_convolutions(graph):
        end = name
        after = readers[name]
        if len(after) == 1 and graph.operations[after[0]].kind == "Add":
            end = after[0]
        side = int(nodes[end].get_output_partial_shape(0)[2].get_length())
        found.append(HeadBranch(end, _goes_to(graph, readers, end) <= DECODED, side))
    found.sort(key=lambda branch: -branch.side)
    boxes, scores = ([b.side for b in found if b.scores is wanted] for wanted in (False, True))
    if not boxes or boxes != scores or len(set(boxes)) != len(boxes):
        raise BackendError(
            "the detection head must have one convolution for boxes and one for class scores at "
            f"every level, but boxes come at sides {boxes} and scores at {scores}; use method "
            "'static'"
        )
    return tuple(found)


def _goes_to(
    graph: recipes.Graph, readers: Mapping[str, Sequence[str]], start: str
) -> frozenset[str]:
    """Kinds of the first operations that do more with its values than move them about."""
    moving = recipes.REARRANGEMENTS | {"Concat", "Split", "VariadicSplit"}
    kinds, seen, waiting = set(), set(), list(readers[start])
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        kind = graph.operations[name].kind
        if kind in moving:
            waiting.extend(readers[name])
        elif kind not in recipes.SHAPE_READERS:
            kinds.add(kind)
    return frozenset(kinds)
