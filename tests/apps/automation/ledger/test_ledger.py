"""A ledger that writers share, that is killed under, and that somebody has damaged."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from automated_sites import Clock

from apps.automation.ledger.ledger import FILE, Ledger
from apps.automation.ledger.moments import Moment
from apps.automation.ledger.records import Acknowledged
from guardianflow.contracts.errors import AutomationError

CLOCK = Clock()


def seen(number: int) -> Acknowledged:
    return Acknowledged(
        at=CLOCK(), alert_id=f"a{number}", run_id="r", note="줄\nbreak \u2028 end", who="kim"
    )


def test_what_one_wrote_another_reads(tmp_path: Path) -> None:
    one, other = Ledger(tmp_path / "new"), Ledger(tmp_path / "new")
    assert other.read().acknowledged == {}
    one.append(seen(1))
    other.append(seen(2))
    assert one.read().acknowledged == {("a1", "r"): seen(1), ("a2", "r"): seen(2)}
    assert (tmp_path / "new" / FILE).stat().st_mode & 0o077 == 0


def test_a_line_that_was_cut_off_was_never_written(tmp_path: Path) -> None:
    Ledger(tmp_path).append(seen(1))
    with (tmp_path / FILE).open("ab") as file:
        file.write(seen(2).model_dump_json().encode()[:-9])
    after = Ledger(tmp_path)
    assert list(after.read().acknowledged) == [("a1", "r")]
    after.append(seen(3))
    assert list(Ledger(tmp_path).read().acknowledged) == [("a1", "r"), ("a3", "r")]


def test_a_damaged_line_stops_everything_and_is_named(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.append(seen(1))
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"kind": "decided", "order_id": 3}\n')
    with pytest.raises(AutomationError, match=f"{FILE}:2: the line is damaged"):
        ledger.append(seen(2))
    with pytest.raises(AutomationError):
        Ledger(tmp_path).read()


def test_many_writers_lose_no_line(tmp_path: Path) -> None:
    def write(number: int) -> None:
        for each in range(10):
            Ledger(tmp_path).append(seen(number * 10 + each))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Ledger(tmp_path).read().acknowledged) == 40


def test_a_place_that_can_t_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AutomationError, match="can't be locked"):
        Ledger(tmp_path / "file" / "ledger").append(seen(1))


def test_moments_of_one_start_of_the_system_need_no_clock() -> None:
    early = Moment(wall=100.0, boot="b", ticks=10.0)
    assert Moment(wall=5.0, boot="b", ticks=40.0).since(early) == 30.0
    assert Moment(wall=5.0, boot="c", ticks=40.0).since(early) == -95.0
    assert Moment.now().since(Moment.now()) <= 0.0
