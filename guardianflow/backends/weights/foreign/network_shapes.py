"""Names what a network is by the shapes of its inputs and outputs: a detector, or what else.

    side_of_input()      one float N×3×S×S, or a SourceError that names what it is
    kind_of_output()     'grid' or 'end_to_end', or a SourceError that names what it is

A shape says little: N×K×6 is an end-to-end detector's, but also that of 2 classes with channels
last, or of a YOLOv5 with 1 class. What shapes leave open, `trial_run` finds by running the network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ....contracts.errors import SourceError

END_TO_END_COLUMNS = 6
BOX_ROWS = 4
MOST_END_TO_END = 300
"""Detections of an image that end-to-end heads and exported NMS give, unless told otherwise."""
FLOATS = ("float32", "float16")
# Strides of detection heads: usual, with a level for small objects, for large ones.
STRIDES = ((8, 16, 32), (4, 8, 16, 32), (8, 16, 32, 64), (16, 32))
BOXES_A_CELL = (1, 3)  # YOLOv5 and YOLOv7 have three
SEGMENTS, ANGLES = 32, 1
KNOWN = "its output must be one tensor N×(4+classes)×anchors or N×K×6"
EXPORT_DETECTOR = "give a detector of boxes: one that was trained with task 'detect'"
EXPORT_AGAIN = (
    "export it with Ultralytics, yolo export format=onnx, which gives N×(4+classes)×anchors"
)

Shape = tuple[int | None, ...]


def require_detection(file: Path, task: object) -> None:
    """Refuse a file whose metadata name another task.

    Args:
        task: as the metadata say it; None where they don't.

    Raises:
        SourceError: it is of another task.
    """
    if task is not None and str(task) not in ("detect", "None", ""):
        raise SourceError(f"{file} is a model for the task '{task}'; {EXPORT_DETECTOR}")


def side_of_input(file: Path, inputs: Sequence[Shape], types: Sequence[str]) -> int | None:
    """The side of the square input; None where any will do.

    Args:
        types: of each input's elements, as numpy calls them.

    Raises:
        SourceError: the network takes something else; names it.
    """
    if fault := _input_fault(inputs, types):
        raise SourceError(f"{file} is not a detector as known here: {fault}")
    _, _, height, width = inputs[0]
    if height != width:
        raise SourceError(
            f"{file} takes images of {height}×{width} pixels; only square inputs are served. "
            "Export it with one side, e.g. imgsz=640"
        )
    return height


def _input_fault(inputs: Sequence[Shape], types: Sequence[str]) -> str:
    wanted = f"its input must be one N×3×S×S tensor but is {shown(inputs)}"
    if len(inputs) != 1:
        return (
            f"{wanted}. It has {len(inputs)} inputs, as networks that take the image's size or a "
            "text do; export it without them"
        )
    shape = inputs[0]
    if len(shape) == 4 and shape[3] == 3 and shape[1] != 3:
        return (
            f"{wanted}: channels last, as TensorFlow has them. Export it with channels first, from "
            "its .pt file: yolo export format=onnx"
        )
    if len(shape) != 4 or shape[1] not in (3, None):
        channels = shape[1] if len(shape) == 4 else None
        return wanted + (f": images of {channels} channels, not RGB" if channels else "")
    if types[0] not in FLOATS:
        return (
            f"its input must be float32 or float16, with values from 0 to 1, but is {types[0]}: "
            "it divides by 255 itself, or was quantised at its door. Export it with a float input"
        )
    return ""


def kind_of_output(
    file: Path,
    outputs: Sequence[Shape],
    names: Sequence[str] | None,
    side: int | None,
    *,
    said_end_to_end: bool = False,
) -> tuple[str, int | None]:
    """('grid' or 'end_to_end', number of classes where the shape tells it).

    Args:
        side: of the input; None where any will do.
        said_end_to_end: the file says itself that it ends in boxes, scores and classes.

    Raises:
        SourceError: another kind of network's; names it.
    """
    fault = _not_one_output(outputs)
    if not fault:
        _, rows, columns = outputs[0]
        cells = frozenset() if side is None else frozenset(_anchor_counts(side))
        if columns == END_TO_END_COLUMNS and not (
            rows in cells and (rows or 0) > MOST_END_TO_END and not said_end_to_end
        ):
            return "end_to_end", len(names) if names else None
        fault = _not_a_grid(rows, columns, cells, names)
        if not fault and rows is not None:
            return "grid", rows - BOX_ROWS
    raise SourceError(
        f"{file} is not a detector as known here: {KNOWN} but is {shown(outputs)}. {fault}".rstrip()
    )


def _not_one_output(outputs: Sequence[Shape]) -> str:
    """What it is that has not one tensor of three dimensions; '' for one that has."""
    ranks = [len(shape) for shape in outputs]
    if ranks == [3]:
        return ""
    if (
        len(outputs) > 1
        and 3 in ranks
        and any(len(shape) == 4 and shape[1] == SEGMENTS for shape in outputs)
    ):
        return f"It has masks too: it is a segmentation model; {EXPORT_DETECTOR}"
    if ranks and all(rank in (4, 5) for rank in ranks):
        return f"These are a head's feature maps, not yet decoded to boxes; {EXPORT_AGAIN}"
    if ranks == [2]:
        if outputs[0][1] == 7:
            return f"K×7 is what YOLOv7 gives with its own NMS; {EXPORT_AGAIN}"
        return f"One value for each class: it is a classification model; {EXPORT_DETECTOR}"
    return (
        "Boxes, scores and classes come apart, as an NMS plugin, SSD or DETR gives them; "
        f"{EXPORT_AGAIN}"
    )


def _not_a_grid(
    rows: int | None, columns: int | None, cells: frozenset[int], names: Sequence[str] | None
) -> str:
    """What it is that is not N×(4+classes)×anchors; '' for one that is."""
    if rows in cells and columns not in cells:
        return _channels_last(columns, names)
    if rows is None or rows <= BOX_ROWS:
        return _channels_last(columns, names) if columns is not None else EXPORT_AGAIN
    few = columns is not None and (columns not in cells or columns < rows // 4)
    if few and columns is not None and columns < rows:
        if columns in (7, END_TO_END_COLUMNS + SEGMENTS) or (columns - END_TO_END_COLUMNS) == 51:
            return (
                "Boxes, scores and classes with more behind them (angle, mask or keypoints): it is "
                f"an OBB, segmentation or pose model; {EXPORT_DETECTOR}"
            )
        if rows <= 1000 and columns > BOX_ROWS:
            return (
                f"{rows} boxes with {columns - BOX_ROWS} scores each, as RT-DETR gives; RT-DETR is "
                "not served"
            )
        return _channels_last(columns, names)
    if names and rows != BOX_ROWS + len(names):
        return _more_rows(rows - BOX_ROWS - len(names), len(names))
    return ""


def _more_rows(more: int, classes: int) -> str:
    told = f"The file names {classes} classes, so {BOX_ROWS + classes} rows are right"
    if more == ANGLES:
        return (
            f"{told}; the one more is an angle (an OBB model) or an objectness (YOLOv5, "
            f"YOLOX); {EXPORT_DETECTOR}"
        )
    if more == SEGMENTS:
        return f"{told}; the {more} more are masks: it is a segmentation model; {EXPORT_DETECTOR}"
    if more > 0 and (more % 3 == 0 or more % 2 == 0):
        return f"{told}; the {more} more are keypoints: it is a pose model; {EXPORT_DETECTOR}"
    return f"{told}: correct the names in the file, or export it again"


def _channels_last(columns: int | None, names: Sequence[str] | None) -> str:
    """What N×anchors×columns is."""
    objectness = (
        "a row for each anchor with an objectness before its classes, as YOLOv5, YOLOv7 and YOLOX "
        "give"
    )
    plain = "N×anchors×(4+classes), channels last"
    turn = (
        "Turn it with a Transpose(0, 2, 1) at its end; with an objectness also multiply each "
        "class by it"
    )
    if columns is not None and names and columns == BOX_ROWS + 1 + len(names):
        what = objectness
    elif columns is not None and names and columns == BOX_ROWS + len(names):
        what = plain
    else:
        what = f"{plain}, or {objectness}"
    return f"This is {what}. {turn}, or train a detector that Ultralytics exports"


def _anchor_counts(side: int) -> Iterator[int]:
    """The numbers of anchors that heads have at this input size."""
    for strides in STRIDES:
        cells = sum((side // stride) ** 2 for stride in strides)
        yield from (cells * boxes for boxes in BOXES_A_CELL)


def shown(shapes: Sequence[Shape]) -> str:
    """For people: '1×84×8400, ?×3×640×640'."""
    return ", ".join("×".join("?" if d is None else str(d) for d in s) for s in shapes) or "none"
