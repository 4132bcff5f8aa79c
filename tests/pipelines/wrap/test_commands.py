"""Wrapped runs as users start them; a real Ultralytics script, looked at before it ends."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inprocess import InProcessExecutor
from workplace import Workplace, last_json
from wrapped_site import EXPERIMENT, Site


def wait_for(true: Callable[[], Any], limit_s: float = 120.0) -> Any:
    deadline = time.monotonic() + limit_s
    while not (found := true()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


@pytest.mark.slow
def test_ctrl_c_ends_the_script_and_its_run_is_killed(workplace: Workplace) -> None:
    site = Site(workplace.root, InProcessExecutor(workplace.root, workplace.work_dir))
    site.script(
        "학습_v2.py",
        """
        import os, subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
        open("pids.tmp", "w").write(f"{os.getpid()} {child.pid}")
        os.rename("pids.tmp", "pids.txt")
        time.sleep(600)
        """,
    )
    command = [sys.executable, "-m", "apps.cli.main", "run", "동화 안전모", "--json"]
    process = workplace.start(*command, "--experiments", str(site.registry))
    pids = wait_for((site.directory / "pids.txt").exists) and [
        int(each) for each in (site.directory / "pids.txt").read_text().split()
    ]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    answer = last_json(out)
    assert answer["status"] == "KILLED"
    (run,) = workplace.store.find_runs(experiment_name=EXPERIMENT)
    assert (run.run_id, run.status) == (answer["error"]["run_id"], "KILLED")
    assert run.metrics["exit_code"] == 130
    assert run.metrics["duration_s"] > 0
    for pid in pids:
        assert not Path(f"/proc/{pid}/cmdline").exists() or (
            Path(f"/proc/{pid}/cmdline").read_bytes() == b""  # a zombie that nobody buries
        )


@pytest.mark.slow
def test_mlflow_run_wraps_with_the_templates_own_parameters(workplace: Workplace) -> None:
    site = Site(workplace.root, InProcessExecutor(workplace.root, workplace.work_dir))
    done = workplace.run(
        *(sys.executable, "-m", "mlflow", "run", str(workplace.repository), "-e", "wrap"),
        *("--env-manager", "local", "-P", "name=동화 안전모"),
        *("-P", f"experiments={site.registry}", "-P", "epochs=4"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "given 4 첫 시도 None" in done.stdout
    (run,) = workplace.store.find_runs(experiment_name=EXPERIMENT)
    assert run.params["script.epochs"] == "4"
    (launcher,) = workplace.store.find_runs(experiment_name="Default")
    assert launcher.tags["guardianflow.run_id"] == run.run_id


REAL_SCRIPT = """
import os, time
from ultralytics import YOLO

if __name__ == "__main__":
    model = YOLO("yolo11n.yaml")
    model.train(data="data/data.yaml", epochs=2, imgsz=64, batch=2, workers=0, device="cpu",
                project=os.path.abspath("runs"), name="train", plots=False, amp=False)
    while not os.path.exists(os.environ["MAY_END"]):   # an operator looks at the curves first
        time.sleep(0.1)
