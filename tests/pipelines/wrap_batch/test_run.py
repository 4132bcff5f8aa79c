"""A batch of wrapped runs: who belongs to it, who fails alone, what is not run again."""

from __future__ import annotations

import io
import os
import signal
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inprocess import InProcessExecutor
from rich.cells import cell_len
from rich.console import Console
from workplace import Workplace, last_json

from guardianflow.contracts.errors import ConcurrentChangeError, ConfigurationError
from guardianflow.contracts.results import RunRequest
from pipelines.settings import Settings
from pipelines.wrap_batch.batch import (
    FAILED,
    Batch,
    Entry,
    WrapBatchOrder,
    check_runnable,
    load_batch,
    locked_batch,
    new_batch,
    prepare_batch,
    resume_batch,
)
from pipelines.wrap_batch.text import PlainLines, live_table, print_batch

ENTRY = """
  {name}:
    path: {path}
    site: {{customer: {customer}, region: busan}}
    task: {{type: ppe}}
    entry_points:
      train: {{default: train.py, args_template: "--epochs {{epochs}}", defaults: {{epochs: 2}}}}
"""
GOOD = "print('epoch 1: mAP50=0.5')\n"
BAD = "import sys\nsys.exit(3)\n"
# Its wrapper is gone and it goes on: nobody but the batch can end it.
ORPHAN = """
import os, signal, time
open("pid.txt", "w").write(str(os.getpid()))
os.kill(os.getppid(), signal.SIGKILL)
time.sleep(600)
"""
SLEEPER = """
import os, time
open("pid.tmp", "w").write(str(os.getpid()))
os.rename("pid.tmp", "pid.txt")
time.sleep(600)
"""


def make_fleet(folder: Path, scripts: dict[str, str], customer: str = "동화엔텍") -> Path:
    """A directory each, and the registry of all."""
    text = "experiments:"
    for name, code in scripts.items():
        (folder / name).mkdir()
        (folder / name / "train.py").write_text(textwrap.dedent(code), encoding="utf-8")
        text += ENTRY.format(name=name, path=name, customer=customer)
    registry = folder / "experiments.yaml"
    registry.write_text(text, encoding="utf-8")
    return registry


def order_of(registry: Path, **asked: Any) -> WrapBatchOrder:
    values: dict[str, Any] = {"script_type": "train", "tracking_uri": "memory", **asked}
    return WrapBatchOrder(experiments=str(registry), **values)


# --- who belongs to it ----------------------------------------------------------------------------


def test_who_cannot_run_is_known_before_anything_starts(tmp_path: Path) -> None:
    registry = make_fleet(tmp_path, dict.fromkeys(("좋은 것", "lost", "unsaid", "unsaid2"), GOOD))
    (tmp_path / "lost/train.py").unlink()
    text = registry.read_text()
    head, _, tail = text.partition("  unsaid:")
    tail = tail.replace("region: busan", "region: TODO", 1).replace("type: ppe", "type: TODO", 1)
    tail = tail.replace("path: unsaid2", "path: unsaid2\n    env: {python: no-such-venv}")
    registry.write_text(f"{head}  unsaid:{tail}")
    settings = Settings(work_dir=tmp_path / "work")
    batch, plans = prepare_batch(order_of(registry), settings)
    assert list(plans) == ["좋은 것"]
    reasons = {each.name: each.reason for each in batch.entries}
    assert reasons["좋은 것"] == ""
    assert "train.py" in reasons["lost"]
    assert "site.region" in reasons["unsaid"]
    assert "task.type" in reasons["unsaid"]
    assert "no-such-venv" in reasons["unsaid2"]
    check_runnable(batch, strict=False)
    with pytest.raises(ConfigurationError) as caught:
        check_runnable(batch, strict=True)
    assert len(caught.value.problems) == 3
    batch, plans = prepare_batch(order_of(registry), settings, dry_run=True)
    assert list(plans) == ["좋은 것", "unsaid"]  # what it would run is shown all the same
    assert plans["unsaid"].to_fill_in == ("site.region", "task.type")
    assert not (tmp_path / "work").exists()


