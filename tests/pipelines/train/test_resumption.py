"""A training is ended at each moment there is, and the same command is given again."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from unfinished_trainings import Killed, Site, kill_at

from guardianflow.contracts.errors import AlreadyRunningError, SourceError
from guardianflow.contracts.results import MetricPoint, sha256_of
from guardianflow.contracts.run_status import RunStatus
from guardianflow.run_tracking.run_records import WAITING_TAG
from pipelines.train import snapshots, stage
from pipelines.train.epoch_journal import EpochJournal, Report
from pipelines.train.unfinished import Unfinished, abandoned

EPOCHS = list(range(1, 7))


@pytest.fixture
def site(tmp_path: Path, shared_work_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(stage, "BATCH_LOG_EVERY_S", 0.0)
    return Site(tmp_path, shared_work_dir / "datasets")


def check_whole(site: Site, run_id: str) -> None:
    """The run is FINISHED, alone, and each point of its curve stands once."""
    (run,) = site.store.find_runs()
    assert (run.run_id, run.status) == (run_id, RunStatus.FINISHED)
    for key, value in (("det.mAP50", lambda n: n / 10), ("train.weight", lambda n: 1.5**n)):
        points = site.points(run_id, key)
        assert [step for step, _ in points] == EPOCHS, key
        assert [each for _, each in points] == pytest.approx([value(n) for n in EPOCHS]), key
    assert [step for step, _ in site.points(run_id, "batch.loss")] == [10 * n for n in EPOCHS]
    steps = [step for step, _ in site.points(run_id, "sys.cpu_memory_used_mb")]
    assert steps == [*EPOCHS, *[7] * (7 in steps)], "the last is of the whole training"
    assert list((site.work_dir / "trainings").glob("[!.]*/")) == []


def test_killed_between_checkpoint_and_report_only_that_epoch_is_trained_again(site: Site) -> None:
    site.hook = kill_at(4)
    run_id = site.killed()
    result = site.train()
    assert result.run_id == run_id
    assert site.epochs() == [1, 2, 3, 4, 4, 5, 6]
    assert site.epochs("resumed") == [3]
    check_whole(site, run_id)
    tags = site.store.get_run(run_id).tags
    assert (tags["resumed.times"], tags["resumed.from_epoch"]) == ("1", "3")


def test_killed_between_the_copy_and_its_record_the_epoch_counts_as_trained(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy is there, the journal's line is not: the report is taken from the copy."""
    with monkeypatch.context() as patch:
        patch.setattr(EpochJournal, "append", killing(EpochJournal.append, at=4))
        run_id = site.killed()
    assert [step for step, _ in site.points(run_id, "det.mAP50")] == [1, 2, 3]
    site.train()
    assert site.epochs() == EPOCHS
    check_whole(site, run_id)


