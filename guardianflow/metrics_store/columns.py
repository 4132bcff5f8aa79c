"""The columns of the store, and the short names of metrics that people ask for.

A metric of COLUMNS is a column of its own in every Parquet file: that is fast. Any other (of a
class, a slice, a batch size, a GPU) lies in the column `more`, a map, which is slower to read and
costs nothing where it is absent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..contracts.errors import ConfigurationError
from ..support.suggestions import did_you_mean

KEPT = ("det.", "mot.", "sys.", "alarm.", "comparison.", "release.", "bench.", "best.", "sweep.")
"""Beginnings of the keys that are kept; `train.*` and what others log are not."""

_ACCURACY = ("mAP50", "mAP50_95", "precision", "recall", "f1")
_BOUNDED = ("mAP50", "mAP50_95", "recall")
_LOSSES = ("box_loss", "cls_loss", "dfl_loss")
_MOT = (
    *("hota", "deta", "assa", "loca", "mota", "motp", "idf1", "id_precision", "id_recall"),
    *("id_switches", "frag", "mt", "pt", "ml", "fp", "fn", "gt_tracks", "pred_tracks"),
)
_TIMES = tuple(f"inference_time{percentile}_ms" for percentile in ("", "_p50", "_p95", "_p99"))
_SYSTEM = (
    *("preprocessing_time_ms", "postprocessing_time_ms", "fps", "throughput_imgs_per_sec"),
    *("gpu_memory_used_mb", "gpu_memory_peak_mb", "gpu_utilization_pct", "gpu_power_watts"),
    *("gpu_temperature_c", "cpu_utilization_pct", "cpu_memory_used_mb", "model_size_mb"),
    *("model_params_m", "model_flops_g", "busy"),
)
_ALARMS = ("missed", "false_per_camera_day", "delay_p50_s", "delay_p95_s")
_ALARM_RATES = ("precision", "recall", "f1")
_COMPARED = ("accuracy_drop_mAP50", "accuracy_drop_mAP50_95", "speedup_ratio")


def _bounded(names: Iterable[str]) -> list[str]:
    return [f"{name}{end}" for name in names for end in ("", "_low", "_high")]


COLUMNS: tuple[str, ...] = tuple(
    dict.fromkeys(
        [
            *(f"det.{name}" for name in (*_ACCURACY, *_bounded(_BOUNDED), *_LOSSES)),
            *(f"det.{which}.{n}" for which in ("original", "quantized") for n in _ACCURACY),
            *(f"mot.{name}" for name in _MOT),
            *(f"sys.{name}" for name in (*_TIMES, *_SYSTEM)),
            *(f"sys.{w}.{n}" for w in ("original", "quantized") for n in (*_TIMES, "fps")),
            *(f"sys.{which}.model_size_mb" for which in ("original", "quantized")),
            *(f"alarm.{name}" for name in (*_bounded(_ALARMS[:2]), *_ALARMS[2:], *_ALARM_RATES)),
            *(f"comparison.{name}" for name in (*_bounded(_COMPARED), "compression_ratio")),
            *(f"bench.bs1.latency_{percentile}_ms" for percentile in ("p50", "p95", "p99")),
            *("bench.bs1.fps", "bench.best_fps", "bench.cameras"),
        ]
    )
)
_OWN = frozenset(COLUMNS)


@dataclass(frozen=True)
class Metric:
    """What is asked for: the first of its keys that a row has.

    Args:
        name: as people write it.
        keys: of metrics. Infer judges one model; quant two, of which the quantised one counts.
        higher_is_better: None where neither end is.
    """

    name: str
    keys: tuple[str, ...]
    higher_is_better: bool | None = None

    @property
    def value_sql(self) -> str:
        return first_of(self.keys)

    @property
    def low_sql(self) -> str:
        return first_of([bound_of(key, "low") for key in self.keys])

    @property
    def high_sql(self) -> str:
        return first_of([bound_of(key, "high") for key in self.keys])


def _of_either(prefix: str, name: str) -> tuple[str, str]:
    """Of the one model that infer judges, or of the quantised one of two."""
    return f"{prefix}.{name}", f"{prefix}.quantized.{name}"


SHORT = {
    **{n: Metric(n, _of_either("det", n), True) for n in _ACCURACY},
    **{
        metric.name: metric
        for metric in (
            Metric(
                "latency_ms", ("sys.inference_time_ms", "sys.quantized.inference_time_ms"), False
            ),
            Metric("latency_p95_ms", ("bench.bs1.latency_p95_ms",), False),
            Metric("fps", _of_either("sys", "fps"), True),
            Metric("cameras", ("bench.cameras",), True),
            Metric("gpu_utilization_pct", ("sys.gpu_utilization_pct",)),
            Metric("model_size_mb", _of_either("sys", "model_size_mb"), False),
            Metric("hota", ("mot.hota",), True),
            Metric("mota", ("mot.mota",), True),
            Metric("idf1", ("mot.idf1",), True),
            Metric("alarms_missed", ("alarm.missed",), False),
            Metric("false_alarms_a_day", ("alarm.false_per_camera_day",), False),
            Metric("speedup_ratio", ("comparison.speedup_ratio",), True),
            Metric("accuracy_drop_mAP50", ("comparison.accuracy_drop_mAP50",), False),
        )
    },
}


def metric_of(name: str, also: Iterable[str] = ()) -> Metric:
    """The metric of a short name, or of a whole key: 'mAP50', 'det.mAP50', 'det.ap.helmet'.

    Args:
        also: keys that the store has in `more`.

    Raises:
        ConfigurationError: nobody knows it; names what is near, and the short ones.
    """
    if name in SHORT:
        return SHORT[name]
    others = set(also)
    if name in _OWN or name in others:
        known = next((each for each in SHORT.values() if name in each.keys), None)
        return Metric(name, (name,), known.higher_is_better if known else None)
    near = did_you_mean(name, [*SHORT, *COLUMNS, *others])
    raise ConfigurationError(
        f"metric must be one of {', '.join(SHORT)} or a whole key as 'det.mAP50', but got "
        f"'{name}'{near}"
    )


def column_sql(key: str) -> str:
    """The value of a key as DuckDB reads it: NULL where it is absent."""
    if key in _OWN:
        return quoted(key)
    return f"more[{literal(key)}]"


def first_of(keys: Iterable[str]) -> str:
    columns = [column_sql(key) for key in keys]
    return columns[0] if len(columns) == 1 else f"coalesce({', '.join(columns)})"


def bound_of(key: str, end: str) -> str:
    """The key of an interval's bound; a unit stays at the end: 'latency_p95_low_ms'."""
    for unit in ("_ms", "_s"):
        if key.endswith(unit):
            return f"{key.removesuffix(unit)}_{end}{unit}"
    return f"{key}_{end}"


def quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def literal(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"
