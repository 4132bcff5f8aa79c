"""A backend is one file and one entry: a package brings one, and nothing else is touched.

From the scenario that names it to the box that runs its model: the schema, the probe, the quant
stage, the registry and the bundle know of it by its entry alone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from checkpoints import TINY_SIDE, draw_images

from guardianflow.contracts.results import DetectorPackage
from guardianflow.detector import Detector

OUTSIDE = Path(__file__).with_name("outside")


@dataclass(frozen=True)
class Site:
    """Where a package with a backend is installed beside this project."""

    packages: Path
    repository: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        paths = (self.packages, self.repository, self.repository / "tests" / "helpers")
        return subprocess.run(
            [sys.executable, *command],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )

    def answer(self, code: str) -> str:
        done = self.run("-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Site:
    packages = tmp_path_factory.mktemp("site-packages")
    shutil.copy(OUTSIDE / "reference_backend.py", packages)
    metadata = packages / "reference_backend-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: reference-backend\n")
    (metadata / "entry_points.txt").write_text(
        "[guardianflow.backends]\nreference = reference_backend:ENTRY\n"
        "broken = reference_backend:NOT_THERE\n"
    )
    return Site(packages, repository)


def test_a_scenario_may_name_it_and_other_words_are_answered_with_it(site: Site) -> None:
    said = site.answer(
        "from guardianflow.contracts.errors import ScenarioError\n"
        "from scenario import QuantizationParams, ComparisonVariant\n"
        "print(QuantizationParams(backend='reference', precision='fp32').variant)\n"
        "print(ComparisonVariant(backend='reference', precision='fp32').backend)\n"
        "try: QuantizationParams(backend='refrence')\n"
        "except ScenarioError as exc: print(exc)"
    )
    first, second, third = said.splitlines()[:3]
    assert (first, second) == ("reference_fp32", "reference")
    assert "must be one of openvino, onnx, tensorrt, reference but got" in third
    assert "did you mean 'reference'" in third


def test_what_it_can_t_do_is_said_by_its_own_name(site: Site) -> None:
    said = site.answer(
        "from pathlib import Path\n"
        "from pipelines.stage.backend_check import reason_unavailable\n"
        "from scenario import QuantizationParams\n"
        "for device, precision in (('0', 'fp32'), ('cpu', 'int8'), ('cpu', 'fp32')):\n"
        "    variant = QuantizationParams(backend='reference', precision=precision)\n"
        f"    print(reason_unavailable(variant, device, Path({str(site.packages / 'probes')!r})))"
    )
    gpu, int8, *rest = said.splitlines()
    assert gpu == ("ONNX's reference does not run on NVIDIA GPUs, but environment.device is '0'")
    assert int8 == "ONNX's reference can't make int8 by method 'static'; it makes fp32"
    assert rest == []


def test_a_package_s_entry_that_is_none_is_left_out_and_told(site: Site) -> None:
    done = site.run("-c", "from guardianflow.backends.catalogue import CATALOGUE as c; print(*c)")
    assert done.stdout.split() == ["pytorch", "onnx", "openvino", "tensorrt", "reference"]
    assert "broken = reference_backend:NOT_THERE is no backend" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_model_is_made_evaluated_registered_pulled_and_run(site: Site, tmp_path: Path) -> None:
    import cv2

    done = site.run(str(OUTSIDE / "story.py"), str(tmp_path))
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["verdict"] == "ok"
    assert told["model"] == "demo/seoul-plant1/full/ppe__reference_fp32"
    assert told["drop"] == pytest.approx(0, abs=0.01)  # it computes what PyTorch computes

    image = draw_images(1, TINY_SIDE)[0]
    file = tmp_path / "gate.png"
    cv2.imwrite(str(file), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    ran = site.run(f"{told['bundle']}/run_detector.py", str(file), "--json", "--conf", "0.1")
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)["detections"]
    with Detector.open(DetectorPackage.load(tmp_path / "trained"), device="cpu") as original:
        (expected,) = original.predict([image], confidence=0.1)
    assert len(found) == len(expected.scores) > 0
    np.testing.assert_allclose(
        [each["confidence"] for each in found], expected.scores, rtol=1e-3, atol=1e-4
    )