def test_killed_between_the_record_and_the_tracker_the_points_come_later(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = type(site.store).log_points
    with monkeypatch.context() as patch:
        patch.setattr(type(site.store), "log_points", killing(log, at=8))  # a batch, an epoch, …
        run_id = site.killed()
    assert [step for step, _ in site.points(run_id, "det.mAP50")] == [1, 2, 3]
    site.train()
    assert site.epochs() == EPOCHS
    check_whole(site, run_id)


def test_points_that_are_late_have_the_time_at_which_they_were_measured(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[MetricPoint] = []
    log = type(site.store).log_points

    def remembering(store: Any, run_id: str, points: Sequence[MetricPoint]) -> None:
        logged.extend(points)
        log(store, run_id, points)

    with monkeypatch.context() as patch:
        patch.setattr(type(site.store), "log_points", killing(log, at=8))
        site.killed()
    lines = EpochJournal(site.place().journal).reports
    monkeypatch.setattr(type(site.store), "log_points", remembering)
    site.train()
    late = next(point for point in logged if (point.key, point.step) == ("det.mAP50", 4))
    assert late.time_ms == lines[3].time_ms


def test_killed_after_the_last_epoch_nothing_is_trained_again(site: Site) -> None:
    def kill() -> None:
        raise Killed

    site.after = kill
    run_id = site.killed()
    site.train()
    assert site.epochs() == EPOCHS
    assert site.epochs("resumed") == [6]
    check_whole(site, run_id)


def test_killed_while_the_model_is_registered_nothing_is_trained_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = type(site.ports.registry)
    with monkeypatch.context() as patch:
        patch.setattr(registry, "register", killing(registry.register, at=1))
        run_id = site.killed()
    result = site.train()
    assert site.epochs() == EPOCHS
    assert site.epochs("resumed") == []
    assert len(result.models) == 1
    assert result.metrics["det.mAP50"] == 0.6
    assert len(site.ports.registry.list_models()) == 1
    check_whole(site, run_id)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(site: Site) -> None:
    site.hook = kill_at(5)
    run_id = site.killed()
    damage(newest_copy(site, 0))
    site.train()
    assert site.epochs("resumed") == [3]
    assert site.epochs() == [1, 2, 3, 4, 5, 4, 5, 6]
    assert any("damaged" in text for text in site.messages)
    assert site.store.get_run(run_id).tags["resumed.repeated_epochs"] == "4"
    check_whole(site, run_id)


def test_without_a_whole_checkpoint_it_begins_anew_and_both_runs_say_so(site: Site) -> None:
    site.hook = kill_at(5)
    old = site.killed()
    damage(newest_copy(site, 0))
    damage(newest_copy(site, 1))
    new = site.train().run_id
    assert new != old
    ended = site.store.get_run(old)
    assert ended.status == RunStatus.KILLED
    assert "no whole checkpoint" in ended.tags["guardianflow.error"]
    tags = site.store.get_run(new).tags
    assert (tags["resumed.not"], tags["resumed.old_run"]) == ("no_whole_checkpoint", old)
    assert [step for step, _ in site.points(new, "det.mAP50")] == EPOCHS
    assert any("no whole checkpoint" in text for text in site.messages)


@pytest.mark.parametrize("cut", [1, 40, 10_000])
def test_a_journal_that_is_cut_off_loses_no_point(site: Site, cut: int) -> None:
    site.hook = kill_at(5)
    run_id = site.killed()
    journal = site.place().journal
    journal.write_bytes(journal.read_bytes()[: max(0, journal.stat().st_size - cut)])
    site.train()
    assert site.epochs() == [1, 2, 3, 4, 5, 5, 6]
    check_whole(site, run_id)


def test_a_clock_that_is_set_back_changes_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.hook = kill_at(4)
    run_id = site.killed()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 86_400)
    site.train()
    assert site.epochs() == [1, 2, 3, 4, 4, 5, 6]
    check_whole(site, run_id)
    assert site.store.get_run(run_id).metrics["det.mAP50"] == 0.6


def test_a_full_disk_is_told_and_the_training_goes_on(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "copy", full)
        patch.setattr(EpochJournal, "append", full)
        site.hook = kill_at(5)
        run_id = site.killed()
    told = [text for text in site.messages if "No space left" in text]
    assert len(told) == 2, "once of checkpoints, once of the journal"
    assert [step for step, _ in site.points(run_id, "det.mAP50")] == [1, 2, 3, 4]
    result = site.train()
    assert result.run_id == run_id, "by what this machine knows, no epoch had ended"
    assert site.epochs() == [1, 2, 3, 4, 5, *EPOCHS]
    check_whole(site, run_id)


def test_on_a_full_disk_the_older_copy_makes_room_for_the_new_one(
    small_disk: Path, tmp_path: Path
) -> None:
    copies, checkpoint = snapshots.Snapshots(small_disk / "copies", tmp_path), tmp_path / "last.pt"
    for epoch in (1, 2, 3, 4):
        checkpoint.write_bytes(bytes([epoch]) * 800_000)  # two of them fit
        assert copies.keep(checkpoint, Report(epoch, 0, {}))
        newest, damaged = copies.newest_whole()
        assert newest is not None
        assert (newest.epoch, damaged) == (epoch, 0)
    checkpoint.write_bytes(bytes(1_600_000))
    with pytest.raises(OSError, match="No space left"):
        copies.keep(checkpoint, Report(5, 0, {}))
    newest, damaged = copies.newest_whole()
    assert newest is not None
    assert (newest.epoch, damaged) == (4, 0), "what does not fit costs no copy that is whole"
    assert newest.files["last.pt"] == sha256_of(copies.restore(newest))


def test_a_training_of_an_epoch_that_never_ended_begins_again_in_its_run(site: Site) -> None:
    site.hook = kill_at(1)
    run_id = site.killed()
    site.train()
    assert site.epochs() == [1, *EPOCHS]
    check_whole(site, run_id)


def test_the_run_is_found_where_the_process_ended_before_its_id_was_noted(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = Unfinished.note
    with monkeypatch.context() as patch:
        patch.setattr(Unfinished, "note", killing(note, at=2))
        run_id = site.killed()
    site.train()
    check_whole(site, run_id)


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.KILLED])
def test_a_run_that_was_ended_for_its_dead_process_is_opened_again(
    site: Site, status: RunStatus
) -> None:
    site.hook = kill_at(4)
    run_id = site.killed()
    site.store.end_run(run_id, status)
    site.store.annotate(run_id, tags={"guardianflow.error": "its process is gone"})
    site.train()
    check_whole(site, run_id)
    assert "guardianflow.error" not in site.store.get_run(run_id).tags


def test_it_can_be_killed_again_and_again(site: Site) -> None:
    for epoch in (2, 3, 3, 6):
        site.hook = kill_at(epoch)
        run_id = site.killed()
    site.train()
    assert site.epochs() == [1, 2, 2, 3, 3, 3, 4, 5, 6, 6]
    assert site.store.get_run(run_id).tags["resumed.times"] == "4"
    check_whole(site, run_id)