def test_a_directory_without_that_kind_of_work_is_no_fault(tmp_path: Path) -> None:
    registry = make_fleet(tmp_path, {"a": GOOD, "b": GOOD})
    text = registry.read_text()
    registry.write_text(f"{text}      quant: {{default: train.py}}\n")
    batch, plans = prepare_batch(order_of(registry, script_type="quant"), Settings())
    assert list(plans) == ["b"]
    check_runnable(batch, strict=True)
    batch, _ = prepare_batch(order_of(registry, script_type="infer"), Settings())
    with pytest.raises(ConfigurationError, match="no entry point 'infer'"):
        check_runnable(batch, strict=False)


def test_an_unknown_customer_is_told_with_the_nearest(tmp_path: Path) -> None:
    registry = make_fleet(tmp_path, {"a": GOOD})
    with pytest.raises(ConfigurationError, match="동화엔텍"):
        prepare_batch(order_of(registry, customer="동화엔택"), Settings())


# --- what is kept ---------------------------------------------------------------------------------


def test_the_store_says_what_is_finished_even_where_the_file_does_not(
    tmp_path: Path, executor: InProcessExecutor
) -> None:
    registry = make_fleet(tmp_path, {"a": GOOD, "b": GOOD, "c": GOOD})
    settings, store = Settings(work_dir=tmp_path / "work"), executor.store
    batch, _ = prepare_batch(order_of(registry, tracking_uri=store.tracking_uri), settings)
    batch.entries[2].state, batch.entries[2].reason = FAILED, "exit code 3"
    with locked_batch(batch):
        batch.save()  # as the process that was killed left it: 'a' is not known to be finished
        for name, status in (("a", "FINISHED"), ("c", "FAILED")):
            tags = {"exp.batch": batch.batch_id, "exp.name": name}
            store.end_run(store.start_run(RunRequest("e", "r", tags=tags)), status)
        with pytest.raises(ConcurrentChangeError, match="at work already"), locked_batch(batch):
            pass
    again = load_batch(batch.batch_id, settings.work_dir)
    plans = resume_batch(again, store)
    assert [each.state for each in again.entries] == ["FINISHED", "WAITING", "WAITING"]
    assert list(plans) == ["b", "c"]
    assert plans["b"].tags["exp.batch"] == batch.batch_id


def test_a_batch_of_another_store_is_refused(tmp_path: Path, executor: InProcessExecutor) -> None:
    registry = make_fleet(tmp_path, {"a": GOOD})
    batch, _ = prepare_batch(order_of(registry, tracking_uri="sqlite:////other.db"), Settings())
    with pytest.raises(ConfigurationError, match=r"other\.db"):
        resume_batch(batch, executor.store)


