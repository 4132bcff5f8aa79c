"""A server that is away, slow, hanging or failing stops no work, and gets everything once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faulty_proxy import CUT, DOWN, DROP, FAIL, HANG, PASS, FaultyProxy

from guardianflow.backends.catalogue import runtime_of
from guardianflow.contracts.errors import SourceError, TrackingError
from guardianflow.contracts.results import DataInput, MetricPoint, RunRequest
from guardianflow.contracts.run_status import RunStatus
from guardianflow.run_tracking.mlflow_store import MlflowStore
from guardianflow.run_tracking.registry import MlflowRegistry
from guardianflow.run_tracking.run_records import WAITING_TAG
from guardianflow.run_tracking.spool import store as spooled_store
from guardianflow.run_tracking.spool.registry import SpooledRegistry
from guardianflow.run_tracking.spool.store import SpooledStore
from guardianflow.run_tracking.spool.sync import Sync

pytestmark = pytest.mark.slow

EXPERIMENT = "donghwa-entec/busan-plant1/welding"
EPOCHS = 6
Make = Callable[..., SpooledStore]


def train(store: SpooledStore, files: Path, during: Callable[[int], None] = lambda _: None) -> str:
    """What a training logs."""
    run_id = store.start_run(
        RunRequest(EXPERIMENT, "ppe-v1", {"exp.type": "train"}, {"train.epochs": str(EPOCHS)})
    )
    store.log_data(run_id, DataInput("demo", "d" * 64, "train"))
    for epoch in range(1, EPOCHS + 1):
        during(epoch)
        points = [MetricPoint(key, epoch / 7, epoch, 1_700_000_000_000 + epoch) for key in "abc"]
        store.log_points(run_id, points)
    (files / "plots").mkdir(parents=True, exist_ok=True)
    (files / "plots" / "곡선.png").write_bytes(bytes(range(256)) * 40)
    (files / "best.pt").write_bytes(os.urandom(200_000))
    store.log_files(run_id, files, "weights")
    store.end_run(run_id)
    return run_id


def check_whole(direct: MlflowStore, files: Path, scratch: Path) -> str:
    """There is one run, and all of it is there once; returns its id."""
    (run,) = direct.find_runs()
    assert run.status == "FINISHED"
    assert (run.experiment_name, run.run_name) == (EXPERIMENT, "ppe-v1")
    assert run.params == {"train.epochs": str(EPOCHS)}
    assert run.tags["exp.type"] == "train"
    assert [data.name for data in run.data] == ["demo"]
    for key in "abc":
        history = direct._client.get_metric_history(run.run_id, key)
        assert sorted((m.step, m.value, m.timestamp) for m in history) == [
            (epoch, epoch / 7, 1_700_000_000_000 + epoch) for epoch in range(1, EPOCHS + 1)
        ]
    there = direct.download(run.run_id, "weights", scratch)
    for path in (path for path in files.rglob("*") if path.is_file()):
        assert (there / path.relative_to(files)).read_bytes() == path.read_bytes()
    return run.run_id


def registry_of(direct: MlflowStore) -> MlflowRegistry:
    return MlflowRegistry(None, runtime_of, direct)


def sync(root: Path, url: str, **values: Any) -> Any:
    return Sync(root, url, runtime_of, lambda _done, _total: None, **values).run()


def test_a_server_that_answers_has_all_at_the_end(
    proxy: FaultyProxy, direct: MlflowStore, spooled: Make, tmp_path: Path, told: list[str]
) -> None:
    store = spooled(proxy.url)
    run_id = train(store, tmp_path / "f")
    assert store.settle() == ""
    assert run_id == check_whole(direct, tmp_path / "f", tmp_path / "out")
    assert told == []
    assert sum("runs/log-batch" in line for line in proxy.requests) <= 2 * EPOCHS


@pytest.mark.parametrize("mode", [DOWN, HANG, FAIL, CUT, DROP])
@pytest.mark.parametrize("when", ["from the start", "in the middle", "at the end"])
def test_an_outage_of_any_kind_loses_and_doubles_nothing(
    mode: str,
    when: str,
    proxy: FaultyProxy,
    direct: MlflowStore,
    spooled: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "3")
    store = spooled(proxy.url)
    if when == "from the start":
        proxy.set(mode)

    def during(epoch: int) -> None:
        if epoch == 3 and when == "in the middle":
            proxy.set(mode)
        if epoch == EPOCHS and when == "at the end":
            proxy.set(mode)

    run_id = train(store, tmp_path / "f", during)
    left = store.settle(4.0)
    assert "could not be sent yet" in left and "`guardianflow sync`" in left
    proxy.set(PASS)
    if when == "in the middle":  # back while the process lives: it needs nobody's help
        for _ in range(120):
            if not store.settle():
                break
    else:
        store.close()
        result = sync(tmp_path / "spool", proxy.url)
        assert (result.left, result.problems) == ([], [])
    real = check_whole(direct, tmp_path / "f", tmp_path / "out")
    assert run_id in (real, f"local-{direct.get_run(real).tags['guardianflow.client_id']}")
    assert direct.get_run(run_id).run_id == real, "both ids lead to it"
    assert sync(tmp_path / "spool", proxy.url).sent.points == 0
    check_whole(direct, tmp_path / "f", tmp_path / "again")


def test_work_is_not_held_up_by_a_server_that_hangs(
    proxy: FaultyProxy, spooled: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spooled_store, "START_WAIT_S", 0.1)
    proxy.set(HANG)
    store = spooled(proxy.url)
    run_id = store.start_run(RunRequest(EXPERIMENT, "x"))
    assert run_id.startswith("local-")
    for step in range(2000):
        store.log_metrics(run_id, {"a": 1.0}, step=step)
    store.end_run(run_id)
    run = store.get_run(run_id)
    assert (run.status, run.metrics, run.run_name) == ("FINISHED", {"a": 1.0}, "x")
    assert store.logged_steps(run_id, "a") == frozenset(range(2000))


def test_a_run_that_was_made_though_no_answer_came_has_no_twin(
    proxy: FaultyProxy, direct: MlflowStore, spooled: Make
) -> None:
    store = spooled(proxy.url)
    proxy.set(DROP, lambda line: "runs/create" in line)
    run_id = store.start_run(RunRequest(EXPERIMENT, "x", params={"p": "1"}))
    proxy.set(PASS)
    store.end_run(run_id)
    for _ in range(60):
        if not store.settle():
            break
    (run,) = direct.find_runs()
    assert (run.params, run.status) == ({"p": "1"}, "FINISHED")


def test_while_the_server_is_away_nothing_is_found_that_it_alone_has_and_that_is_told(
    proxy: FaultyProxy, direct: MlflowStore, spooled: Make, told: list[str], tmp_path: Path
) -> None:
    there = direct.start_run(RunRequest(EXPERIMENT, "there", {"fingerprint": "1"}))
    proxy.set(DOWN)
    store = spooled(proxy.url)
    assert store.find_runs(tags={"fingerprint": "1"}) == []
    assert "none that only the store has is found" in told[-1]
    ours = store.start_run(RunRequest(EXPERIMENT, "ours", {"fingerprint": "1"}))
    assert [run.run_id for run in store.find_runs(tags={"fingerprint": "1"})] == [ours]
    for read in (
        lambda: store.get_run(there),
        lambda: store.download(there, "weights", tmp_path),
        lambda: SpooledRegistry(store).fetch(f"runs:/{there}", tmp_path / "package"),
    ):
        with pytest.raises(TrackingError, match=r"can't be reached|does not answer"):
            read()


def test_a_parent_ends_the_run_of_a_child_that_was_killed_though_the_server_is_away(
    proxy: FaultyProxy, direct: MlflowStore, spooled: Make, tmp_path: Path
) -> None:
    proxy.set(DOWN)
    parent, child = spooled(proxy.url), spooled(proxy.url)
    above = parent.start_run(RunRequest(EXPERIMENT, "pipeline"))
    below = child.start_run(RunRequest(EXPERIMENT, "train", parent_run_id=above))
    child.log_metrics(below, {"a": 1.0}, step=1)
    child.close()  # its journal is left, as by a process that was killed
    assert parent.get_run(below).status == "RUNNING"
    assert parent.fail_running(above, RunStatus.KILLED) == [below]
    parent.annotate(below, tags={"guardianflow.error": "killed"})
    parent.end_run(above, RunStatus.FAILED)
    proxy.set(PASS)
    for _ in range(60):
        if not parent.settle():
            break
    runs = {run.run_name: run for run in direct.find_runs()}
    assert runs["train"].status == "KILLED"
    assert runs["train"].metrics == {"a": 1.0}
    assert runs["train"].tags["guardianflow.error"] == "killed"
    assert runs["train"].parent_run_id == runs["pipeline"].run_id
    assert runs["pipeline"].status == "FAILED"
    parent.close()
    assert not list((tmp_path / "spool").glob("2*"))


def test_a_registration_waits_for_its_run_and_is_made_once(
    proxy: FaultyProxy, direct: MlflowStore, spooled: Make, package: Any, tmp_path: Path
) -> None:
    proxy.set(DOWN)
    store = spooled(proxy.url)
    registry = SpooledRegistry(store)
    run_id = store.start_run(RunRequest(EXPERIMENT, "x"))
    name = f"{EXPERIMENT}/ppe"
    model = registry.register(run_id, package, name, tags={"source_run_id": run_id})
    assert model.is_pending
    store.end_run(run_id)
    assert "1 registration" in store.settle()
    (known,) = store.find_runs(experiment_name=EXPERIMENT, status=RunStatus.FINISHED)
    assert known.tags[WAITING_TAG] == model.name, "so that nobody does it again"
    here = SpooledRegistry(spooled(proxy.url)).fetch(f"runs:/{run_id}", tmp_path / "here")
    assert here.digest == package.digest, "the next stage goes on from what waits"
    store.close()
    moved = (tmp_path / "spool").rename(tmp_path / "stick")  # to a machine that has a network
    proxy.set(PASS)
    result = sync(moved, proxy.url)
    assert (result.left, result.problems, result.sent.registrations) == ([], [], 1)
    (run,) = direct.find_runs()
    (version,) = spooled(proxy.url).server.registry.list_models()
    assert (version.version, version.aliases, version.run_id) == ("1", ("candidate",), run.run_id)
    assert version.tags["source_run_id"] == run.run_id, "not the id that it had for a while"
    assert run.tags["registered_model_version"] == "1"
    assert WAITING_TAG not in run.tags
    fetched = SpooledRegistry(spooled(proxy.url)).fetch(f"runs:/{run_id}", tmp_path / "fetched")
    assert fetched.digest == package.digest


@pytest.mark.parametrize("mode", [FAIL, CUT, DROP])
@pytest.mark.parametrize(
    "call",
    ["logged-models", "model-versions/create", "registered-models/alias", "mlflow-artifacts"],
)
def test_a_registration_that_is_broken_off_anywhere_is_made_once(
    mode: str,
    call: str,
    proxy: FaultyProxy,
    direct: MlflowStore,
    spooled: Make,
    package: Any,
    tmp_path: Path,
) -> None:
    store = spooled(proxy.url)
    registry = SpooledRegistry(store)
    run_id = store.start_run(RunRequest(EXPERIMENT, "x"))
    proxy.set(mode, lambda line: call in line and not line.startswith("GET"))
    model = registry.register(run_id, package, f"{EXPERIMENT}/ppe")
    # Half of an answer may say enough, and what the server has done the next try finds.
    assert model.is_pending or mode in (CUT, DROP)
    store.end_run(run_id)
    proxy.set(PASS)
    for _ in range(60):
        if not store.settle():
            break
    (version,) = registry.list_models()
    assert version.aliases == ("candidate",)
    assert len(registry_of(direct)._logged_detectors(run_id)) == 1, "no half-made one is left"
    assert direct.get_run(run_id).tags["registered_model_version"] == version.version
    assert (
        registry.fetch(f"models:/{version.name}@candidate", tmp_path / "p").digest == package.digest
    )


def test_what_the_server_refuses_for_good_is_kept_and_told_and_holds_up_nothing(
    proxy: FaultyProxy, direct: MlflowStore, spooled: Make, told: list[str], tmp_path: Path
) -> None:
    foreign = direct.start_run(RunRequest(EXPERIMENT, "x", params={"p": "1"}))
    store = spooled(proxy.url)
    store.annotate(foreign, params={"p": "2"})
    store.log_metrics(foreign, {"a": 1.0})
    assert store.settle() == ""
    assert direct.get_run(foreign).metrics == {"a": 1.0}
    assert f"refuses a record of run {foreign} for good" in told[0]
    store.close()
    (kept,) = (tmp_path / "spool" / "refused").glob("*/refused.log")
    assert b'"p":"2"' in kept.read_bytes()


def test_a_damaged_package_is_no_model_to_go_on_from(
    proxy: FaultyProxy, spooled: Make, package: Any, tmp_path: Path
) -> None:
    proxy.set(DOWN)
    store = spooled(proxy.url)
    run_id = store.start_run(RunRequest(EXPERIMENT, "x"))
    registry = SpooledRegistry(store)
    registry.register(run_id, package, f"{EXPERIMENT}/ppe")
    kept = next((tmp_path / "spool").rglob("files/*/detector.json"))
    kept.write_text(kept.read_text().replace("0.25", "0.01"))
    with pytest.raises(TrackingError):
        registry.fetch(f"runs:/{run_id}", tmp_path / "here")
    assert not (tmp_path / "here").exists()


def test_a_damaged_copy_is_not_sent_as_if_it_were_whole(
    proxy: FaultyProxy, direct: MlflowStore, spooled: Make, told: list[str], tmp_path: Path
) -> None:
    proxy.set(DOWN)
    store = spooled(proxy.url)
    run_id = store.start_run(RunRequest(EXPERIMENT, "x"))
    (tmp_path / "best.pt").write_bytes(b"whole")
    store.log_files(run_id, tmp_path / "best.pt", "weights")
    store.end_run(run_id)
    store.close()
    (copy,) = (tmp_path / "spool").glob("*/files/*/best.pt")
    copy.write_bytes(b"wrong")
    proxy.set(PASS)
    result = sync(tmp_path / "spool", proxy.url)
    assert result.left == []
    assert "best.pt" in result.problems[0] and "damaged" in result.problems[0]
    (run,) = direct.find_runs()
    assert run.status == "FINISHED"
    with pytest.raises(SourceError, match="no artifact"):
        direct.download(run.run_id, "weights/best.pt", tmp_path / "out")


def test_sync_leaves_what_a_living_process_writes(
    proxy: FaultyProxy, spooled: Make, tmp_path: Path
) -> None:
    proxy.set(DOWN)
    store = spooled(proxy.url)
    run_id = store.start_run(RunRequest(EXPERIMENT, "x"))
    result = sync(tmp_path / "spool", proxy.url)
    assert result.left[0].reason.startswith(f"process {os.getpid()} on ")
    assert result.left[0].unsent.runs == {run_id}


def test_a_forked_child_writes_a_journal_of_its_own(
    proxy: FaultyProxy, direct: MlflowStore, spooled: Make, tmp_path: Path
) -> None:
    store = spooled(proxy.url)
    run_id = store.start_run(RunRequest(EXPERIMENT, "x"))
    if (pid := os.fork()) == 0:
        try:
            store.log_metrics(run_id, {"child": 1.0}, step=1)
            os._exit(0 if store.settle() == "" else 1)
        finally:
            os._exit(2)
    store.log_metrics(run_id, {"parent": 1.0}, step=1)
    assert os.waitpid(pid, 0)[1] == 0
    store.end_run(run_id)
    assert store.settle() == ""
    assert direct.get_run(run_id).metrics == {"child": 1.0, "parent": 1.0}


def test_a_point_is_with_the_server_soon_without_anybody_asking(
    proxy: FaultyProxy, direct: MlflowStore, spooled: Make
) -> None:
    store = spooled(proxy.url)
    run_id = store.start_run(RunRequest(EXPERIMENT, "x"))
    store.log_metrics(run_id, {"a": 1.0}, step=1)
    for _ in range(100):
        if direct.get_run(run_id).metrics:
            return
        time.sleep(0.1)
    raise AssertionError("nothing was sent")
