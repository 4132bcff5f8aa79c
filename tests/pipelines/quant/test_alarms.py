"""A quantised variant is judged by alarms beside the original, on the same recordings."""

from __future__ import annotations

from pathlib import Path

import pytest
from alarm_footage import draw_recordings
from checkpoints import TINY_SIDE
from contexts import QuantDesk

from guardianflow.contracts.results import DetectorPackage


@pytest.mark.slow
def test_original_and_variant_are_judged_by_alarms(trained: Path, tmp_path: Path) -> None:
    footage = draw_recordings(
        tmp_path / "footage", {f"cam{n}/a": ((2, 3),) for n in range(2)}, pictures=6, step_s=30
    )
    desk = QuantDesk(
        tmp_path,
        DetectorPackage.load(trained),
        f"demo://ppe?images=14&size={TINY_SIDE}",
        calibration_size=4,
        benchmark={"warmup_runs": 0, "benchmark_runs": 2},
        alarms={
            "recordings": {"path": str(footage)},
            "rules": [{"name": "intruder", "class": "person", "min_confidence": 0.05}],
        },
    )
    result = desk.run(backend="openvino", precision="int8", calibration_method="minmax")
    metrics = result.metrics
    for side in ("original", "quantized"):
        assert metrics[f"alarm.{side}.incidents"] == 2
        assert metrics[f"alarm.{side}.recordings"] == 2
        assert f"alarm.{side}.false_per_camera_day" in metrics
        assert f"alarm.{side}.missed_low" not in metrics  # two recordings carry no interval
    missed = metrics["alarm.quantized.missed"] - metrics["alarm.original.missed"]
    assert metrics["comparison.rise_alarm_missed"] == missed
    assert any("fewer than 5 recordings" in note for note in result.notes)
    run = desk.store.get_run(result.run_id)
    assert run.params["alarms.rules"] == "intruder"
    table = desk.store.download(run.run_id, "results/incidents.csv", tmp_path / "got")
    rows = table.read_text(encoding="utf-8-sig").splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["original"] * 2 + ["quantized"] * 2
