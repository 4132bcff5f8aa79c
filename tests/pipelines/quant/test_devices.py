"""A variant that ran on another device than the original."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from contexts import RememberingSink, context_of, request_of

from guardianflow.contracts.results import SessionInfo
from pipelines.quant.checks import tell_devices
from pipelines.stage.inputs.sources import (
    device_within,
)
from pipelines.tables import DEVICES_NOTE, VariantRow
from scenario import build_scenario

CPU = SessionInfo("openvino", "int8", "f32", "cpu", 160, 1, 2, "openvino 2026.4.1")


def test_no_ratio_of_times_is_given_and_it_is_said(tmp_path: Path) -> None:
    said = RememberingSink()
    scenario = build_scenario(
        {
            "name": "demo",
            "site": {"customer": "a", "region": "b"},
            "task": {"type": "ppe"},
            "model": {"architecture": "yolo11n"},
            "dataset": {"path": "demo://ppe"},
            "environment": {"device": "gpu"},
        }
    )
    alone = context_of(request_of("infer", tmp_path, tmp_path), scenario, tmp_path, events=said)
    gpu = replace(CPU, backend="pytorch", device="cuda:0")
    assert tell_devices(alone, gpu, CPU) == {"comparison.devices": "cuda:0, cpu"}
    (message,) = said.messages
    assert "the original ran on cuda:0, the variant on cpu: no speed-up is given" in message
    assert tell_devices(alone, replace(CPU, backend="pytorch"), CPU) == {}
    # alone it is what was asked for; in a pipeline PyTorch takes its own
    assert device_within(alone, "pytorch") == "openvino:GPU"
    request = request_of("infer", tmp_path, tmp_path, parent_run_id="abc")
    below = context_of(request, scenario, tmp_path)
    assert device_within(below, "pytorch") == "auto"
    assert device_within(below, "openvino") == "openvino:GPU"


def test_a_table_names_the_devices() -> None:
    from pipelines.full_pipeline.summary import Summary

    rows = (VariantRow("pytorch_fp32", device="cuda:0"), VariantRow("openvino_int8", device="cpu"))
    table = Summary("demo", "v1", "a/b/c", "run", rows)
    assert DEVICES_NOTE in table.notes()
    place = table.COLUMNS.index("device")
    assert [table.cells(row)[place] for row in rows] == ["cuda:0", "cpu"]
    same = replace(table, rows=(replace(rows[0], device="cpu"), rows[1]))
    assert DEVICES_NOTE not in same.notes()
