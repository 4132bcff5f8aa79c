"""The demo as a new user runs it: is the detector good, and are its variants as good?"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from workplace import Workplace, last_json

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(2400)]

GOOD_ENOUGH = 0.85
INT8_MAY_LOSE = 0.02


def test_the_demo_reaches_what_the_readme_promises(tmp_path: Path, repository: Path) -> None:
    workplace = Workplace(tmp_path, tmp_path / "work", repository)
    demo = str(repository / "configs/scenarios/demo.yaml")
    done = workplace.guardianflow("pipeline", demo, "--json", timeout=2200)
    assert done.returncode == 0, done.stderr
    result = last_json(done.stdout)
    assert result["status"] == "FINISHED"
    judged = {s["variant"]: s["metrics"] for s in result["stages"] if s["stage"] == "infer"}
    print(json.dumps({k: [m["det.mAP50"], m["det.mAP50_95"]] for k, m in judged.items()}))
    original = judged["pytorch_fp32"]["det.mAP50"]
    assert original >= GOOD_ENOUGH
    for variant in ("openvino_int8", "onnx_int8"):
        assert abs(original - judged[variant]["det.mAP50"]) <= INT8_MAY_LOSE

    again = last_json(workplace.guardianflow("pipeline", demo, "--json", timeout=600).stdout)
    assert all(stage["reused"] for stage in again["stages"])
    assert again["reused"] and again["run_id"] == result["run_id"]
    shutil.rmtree(tmp_path / "work")
