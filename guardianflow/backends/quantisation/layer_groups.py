"""Parts of a network that are quantised or left float together, read off its graph's structure.

    image ─ part 1 ─ part 2 ─ … ─┬─ attention ─┬─ … ─ part 8 ─┬─ heads ─┐
                                 └─────────────┘              └─ heads ─┴─ detection tail

The detection tail is float in every recipe and in no group. No name or number of an architecture
appears here:

- attention: products of two activations, softmaxes, and the convolutions that do nothing but feed
  or read them.
- heads: from each of the last convolutions back, as far as all values go into that branch alone.
- parts: what is left, backbone and neck, cut in the graph's order into equal numbers of
  convolutions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...contracts.errors import BackendError, ConfigurationError
from ...contracts.quantisation import LayerGroup
from . import detection_tail as recipes
from .detection_tail import CONVOLUTIONS, REARRANGEMENTS, SHAPE_READERS, SOFTMAXES, Graph, Operation

ATTENTION, HEADS = "attention", "heads"
PARTS = 8

SPLITS = frozenset({"Split", "VariadicSplit", "Slice", "StridedSlice", "Gather"})
PRODUCTS = frozenset({"MatMul"})
SCALINGS = frozenset({"Mul", "Multiply", "Div", "Divide"})
SUMS = frozenset({"Add"})
MERGES = frozenset({"Concat"})
# Attention hands values on through these: they change neither what is mixed nor how.
PASSING = REARRANGEMENTS | SPLITS | SUMS | SCALINGS
ACTIVATIONS = frozenset({"Sigmoid", "Swish", "HSwish", "HardSwish", "HardSigmoid", "Mish", "Gelu"})
# What some quantiser gives a scale of its own. Rearrangements take over their neighbours'.
QUANTISABLE = (
    CONVOLUTIONS
    | SOFTMAXES
    | PRODUCTS
    | SCALINGS
    | SUMS
    | MERGES
    | ACTIVATIONS
    | frozenset({"Gemm", "Sub", "Subtract", "MaxPool", "AveragePool", "AvgPool", "ReduceMean"})
    | frozenset({"GlobalAveragePool", "Resize", "Interpolate", "Split", "VariadicSplit"})
)


def layer_groups(graph: Graph, parts: int = PARTS) -> tuple[LayerGroup, ...]:
    """Divide a detector's quantisable operations, the detection tail left out.

    Args:
        graph: a detector's, float.
        parts: into how many backbone and neck are cut; fewer where they have fewer convolutions.

    Returns:
        The groups in the order in which the graph first meets them; none is empty. Every
        operation of a kind in QUANTISABLE that is not in the tail is in exactly one.

    Raises:
        ConfigurationError: parts below 1.
        BackendError: the outputs do not come from convolutions.
    """
    if parts < 1:
        raise ConfigurationError(f"parts must be 1 or more but got {parts}")
    tail = frozenset(recipes.detection_tail(graph))
    readers = readers_of(graph)
    attention = _attention(graph, tail)
    heads = _heads(graph, readers, tail | attention)
    order = [
        name
        for name, operation in graph.operations.items()
        if operation.kind in QUANTISABLE and name not in tail
    ]
    place = {
        name: ATTENTION if name in attention else HEADS
        for name in order
        if name in attention | heads
    }
    place |= _segments(graph, [name for name in order if name not in place], parts)
    members: dict[str, list[str]] = {}
    for name in order:
        members.setdefault(place[name], []).append(name)
    return tuple(LayerGroup(group, tuple(names)) for group, names in members.items())


def safely_float(graph: Graph) -> tuple[list[str], tuple[str, ...]]:
    """Nodes that the usual recipe leaves float: the tail; more in a graph of unknown structure.

    Where a pattern is missing, heads and attention stay float as well: what costs accuracy most.
    In a network that is one branch from end to end, its last convolutions stand for the heads.

    Returns:
        Names of the operations in the graph's order, and the patterns that were not found.

    Raises:
        BackendError: nothing would be left to quantise.
    """
    tail = recipes.detection_tail(graph)
    missing = recipes.missing_patterns(graph)
    if not missing:
        return tail, ()
    groups = layer_groups(graph)
    attention = operations_of(groups, (ATTENTION,)) | set(tail)
    convolutions = set(recipes.operations_of_kind(graph, CONVOLUTIONS))
    for ends in (operations_of(groups, (HEADS,)), recipes.last_convolutions(graph)):
        kept = attention.union(ends)
        if convolutions - kept:
            return [name for name in graph.operations if name in kept], missing
    raise BackendError(
        f"a network of unknown structure (not found: {'; '.join(missing)}) of which no layer can "
        "be quantised safely; export it as fp16"
    )


def operations_of(groups: Iterable[LayerGroup], chosen: Iterable[str]) -> frozenset[str]:
    """Names of all operations in the chosen groups."""
    wanted = frozenset(chosen)
    return frozenset(name for group in groups if group.name in wanted for name in group.operations)


def readers_of(graph: Graph) -> Mapping[str, tuple[str, ...]]:
    """Operation → those that read its values; who reads its shape alone does not count."""
    readers: dict[str, list[str]] = {name: [] for name in graph.operations}
    for name, operation in graph.operations.items():
        if operation.kind not in SHAPE_READERS:
            for source in dict.fromkeys(operation.inputs):
                readers[source].append(name)
    return {name: tuple(found) for name, found in readers.items()}


def _attention(graph: Graph, tail: frozenset[str]) -> frozenset[str]:
    """Attention's products and softmaxes, and all that does nothing but feed or read them.

    From the products the walk goes along and against the values, through what passes them on, as
    far as convolutions. Then what was met against the values must hand them to the rest alone,
    and what was met along them must get them from the rest alone; what does not is dropped, until
    nothing is.
    """
    biases = _biases(graph)
    graph = _without(graph, biases)
    readers = readers_of(graph)
    products = [
        name
        for name, operation in graph.operations.items()
        if name not in tail
        and (
            operation.kind in SOFTMAXES
            or (operation.kind in PRODUCTS and len(set(operation.inputs)) > 1)
        )
    ]
    # operation → the neighbours that must all belong to attention for it to belong there
    partners: dict[str, tuple[str, ...]] = dict.fromkeys(products, ())
    waiting = list(products)
    while waiting:
        name = waiting.pop(0)
        against = [(source, readers[source]) for source in graph.operations[name].inputs]
        along = [(reader, graph.operations[reader].inputs) for reader in readers[name]]
        for met, needed in against + along:
            kind = graph.operations[met].kind
            if met in partners or met in tail or kind not in CONVOLUTIONS | PASSING:
                continue
            partners[met] = needed
            if kind not in CONVOLUTIONS:
                waiting.append(met)
    kept = set(partners)
    dropped: set[str] | None = None
    while dropped is None or dropped:
        convolutions = {name for name in kept if graph.operations[name].kind in CONVOLUTIONS}
        dropped = {
            name
            for name in kept
            if not kept.issuperset(partners[name])
            # two convolutions in a row are layers of their own
            or (name in convolutions and convolutions.intersection(partners[name]))
        }
        kept -= dropped
    return frozenset(kept | {bias for bias, source in biases.items() if source in kept})


def _biases(graph: Graph) -> dict[str, str]:
    """Additions of a constant to a convolution's result → that convolution."""
    readers = readers_of(graph)
    return {
        name: operation.inputs[0]
        for name, operation in graph.operations.items()
        if operation.kind in SUMS
        and len(operation.inputs) == 1
        and graph.operations[operation.inputs[0]].kind in CONVOLUTIONS
        and readers[operation.inputs[0]] == (name,)
    }


