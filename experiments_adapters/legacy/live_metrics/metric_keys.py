"""A value that was read from a file or a printed line, and the key it gets in the run.

det.*      the meaning is known: mAP50, precision, box_loss … as in docs/metrics.md
script.*   everything else, under the name the script gave it
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from experiments_adapters.metrics import to_metric_keys

PRINTED, TABLE, DECLARED = 0, 1, 2
"""Where a value comes from; where two sources give one key, the higher one counts."""

RATES = frozenset({"det.mAP50", "det.mAP50_95", "det.precision", "det.recall", "det.f1"})
KEY_LENGTH = 120

# Older YOLO repositories' and people's own spellings, lower case, beside those that an author of a
# Trainer may use (experiments_adapters/metrics.py).
_SPELLINGS = {
    "mAP50": "map50 map_50 map@50 map@0.5 map@.5 map_0.5 metrics/map_0.5 metrics/map50 "
    "bbox_map_50 coco/bbox_map_50",  # mmdetection's
    "mAP50_95": "map50-95 map50_95 map@50-95 map@50:95 map@0.5:0.95 map@.5:.95 map_0.5:0.95 "
    "metrics/map_0.5:0.95 metrics/map50-95 bbox_map coco/bbox_map",
    "precision": "precision metrics/precision",
    "recall": "recall metrics/recall",
    **{name: name for name in ("f1", "box_loss", "cls_loss", "dfl_loss")},
}
_NAME_OF = {each: name for name, spellings in _SPELLINGS.items() for each in spellings.split()}
_REFUSED = re.compile(r"[^\w/.\- ]+")


@dataclass(frozen=True)
class Reading:
    """One value as the script gave it.

    Args:
        name: in the script's own spelling.
        step: epoch or step that it belongs to; None where it is unknown.
        source: PRINTED, TABLE or DECLARED.
        series: '' for the run's first table; else what tells another one's values apart.
    """

    name: str
    value: float
    step: int | None
    source: int
    series: str = ""

    @property
    def key(self) -> str:
        return metric_key(self.name, self.value, self.series)


class Follower(ABC):
    """Reads what is appended to one file.

    Args:
        path: the file.
        series: see Reading.

    Attributes:
        problem: what is wrong with the file; '' where nothing is.
    """

    def __init__(self, path: Path, series: str = "") -> None:
        self.path, self.series = path, series
        self.problem = ""

    def poll(self) -> list[Reading]:
        """The readings since the last time; where reading fails, those before that."""
        found: list[Reading] = []
        try:
            for reading in self._new():
                found.append(reading)  # noqa: PERF402 - one by one, as an error may come
        except OSError as exc:
            self.problem = f"can't be read: {exc.strerror}"
        return found

    @abstractmethod
    def _new(self) -> Iterable[Reading]: ...


def metric_key(name: str, value: float, series: str = "") -> str:
    """The key of a value in the run.

    A rate outside 0…1 is none of ours, whatever it is called (`precision: 16`, or percent): it
    stays the script's own.

    Args:
        series: values of a second training in one script are kept apart under its name.
    """
    plain = name.strip()
    keyed = next(iter(to_metric_keys({plain: value})))
    known = _NAME_OF.get(plain.lower())
    key = keyed if keyed.startswith("det.") else f"det.{known}" if known else ""
    if key and (key not in RATES or 0 <= value <= 1):
        if not series:
            return key
        plain = key.removeprefix("det.")
    own = _REFUSED.sub("_", f"{series}/{plain}" if series else plain)
    return "script." + re.sub(r"/+", "/", own).strip("/._ ")[:KEY_LENGTH]
