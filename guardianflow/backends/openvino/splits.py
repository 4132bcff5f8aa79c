"""Fewer copies around split channels in a quantised OpenVINO graph; the numbers stay bit for bit.

A C2f block splits a convolution's channels in two, works on the second half and joins both halves
with what came of it. With 8-bit channels lying beside each other pixel by pixel, the split copies
all of them, and the join copies them again in small pieces. But both halves together are the
convolution's own output:

    split(x) → a, b;  concat(a, b, f(b))      becomes      concat(x, f(b)),  b = slice(x)

Float graphs are left alone: their channels lie in blocks, and the plugin joins them without copies.
"""

from __future__ import annotations

from typing import Any

from .tail import replace_output

SPLITS = frozenset({"Split", "VariadicSplit"})
CHANNELS = 1


def join_whole(openvino: Any, model: Any) -> int:
    """Rewrite an `openvino.Model` in place.

    Returns:
        How many concatenations were rewritten.
    """
    done = 0
    for node in list(model.get_ordered_ops()):
        if node.get_type_name() == "Concat" and node.get_attributes()["axis"] == CHANNELS:
            done += _join(openvino.opset13, node)
    if done:
        model.validate_nodes_and_infer_types()
    return done


def _join(ops: Any, concat: Any) -> int:
    inputs = [concat.input_value(index) for index in range(concat.get_input_size())]
    split = inputs[0].get_node()
    parts = split.get_output_size()
    if split.get_type_name() not in SPLITS or len(inputs) <= parts:
        return 0
    for index, value in enumerate(inputs[:parts]):
        same = value.get_node().get_friendly_name() == split.get_friendly_name()
        if not same or value.get_index() != index:
            return 0
    whole = split.input_value(0)
    if not _along_channels(split, whole):
        return 0
    replace_output(concat, ops.concat([whole, *inputs[parts:]], CHANNELS))
    first = 0
    for output in split.outputs():
        last = first + output.get_partial_shape()[CHANNELS].get_length()
        readers = [
            target
            for target in output.get_target_inputs()
            if target.get_node().get_friendly_name() != concat.get_friendly_name()
        ]
        if readers:
            part = ops.slice(whole, *(ops.constant([n]) for n in (first, last, 1, CHANNELS)))
            for target in readers:
                target.replace_source_output(part.output(0))
        first = last
    return 1


def _along_channels(split: Any, whole: Any) -> bool:
    """Whether the split is of the channels: each part has fewer, and all else is the same."""
    before = whole.get_partial_shape()
    sizes = [output.get_partial_shape() for output in split.outputs()]
    if any(shape[CHANNELS].is_dynamic for shape in (before, *sizes)):
        return False
    channels: int = before[CHANNELS].get_length()
    parts: int = sum(shape[CHANNELS].get_length() for shape in sizes)
    return parts == channels
