"""A journal gives back what was written, whatever became of its file: never another record."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardianflow.contracts.results import DataInput, MetricPoint, RunRequest
from guardianflow.contracts.run_status import RunStatus
from guardianflow.run_tracking.launcher import LauncherRun
from guardianflow.run_tracking.spool.journals import own_journal
from guardianflow.run_tracking.spool.journals.entries import (
    Data,
    End,
    Entry,
    Files,
    KeptFile,
    KeptFiles,
    Points,
    Register,
    Reopen,
    Start,
    Texts,
    What,
)
from guardianflow.run_tracking.spool.journals.journal import Journal, Unsent
from guardianflow.run_tracking.spool.journals.left import taken
from guardianflow.run_tracking.spool.journals.own_journal import OwnJournal
from guardianflow.run_tracking.spool.journals.records import decode, encode

KEPT = KeptFiles("a1", (KeptFile("가/b.pt", "0" * 64, 12),))
ALL_KINDS: list[What] = [
    Start("c1", RunRequest("site/용접", "v1", {"t": "1"}, {"p": "2"}, "local-x"), 5, {"u": "kim"}),
    Start("c2", RunRequest("e", "n", adopt_launcher=True), 5, {}, LauncherRun("abc", "1")),
    Points(
        (MetricPoint("det.mAP50", 0.1 + 0.2, 3, 1_700_000_000_000), MetricPoint("b", -0.0, 0, 1))
    ),
    Texts({"a": "줄\n바꿈"}, {"b": "\u2028\x00"}),
    Data(DataInput("demo", "f" * 64, "val", "s3://x")),
    Files("weights", KEPT),
    Reopen(),
    Register("a.b.c", "candidate", {"x": "y"}, KEPT),
    End(RunStatus.KILLED, 9),
]


def written(root: Path, whats: list[What], tell: Callable[[str], None] = pytest.fail) -> OwnJournal:
    journal = OwnJournal(root, "http://127.0.0.1:5000", tell)
    for what in whats:
        journal.append("local-x", what)
    return journal


def test_every_kind_of_record_comes_back_as_it_went(tmp_path: Path) -> None:
    journal = written(tmp_path, ALL_KINDS)
    expected = [Entry(seq, "local-x", what) for seq, what in enumerate(ALL_KINDS, 1)]
    assert list(journal.entries()) == expected
    assert list(Journal(journal.folder, pytest.fail).entries()) == expected
    assert journal.unsent() == Unsent(2, 1, 1, 6, frozenset({"local-x"}))
    assert journal.unsent().text == "2 points, 1 file, 1 registration and 6 other records"
    journal.close(remove=False)


def test_it_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    journal = written(tmp_path, ALL_KINDS)
    journal.mark_sent(list(journal.entries())[:1])
    journal.mark_refused(next(iter(journal.entries())), "no")
    for path in [journal.folder, *journal.folder.rglob("*")]:
        if path.name != "lock":  # empty
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    journal.close(remove=False)


def test_what_is_sent_is_not_read_again_whoever_asks(tmp_path: Path) -> None:
    journal = written(tmp_path, ALL_KINDS)
    entries = list(journal.entries())
    journal.mark_sent([entries[0], entries[2]])
    journal.mark_refused(entries[3], "another value stands there")
    left = [entry.seq for entry in journal.entries()]
    assert left == [2, 5, 6, 7, 8, 9]
    assert [entry.seq for entry in Journal(journal.folder, pytest.fail).entries()] == left
    journal.mark_sent(list(journal.entries()))
    journal.close(remove=True)
    assert not journal.folder.exists()
    kept = tmp_path / "refused" / journal.folder.name / "refused.log"
    record = decode(kept.read_bytes().strip())
    assert record is not None and record["reason"] == "another value stands there"
    assert Entry.from_dict(record) == entries[3]


def test_segments_follow_each_other_and_go_once_they_are_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_journal, "SEGMENT_BYTES", 300)
    points = [Points((MetricPoint("a", float(i), i, i),)) for i in range(50)]
    journal = written(tmp_path, [*points])
    assert len(journal.segments()) > 5
    assert [entry.what for entry in journal.entries()] == points
    journal.mark_sent(list(journal.entries())[:40])
    journal.prune()
    assert [entry.what for entry in journal.entries()] == points[40:]
    first, second = journal.segments()[:2]
    assert first.name == "00000001.log", "a run's start stays readable"
    assert int(second.stem) > 30
    assert [e.what for e in Journal(journal.folder, pytest.fail).entries()] == points[40:]
    journal.close(remove=False)


# --- damage -----------------------------------------------------------------------------------


def copy_with(folder: Path, content: bytes) -> tuple[Journal, list[str]]:
    folder.mkdir(parents=True)
    (folder / "00000001.log").write_bytes(content)
    told: list[str] = []
    return Journal(folder, told.append), told


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[Entry]]:
    journal = written(tmp_path_factory.mktemp("good"), ALL_KINDS)
    journal.close(remove=False)
    return journal.segments()[0].read_bytes(), list(journal.entries())


MANY = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@MANY
@given(data=st.data())
def test_a_journal_that_is_cut_gives_whole_records_alone(
    data: st.DataObject, good: tuple[bytes, list[Entry]], tmp_path: Path
) -> None:
    content, entries = good
    length = data.draw(st.integers(0, len(content)))
    journal, told = copy_with(tmp_path / os.urandom(8).hex(), content[:length])
    whole = content[:length].count(b"\n")
    assert list(journal.entries()) == entries[:whole]
    assert told == []


@MANY
@given(data=st.data())
def test_a_changed_byte_costs_its_record_at_most_its_neighbour_and_is_told(
    data: st.DataObject, good: tuple[bytes, list[Entry]], tmp_path: Path
) -> None:
    content, entries = good
    place = data.draw(st.integers(0, len(content) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != content[place]))
    journal, told = copy_with(
        tmp_path / os.urandom(8).hex() / "j", content[:place] + bytes([byte]) + content[place + 1 :]
    )
    found = list(journal.entries())
    assert all(entry in entries for entry in found), "a record that nobody wrote"
    lost = [entry for entry in entries if entry not in found]
    assert 1 <= len(lost) <= 2
    last_line_end = place == len(content) - 1  # then it looks like a cut
    assert bool(told) != last_line_end
    for text in told:
        assert "is damaged" in text
    kept = list((journal.folder.parent / "damaged").glob("*"))
    assert len(kept) == len(told), "what is damaged is kept to look at"
    assert list(journal.entries()) == found
    assert len(list((journal.folder.parent / "damaged").glob("*"))) == len(kept), "told once"


@MANY
@given(noise=st.binary(max_size=400))
def test_noise_is_no_record(noise: bytes, tmp_path: Path) -> None:
    journal, _ = copy_with(tmp_path / os.urandom(8).hex() / "j", noise)
    assert list(journal.entries()) == []


@MANY
@given(
    st.dictionaries(
        st.text(), st.recursive(st.integers() | st.text() | st.none(), st.lists), max_size=5
    )
)
def test_a_record_is_one_line_and_comes_back(value: dict[str, object]) -> None:
    line = encode(value)
    assert line.count(b"\n") == 1
    assert decode(line[:-1]) == value


# --- a process that dies, a disk that is full ----------------------------------------------------

WRITER = """
import os, signal, sys
from pathlib import Path
from guardianflow.contracts.results import MetricPoint
from guardianflow.run_tracking.spool.journals.entries import Points
from guardianflow.run_tracking.spool.journals.own_journal import OwnJournal
journal = OwnJournal(Path(sys.argv[1]), "http://x", print)
for step in range(500):
    journal.append("r", Points((MetricPoint("a", 1.0, step, step),)))
