"""Twelve made-up sites for pages: half a year of runs, models with journals, runs under way."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dashboards import board_of
from release_reports import gates, make_report

from apps.automation.ledger.moments import Moment
from apps.automation.ledger.records import Decided, Ended, Outcome, Started
from apps.automation.ledger.state import Order
from apps.dashboard.sources import Sources
from guardianflow.contracts.releases import (
    CANDIDATE,
    CHAMPION,
    COMPARED_TAG,
    EVIDENCE_TAG,
    OUTCOME_TAG,
    REPORT_TAG,
    ROLLBACK,
    JournalEntry,
    ReleaseDecision,
    VariantDecision,
)
from guardianflow.contracts.results import MetricPoint, RunRequest
from guardianflow.contracts.run_metrics.rows import MetricsRow
from guardianflow.metrics_store.questions.answers import Place
from guardianflow.metrics_store.store import MetricsStore
from guardianflow.release.explanation import as_dict
from guardianflow.release.promotion.journal import write_entry
from guardianflow.release.report.page import write_release_report
from guardianflow.run_tracking.fakes.aliases import InMemoryAliasStore
from guardianflow.run_tracking.fakes.store import InMemoryStore
from pipelines.wiring import Ports, in_memory

NOW = datetime.now(UTC).replace(microsecond=0)
EVALUATOR = "guardianflow-coco/2"
# customer, site, zone, task, architecture, mAP50 at first and now, reach, ms, cameras, false alarms
SITES = (
    ("동화엔텍", "busan-plant1", "용접", "ppe", "yolo11n", 0.86, 0.874, 0.02, 14.2, 12, 0.4),
    ("동화엔텍", "busan-plant1", "도장", "fire", "yolo11s", 0.82, 0.688, 0.03, 21.0, 8, 3.1),
    ("동화엔텍", "gimhae-plant2", "물류", "collision", "yolo11s", 0.80, 0.811, 0.02, 19.5, 8, None),
    ("한국철강", "pohang-plant2", "야적장", "fall", "yolo11m", 0.79, 0.738, 0.03, 27.4, 6, 1.2),
    ("한국철강", "pohang-plant3", "열연", "ppe", "yolo11m", 0.84, 0.842, 0.02, 41.8, 4, 0.9),
    ("한국철강", "dangjin-plant1", "냉연", "stuck", "yolo26n", 0.90, 0.912, 0.01, 11.3, 16, 0.1),
    ("대한조선", "geoje-yard1", "블록 조립", "fall", "yolo11l", 0.83, 0.829, 0.02, 28.9, 5, 0.7),
    ("대한조선", "geoje-yard1", "크레인", "collision", "yolo11s", 0.77, 0.781, 0.05, 18.1, 9, None),
    ("대한조선", "ulsan-yard2", "도크", "ppe", "yolo11n", 0.88, 0.883, 0.01, 13.0, 12, 0.3),
    (
        "Acme Steel & Sons",
        "incheon-plant7",
        "<b>furnace</b>",
        "fire",
        "yolov8s",
        0.81,
        0.802,
        0.03,
        24.0,
        7,
        1.8,
    ),
    (
        "Acme Steel & Sons",
        "incheon-plant8",
        "packing-line-with-a-rather-long-name",
        "ppe",
        "yolo11n",
        0.85,
        0.851,
        0.02,
        15.1,
        11,
        0.2,
    ),
    ("세아화학", "yeosu-plant1", "저장탱크", "fire", "yolo11s", None, None, None, 22.0, None, None),
)
SLICES = {"size.small": 0.61, "size.medium": 0.83, "size.large": 0.94, "light.day": 0.88,
          "light.night": 0.66, "blur.sharp": 0.86, "blur.blurred": 0.71}  # fmt: skip


def shown_sources(folder: Path) -> Sources:
    """The store in a folder, and MLflow in memory."""
    ports = in_memory()
    metrics = MetricsStore(folder / "metrics")
    metrics.save_metrics(_rows())
    assert isinstance(ports.aliases, InMemoryAliasStore)
    for number, site in enumerate(SITES[:-1]):
        _models(ports, number, *site[:4])
    _under_way(ports)
    registry = folder / "experiments.yaml"
    for name in ("old-ppe", "old-fire"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "train.py").write_text("print('mAP50: 0.5')\n")
    registry.write_text(
        "experiments:\n"
        + "".join(
            f"  {name}:\n    path: {folder / name}\n    site: {{customer: 동화엔텍, region: busan, "
            "plant: plant1, zone: 용접}\n    task: {type: ppe}\n"
            "    entry_points:\n      train: {default: train.py}\n"
            for name in ("old-ppe", "old-fire")
        ),
        encoding="utf-8",
    )
    return Sources(metrics, lambda: ports, registry, board_of(folder, metrics))


def shown_log() -> Sequence[Order]:
    """What an automation may have done."""
    place = Place(customer="동화엔텍", site="busan-plant1", zone="도장", task="fire")
    other = Place(customer="한국철강", site="pohang-plant3", zone="열연", task="ppe")
    why = "mAP50 0.688 < 0.75"
    failed = {"outcome": Outcome.FAILED, "reason": "the data set is not here"}
    return (
        _order(timedelta(hours=2), place, "low-map", "sweep", why, "a" * 32),
        _order(
            timedelta(days=1),
            other,
            "slow",
            "quantise",
            "latency_ms 41.8 > 30",
            "c" * 32,
            {"outcome": Outcome.DONE, "run_id": "d" * 32},
        ),
        _order(timedelta(days=3), place, "low-map", "sweep", why, "a" * 32, failed),
    )


def _order(
    ago: timedelta,
    place: Place,
    rule: str,
    action: str,
    why: str,
    source: str,
    end: dict[str, Any] | None = None,
) -> Order:
    """An order that was started; `end`: how it ended."""
    at = Moment(wall=(NOW - ago).timestamp(), boot="", ticks=0.0)
    order = {"at": at, "order_id": "o" * 12}
    decided = Decided(
        **order, alert_id="a" * 12, rule=rule, place=place, action=action, run_id=source, why=why
    )
    return Order(decided, Started(**order, owner=""), Ended(**order, **end) if end else None)


def _rows() -> list[MetricsRow]:
    drawn, rows = random.Random(17), []
    for number, site in enumerate(SITES):
        customer, plant, zone, task, architecture, first, last, reach, ms, cameras, false = site
        for step in range(16):
            ended = NOW - timedelta(days=(15 - step) * 11 + number * 0.3, minutes=7)
            share = step / 15
            metrics = {"sys.inference_time_ms": ms * drawn.uniform(0.97, 1.03)}
            metrics["bench.bs1.latency_p95_ms"] = metrics["sys.inference_time_ms"] * 1.3
            metrics["sys.fps"] = 1000 / metrics["sys.inference_time_ms"]
            if first is not None and last is not None and reach is not None:
                value = first + (last - first) * share**2 + drawn.uniform(-0.008, 0.008)
                value = last if step == 15 else value
                metrics |= {"det.mAP50": value, "det.mAP50_low": value - reach,
                            "det.mAP50_high": value + reach, "det.mAP50_95": value - 0.28,
                            "det.recall": value - 0.05}  # fmt: skip
                for name, recall in SLICES.items():
                    metrics |= {f"det.slice.{name}.recall": recall,
                                f"det.slice.{name}.recall_low": recall - 0.04,
                                f"det.slice.{name}.recall_high": recall + 0.03}  # fmt: skip
                metrics["det.slice.worst.recall"] = 0.58
            if cameras is not None:
                metrics["bench.cameras"] = float(cameras)
            if false is not None:
                metrics["alarm.false_per_camera_day"] = false
            kind = {"experiment_type": "infer", "evaluator": EVALUATOR, "metrics": metrics}
            if first is None:
                kind = {"experiment_type": "train", "metrics": {"sys.inference_time_ms": ms}}
            shared = {
                "timestamp": ended,
                "started": ended - timedelta(hours=1),
                "experiment_name": f"{customer}/{plant}/{zone}",
                "run_name": f"{task}-{architecture}-infer-v{1 + step // 5}",
                "customer": customer,
                "site": plant,
                "zone": zone,
                "task": task,
                "model_architecture": architecture,
            }
            rows.append(MetricsRow(run_id=f"{number:04x}{step:04x}" * 4, **shared, **kind))
            if first is not None and step % 5 == 4:
                rows += [
                    MetricsRow(
                        run_id=f"{number:04x}{step:04x}{index:04x}aaaa" * 2,
                        **{**shared, "run_name": f"{task}-{architecture}-quant-v1"},
                        experiment_type="quant",
                        backend=backend,
                        precision=precision,
                        evaluator=EVALUATOR,
                        metrics={
                            "det.quantized.mAP50": first - drop,
                            "sys.quantized.inference_time_ms": ms * pace,
                        },
                    )
                    for index, (backend, precision, drop, pace) in enumerate(
                        (
                            ("openvino", "int8", 0.012, 0.5),
                            ("onnx", "fp32", 0.0, 0.9),
                            ("openvino", "fp16", 0.001, 0.8),
                        )
                    )
                ]
    return rows


def _models(ports: Ports, number: int, customer: str, plant: str, zone: str, task: str) -> None:
    name = f"{customer}/{plant}/{zone}/{task}"
    aliases = ports.aliases
    assert isinstance(aliases, InMemoryAliasStore)
    release = _release(ports, name)
    for version, days in ((1, 160), (2, 100), (3, 40), (4, 3)):
        tags = {OUTCOME_TAG: "pass", COMPARED_TAG: str(version - 1) if version > 1 else ""}
        if version >= 3:
            tags |= {EVIDENCE_TAG: release, REPORT_TAG: f"runs:/{release}/report/release.html"}
        if number == 1 and version == 4:
            tags[OUTCOME_TAG] = "undecided"
        aliases.add_version(name, tags, f"{number:04x}{version:04x}" * 4)
        key = next(
            k
            for k, e in aliases.records.items()
            if e.display_name == name and e.version == str(version)
        )
        made = NOW - timedelta(days=days)
        aliases.records[key] = replace(
            aliases.records[key], created_ms=int(made.timestamp() * 1000)
        )
        if version < 4:
            before = {CHAMPION: str(version - 1)} if version > 1 else {}
            after = {CHAMPION: str(version), **({ROLLBACK: str(version - 1)} if before else {})}
            when = (made + timedelta(hours=5)).isoformat(timespec="seconds")
            write_entry(
                aliases,
                name,
                JournalEntry(
                    version,
                    "promote",
                    "done",
                    "김민수@plant-gw",
                    when,
                    before,
                    after,
                    reason="현장 시험 통과" if version == 3 else "",
                ),
            )
    for alias, at in ((CHAMPION, "3"), (ROLLBACK, "2"), (CANDIDATE, "4")):
        aliases.set_alias(name, alias, at)


def _release(ports: Ports, name: str) -> str:
    judged = tuple(
        VariantDecision(variant, name, "4", "", "3", gates("pass", True), digest="0" * 64)
        for variant in ("pytorch_fp32", "openvino_int8")
    )
    decision = ReleaseDecision("pass", "openvino_int8", "latency_p50", judged)
    run_id = ports.store.start_run(
        RunRequest(name.rpartition("/")[0], "ppe-release", {"guardianflow.stage": "release"})
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "release.json").write_text(json.dumps(as_dict(decision)), encoding="utf-8")
        ports.store.log_files(run_id, folder / "release.json", "results")
        write_release_report(make_report(pictures=False), folder / "report")
        ports.store.log_files(run_id, folder / "report", "report")
    ports.store.end_run(run_id)
    return run_id


def _under_way(ports: Ports) -> None:
    store = ports.store
    assert isinstance(store, InMemoryStore)
    tags = {"exp.type": "train", "task.type": "ppe", "site.customer": "동화엔텍",
            "site.region": "busan", "site.plant": "plant1", "site.zone": "용접"}  # fmt: skip
    params = {"train.epochs": "60", "model.architecture": "yolo11n"}
    run = store.start_run(
        RunRequest("동화엔텍/busan-plant1/용접", "ppe-yolo11n-train-v3", tags, params)
    )
    points = [
        MetricPoint("det.mAP50", 0.88 - 0.7 * 0.88**epoch, epoch, 0) for epoch in range(1, 24)
    ]
    store.log_points(run, points)
    store._runs[run].start_time_ms -= 95 * 60_000
    sweep = store.start_run(
        RunRequest(
            "한국철강/pohang-plant2/야적장",
            "fall-sweep-v1",
            {
                **tags,
                "exp.design": "sweep",
                "sweep.total_runs": "8",
                "task.type": "fall",
                "site.customer": "한국철강",
                "site.region": "pohang",
                "site.plant": "plant2",
                "site.zone": "야적장",
            },
        )
    )
    store._runs[sweep].start_time_ms -= 300 * 60_000
    for index in range(5):
        trial = store.start_run(
            RunRequest(
                "한국철강/pohang-plant2/야적장",
                f"fall-sweep-v1-{index:03d}",
                {**tags, "sweep.index": str(index)},
                params,
                parent_run_id=sweep,
            )
        )
        store.log_points(trial, [MetricPoint("det.mAP50", 0.6 + 0.03 * index, 1, 0)])
        if index < 4:
            store.end_run(trial)