def test_a_trainer_that_cannot_resume_begins_anew_in_a_new_run(
    tmp_path: Path, shared_work_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, shared_work_dir / "datasets", resumes=False)
    log = type(site.store).log_points
    with monkeypatch.context() as patch:
        patch.setattr(type(site.store), "log_points", killing(log, at=4))
        old = site.killed()
    new = site.train().run_id
    assert new != old
    assert site.store.get_run(old).status == RunStatus.KILLED
    tags = site.store.get_run(new).tags
    assert (tags["resumed.not"], tags["resumed.old_run"]) == ("trainer_cannot_resume", old)
    assert any("does not name resume_from" in text for text in site.messages)
    assert [step for step, _ in site.points(new, "det.mAP50")] == EPOCHS


def test_force_begins_anew(site: Site) -> None:
    site.hook = kill_at(4)
    old = site.killed()
    new = site.train(force=True).run_id
    assert site.epochs() == [1, 2, 3, 4, *EPOCHS]
    assert site.store.get_run(old).status == RunStatus.KILLED
    assert site.store.get_run(new).tags["resumed.not"] == "forced"


def test_a_changed_scenario_is_a_new_training_and_says_what_differs(site: Site) -> None:
    site.hook = kill_at(4)
    old = site.killed()
    other = site.train(epochs=2).run_id
    assert other != old
    (told,) = [text for text in site.messages if "was made of something else" in text]
    assert "training.epochs 6 → 2" in told
    assert f"guardianflow resume {old}" in told
    site.train()
    assert [step for step, _ in site.points(old, "det.mAP50")] == EPOCHS


def test_a_run_that_was_deleted_is_not_gone_on_with(site: Site) -> None:
    site.hook = kill_at(4)
    old = site.killed()
    del site.store._runs[old]
    site.train()
    assert site.epochs() == [1, 2, 3, 4, *EPOCHS]


def test_a_living_process_keeps_others_away_and_nothing_is_made(site: Site) -> None:
    def second(epoch: int) -> None:
        if epoch == 2:
            with pytest.raises(AlreadyRunningError, match=f"process {os.getpid()} on "):
                site.train()
            with pytest.raises(AlreadyRunningError):
                site.train(check_only=True)

    site.hook = second
    run_id = site.train().run_id
    check_whole(site, run_id)


def test_what_is_asked_to_go_on_but_has_changed_is_refused(site: Site) -> None:
    site.hook = kill_at(4)
    old = site.killed()
    with pytest.raises(SourceError, match=r"has changed: training\.epochs 6 → 3"):
        site.train(site.request(epochs=3, resume=old))
    with pytest.raises(SourceError, match="nothing of it is on this machine"):
        site.train(site.request(resume="f00"))
    assert site.store.get_run(old).status == RunStatus.RUNNING
    assert site.train(site.request(resume=old)).run_id == old


def test_what_is_left_after_the_end_is_removed_by_the_next_command(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Unfinished, "remove", killing(Unfinished.remove, at=2))
        with pytest.raises(Killed):
            site.train()
    (run,) = site.store.find_runs()
    assert run.status == RunStatus.FINISHED
    assert site.place().state() is not None
    assert site.train().reused
    check_whole(site, run.run_id)


def test_a_training_whose_model_waits_for_the_server_is_not_done_again(site: Site) -> None:
    first = site.train()
    stored = site.store._runs[first.run_id]
    for key in ("registered_model_name", "registered_model_version"):
        del stored.tags[key]
    stored.tags[WAITING_TAG] = first.models[0].name  # as the spool tells of it
    again = site.train()
    assert (again.run_id, again.reused, again.models) == (first.run_id, True, ())
    assert "is not registered yet" in " ".join(again.notes)
    assert site.epochs() == EPOCHS


def test_no_secret_lies_in_the_directory(site: Site, secrets_forgotten: None) -> None:
    options = {"api_token": "pa55-w0rd-of-the-plant"}
    site.hook = kill_at(4)
    site.killed(options=options)
    for path in site.place().folder.rglob("*"):
        if path.is_file():
            assert b"pa55-w0rd-of-the-plant" not in path.read_bytes(), path
    site.train(options=options)
    assert site.epochs("resumed") == [3]


def test_those_that_nobody_is_at_are_named_and_can_be_removed(site: Site) -> None:
    def look(epoch: int) -> None:
        if epoch == 2:
            assert abandoned(site.work_dir) == []
            raise Killed

    site.hook = look
    run_id = site.killed()
    (left,) = abandoned(site.work_dir)
    assert (left.run_id, left.store) == (run_id, "memory:")
    assert left.remove()
    assert abandoned(site.work_dir) == []


def killing(function: Any, *, at: int) -> Any:
    """The function, whose call number `at` ends the process before it does anything."""
    calls = 0

    def called(*given: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            raise Killed
        return function(*given, **more)

    return called


def newest_copy(site: Site, back: int) -> Path:
    """The checkpoint's file of the newest copy, or of one `back` of it."""
    folder = site.place().checkpoints
    record = json.loads(sorted(folder.glob("*.json"))[-1 - back].read_text())
    return Path(folder / "files" / record["files"][record["checkpoint"]])


def damage(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
