"""Many judged pictures are looked for by several processes, to the same answers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from leaking_data import drawn, encoded, scene

from guardianflow.contracts.errors import GuardianFlowError
from guardianflow.site_data.twins import processes
from guardianflow.site_data.twins.processes import find_all_matches
from guardianflow.site_data.twins.search import Learnt, Pictures, find_matches
from guardianflow.site_data.twins.thumbnails import thumbnail


@pytest.fixture(scope="module")
def learnt() -> Learnt:
    return Learnt.of(np.stack([thumbnail(encoded(drawn(scene(n)), 90)) for n in range(200, 212)]))


@pytest.fixture(scope="module")
def judged() -> Pictures:
    """Of each learnt picture a crop, beside as many strangers."""
    mine = [thumbnail(encoded(drawn(scene(n))[8:152, 8:152], 70)) for n in range(200, 212)]
    strangers = [thumbnail(encoded(drawn(scene(n)), 70)) for n in range(800, 812)]
    return np.stack([each for pair in zip(mine, strangers, strict=True) for each in pair])


@pytest.fixture(autouse=True)
def _few_are_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processes, "LEAST_EACH", 4)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.mark.parametrize("cores", [1, 2, 3])
def test_the_answers_do_not_depend_on_the_processes(
    learnt: Learnt, judged: Pictures, cores: int, tmp_path: Path
) -> None:
    hints = [[n // 2] for n in range(len(judged))]
    told: list[tuple[int, int]] = []
    found = find_all_matches(judged, learnt, hints, lambda *each: told.append(each), cores)
    assert found == find_matches(judged, learnt, hints)
    assert sum(match.is_twin for match in found) >= 11
    assert {type(match.other) for match in found} == {int}
    assert told[-1] == (len(judged), len(judged))
    assert list(tmp_path.iterdir()) == []  # what was written for them is gone


def test_where_there_is_no_room_to_share_pictures_one_process_does_it(
    learnt: Learnt, judged: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    hints: list[list[int]] = [[]] * len(judged)
    found = find_all_matches(judged, learnt, hints, cores=2)
    assert found == find_matches(judged, learnt, hints)


def test_a_process_that_is_killed_is_told_and_no_answer_is_given(
    learnt: Learnt, judged: Pictures, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begun = subprocess.Popen.__init__

    def killed(self: subprocess.Popen[bytes], *args: object, **named: object) -> None:
        begun(self, *args, **named)  # type: ignore[call-overload]
        self.kill()

    monkeypatch.setattr(subprocess.Popen, "__init__", killed)
    with pytest.raises(GuardianFlowError, match=r"look for twins ended with code -9: \(silent\)"):
        find_all_matches(judged, learnt, [()] * len(judged), cores=2)
    assert list(tmp_path.iterdir()) == []


def test_what_went_wrong_in_one_is_told(
    learnt: Learnt, judged: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = processes._write

    def damaged(folder: Path, *given: Any) -> None:
        write(folder, *given)
        (folder / "hints.json").write_text("[")

    monkeypatch.setattr(processes, "_write", damaged)
    with pytest.raises(GuardianFlowError, match=r"ended with code 1: .*JSONDecodeError"):
        find_all_matches(judged, learnt, [()] * len(judged), cores=2)


def test_each_part_is_taken_once(tmp_path: Path) -> None:
    one, other = processes._taken(tmp_path, 5), processes._taken(tmp_path, 5)
    taken = [next(one), next(other), next(other), next(one), next(other)]
    assert taken == [0, 1, 2, 3, 4]
    assert list(one) == list(other) == []


def test_they_end_with_their_starter(tmp_path: Path) -> None:
    """Without a word from it, as after SIGKILL: their standard input ends."""
    reading, writing = os.pipe()
    os.mkfifo(tmp_path / "judged.npy")  # opening it waits for a writer that never comes
    module = processes.__name__
    child = subprocess.Popen(
        [sys.executable, "-m", module, str(tmp_path), "2"],
        stdin=reading,
        cwd=processes.ROOT,
    )
    os.close(reading)
    time.sleep(0.2)
    assert child.poll() is None
    os.close(writing)
    assert child.wait(60) == 1