def _without(graph: Graph, biases: Mapping[str, str]) -> Graph:
    """The graph as if convolutions added their biases themselves."""
    operations = {
        name: Operation(name, o.kind, tuple(biases.get(i, i) for i in o.inputs))
        for name, o in graph.operations.items()
        if name not in biases
    }
    return Graph(operations, tuple(biases.get(name, name) for name in graph.outputs))


def _heads(
    graph: Graph, readers: Mapping[str, tuple[str, ...]], taken: frozenset[str]
) -> frozenset[str]:
    """The branches that end in the last convolutions, each walked back while it is a branch.

    The walk ends where values go elsewhere too (a branch starts at a feature map that others
    read) and where feature maps are concatenated (that is the neck's work).
    """
    # Backwards in the graph's order: an operation is asked once all its readers have been.
    position = {name: index for index, name in enumerate(graph.operations)}
    heads: set[str] = set()
    for end in recipes.last_convolutions(graph):
        branch = {end}
        waiting = [*graph.operations[end].inputs]
        while waiting:
            waiting.sort(key=position.__getitem__)
            name = waiting.pop()
            if name in branch or name in taken or graph.operations[name].kind in MERGES:
                continue
            if all(reader in branch for reader in readers[name]):
                branch.add(name)
                waiting.extend(graph.operations[name].inputs)
        heads |= branch
    return frozenset(heads - taken)


def _segments(graph: Graph, names: list[str], parts: int) -> dict[str, str]:
    """Operation → 'part i of n'; what is no convolution goes with the one before it."""
    convolutions = sum(graph.operations[name].kind in CONVOLUTIONS for name in names)
    count = max(1, min(parts, convolutions))
    place, met = {}, 0
    for name in names:
        met += graph.operations[name].kind in CONVOLUTIONS
        segment = max(met - 1, 0) * count // max(convolutions, 1)
        place[name] = f"part {segment + 1} of {count}"
    return place
