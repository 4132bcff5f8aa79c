"""A script that nobody may change, wrapped: its run is live, and its directory stays untouched."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inprocess import InProcessExecutor
from workplace import QUICK_TRAINER, Workplace, last_json

from experiments_adapters.legacy.directory_lock import locked
from guardianflow.contracts.errors import (
    ConcurrentChangeError,
    ConfigurationError,
    ScriptFailedError,
)
from guardianflow.contracts.results import RunRequest
from pipelines.wrap import WrapOutcome, run_wrapped
from pipelines.wrap_plan import WrapRequest, make_plan

EXPERIMENT = "동화엔텍/busan-plant1/full"
REGISTRY = """
experiments:
  동화 안전모:
    path: 동화 안전모
    site: {{customer: 동화엔텍, region: busan}}
    task: {{type: ppe}}
    entry_points:
      train:
        default: 학습_v2.py
        patterns: ["학습*.py"]
        args_template: "--epochs {{epochs}} --name '{{name}}'"
        defaults: {{epochs: 2, name: 첫 시도}}
      quant: {{default: quant.py}}
{extra}
"""
TRAIN = """
import argparse, json, os, sys
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
parser.add_argument("--name")
given = parser.parse_args()
print("given", given.epochs, given.name, os.environ.get("MLFLOW_RUN_ID"))
os.makedirs("runs/detect/train2", exist_ok=True)
with open("runs/detect/train2/results.csv", "w") as file:
    file.write("epoch,train/box_loss,metrics/mAP50(B)\\n")
    for epoch in range(1, given.epochs + 1):
        print(f"epoch {epoch}: lr={0.1 / epoch}")
        file.write(f"{epoch},{4 / epoch},{epoch / 10}\\n")
with open("metrics.json", "w") as file:
    json.dump({"speed": 12.5}, file)
open("runs/detect/train2/PR.png", "wb").write(b"png")
os.makedirs("data", exist_ok=True)
open("data/new.csv", "w").close()
"""


class Site:
    """A registry with one directory of scripts, and the wrapper on a store in memory."""

    def __init__(self, folder: Path, executor: InProcessExecutor) -> None:
        self.directory = folder / "동화 안전모"
        self.directory.mkdir()
        self.registry = folder / "experiments.yaml"
        self.executor = executor
        self.told: list[str] = []
        self.write_registry()
        self.script("학습_v2.py", TRAIN)

    def write_registry(self, extra: str = "") -> None:
        text = REGISTRY.format(extra=textwrap.indent(textwrap.dedent(extra), "    "))
        self.registry.write_text(text, encoding="utf-8")

    def script(self, name: str, code: str) -> Path:
        path = self.directory / name
        path.write_text(textwrap.dedent(code), encoding="utf-8")
        return path

    def wrap(self, **asked: Any) -> WrapOutcome:
        request = WrapRequest("동화 안전모", experiments=self.registry, terminal=False, **asked)
        return run_wrapped(
            make_plan(request),
            self.executor.settings,
            self.executor.ports,
            environment=dict(os.environ),
            tell=self.told.append,
        )

    @property
    def store(self) -> Any:
        return self.executor.store

    def artifact(self, run_id: str, path: str) -> str:
        found: Path = self.store.download(run_id, path, self.directory.parent / "fetched")
        return found.read_text(encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path, executor: InProcessExecutor) -> Site:
    return Site(tmp_path, executor)


def test_a_run_says_what_ran_and_keeps_what_came_of_it(site: Site) -> None:
    outcome = site.wrap(params={"epochs": "3"})
    run = site.store.get_run(outcome.run_id)
    assert (run.experiment_name, run.run_name) == (EXPERIMENT, "ppe-학습_v2-train")
    assert run.status == "FINISHED"
    assert run.params == {"script.epochs": "3", "script.name": "첫 시도"}
    assert run.tags["exp.type"] == "train"
    assert run.tags["exp.script"] == "학습_v2.py"
    assert run.tags["exp.source_dir"] == str(site.directory)
    code = (site.directory / "학습_v2.py").read_bytes()
    assert run.tags["exp.script_sha256"] == hashlib.sha256(code).hexdigest()
    assert run.tags["site.customer"] == "동화엔텍"
    assert run.tags["task.type"] == "ppe"
    assert run.metrics["det.mAP50"] == pytest.approx(0.3)
    assert run.metrics["det.box_loss"] == pytest.approx(4 / 3)
    assert run.metrics["script.lr"] == pytest.approx(0.1 / 3)
    assert run.metrics["sys.cpu_memory_used_mb"] > 0
    assert sorted(outcome.artifacts) == [
        "plots/runs/detect/train2/PR.png",
        "results/metrics.json",
        "results/runs/detect/train2/results.csv",
    ]
    assert "given 3 첫 시도 None\n" in site.artifact(outcome.run_id, "logs/output.log")
    assert site.artifact(outcome.run_id, "code/학습_v2.py").encode() == code
    command = json.loads(site.artifact(outcome.run_id, "config/command.json"))
    assert command["command"][1:] == ["학습_v2.py", "--epochs", "3", "--name", "첫 시도"]
    assert any("no model is registered" in each for each in site.told)
    assert not (site.executor.work_dir / "wrap").exists() or not list(
        (site.executor.work_dir / "wrap").iterdir()
    )


def test_declared_places_of_metrics_are_read(site: Site) -> None:
    site.write_registry(
        """
        metrics:
          files: [metrics.json]
          patterns: ['rate=(?P<fps>[0-9.]+)']
        """
    )
    outcome = site.wrap()
    assert outcome.metrics["script.speed"] == 12.5


@pytest.mark.parametrize(
    ("code", "exit_code", "said", "status"),
    [
        ("import sys; sys.exit(3)", 3, "exit code 3", "FAILED"),
        ("raise ValueError('빈 데이터')", 1, "exit code 1", "FAILED"),
        ("import os; os.kill(os.getpid(), 9)", 137, "SIGKILL", "FAILED"),
        ("import time; time.sleep(600)", 124, "timeout", "FAILED"),
    ],
)
def test_how_a_script_fails_is_in_the_run_and_in_the_exit_code(
    site: Site, code: str, exit_code: int, said: str, status: str
) -> None:
    site.write_registry("timeout: 1.5s" if "sleep" in code else "")
    site.script("학습_v2.py", f"open('partial.csv', 'w').write('a,b')\n{code}\n")
    with pytest.raises(ScriptFailedError, match=said) as caught:
        site.wrap()
    assert caught.value.exit_code == exit_code
    run = site.store.get_run(caught.value.run_id)
    assert run.status == status
    assert said in run.tags["guardianflow.error"]
    assert site.artifact(run.run_id, "results/partial.csv") == "a,b"


ONNX = (
    'NAMES = ["안전모", "머리"]\n'
    + QUICK_TRAINER
    + """