if sys.argv[2] == "die":
    os.kill(os.getpid(), signal.SIGKILL)
if os.fork() == 0:  # a data loader, say
    import time
    print("ready", flush=True)  # it has closed by now what it does not keep
    time.sleep(60)
sys.stdin.read()
"""


def test_a_killed_process_loses_nothing_that_it_appended(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", WRITER, str(tmp_path), "die"], timeout=60)
    (description,) = tmp_path.glob("*/journal.json")
    journal = Journal(description.parent, pytest.fail)
    assert [entry.seq for entry in journal.entries()] == list(range(1, 501))
    with taken(journal) as free:
        assert free, "its writer is gone"


def test_a_journal_is_its_writers_as_long_as_he_lives_and_no_longer(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path), "stay"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        (description,) = tmp_path.glob("*/journal.json")
        journal = Journal(description.parent, pytest.fail)
        with taken(journal) as free:
            assert not free
        process.kill()
        process.wait()
        with taken(journal) as free:
            assert free, "what it had forked does not keep it"
    finally:
        os.killpg(process.pid, 9)
        process.communicate()


def test_a_full_disk_keeps_records_in_memory_and_then_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    journal = written(tmp_path, [ALL_KINDS[0]], told.append)
    real, room = os.write, [20]

    def write(number: int, data: bytes) -> int:
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(number, data[: room.pop()])  # half of a record: so does a disk that fills up

    points = [Points((MetricPoint("a", float(i), i, i),)) for i in range(8)]
    with monkeypatch.context() as full:
        full.setattr(own_journal.os, "write", write)
        full.setattr(own_journal, "KEPT_IN_MEMORY", 5)
        for each in points:
            journal.append("r", each)
        journal.append("r", End(RunStatus.FINISHED, 1))
        assert [e.what for e in journal.entries()][1:] == [*points[:5], End(RunStatus.FINISHED, 1)]
    assert journal.lost_points == 3
    assert len(told) == 1 and "No space left" in told[0]
    journal.append("r", Reopen())
    left = [entry.what for entry in Journal(journal.folder, pytest.fail).entries()]
    assert left == [ALL_KINDS[0], *points[:5], End(RunStatus.FINISHED, 1), Reopen()]
    journal.close(remove=False)
