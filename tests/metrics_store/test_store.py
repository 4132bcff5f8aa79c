"""Rows come back as they were saved, by whatever way they went: journal, Parquet, both."""

from __future__ import annotations

import csv
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from stored_runs import FLEET, row

from guardianflow.contracts.errors import ConfigurationError, MetricsStoreError
from guardianflow.metrics_store.filters import RowFilter
from guardianflow.metrics_store.store import MetricsStore

NEWEST_FIRST = sorted(FLEET, key=lambda each: each.timestamp, reverse=True)


@pytest.fixture
def store(tmp_path: Path) -> MetricsStore:
    return MetricsStore(tmp_path / "metrics")


def test_an_empty_store_answers_and_makes_nothing(store: MetricsStore, tmp_path: Path) -> None:
    assert store.query_metrics() == []
    assert not list(tmp_path.iterdir())


def test_rows_are_the_same_from_the_journal_and_from_parquet(store: MetricsStore) -> None:
    store.save_metrics(FLEET)
    assert store.query_metrics() == NEWEST_FIRST
    assert store.compact().rows == len(FLEET)
    assert not store.place.journals()
    assert store.query_metrics() == NEWEST_FIRST


def test_a_row_saved_again_takes_the_place_of_the_old_one_in_any_month(
    store: MetricsStore,
) -> None:
    store.save_metrics(FLEET)
    store.compact()
    moved = row("a1", days_ago=0.5, metrics={"det.mAP50": 0.5})
    store.save_metrics(moved)
    asked = RowFilter(run_ids=("a1",))
    assert store.query_metrics(asked) == [moved]
    store.compact()
    assert store.query_metrics(asked) == [moved]
    assert len(store.query_metrics()) == len(FLEET)


def test_a_line_cut_off_is_left_out_told_and_does_no_harm_to_the_next(
    store: MetricsStore, tmp_path: Path
) -> None:
    store.save_metrics(FLEET[:2])
    (journal,) = (tmp_path / "metrics/journal").glob("*.jsonl")
    content = journal.read_bytes()
    journal.write_bytes(content[:-20])
    assert {each.run_id for each in MetricsStore(tmp_path / "metrics").query_metrics()} == {"a1"}
    store.save_metrics(FLEET[2:3])
    assert {each.run_id for each in store.query_metrics()} == {"a1", "a3"}
    assert store.snapshot().damaged == 1
    assert store.compact().damaged == 1


def test_filters(store: MetricsStore) -> None:
    store.save_metrics(FLEET)
    for journal_too in (True, False):
        if not journal_too:
            store.compact()

        def ids(asked: RowFilter) -> set[str]:
            return {each.run_id for each in store.query_metrics(asked)}

        assert ids(RowFilter(customer="한국철강")) == {"b1"}
        assert ids(RowFilter(architectures=("yolo11s", "yolo11l"))) == {"a5"}
        assert ids(RowFilter.last_days(2.5)) == {"a3", "a4", "a5"}
        assert ids(RowFilter(customer="x' OR true --")) == set()
    with pytest.raises(ConfigurationError, match="days"):
        RowFilter.last_days(float("nan"))


def test_pages_of_rows_meet_without_gap(store: MetricsStore) -> None:
    store.save_metrics(FLEET)
    parts = [store.query_metrics(limit=2, offset=start) for start in (0, 2, 4)]
    assert [each for part in parts for each in part] == NEWEST_FIRST


def test_exports_hold_every_row(store: MetricsStore, tmp_path: Path) -> None:
    formula = row("c1", run_name="=1+1")
    store.save_metrics([*FLEET, formula])
    parquet, sheet = tmp_path / "m.parquet", tmp_path / "m.csv"
    assert store.export_to_parquet(parquet) == len(FLEET) + 1
    assert pq.read_table(parquet).num_rows == len(FLEET) + 1
    assert store.export_to_csv(sheet, RowFilter(run_ids=("c1", "a3"))) == 2
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = {each["run_id"]: each for each in csv.DictReader(file)}
    assert rows["c1"]["run_name"] == "'=1+1"
    assert rows["a3"]["det.mAP50"] == ""  # absent is absent
    with pytest.raises(MetricsStoreError, match="written"):
        store.export_to_parquet(tmp_path / "nowhere" / "m.parquet")


def test_a_store_made_anew_has_the_new_rows_alone_and_what_comes_after(
    store: MetricsStore,
) -> None:
    store.save_metrics(FLEET)
    store.build_anew(iter([*FLEET[:2], FLEET[0]]))
    assert {each.run_id for each in store.query_metrics()} == {"a1", "a2"}
    store.save_metrics(FLEET[5])
    assert {each.run_id for each in store.query_metrics()} == {"a1", "a2", "b1"}


def test_a_damaged_manifest_is_told_with_its_cure(store: MetricsStore) -> None:
    store.save_metrics(FLEET)
    store.compact()
    store.place.put("manifest.json", b'{"version": 1')
    with pytest.raises(MetricsStoreError, match="metrics rebuild"):
        MetricsStore(store.address).query_metrics()
    with pytest.raises(MetricsStoreError, match="metrics rebuild"):
        store.compact()


@pytest.mark.parametrize("address", ["ftp://host/x", "s3://", "s3://user:word@bucket/x"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match="BUCKET/PREFIX"):
        MetricsStore(address)


def test_a_place_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MetricsStoreError, match="GUARDIANFLOW_METRICS_STORE"):
        MetricsStore(tmp_path / "file" / "metrics").save_metrics(FLEET)


def write(address: str, number: int, count: int) -> None:
    store = MetricsStore(address)
    for each in range(count):
        store.save_metrics(row(f"{number}-{each}", days_ago=each % 60))
        if each % 10 == 9:
            try:
                store.compact()
            except TimeoutError:
                continue


@pytest.mark.slow
def test_many_writers_and_compactions_at_once_lose_and_double_nothing(
    store: MetricsStore,
) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write, args=(store.address, n, 40)) for n in range(3)]
    for each in writers:
        each.start()
    seen: list[int] = []
    while any(each.is_alive() for each in writers):
        found = [each.run_id for each in store.query_metrics(limit=10_000)]
        assert len(found) == len(set(found))
        seen.append(len(found))
        time.sleep(0.05)
    assert [each.exitcode for each in writers] == [0, 0, 0]
    assert seen == sorted(seen)  # nothing that was there is ever gone
    store.compact()
    assert len(store.query_metrics(limit=10_000)) == 120
    assert store.snapshot().damaged == 0


@pytest.mark.slow
def test_writers_and_compactions_killed_at_any_moment_leave_whole_rows(
    store: MetricsStore,
) -> None:
    context = multiprocessing.get_context("spawn")
    for delay in (0.7, 1.0, 1.4):
        writer = context.Process(target=write, args=(store.address, int(delay * 10), 10_000))
        writer.start()
        time.sleep(delay)
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        before = {each.run_id for each in store.query_metrics(limit=100_000)}
        store.compact()
        after = [each.run_id for each in store.query_metrics(limit=100_000)]
        assert before <= set(after)
        assert len(after) == len(set(after))
