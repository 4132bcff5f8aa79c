"""Reads off one pass through a float network what stands around each of its convolutions.

    convolution ─ batch norm ─ activation ─┬─ concatenated, split, pooled, enlarged ─ convolution
                                           └─ added to others ─ …

What a convolution gives may be scaled and shifted channel by channel without any change of the
network, as long as those who read it take that back. Convolutions can; a sum of two can't unless
both are scaled alike; a product or a softmax can't at all. So each convolution is told how far its
values go before they meet one of those. No name of a module or an architecture appears here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


class Freedom(Enum):
    """What may be done to a convolution's values, channel by channel, so that readers undo it."""

    SCALED = "scaled and shifted: convolutions alone read them"
    SHIFTED = "shifted: they are added to others"
    NONE = "nothing"


@dataclass(frozen=True, eq=False)
class Layer:
    """A convolution that an image passes once, and what follows it.

    Args:
        name: of the convolution's module in the network.
        norm: the batch norm that reads it; None where none does.
        activation: that reads the norm, or the convolution; None where none of one input and no
            parameter does.
    """

    name: str
    convolution: torch.nn.Conv2d
    norm: torch.nn.BatchNorm2d | None
    activation: torch.nn.Module | None
    freedom: Freedom


# aten's names of operations that give each channel on as it is, or the larger of its values.
_VIEWS = frozenset(
    {"_unsafe_view", "alias", "chunk", "detach", "slice", "split", "split_with_sizes", "unbind"}
)
_COPIES = frozenset({"cat", "clone", "contiguous", "upsample_nearest2d", "view"})
_POOLS = frozenset({"max_pool2d", "max_pool2d_with_indices", "mkldnn_max_pool2d"})
_NORMS = frozenset({"native_batch_norm", "_native_batch_norm_legit_no_training"})
_GIVE_ON = _VIEWS | _COPIES | _POOLS | _NORMS
_ADD = frozenset({"add", "add_"})


def layers_of(
    network: torch.nn.Module, side: int, activations: tuple[type[torch.nn.Module], ...]
) -> list[Layer]:
    """Every convolution whose weights can be fitted, in the order of execution.

    An image passes it exactly once, a bias has a place, and the weights are not the fixed numbers
    that make one number of a distribution.

    Args:
        network: in eval mode.
        side: of the image in pixels.
        activations: the classes that count as one.

    Ultralytics' networks give more than one thing; the first is what a detector is asked for.
    """
    import torch

    modules = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, torch.nn.Conv2d)
    }
    trace = _Trace(modules, activations)
    with torch.no_grad(), trace.watching(network):
        trace.ends_in(network(torch.zeros(1, 3, side, side)))
    return [
        Layer(
            name,
            modules[name],
            trace.norms.get(name),
            trace.activations.get(name),
            trace.freedom(name),
        )
        for name in trace.passed
        if trace.can_be_fitted(name)
    ]


def _storage(tensor: torch.Tensor) -> int:
    address: int = tensor.untyped_storage().data_ptr()
    return address


