"""A made-up fleet: 40 sites, 5 tasks, ten years; as rows of the metrics store, or in MLflow.

A run is a training, an `infer` or a `quant`, with what such a run has; one in twenty lacks mAP50.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from secrets import token_hex

import numpy as np
import pyarrow as pa

from guardianflow.contracts.run_metrics.rows import TEXTS, TIMES
from guardianflow.metrics_store.columns import COLUMNS
from guardianflow.metrics_store.compaction import COLUMNS_DIGEST
from guardianflow.metrics_store.manifest import DataFile, Manifest
from guardianflow.metrics_store.places.port import MANIFEST, ROWS, Place
from guardianflow.metrics_store.tables import MORE, SCHEMA, write_parquet
from guardianflow.support.files import scratch_folder

YEARS, SITES = 10, 40
TASKS = ("ppe", "fall", "fire", "collision", "stuck")
ARCHITECTURES = ("yolo11n", "yolo11s", "yolo11m", "yolo11l", "yolo26n", "yolov8s")
TYPES = ("train", "infer", "quant")
CLASSES = ("helmet", "head", "person", "안전모", "vest")
EVALUATOR = "guardianflow-coco/2"
Values = dict[str, "np.ndarray[tuple[int], np.dtype[np.float64]]"]


def customer_of(site: int) -> str:
    return f"customer-{site // 2:02d}"


def fill(place: Place, count: int) -> None:
    """Write a store of made-up rows, by month, as a compaction leaves it."""
    rng = np.random.default_rng(20261128)
    end = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    months = YEARS * 12
    files = []
    for number, rows in enumerate(np.array_split(np.arange(count), months)):
        first = end - timedelta(days=30.4375 * (months - number - 1))
        month = first.strftime("%Y-%m")
        start = first.replace(day=1)
        table = _table(rng, len(rows), start)
        name = f"{ROWS}/month={month}/{number:04d}-{token_hex(4)}.parquet"
        with scratch_folder("made-up-") as scratch:
            write_parquet(table, scratch / "rows.parquet")
            place.upload(name, scratch / "rows.parquet")
        keys = tuple(f"det.ap.{each}" for each in CLASSES)
        files.append(DataFile(name, month, table.num_rows, COLUMNS_DIGEST, keys))
    place.put(MANIFEST, replace(Manifest(), files=tuple(files), built=1).to_json())


def _table(rng: np.random.Generator, count: int, start: datetime) -> pa.Table:
    sites = rng.integers(0, SITES, count)
    tasks, kinds = rng.integers(0, len(TASKS), count), rng.integers(0, len(TYPES), count)
    # A place goes on with its model; now and then another one is tried.
    architectures = (sites + tasks + (rng.random(count) < 0.2)) % len(ARCHITECTURES)
    seconds = np.sort(rng.integers(0, 28 * 86400 * 1000, count))
    ended = np.datetime64(start.replace(tzinfo=None), "ms") + seconds.astype("timedelta64[ms]")
    values = metrics_of(rng, kinds, count)
    texts = {
        "run_id": [token_hex(16) for _ in range(count)],
        "experiment_name": [f"{customer_of(s)}/busan-plant{s}/welding" for s in sites],
        "run_name": [
            f"{TASKS[t]}-{ARCHITECTURES[a]}" for t, a in zip(tasks, architectures, strict=True)
        ],
        "customer": [customer_of(s) for s in sites],
        "site": [f"busan-plant{s}" for s in sites],
        "zone": ["welding"] * count,
        "task": [TASKS[t] for t in tasks],
        "experiment_type": [TYPES[k] for k in kinds],
        "experiment_design": ["single"] * count,
        "model_architecture": [ARCHITECTURES[a] for a in architectures],
        "model_version": ["v1"] * count,
        "device": ["cuda:0"] * count,
        "evaluator": [EVALUATOR if TYPES[k] != "train" else None for k in kinds],
    }
    columns: dict[str, pa.Array] = {
        "timestamp": pa.array(ended, pa.timestamp("ms")),
        "started": pa.array(ended - np.timedelta64(3600, "s"), pa.timestamp("ms")),
    }
    columns |= {n: pa.array(texts.get(n, [None] * count), pa.string()) for n in TEXTS}
    columns |= {
        n: pa.array(values[n], pa.float64(), from_pandas=True)
        if n in values
        else pa.nulls(count, pa.float64())
        for n in COLUMNS
    }
    columns[MORE] = pa.array(
        [
            [(f"det.ap.{name}", float(v)) for name, v in zip(CLASSES, row, strict=True)]
            for row in rng.random((count, len(CLASSES))).round(4)
        ],
        SCHEMA.field(MORE).type,
    )
    return pa.table([columns[name] for name in (*TIMES, *TEXTS, *COLUMNS, MORE)], schema=SCHEMA)


def metrics_of(rng: np.random.Generator, kinds: np.ndarray, count: int) -> Values:  # type: ignore[type-arg]
    """Key → values; NaN where a run of that type has none."""

    def drawn(mean: float, spread: float, *types: str, missing: float = 0.0) -> np.ndarray:  # type: ignore[type-arg]
        values = rng.normal(mean, spread, count).round(6)
        values[~np.isin(kinds, [TYPES.index(each) for each in types])] = np.nan
        values[rng.random(count) < missing] = np.nan
        return values

    accuracy = drawn(0.8, 0.05, "train", "infer", missing=0.05)
    judged = np.where(kinds == TYPES.index("infer"), accuracy, np.nan)
    return {
        "det.mAP50": accuracy,
        "det.mAP50_low": judged - 0.03,
        "det.mAP50_high": judged + 0.03,
        **{
            f"det.{n}": drawn(0.7, 0.05, "train", "infer")
            for n in ("mAP50_95", "precision", "recall")
        },
        **{f"det.{n}": drawn(1.0, 0.2, "train") for n in ("box_loss", "cls_loss", "dfl_loss")},
        **{
            f"det.{w}.{n}": drawn(0.75, 0.05, "quant")
            for w in ("original", "quantized")
            for n in ("mAP50", "mAP50_95", "recall")
        },
        "sys.inference_time_ms": drawn(25, 5, "infer"),
        "sys.fps": drawn(40, 8, "infer"),
        "sys.quantized.inference_time_ms": drawn(15, 3, "quant"),
        "sys.original.inference_time_ms": drawn(25, 3, "quant"),
        "sys.gpu_utilization_pct": drawn(60, 15, "train", "infer"),
        "sys.gpu_memory_peak_mb": drawn(4000, 900, "train", "infer"),
        "sys.model_size_mb": drawn(20, 9, "infer"),
        "bench.bs1.latency_p50_ms": drawn(28, 5, "infer"),
        "bench.bs1.latency_p95_ms": drawn(34, 6, "infer"),
        "comparison.speedup_ratio": drawn(1.8, 0.3, "quant"),
        "comparison.accuracy_drop_mAP50": drawn(0.01, 0.005, "quant"),
    }
