"""The metrics that an author's code reports: checked, made plain floats, given their keys."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping
from numbers import Real

from guardianflow.contracts.errors import TrainerError

# Name under `det.` → its other spellings. Ultralytics' own are among them, because an author who
# hands on what Ultralytics gave means the same measurement.
_SPELLINGS = {
    "mAP50": "metrics/mAP50(B)",
    "mAP50_95": "mAP50-95 metrics/mAP50-95(B)",
    "precision": "metrics/precision(B)",
    "recall": "metrics/recall(B)",
    "f1": "",
    "box_loss": "train/box_loss",
    "cls_loss": "train/cls_loss",
    "dfl_loss": "train/dfl_loss",
}
DETECTION_NAMES = {
    each: name for name, others in _SPELLINGS.items() for each in (name, *others.split())
}
FORBIDDEN_IN_KEYS = re.compile(r"[^\w/.\- ]")


def to_metric_keys(metrics: Mapping[str, float]) -> dict[str, float]:
    """Give each metric its key in the run: `det.*` for detection, `train.*` for anything else.

    Characters that a metric key can't hold become `_` (`mAP@0.5` → `train.mAP_0.5`).

    Raises:
        TrainerError: two names stand for one key and disagree, e.g. mAP50_95 and mAP50-95.
    """
    keyed: dict[str, float] = {}
    origin: dict[str, str] = {}
    for name, value in metrics.items():
        key = _key_of(name)
        if key in keyed and not _same(keyed[key], value):
            raise TrainerError(
                f"metrics '{origin[key]}' ({keyed[key]:g}) and '{name}' ({value:g}) both stand "
                f"for {key}; report one of them"
            )
        keyed[key], origin[key] = value, name
    return keyed


def _key_of(name: str) -> str:
    detection = DETECTION_NAMES.get(name.removeprefix("det."))
    if detection is not None:
        return f"det.{detection}"
    return "train." + FORBIDDEN_IN_KEYS.sub("_", name.removeprefix("train."))


def _same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


def checked_count(name: str, value: object) -> int:
    """An epoch or step as a plain int ≥ 0; numpy's and torch's integers are understood.

    Raises:
        TrainerError: anything else, so that no curve is drawn over a wrong axis.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        number = None
    if number is None or number < 0:
        raise TrainerError(
            f"{name} must be an integer of 0 or more but got {_shown(value)}; "
            f"call self.on_epoch_end(epoch, metrics) with the epoch first"
        )
    return number


def checked_metrics(metrics: object) -> dict[str, float]:
    """The reported metrics as plain floats; torch's and numpy's scalars are converted.

    NaN and infinity pass: they are news about the training, and the tracker leaves them out.

    Raises:
        TrainerError: not a mapping, a name that is no text, a value that is no single number;
            every such entry is named.
    """
    if not isinstance(metrics, Mapping):
        raise TrainerError(
            f"metrics must be a mapping of name to number but got {_shown(metrics)}; "
            "report e.g. {'mAP50': 0.8, 'box_loss': 1.2}"
        )
    plain: dict[str, float] = {}
    wrong: list[str] = []
    for name, value in metrics.items():
        number = _as_number(value)
        if not isinstance(name, str) or not name.strip():
            wrong.append(f"the name {_shown(name)} is no text")
        elif number is None:
            wrong.append(f"'{name}' is {_shown(value)}")
        else:
            plain[name] = number
    if wrong:
        raise TrainerError(
            f"every metric must be one number under a name, but {'; '.join(wrong)}. "
            "Convert it, or leave out what was not measured"
        )
    return plain


def _as_number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, Real):
        return float(value)
    # A scalar of an array library: it can tell how many numbers it holds, and hand out the one.
    if hasattr(value, "item") and hasattr(value, "shape"):
        try:
            single = value.item()
        except (ValueError, RuntimeError, TypeError):
            return None
        return _as_number(single) if isinstance(single, Real) else None
    return None


def _shown(value: object) -> str:
    text = " ".join(repr(value).split())
    return f"{text[:77]}…" if len(text) > 80 else f"{text} ({type(value).__name__})"