class _Trace:
    def __init__(
        self,
        modules: Mapping[str, torch.nn.Conv2d],
        activations: tuple[type[torch.nn.Module], ...],
    ) -> None:
        self._modules, self._kinds = modules, activations
        self._names = {id(module): name for name, module in modules.items()}
        self.passed: Counter[str] = Counter()
        self.norms: dict[str, Any] = {}
        self.activations: dict[str, Any] = {}
        self._added: set[str] = set()
        self._fixed: set[str] = set()
        self._current: str = ""
        self._given: dict[int, str] = {}  # a tensor → the layer whose last value it is so far
        self._owners: dict[int, frozenset[str]] = {}  # a storage → convolutions it comes from
        self._read: dict[str, frozenset[str]] = {}  # a convolution → those whose values it reads
        self._alive: list[torch.Tensor] = []  # so that no address is given away twice

    def ends_in(self, output: Any) -> None:
        """Nobody is left to undo anything behind the network's output."""
        from torch.utils._pytree import tree_leaves

        for tensor in tree_leaves(output[0] if isinstance(output, (tuple, list)) else output):
            self._fixed |= self._owners.get(_storage(tensor), frozenset())
        for reader, owners in self._read.items():
            if not self.can_be_fitted(reader):
                self._fixed |= owners

    def can_be_fitted(self, name: str) -> bool:
        convolution = self._modules[name]
        padded = convolution.padding_mode == "zeros" and not isinstance(convolution.padding, str)
        makes_one_number = convolution.out_channels == 1 and convolution.bias is None
        bias = self.norms.get(name, convolution).bias
        return self.passed[name] == 1 and padded and not makes_one_number and bias is not None

    def freedom(self, name: str) -> Freedom:
        if name in self._fixed:
            return Freedom.NONE
        return Freedom.SHIFTED if name in self._added else Freedom.SCALED

    @contextmanager
    def watching(self, network: torch.nn.Module) -> Iterator[None]:
        import torch

        wanted = (torch.nn.Conv2d, torch.nn.BatchNorm2d, *self._kinds)
        module: torch.nn.Module
        with ExitStack() as hooks, _operations(self._operation):
            for module in network.modules():
                if isinstance(module, wanted):
                    hooks.enter_context(module.register_forward_pre_hook(self._enter))
                    hooks.enter_context(module.register_forward_hook(self._leave))
            yield

    def _enter(self, module: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        import torch

        if isinstance(module, torch.nn.Conv2d):
            self._current = self._names[id(module)]
            self.passed[self._current] += 1
            return
        self._current = self._given.pop(id(given[0]), "")
        if self._current:
            is_norm = isinstance(module, torch.nn.BatchNorm2d)
            (self.norms if is_norm else self.activations)[self._current] = module

    def _leave(self, module: torch.nn.Module, _: Any, output: torch.Tensor) -> None:
        import torch

        if self._current and isinstance(module, (torch.nn.Conv2d, torch.nn.BatchNorm2d)):
            self._given[id(output)] = self._current
            self._alive.append(output)
        self._current = ""

    def _operation(self, name: str, given: list[torch.Tensor], made: list[torch.Tensor]) -> None:
        nobody = frozenset[str]()
        if name.startswith("new_") or name.endswith("_like"):
            return  # they read a shape
        owners = nobody.union(*(self._owners.get(_storage(tensor), nobody) for tensor in given))
        convolves = "convolution" in name and self._current != ""
        if convolves:
            self._read[self._current] = self._read.get(self._current, nobody) | owners
            owners = frozenset({self._current})
        elif name in _ADD and len(given) == 2:
            self._added |= owners
        elif name not in _GIVE_ON and not self._is_activation(name):
            self._fixed |= owners
        self._alive += made
        for tensor in made:
            before = nobody if convolves else self._owners.get(_storage(tensor), nobody)
            self._owners[_storage(tensor)] = owners | before

    def _is_activation(self, name: str) -> bool:
        # aten's names begin with those of torch.nn's classes: silu_, hardswish, hardtanh (ReLU6)
        kinds = {each.__name__ for kind in self._kinds for each in kind.__mro__}
        return name.rstrip("_") in {each.lower() for each in kinds}


@contextmanager
def _operations(note: Any) -> Iterator[None]:
    """Call `note` with each of aten's operations: its name, tensors given, tensors made."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Noting(TorchDispatchMode):  # type: ignore[misc]
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            made = func(*args, **(kwargs or {}))
            tensors = [
                [leaf for leaf in tree_leaves(each) if isinstance(leaf, torch.Tensor)]
                for each in ((args, kwargs or {}), made)
            ]
            note(func.__name__.split(".")[0], *tensors)
            return made

    with Noting():
        yield
