"""What an ablation takes away: a field of the scenario, or one of two that are several at once.

augmentation: false    every augmentation off: training.options.mosaic = 0, …
pretrained: false      no weights to start from
anything else          a parameter, by its path or a short name of it
"""

from __future__ import annotations

from collections.abc import Mapping

from .parameters import OPTIONS, resolve
from .trials import Value

AUGMENTATION, PRETRAINED = "augmentation", "pretrained"
OFF: Mapping[str, Value] = dict.fromkeys(
    (
        "hsv_h", "hsv_s", "hsv_v", "degrees", "translate", "scale", "shear", "perspective",
        "flipud", "fliplr", "bgr", "mosaic", "mixup", "cutmix", "copy_paste", "multi_scale",
    ),
    0.0,
)  # fmt: skip
"""Ultralytics' augmentations of a detector, each as it does nothing."""
SWITCHES = (AUGMENTATION, PRETRAINED)


def component_path(name: str) -> str:
    """The name that a component goes by: its own, or a parameter's path.

    Raises:
        ValueError: it is no parameter that can be varied.
    """
    return name if name in SWITCHES else resolve(name)


def component_problem(name: str, value: object) -> str:
    """The reason why a switch can't have a value; '' where it can."""
    if name == AUGMENTATION and not isinstance(value, bool):
        return "augmentation must be true (as the scenario has it) or false (none) but got"
    if name == PRETRAINED and not isinstance(value, (bool, str)):
        return (
            "pretrained must be true (the scenario's weights), false or a file of weights but got"
        )
    return ""


def changes_of(name: str, value: Value) -> dict[str, Value]:
    """What a component's value changes in the scenario: path → value."""
    if name == AUGMENTATION:
        return {} if value else {f"{OPTIONS}.{option}": off for option, off in OFF.items()}
    if name == PRETRAINED:
        return {} if value is True else {"model.weights_path": value or None}
    return {name: value}