def test_a_batch_keeps_no_secret_and_asks_for_it_again(
    tmp_path: Path, executor: InProcessExecutor, secrets_forgotten: None
) -> None:
    registry = make_fleet(tmp_path, {"a": GOOD})
    text = registry.read_text().replace("{epochs}", "{epochs} --api_key {api_key}")
    registry.write_text(text)
    settings = Settings(work_dir=tmp_path / "work")
    params = {"api_key": "k3y-of-kim"}
    order = order_of(registry, tracking_uri="http://kim:tr4ck-pw@h", params=params)
    batch, _ = prepare_batch(order, settings)
    with locked_batch(batch):
        batch.save()
    kept = batch.folder / "batch.json"
    assert "k3y-of-kim" not in kept.read_text() and "tr4ck-pw" not in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert batch.folder.stat().st_mode & 0o777 == 0o700
    again = load_batch(batch.batch_id, settings.work_dir)
    assert again.secret_params == ["api_key"]
    store = executor.store
    store.tracking_uri = "http://kim:tr4ck-pw@h"
    for asked, words in (
        ({}, "-p api_key=… must be given again"),
        ({**params, "epochs": "3"}, "-p epochs must not be given"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            resume_batch(again, store, asked)
    plans = resume_batch(again, store, params)
    assert plans["a"].arguments[-1] == "k3y-of-kim"
    assert again.order.tracking_uri == store.tracking_uri


@pytest.mark.parametrize("asked", ["nothing", "../../etc", "20260101-000000-abcd"])
def test_an_unknown_batch_is_told_with_the_last_ones(tmp_path: Path, asked: str) -> None:
    batch = new_batch(order_of(tmp_path), ["a"], tmp_path)
    with locked_batch(batch):
        batch.save()
    with pytest.raises(ConfigurationError, match=batch.batch_id):
        load_batch(asked, tmp_path)
    (batch.folder / "batch.json").write_text("{")
    with pytest.raises(ConfigurationError, match="can't be read as a batch"):
        load_batch(batch.batch_id, tmp_path)


@given(st.lists(st.text(min_size=1, max_size=120), min_size=2, max_size=2, unique=True))
def test_two_experiments_never_share_a_log(names: list[str]) -> None:
    batch = Batch("id", order_of(Path("x")), [], Path("/b"))
    one, other = (batch.log_of(name.encode("utf-8", "replace").decode()) for name in names)
    assert one.parent == other.parent == Path("/b")
    assert one != other or names[0].encode("utf-8", "replace") == names[1].encode(
        "utf-8", "replace"
    )


# --- how it looks ---------------------------------------------------------------------------------


def test_the_live_table_fits_the_screen_and_shows_what_matters_first() -> None:
    entries = [Entry(f"사이트-{n:02}", state="FINISHED", seconds=61.0) for n in range(30)]
    entries[20] = Entry(
        "동화엔텍 [안전모] 재학습", "RUNNING", seconds=5, metrics={"det.mAP50": 0.7}
    )
    entries[25] = Entry("삼표", "FAILED", reason="it ended with exit code 3")
    table = live_table(Batch("b", order_of(Path("x")), entries, Path()), rows=5)
    console = Console(file=io.StringIO(), width=100)
    console.print(table)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "동화엔텍 [안전모] 재학습" in text
    assert "mAP50 0.7" in text
    assert "삼표" in text
    assert "28 finished, 1 failed, 1 running" in text
    assert "and 25 more" in text
    rows = [line for line in text.splitlines() if line.startswith(("│", "┃"))]
    assert len({cell_len(row) for row in rows}) == 1  # Hangul is two cells wide


def test_logs_get_a_line_for_each_change(capsys: pytest.CaptureFixture[str]) -> None:
    entry = Entry("a")
    batch = Batch("b", order_of(Path("x")), [entry, Entry("b", "SKIPPED", "no script")], Path())
    view = PlainLines()
    view.show(batch)
    entry.state = "RUNNING"
    for _ in range(3):
        view.show(batch)
    entry.state, entry.seconds, entry.metrics = "FINISHED", 3725.0, {"det.mAP50": 0.5}
    view.show(batch)
    told = capsys.readouterr().err.splitlines()
    assert told == ["[a] RUNNING", "[a] FINISHED  1:02:05  mAP50 0.5"]


def test_the_last_table_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    entries = [Entry("a", FAILED, reason="it ended with exit code 3"), Entry("b", "FINISHED")]
    print_batch(Batch("b", order_of(Path("x")), entries, Path()))
    assert "it ended with exit code 3" in capsys.readouterr().out


# --- as a command ---------------------------------------------------------------------------------


def wait_for(path: Path, limit_s: float = 120.0) -> str:
    deadline = time.monotonic() + limit_s
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.1)
    return path.read_text()


def is_gone(pid: str) -> bool:
    try:
        return psutil.Process(int(pid)).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.acceptance
def test_failures_stay_alone_and_only_they_are_run_again(workplace: Workplace) -> None:
    scripts = {"좋은 것": GOOD, "bad": BAD, "orphan": ORPHAN, "unsaid": GOOD}
    registry = make_fleet(workplace.root, scripts)
    text = registry.read_text()
    registry.write_text(text[: text.index("  unsaid:")] + text[text.index("  unsaid:") :].replace(
        "region: busan", "region: TODO"))  # fmt: skip
    asked = ("run", "--all", "--jobs", "2", "--experiments", str(registry), "--json")
    done = workplace.guardianflow(*asked)
    assert done.returncode == 1, done.stderr
    answer = last_json(done.stdout)
    found = {each["name"]: each for each in answer["experiments"]}
    states = {name: each["status"] for name, each in found.items()}
    assert states == {
        "좋은 것": "FINISHED", "bad": "FAILED", "orphan": "FAILED", "unsaid": "SKIPPED",
    }  # fmt: skip
    assert answer["status"] == "FAILED"
    assert found["좋은 것"]["metrics"]["det.mAP50"] == 0.5
    assert found["bad"]["reason"] == "it ended with exit code 3"
    assert "SIGKILL" in found["orphan"]["reason"]
    assert is_gone((workplace.root / "orphan/pid.txt").read_text())
    runs = workplace.store.find_runs(tags={"exp.batch": answer["batch"]})
    assert {run.tags["exp.name"]: run.status for run in runs} == {
        "좋은 것": "FINISHED", "bad": "FAILED", "orphan": "FAILED",
    }  # fmt: skip
    for part in ("unsaid: ", "site.region", "2 of 4 failed: bad, orphan", answer["resume"]):
        assert part in done.stderr

    registry.write_text(text)
    (workplace.root / "bad/train.py").write_text(GOOD)
    (workplace.root / "orphan/train.py").unlink()
    done = workplace.guardianflow(*answer["resume"].split()[1:])
    assert done.returncode == 0, done.stderr
    assert "3 finished, 1 skipped" in done.stdout
    assert "must hold the script train.py" in done.stderr
    runs = workplace.store.find_runs(tags={"exp.batch": answer["batch"]}, status="FINISHED")
    assert sorted(run.tags["exp.name"] for run in runs) == ["bad", "unsaid", "좋은 것"]


@pytest.mark.slow
def test_ctrl_c_ends_all_and_tells_how_to_go_on(workplace: Workplace) -> None:
    registry = make_fleet(workplace.root, {"a": SLEEPER, "b": SLEEPER, "c": GOOD})
    process = workplace.start(
        *(sys.executable, "-m", "apps.cli.main", "run", "--customer", "동화엔텍", "--json"),
        *("--jobs", "2", "--experiments", str(registry)),
    )
    try:
        pids = [wait_for(workplace.root / name / "pid.txt") for name in "ab"]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=90)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130, err
    answer = last_json(out)
    states = {each["name"]: each["status"] for each in answer["experiments"]}
    assert states == {"a": "KILLED", "b": "KILLED", "c": "WAITING"}
    assert answer["status"] == "KILLED"
    assert f"guardianflow run --resume {answer['batch']} --jobs 2" in err
    assert all(map(is_gone, pids))
    runs = workplace.store.find_runs(tags={"exp.batch": answer["batch"]})
    assert [run.status for run in runs] == ["KILLED", "KILLED"]
    assert [run.metrics["exit_code"] for run in runs] == [130, 130]


