"""The numbers that a design is judged by: 'mAP50' is 'det.mAP50', and more of it is better."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from guardianflow.support.suggestions import did_you_mean

Direction = Literal["maximize", "minimize"]

_BY_GROUP: Mapping[str, tuple[str, ...]] = {
    "det": (
        "mAP50", "mAP50_95", "precision", "recall", "f1", "best_f1", "box_loss", "cls_loss",
        "dfl_loss",
    ),
    "mot": (
        "mota", "motp", "idf1", "hota", "deta", "assa", "loca", "id_switches", "id_precision",
        "id_recall",
    ),
    "sys": (
        "inference_time_ms", "inference_time_p50_ms", "inference_time_p95_ms",
        "inference_time_p99_ms", "preprocessing_time_ms", "postprocessing_time_ms", "fps",
        "throughput_imgs_per_sec", "gpu_memory_used_mb", "gpu_memory_peak_mb",
        "cpu_memory_used_mb", "model_size_mb", "model_params_m", "model_flops_g",
    ),
    "alarm": ("missed", "false_per_camera_day", "delay_p50_s", "delay_p95_s"),
    "comparison": (
        "accuracy_drop_mAP50", "accuracy_drop_mAP50_95", "speedup_ratio", "compression_ratio",
    ),
}  # fmt: skip
"""Group → the names in it by which runs are usually compared."""
KNOWN: Mapping[str, str] = {
    name: f"{group}.{name}" for group, names in _BY_GROUP.items() for name in names
}
OTHER_NAMES: Mapping[str, str] = {
    "mAP50-95": "det.mAP50_95",
    "mAP": "det.mAP50_95",
    "latency": "sys.inference_time_p50_ms",
    "latency_ms": "sys.inference_time_p50_ms",
    "latency_p50": "sys.inference_time_p50_ms",
    "latency_p95": "sys.inference_time_p95_ms",
    "latency_p99": "sys.inference_time_p99_ms",
    "throughput": "sys.throughput_imgs_per_sec",
    "size": "sys.model_size_mb",
}
_LESS_IS_BETTER = re.compile(
    r"(_ms|_mb|_m|_g|_watts|_c|_s|loss|id_switches|missed|false_per_camera_day|fp|fn|frag|ml)$"
    r"|(^|[._])(drop|loss|error|latency|delay)([._]|$)|accuracy_drop"
)


def metric_key(name: str) -> str:
    """The full key of a metric. One that we don't know stays: an author's trainer may report it.

    Raises:
        ValueError: it is near one that we know, and so more likely a slip.
    """
    known = KNOWN.get(name) or OTHER_NAMES.get(name)
    if known is not None:
        return known
    group, dot, rest = name.partition(".")
    if dot and group not in _BY_GROUP:
        return name
    candidates = [f"{group}.{each}" for each in _BY_GROUP[group]] if dot else [*KNOWN, *OTHER_NAMES]
    if name in candidates or (dot and "." in rest):  # det.ap.helmet, sys.quantized.fps
        return name
    if hint := did_you_mean(name, candidates, 1):
        raise ValueError(f"there is no metric '{name}'{hint}")
    return name


def usual_direction(key: str) -> Direction:
    """Whether less of a metric is better; by its name."""
    return "minimize" if _LESS_IS_BETTER.search(key) else "maximize"
