"""Every promise of RunTracker and RunReader, kept by MLflow and by the fake alike."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guardianflow.backends.catalogue import runtime_of
from guardianflow.contracts.errors import SourceError, TrackingError
from guardianflow.contracts.results import DataInput, MetricPoint, RunRequest
from guardianflow.run_tracking import names
from guardianflow.run_tracking.fakes.store import InMemoryStore
from guardianflow.run_tracking.launcher import take_launcher_run
from guardianflow.run_tracking.mlflow_store import MlflowStore
from guardianflow.run_tracking.spool.store import SpooledStore
from guardianflow.support.secrets.redaction import learn

EXPERIMENT = "donghwa-entec/busan-plant1/welding"


SLOW = pytest.mark.slow
KINDS = [
    "sqlite",
    "memory",
    "spool",
    pytest.param("server", marks=SLOW),
    pytest.param("spooled server", marks=SLOW),
]


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param == "memory":
        yield InMemoryStore()
        return
    over_http = "server" in request.param
    uri = request.getfixturevalue("server" if over_http else "sqlite_uri")
    uri = uri.url if over_http else uri
    if "spool" not in request.param:
        yield MlflowStore(uri)
        return
    spooled = SpooledStore(tmp_path / "spool", uri, runtime_of, pytest.fail)
    yield spooled
    assert spooled.settle() == ""
    spooled.close()
    assert not list((tmp_path / "spool").glob("2*")), "a journal that is sent is removed"


def start(store: Any, name: str = "ppe-yolo11n-train-v1", **values: Any) -> str:
    run_id: str = store.start_run(RunRequest(EXPERIMENT, name, **values))
    return run_id


def test_a_run_starts_with_its_name_tags_and_params_and_ends(store: Any) -> None:
    run_id = start(store, tags={"exp.type": "train", "현장": "용접"}, params={"train.epochs": "3"})
    run = store.get_run(run_id)
    assert (run.run_id, run.experiment_name, run.run_name) == (
        run_id,
        EXPERIMENT,
        "ppe-yolo11n-train-v1",
    )
    assert run.status == "RUNNING"
    assert run.end_time_ms is None
    assert run.parent_run_id is None
    assert run.tags["exp.type"] == "train"
    assert run.tags["현장"] == "용접"
    assert run.params == {"train.epochs": "3"}
    assert abs(run.start_time_ms - time.time() * 1000) < 60_000
    store.end_run(run_id)
    ended = store.get_run(run_id)
    assert ended.status == "FINISHED"
    assert ended.end_time_ms >= ended.start_time_ms


def test_a_child_names_its_parent(store: Any) -> None:
    parent = start(store)
    child = start(store, "quant", parent_run_id=parent)
    assert store.get_run(child).parent_run_id == parent


def test_an_unknown_parent_is_the_callers_mistake_and_makes_no_run(store: Any) -> None:
    with pytest.raises(SourceError, match="no run 'f00'"):
        start(store, parent_run_id="f00")
    assert store.find_runs() == []


def test_a_metric_keeps_the_value_of_its_last_step(store: Any) -> None:
    run_id = start(store)
    store.log_metrics(run_id, {"det.mAP50": 0.5}, step=1)
    store.log_metrics(run_id, {"det.mAP50": 0.7}, step=2)
    store.log_metrics(run_id, {"det.mAP50": 0.6}, step=1)
    store.log_metrics(run_id, {"sys.fps": 30})
    assert store.get_run(run_id).metrics == {"det.mAP50": 0.7, "sys.fps": 30.0}


def test_a_run_names_its_data(store: Any) -> None:
    run_id, fingerprint = start(store), "0123456789abcdef" * 4
    learn("pa55word!")
    data = DataInput("정문 카메라", fingerprint, "val", "s3://user:pa55word!@box/set")
    store.log_data(run_id, data)
    store.log_data(run_id, data)
    store.log_data(run_id, DataInput("a set", "f00", "train"))
    kept = store.get_run(run_id).data
    assert [(each.name, each.digest, each.split) for each in kept] == [
        ("a set", "f00", "train"),
        ("정문 카메라", fingerprint, "val"),
    ]
    assert "pa55word!" not in kept[1].source and "box/set" in kept[1].source
    (found,) = store.find_runs()
    assert found.data == kept
    assert store.get_run(start(store, "other")).data == ()


def test_points_of_several_curves_are_logged_at_once(store: Any) -> None:
    run_id = start(store)
    points = [MetricPoint("a", i / 10, i, 1_700_000_000_000 + i) for i in range(1500)]
    store.log_points(run_id, [*points, MetricPoint("b", math.nan, 1, 0), MetricPoint("c", 3, 1, 1)])
    assert store.get_run(run_id).metrics == {"a": 149.9, "c": 3.0}


def test_the_steps_of_a_curve_are_known(store: Any) -> None:
    run_id = start(store)
    many = [MetricPoint("a(1)", 0.5, step, 1_700_000_000_000) for step in range(1, 2301)]
    store.log_points(run_id, [*many, MetricPoint("nan", math.nan, 1, 1)])
    store.log_metrics(run_id, {"a(1)": 0.7}, step=7)
    assert store.logged_steps(run_id, "a(1)") == frozenset(range(1, 2301))
    assert store.logged_steps(run_id, "nan") == store.logged_steps(run_id, "never") == frozenset()
    with pytest.raises(SourceError, match="no run 'f00'"):
        store.logged_steps("f00", "a")


def test_a_curve_has_the_last_value_of_each_step(store: Any) -> None:
    run_id = start(store)
    store.log_points(
        run_id, [MetricPoint("a(1)", step / 10, step, 1_700_000_000_000) for step in (3, 1, 2)]
    )
    store.log_points(run_id, [MetricPoint("a(1)", 0.7, 2, 1_700_000_001_000)])
    assert store.curve(run_id, "a(1)") == [(1, 0.1), (2, 0.7), (3, 0.3)]
    assert store.curve(run_id, "never") == []
    with pytest.raises(SourceError, match="no run 'f00'"):
        store.curve("f00", "a")


def test_nan_and_infinity_are_left_out_and_not_written_as_zero(store: Any) -> None:
    run_id = start(store)
    store.log_metrics(run_id, {"a": math.nan, "b": math.inf, "c": -math.inf, "d": 0.0})
    assert store.get_run(run_id).metrics == {"d": 0.0}


def test_a_metric_that_is_no_number_is_refused_by_name(store: Any) -> None:
    with pytest.raises(TrackingError, match="'loss' must be a number but got 'low'"):
        store.log_metrics(start(store), {"loss": "low"})


def test_more_than_one_call_can_carry_is_all_written(store: Any) -> None:
    metrics = {f"m.{i}": float(i) for i in range(2300)}
    texts = {f"k.{i}": "가" * 2000 for i in range(230)}
    run_id = start(store, tags=texts, params=texts)
    store.log_metrics(run_id, metrics)
    run = store.get_run(run_id)
    assert run.metrics == metrics
    assert run.params == texts
    assert {key: run.tags[key] for key in texts} == texts


def test_names_that_mlflow_refuses_are_kept_apart(store: Any) -> None:
    run_id = start(store)
    metrics = {
        "ap.hard hat/안전모": 0.1,
        "ap.모자(새)": 0.2,
        "ap.모자[새]": 0.3,
        "a//b": 0.4,
        "": 1.0,
    }
    store.log_metrics(run_id, metrics)
    written = store.get_run(run_id).metrics
    assert sorted(written.values()) == [0.1, 0.2, 0.3, 0.4, 1.0]
    assert written["ap.hard hat/안전모"] == 0.1
    store.annotate(run_id, params={"opt(1)": 1, "opt[1]": 2}, tags={"t?": "x", "t!": "y"})
    run = store.get_run(run_id)
    assert sorted(run.params.values()) == ["1", "2"]
    assert {"x", "y"} <= set(run.tags.values())


def test_long_values_are_cut_and_say_so(store: Any) -> None:
    run_id = start(store, tags={"t": "x" * 9000}, params={"p": "y" * 7000})
    run = store.get_run(run_id)
    assert len(run.tags["t"]) == 8000
    assert run.tags["t"].endswith("[cut: 9000 characters]")
    assert len(run.params["p"]) == 6000
    assert run.params["p"].endswith("[cut: 7000 characters]")


def test_what_is_not_there_is_not_written(store: Any) -> None:
    run_id = start(store)
    store.annotate(run_id, params={"a": None, "b": False}, tags={"c": None, "d": 0})
    run = store.get_run(run_id)
    assert run.params == {"b": "False"}
    assert "c" not in run.tags
    assert run.tags["d"] == "0"


def test_a_parameter_can_be_written_again_but_not_changed_and_a_tag_can(store: Any) -> None:
    run_id = start(store, params={"seed": "1"}, tags={"note": "1"})
    store.annotate(run_id, params={"seed": 1}, tags={"note": 2})
    assert store.get_run(run_id).tags["note"] == "2"
    with pytest.raises(TrackingError, match="seed"):
        store.annotate(run_id, params={"seed": 2})
    assert store.get_run(run_id).params == {"seed": "1"}


def test_writing_to_an_unknown_run_is_refused(store: Any) -> None:
    for write in (
        lambda: store.log_metrics("f" * 32, {"a": 1.0}),
        lambda: store.annotate("f" * 32, tags={"a": 1}),
        lambda: store.end_run("f" * 32),
    ):
        with pytest.raises(TrackingError, match="f" * 32):
            write()


def test_a_run_ends_only_in_a_known_status(store: Any) -> None:
    run_id = start(store)
    with pytest.raises(TrackingError, match="'DONE'"):
        store.end_run(run_id, "DONE")
    assert store.get_run(run_id).status == "RUNNING"


def test_files_come_back_as_they_went(store: Any, tmp_path: Path) -> None:
    run_id = start(store)
    source = tmp_path / "원본"
    (source / "하위 폴더").mkdir(parents=True)
    (source / "a.bin").write_bytes(bytes(range(256)))
    (source / "하위 폴더" / "설정 1.yaml").write_text("이름: 안전모", encoding="utf-8")
    store.log_files(run_id, source, "weights/best")
    store.log_files(run_id, source / "a.bin")
    store.log_files(run_id, source / "a.bin", "plots")

    one = store.download(run_id, "weights/best/하위 폴더/설정 1.yaml", tmp_path / "one")
    assert one.read_text(encoding="utf-8") == "이름: 안전모"
    all_ = store.download(run_id, "weights", tmp_path / "all")
    assert all_ == tmp_path / "all" / "weights"
    assert (all_ / "best" / "a.bin").read_bytes() == bytes(range(256))
    assert store.download(run_id, "a.bin", tmp_path / "root") == tmp_path / "root" / "a.bin"


def test_an_unknown_artifact_names_what_lies_beside_it(store: Any, tmp_path: Path) -> None:
    run_id = start(store)
    with pytest.raises(SourceError, match="nothing"):
        store.download(run_id, "weights/best.pt", tmp_path / "out")
    (tmp_path / "last.pt").write_bytes(b"1")
    store.log_files(run_id, tmp_path / "last.pt", "weights")
    with pytest.raises(SourceError, match=r"no artifact 'weights/best.pt'.*weights/last\.pt"):
        store.download(run_id, "weights/best.pt", tmp_path / "out")
    with pytest.raises(SourceError, match="no artifact"):
        store.download(run_id, "../../secret", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_file_to_upload_is_named(store: Any, tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match=r"gone\.pt"):
        store.log_files(start(store), tmp_path / "gone.pt")


def test_an_unknown_run_names_the_nearest_ids(store: Any) -> None:
    run_id = start(store)
    wrong = run_id[:-1] + ("0" if run_id[-1] != "0" else "1")
    for given in (wrong, run_id[:6]):
        with pytest.raises(SourceError, match=run_id) as caught:
            store.get_run(given)
        assert caught.value.exit_code == 2
    with pytest.raises(SourceError, match="no run"):
        store.get_run("../etc/passwd")
    with pytest.raises(SourceError, match="no run"):
        store.get_run("")


def test_runs_are_found_by_experiment_status_and_exact_tags(store: Any) -> None:
    first = start(store, tags={"exp.type": "train"})
    time.sleep(0.005)
    second = start(store, tags={"exp.type": "quant"})
    other = store.start_run(RunRequest("sampyo/jecheon-plant1/full", "x"))
    store.end_run(first)
    ids = [run.run_id for run in store.find_runs(experiment_name=EXPERIMENT)]
    assert ids == [second, first]
    assert {run.run_id for run in store.find_runs()} == {first, second, other}
    assert [run.run_id for run in store.find_runs(tags={"exp.type": "train"})] == [first]
    assert store.find_runs(tags={"exp.type": "TRAIN"}) == []
    assert [r.run_id for r in store.find_runs(status="FINISHED")] == [first]
    assert len(store.find_runs(limit=2)) == 2


def test_all_finished_runs_of_every_experiment_are_read_or_those_since_a_moment(
    store: Any,
) -> None:
    first, failed = start(store), start(store)
    store.end_run(first)
    store.end_run(failed, "FAILED")
    time.sleep(0.01)
    moment = int(time.time() * 1000)
    other = store.start_run(RunRequest("sampyo/jecheon-plant1/full", "x"))
    store.end_run(other)
    assert store.settle() == ""
    assert {run.run_id for run in store.finished_runs()} == {first, other}
    (since,) = store.finished_runs(moment)
    assert (since.run_id, since.experiment_name) == (other, "sampyo/jecheon-plant1/full")
    assert store.find_runs(experiment_name="unknown") == []
    assert store.find_runs(limit=0) == []
    with pytest.raises(TrackingError, match="'finished'"):
        store.find_runs(status="finished")


@pytest.mark.parametrize(
    "value",
    [
        "it's",
        'say "x"',
        "both ' and \"",
        "a\\b",
        "50%_",
        "줄\n바꿈",
        "a' or 'a'='a",
        "x" * 9000,
        "",
        "` ;--",
    ],
)
def test_a_tag_is_found_by_exactly_its_value(store: Any, value: str) -> None:
    wanted = start(store, tags={"site.zone": value, "odd key(1)": value})
    start(store, tags={"site.zone": value + "x", "odd key(1)": value + "x"})
    start(store)
    found = store.find_runs(tags={"site.zone": value, "odd key(1)": value}, limit=1)
    assert [run.run_id for run in found] == [wanted]


def test_experiments_are_listed(store: Any) -> None:
    start(store)
    store.start_run(RunRequest("현장/부산-1공장/용접", "x"))
    listed = store.list_experiments()
    assert {EXPERIMENT, "현장/부산-1공장/용접"} <= set(listed)
    assert listed == sorted(listed)


def test_a_parent_that_stops_early_leaves_no_child_running(store: Any) -> None:
    parent = start(store)
    done = start(store, "done", parent_run_id=parent)
    below_done = start(store, "below", parent_run_id=done)
    store.end_run(done)
    running = start(store, "running", parent_run_id=parent)
    below = start(store, "below", parent_run_id=running)
    stranger = start(store, "stranger")
    assert set(store.fail_running(parent, "KILLED")) == {below_done, running, below}
    assert {i: store.get_run(i).status for i in (done, below_done, running, below)} == {
        done: "FINISHED",
        below_done: "KILLED",
        running: "KILLED",
        below: "KILLED",
    }
    assert store.get_run(stranger).status == "RUNNING"
    assert store.get_run(parent).status == "RUNNING"
    assert store.fail_running(parent) == []


def test_a_failed_run_can_be_reopened_and_a_finished_one_not(store: Any) -> None:
    run_id = start(store)
    store.reopen_run(run_id)
    store.end_run(run_id, "FAILED")
    store.annotate(run_id, tags={"guardianflow.error": "no memory", "site": "busan"})
    store.reopen_run(run_id)
    run = store.get_run(run_id)
    assert run.status == "RUNNING"
    assert "guardianflow.error" not in run.tags, "it is no failed run any more"
    assert run.tags["site"] == "busan"
    assert run.end_time_ms is None
    store.end_run(run_id)
    with pytest.raises(SourceError, match="FINISHED"):
        store.reopen_run(run_id)


def test_the_launchers_run_of_the_same_experiment_is_adopted_once(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched = store.start_run(
        RunRequest(EXPERIMENT, "bold-crow-12", params={"backend": "onnx", "scenario_path": "s"})
    )
    parent = start(store, "parent")
    monkeypatch.setenv("MLFLOW_RUN_ID", launched)
    take_launcher_run()
    adopted = start(
        store,
        adopt_launcher=True,
        tags={"exp.type": "train"},
        params={"backend": "openvino", "scenario_path": "s", "train.epochs": "3"},
        parent_run_id=parent,
    )
    assert adopted == launched
    run = store.get_run(adopted)
    assert run.run_name == "ppe-yolo11n-train-v1"
    assert run.tags["exp.type"] == "train"
    assert run.parent_run_id == parent
    assert run.params == {
        "backend": "onnx",
        "resolved.backend": "openvino",
        "scenario_path": "s",
        "train.epochs": "3",
    }
    assert start(store, adopt_launcher=True) != launched


def test_a_launchers_run_elsewhere_and_ours_name_each_other(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched = store.start_run(RunRequest("Default", "bold-crow-12"))
    monkeypatch.setenv("MLFLOW_RUN_ID", launched)
    ours = start(store, adopt_launcher=True)
    assert ours != launched
    assert store.get_run(ours).experiment_name == EXPERIMENT
    assert store.get_run(ours).tags["launcher.run_id"] == launched
    tags = store.get_run(launched).tags
    assert tags["guardianflow.run_id"] == ours
    assert tags["guardianflow.experiment"] == EXPERIMENT
    assert f"runs/{ours}" in tags["mlflow.note.content"]
    assert store.get_run(launched).run_name == "bold-crow-12"


def test_a_launchers_run_is_left_alone_unless_asked_for_and_running(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched = store.start_run(RunRequest(EXPERIMENT, "bold-crow-12"))
    monkeypatch.setenv("MLFLOW_RUN_ID", launched)
    assert start(store) != launched
    store.end_run(launched)
    ours = start(store, adopt_launcher=True)
    assert ours != launched
    assert "launcher.run_id" not in store.get_run(ours).tags


def test_a_launchers_run_of_another_store_says_what_to_set(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "f" * 32)
    with pytest.raises(TrackingError, match="MLFLOW_RUN_ID"):
        start(store, adopt_launcher=True)
    assert store.find_runs() == []


def test_a_launchers_run_is_pointed_to_the_run_that_stood_in(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = start(store)
    store.link_launcher(ours)  # nobody launched us: nothing to point
    launched = store.start_run(RunRequest("Default", "bold-crow-12"))
    monkeypatch.setenv("MLFLOW_RUN_ID", launched)
    store.link_launcher(ours)
    tags = store.get_run(launched).tags
    assert tags["guardianflow.run_id"] == ours
    assert tags["guardianflow.experiment"] == EXPERIMENT


URL, KEY = "git+https://kim:g1t-pa55@host/x.git", "k3y-0f-a-service"


def test_no_secret_is_stored(store: Any, tmp_path: Path, secrets_forgotten: None) -> None:
    run_id = start(
        store,
        f"run of {URL}",
        params={"training.options.api_key": KEY, "train.epochs": 3, "note": f"with {URL}"},
        tags={"experiment_code_path": URL, "data.keypoints": "17"},
    )
    learn(KEY)
    store.annotate(run_id, tags={"guardianflow.error": f"ValueError: {KEY} refused"})
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/stage.log").write_text(f"using {KEY}\nall is well\n", encoding="utf-8")
    (tmp_path / "config.yaml").write_text(f"api_key: {KEY}\nurl: {URL}\n", encoding="utf-8")
    store.log_files(run_id, tmp_path / "logs", "logs")
    store.log_files(run_id, tmp_path / "config.yaml", "config")
    run = store.get_run(run_id)
    shown = "git+https://REDACTED@host/x.git"
    assert run.run_name == f"run of {shown}"
    assert run.params == {
        "training.options.api_key": "REDACTED",
        "train.epochs": "3",
        "note": f"with {shown}",
    }
    assert run.tags["experiment_code_path"] == shown
    assert run.tags["data.keypoints"] == "17"
    assert run.tags["guardianflow.error"] == "ValueError: REDACTED refused"
    # what was asked for by its own words is found
    found = store.find_runs(tags={"experiment_code_path": URL})
    assert [each.run_id for each in found] == [run_id]
    log = store.download(run_id, "logs/stage.log", tmp_path / "fetched").read_text("utf-8")
    assert log == "using REDACTED\nall is well\n"
    config = store.download(run_id, "config/config.yaml", tmp_path / "fetched").read_text("utf-8")
    assert config == f"api_key: REDACTED\nurl: {shown}\n"
    assert KEY in (tmp_path / "logs/stage.log").read_text("utf-8")  # the caller's own file stays


def test_a_packages_files_are_stored_as_their_hashes_say(
    store: Any, tmp_path: Path, package: Any, secrets_forgotten: None, caplog: Any
) -> None:
    learn(KEY)
    (package.directory / "labels.txt").write_text(f"made with {KEY}\n")
    run_id = start(store)
    store.log_files(run_id, package.directory, "weights")
    fetched = store.download(run_id, "weights", tmp_path / "fetched")
    assert (fetched / "labels.txt").read_text() == f"made with {KEY}\n"
    assert "labels.txt holds a secret" in caplog.text and KEY not in caplog.text


def test_what_mlflow_run_wrote_is_cleaned_as_far_as_it_can_be(
    store: Any, monkeypatch: pytest.MonkeyPatch, secrets_forgotten: None, caplog: Any
) -> None:
    with monkeypatch.context() as as_mlflow_writes:
        as_mlflow_writes.setattr(names, "stored_values", lambda given, _: dict(given or {}))
        launched = store.start_run(
            RunRequest(
                EXPERIMENT,
                "bold-crow-12",
                {"mlflow.gitRepoURL": URL},
                {"experiment_code_path": URL},
            )
        )
    assert store.get_run(launched).params["experiment_code_path"] == URL
    monkeypatch.setenv("MLFLOW_RUN_ID", launched)
    start(store, adopt_launcher=True)
    assert store.get_run(launched).tags["mlflow.gitRepoURL"] == "git+https://REDACTED@host/x.git"
    assert f"a secret into run {launched}, in the parameter experiment_code_path" in caplog.text
    assert "g1t-pa55" not in caplog.text


def test_files_below_a_folder_are_removed_and_no_others(store: Any, tmp_path: Path) -> None:
    run_id = start(store)
    for folder in ("weights", "weights/partial", "weights-2"):
        (tmp_path / "best.pt").write_text(folder)
        store.log_files(run_id, tmp_path / "best.pt", folder)
    store.remove_files(run_id, "weights")
    with pytest.raises(SourceError, match="has no artifact 'weights'"):
        store.download(run_id, "weights", tmp_path / "gone")
    left = store.download(run_id, "weights-2", tmp_path / "left")
    assert (left / "best.pt").read_text() == "weights-2"
    store.remove_files(run_id, "weights")
    with pytest.raises(SourceError, match="no run 'f00'"):
        store.remove_files("f00", "weights")