SHARED = """
import os, time
from pathlib import Path
runs, number = Path(os.environ["HOME_OF_RUNS"], "runs/detect"), 1
while True:
    home = runs / f"train{number}"
    try:
        home.mkdir(parents=True)
        break
    except FileExistsError:
        number += 1
here = os.path.basename(os.getcwd())
(home / "results.csv").write_text("epoch,metrics/mAP50(B)\\n1,0.%d\\n" % (ord(here) - 96))
(home / f"{here}.json").write_text("{}")
# Both are at work, and see each other's results before they end.
while len(list(runs.glob("*/?.json"))) < 2:
    time.sleep(0.05)
time.sleep(1)
"""


@pytest.mark.slow
def test_two_at_once_below_one_runs_dir_keep_their_own_results(workplace: Workplace) -> None:
    registry = make_fleet(workplace.root, {"a": SHARED, "b": SHARED})
    text = registry.read_text().replace(
        "    site:", f"    env: {{variables: {{HOME_OF_RUNS: '{workplace.root}'}}}}\n    site:"
    )
    registry.write_text(text)
    asked = ("run", "--all", "--jobs", "2", "--experiments", str(registry), "--json")
    done = workplace.guardianflow(*asked)
    assert done.returncode == 0, done.stderr
    found = {each["name"]: each for each in last_json(done.stdout)["experiments"]}
    for name, value in (("a", 0.1), ("b", 0.2)):
        assert found[name]["metrics"]["det.mAP50"] == value
        run = found[name]["run_id"]
        kept = workplace.store.download(run, "results", workplace.root / f"kept-{name}")
        assert {each.name for each in kept.rglob("*.*")} == {"results.csv", f"{name}.json"}
