"""A script that nobody may change, wrapped: what its run holds, and how it ends."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from inprocess import InProcessExecutor
from workplace import QUICK_TRAINER
from wrapped_site import EXPERIMENT, TRAIN, Site

from experiments_adapters.legacy.directory_lock import locked
from guardianflow.contracts.errors import (
    ConcurrentChangeError,
    ConfigurationError,
    ScriptFailedError,
)
from guardianflow.contracts.results import RunRequest
from pipelines.wrap.outcome import plan_lines
from pipelines.wrap.plan import WrapRequest, make_plan


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
    assert run.metrics["exit_code"] == 0
    assert 0 < run.metrics["duration_s"] < 60
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
        ("raise ValueError('빈 데이터')", 1, "exit code 1: ValueError: 빈 데이터", "FAILED"),
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
    assert said in str(caught.value)  # the console's error
    assert run.metrics["exit_code"] == exit_code
    assert 0 < run.metrics["duration_s"] < 60
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


ELSEWHERE = (
    'NAMES = ["안전모", "머리"]\n'
    + QUICK_TRAINER
    + """
import os
from types import SimpleNamespace as S
home = Path(os.environ["REPOSITORY"], "runs/detect/train2")
(home / "weights").mkdir(parents=True)
Trainer(S(input_size=64, num_classes=2), None, None, home / "weights").get_best_model_path()
(home / "results.csv").write_text("epoch,metrics/mAP50(B)\\n1,0.25\\n2,0.75\\n")
"""
)


def test_a_model_that_ultralytics_puts_below_its_runs_dir_is_this_runs(site: Site) -> None:
    repository = site.directory.parent / "저장소"
    other = repository / "runs/detect/train"  # another script's, written at the same time
    other.mkdir(parents=True)
    (other / "results.csv").write_text("epoch,metrics/mAP50(B)\n1,0.99\n")
    (other / "best.onnx").write_bytes(b"another's")
    site.write_registry(f"env: {{variables: {{REPOSITORY: '{repository}'}}}}")
    site.script("학습_v2.py", ELSEWHERE)
    outcome = site.wrap()
    assert sorted(outcome.artifacts) == [
        "results/outside/train2/results.csv",
        "weights/outside/train2/weights/best.onnx",
    ]
    assert outcome.metrics["det.mAP50"] == 0.75
    home = repository.resolve() / "runs/detect/train2"
    assert outcome.model is not None
    assert outcome.model.aliases == ("candidate",)
    assert outcome.model.tags["weights"] == str(home / "weights/best.onnx")
    notes = site.store.get_run(outcome.run_id).tags["guardianflow.notes"]
    assert f"it wrote outside its directory, to {home}: 2 of 2 files" in notes
    changes = json.loads(site.artifact(outcome.run_id, "config/changes.json"))
    assert {each["from"] for each in changes["kept"]} == {
        str(home / "results.csv"),
        str(home / "weights/best.onnx"),
    }


def test_weights_that_were_downloaded_are_no_training(site: Site) -> None:
    site.script("학습_v2.py", "open('yolo11n.pt', 'wb').write(b'x')\n")
    outcome = site.wrap()
    assert outcome.model is None
    assert any("yolo11n.pt: by its name published" in note for note in outcome.notes)


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


def test_a_dry_run_needs_no_site_and_no_task(site: Site) -> None:
    site.write_registry()
    text = site.registry.read_text(encoding="utf-8")
    text = text.replace("customer: 동화엔텍, region: busan", "customer: TODO, region: busan")
    site.registry.write_text(text.replace("type: ppe", "type: TODO"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"site\.customer.* must be filled in"):
        make_plan(WrapRequest("동화 안전모", experiments=site.registry))
    plan = make_plan(WrapRequest("동화 안전모", experiments=site.registry, dry_run=True))
    assert plan.arguments[1:] == ("학습_v2.py", "--epochs", "2", "--name", "첫 시도")
    assert plan.to_fill_in == ("site.customer", "task.type")
    assert plan.as_dict()["to_fill_in"] == ["site.customer", "task.type"]
    assert "fill in     site.customer, task.type" in plan_lines(plan)


def test_what_would_surely_stop_the_script_is_told_and_makes_no_run(site: Site) -> None:
    site.script("학습_v2.py", TRAIN + "import no_such_module\ninput('현장? ')\n")
    with pytest.raises(ConfigurationError) as caught:
        site.wrap()
    assert "no module 'no_such_module'" in str(caught.value)
    assert "gets no input" in str(caught.value)
    assert site.store.find_runs() == []


def test_what_may_stop_it_is_a_warning_of_the_plan_and_the_run(site: Site) -> None:
    warned = "OLD = '/home/no-such-kim/ppe/data.yaml'\n"
    site.script("학습_v2.py", TRAIN + warned)
    plan = make_plan(WrapRequest("동화 안전모", experiments=site.registry, dry_run=True))
    assert [each.cause for each in plan.warnings] == ["other_machine"]
    assert "warning     학습_v2.py:" in plan_lines(plan)
    outcome = site.wrap()
    notes = site.store.get_run(outcome.run_id).tags["guardianflow.notes"]
    assert "there is no /home/no-such-kim here" in notes


def test_options_that_the_template_does_not_name_are_given_and_recorded(site: Site) -> None:
    site.script(
        "학습_v2.py",
        TRAIN.replace(
            "given = parser.parse_args()",
            "parser.add_argument('--batch-size', type=int, default=16)\n"
            "parser.add_argument('--cos-lr', action='store_true')\n"
            "given = parser.parse_args()\nprint('more', given.batch_size, given.cos_lr)",
        ),
    )
    outcome = site.wrap(params={"batch_size": "4", "cos_lr": "true"})
    assert "more 4 True\n" in site.artifact(outcome.run_id, "logs/output.log")
    params = site.store.get_run(outcome.run_id).params
    assert params["script.batch_size"] == "4"
    assert params["script.cos_lr"] == "true"
