"""A journal that grows is read on where it was left, and tells the same as when it is read anew."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from stored_runs import FLEET, row

from guardianflow.metrics_store.journal import lines_of, read_rows
from guardianflow.metrics_store.store import MetricsStore

CUT_OFF = lines_of(FLEET[:1])[:-20] + b"\n"
CONTENT = lines_of(FLEET[:3]) + CUT_OFF + lines_of(FLEET[3:6])


@given(st.integers(0, len(CONTENT)), st.integers(0, len(CONTENT)))
def test_read_in_pieces_it_tells_the_same(one: int, other: int) -> None:
    first, second = sorted((one, other))
    read = read_rows(CONTENT[:first])
    for end in (second, len(CONTENT)):
        more = read.grown(CONTENT[read.resumes_at : end])
        assert more is not None
        read = more
    whole = read_rows(CONTENT)
    assert (read.rows, read.damaged, read.used) == (whole.rows, whole.damaged, whole.used)
    assert whole.damaged == 1


def test_what_is_another_file_s_is_not_taken_for_the_rest() -> None:
    read = read_rows(lines_of(FLEET[:2]))
    assert read.grown((lines_of(FLEET[2:6]))[read.resumes_at :]) is None


def test_a_journal_that_was_written_anew_in_its_place_is_read_anew(tmp_path: Path) -> None:
    """As by a full disk: lines that a reader has seen are taken back, and others come."""
    store = MetricsStore(tmp_path)
    store.save_metrics(FLEET[:2])
    assert len(store.query_metrics()) == 2
    (journal,) = (tmp_path / "journal").glob("*.jsonl")
    journal.write_bytes(lines_of(FLEET[2:6]))
    store.save_metrics(row("new"))
    names = {each.run_id for each in store.query_metrics()}
    assert names == {each.run_id for each in FLEET[2:6]} | {"new"}