from types import SimpleNamespace as S
Path("out").mkdir()
Trainer(S(input_size=64, num_classes=2), None, None, "out").get_best_model_path()
Path("out/epoch2.onnx").write_bytes(b"no model")
"""
)


def test_the_model_of_a_quantisation_is_a_candidate_named_by_what_the_file_is(site: Site) -> None:
    site.script("quant.py", ONNX)
    outcome = site.wrap(script_type="quant")
    assert outcome.model is not None
    assert outcome.model.display_name == f"{EXPERIMENT}/ppe__onnx_fp32"
    assert outcome.model.aliases == ("candidate",)
    assert outcome.model.tags["weights"] == "out/best.onnx"
    assert outcome.model.tags["input_size"] == "64"
    assert site.store.get_run(outcome.run_id).tags["registered_model_version"] == "1"


def test_weights_that_cannot_be_read_are_told_and_cost_no_run(site: Site) -> None:
    site.script("학습_v2.py", "open('best.pt', 'wb').write(b'garbage')\n")
    outcome = site.wrap()
    assert (outcome.status, outcome.model) == ("FINISHED", None)
    assert any("best.pt can't be used" in note for note in outcome.notes)
    assert "best.pt can't be used" in site.store.get_run(outcome.run_id).tags["guardianflow.notes"]


def test_nothing_is_registered_where_that_is_not_wanted(site: Site) -> None:
    site.script("quant.py", ONNX)
    assert site.wrap(script_type="quant", register=False).model is None
    site.write_registry("register: false")
    assert not make_plan(
        WrapRequest("동화 안전모", script_type="quant", experiments=site.registry)
    ).registers


def test_a_second_run_in_the_directory_is_refused_and_leaves_no_run(site: Site) -> None:
    locks = site.executor.settings.work_dir / "locks"
    with locked(site.directory, locks) as lock:
        lock.note(run="r7")
        # The lock is the process's own: another one stands for a second wrapper.
        code = f"""
from pathlib import Path
from experiments_adapters.legacy.directory_lock import locked
with locked(Path({str(site.directory)!r}), Path({str(locks)!r})): pass
"""
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert "run r7" in done.stderr
        with pytest.raises(ConcurrentChangeError, match="run r7"):
            site.wrap()
    assert site.store.find_runs() == []


def test_the_run_of_a_wrapper_that_was_killed_is_ended_by_the_next_one(site: Site) -> None:
    left = site.store.start_run(RunRequest(EXPERIMENT, "ppe-학습_v2-train"))
    locks = site.executor.settings.work_dir / "locks"
    code = f"""
import os
from pathlib import Path
from experiments_adapters.legacy.directory_lock import locked
with locked(Path({str(site.directory)!r}), Path({str(locks)!r})) as lock:
    lock.note(run={left!r})
    os.kill(os.getpid(), 9)
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert site.wrap().status == "FINISHED"
    assert site.store.get_run(left).status == "KILLED"
    assert any(left in each for each in site.told)


def test_everything_wrong_with_the_request_is_told_at_once(site: Site) -> None:
    site.write_registry("env: {python: no-such-venv}\nworking_dir: nowhere")
    with pytest.raises(ConfigurationError) as caught:
        make_plan(
            WrapRequest("동화 안전모", experiments=site.registry, params={"epoch": "1"})
        )  # fmt: skip
    text = str(caught.value)
    for part in ("no-such-venv", "nowhere", "-p epoch ", "--epochs, --name"):
        assert part in text
    with pytest.raises(ConfigurationError, match="did you mean '동화 안전모'"):
        make_plan(WrapRequest("동화 안전", experiments=site.registry))
    site.write_registry()
    for script in ("../x.py", "/etc/hostname"):
        with pytest.raises(ConfigurationError, match="must lie inside"):
            make_plan(WrapRequest("동화 안전모", experiments=site.registry, script=script))


# --- as commands ----------------------------------------------------------------------------------


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


@pytest.mark.slow
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