"""


def write_tiny_data(folder: Path) -> None:
    import cv2
    import numpy as np

    random = np.random.default_rng(0)
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            (folder / split / kind).mkdir(parents=True)
        for i in range(4):
            image = random.integers(0, 255, (64, 64, 3), dtype=np.uint8)
            cv2.imwrite(str(folder / split / "images" / f"{i}.jpg"), image)
            label = "0 0.5 0.5 0.4 0.4\n1 0.2 0.2 0.2 0.2\n"
            (folder / split / "labels" / f"{i}.txt").write_text(label)
    (folder / "data.yaml").write_text(
        f"path: {folder}\ntrain: train/images\nval: val/images\nnames: [안전모, 머리]\n",
        encoding="utf-8",
    )


def content_of(folder: Path) -> dict[str, tuple[str, int]]:
    """Path → sha256 and time of change."""
    return {
        path.relative_to(folder).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.acceptance
@pytest.mark.timeout(280)
def test_a_real_ultralytics_script_is_wrapped_unchanged(workplace: Workplace) -> None:
    site = Site(workplace.root, InProcessExecutor(workplace.root, workplace.work_dir))
    site.script("학습_v2.py", REAL_SCRIPT)
    site.registry.write_text(
        site.registry.read_text()
        .replace("--epochs {epochs} --name '{name}'", "")
        .replace("defaults: {epochs: 2, name: 첫 시도}", "defaults: {}")
    )
    write_tiny_data(site.directory / "data")
    before = content_of(site.directory)
    may_end = workplace.root / "may-end"
    environment = {
        **workplace.full_environment(),
        "MAY_END": str(may_end),
        "YOLO_CONFIG_DIR": str(workplace.root / "settings"),
    }
    # Ultralytics behaves otherwise where it believes itself under test.
    environment.pop("PYTEST_CURRENT_TEST", None)
    command = [sys.executable, "-m", "apps.cli.main", "run", "동화 안전모", "--json"]
    with (
        (workplace.root / "out").open("w") as out,
        (workplace.root / "err").open("w") as err,
    ):
        process = subprocess.Popen(
            [*command, "--experiments", str(site.registry)],
            cwd=workplace.root,
            env=environment,
            stdout=out,
            stderr=err,
        )
    try:

        def live() -> Any:
            assert process.poll() is None, (workplace.root / "err").read_text()
            runs = workplace.store.find_runs(experiment_name=EXPERIMENT)
            return runs and "det.mAP50" in runs[0].metrics and runs[0]

        seen = wait_for(live, 200)
        assert seen.status == "RUNNING"  # the script has not ended, and its numbers are there
        assert process.poll() is None
        assert {"det.box_loss", "det.mAP50_95", "script.val/box_loss"} <= set(seen.metrics)
        may_end.touch()
        assert process.wait(timeout=120) == 0, (workplace.root / "err").read_text()
    finally:
        process.kill()
        process.wait()
    answer = last_json((workplace.root / "out").read_text())
    run = workplace.store.get_run(answer["run_id"])
    assert run.status == "FINISHED"
    assert "weights/runs/train/weights/best.pt" in answer["artifacts"]
    (model,) = answer["models"]
    assert model["name"] == f"{EXPERIMENT}/ppe".replace("/", ".")
    assert model["tags"]["input_size"] == "64"
    assert model["tags"]["weights"] == "runs/train/weights/best.pt"
    # Untouched but for what the script itself wrote, and no run of Ultralytics' own beside ours.
    after = content_of(site.directory)
    assert {path: after[path] for path in before} == before
    new = set(after) - set(before)
    assert all(path.startswith("runs/train/") or path.endswith(".cache") for path in new), new
    assert workplace.store.list_experiments() == ["Default", EXPERIMENT]


RELATIVE = """
from ultralytics import YOLO

if __name__ == "__main__":
    model = YOLO("yolo11n.yaml")
    model.train(data="data/data.yaml", epochs=1, imgsz=64, batch=2, workers=0, device="cpu",
                {project}plots=False, amp=False)
"""


@pytest.mark.slow
@pytest.mark.timeout(280)
@pytest.mark.parametrize("project", ["", "project='runs/ppe', name='첫번째', "])
def test_a_real_training_below_runs_dir_is_registered(workplace: Workplace, project: str) -> None:
    """A relative `project`, or none, goes below Ultralytics' runs_dir: here another checkout."""
    site = Site(workplace.root, InProcessExecutor(workplace.root, workplace.work_dir))
    site.script("학습_v2.py", RELATIVE.replace("{project}", project))
    site.registry.write_text(
        site.registry.read_text()
        .replace("--epochs {epochs} --name '{name}'", "")
        .replace("defaults: {epochs: 2, name: 첫 시도}", "defaults: {}")
    )
    write_tiny_data(site.directory / "data")
    checkout, settings = workplace.root / "checkout", workplace.root / "settings"
    (checkout / "runs/detect/train/weights").mkdir(parents=True)  # of somebody else, before
    (checkout / "runs/detect/train/weights/best.pt").write_bytes(b"another's")
    environment = {**workplace.full_environment(), "YOLO_CONFIG_DIR": str(settings)}
    environment.pop("PYTEST_CURRENT_TEST", None)
    code = f"from ultralytics import settings; settings.update(runs_dir={str(checkout / 'runs')!r})"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    kept = (settings / "Ultralytics/settings.json").read_bytes()
    command = [sys.executable, "-m", "apps.cli.main", "run", "동화 안전모", "--json"]
    done = subprocess.run(
        [*command, "--experiments", str(site.registry)],
        cwd=workplace.root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = last_json(done.stdout)
    (model,) = answer["models"]
    (new,) = set((checkout / "runs/detect").iterdir()) - {checkout / "runs/detect/train"}
    home = new / "ppe/첫번째" if project else new
    assert model["tags"]["weights"] == str(home.resolve() / "weights/best.pt")
    assert model["tags"]["input_size"] == "64"
    assert f"weights/outside/{home.name}/weights/best.pt" in answer["artifacts"]
    assert "det.mAP50" in answer["metrics"]
    assert answer["metrics"]["exit_code"] == 0
    assert (settings / "Ultralytics/settings.json").read_bytes() == kept
