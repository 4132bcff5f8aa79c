"""A sample of `python -m benchmarks.fuzz`: changed files give values or clean errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import fuzz as fuzzing
from benchmarks.fuzz import fuzz, mutated, try_one
from benchmarks.fuzz_kinds import KINDS, Kind
from guardianflow.contracts.errors import ConfigurationError, GuardianFlowError

SAMPLE = 60
BY_NAME = {kind.name: kind for kind in KINDS}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    place = tmp_path / "set"
    place.mkdir()
    monkeypatch.chdir(place)
    # How long a file may take is the benchmark's to say: coverage on a slow machine costs 4 times.
    monkeypatch.setattr(fuzzing, "LONGEST_S", 120)
    yield place


@pytest.mark.parametrize("kind", KINDS, ids=BY_NAME)
def test_files_as_people_write_them_are_read(folder: Path, kind: Kind) -> None:
    kind.prepare(folder)
    for content in kind.plain:
        assert try_one(kind, folder, content) == (False, "")


@pytest.mark.parametrize("kind", KINDS, ids=BY_NAME)
def test_changed_files_give_values_or_clean_errors(folder: Path, kind: Kind) -> None:
    tally = fuzz(kind, folder, seed=13, numbers=range(SAMPLE))
    assert tally.faults == []
    assert tally.read + tally.refused == SAMPLE
    assert tally.refused > SAMPLE / 4  # the changes do break files


def test_a_seed_and_a_number_are_one_file() -> None:
    kind = BY_NAME["label"]
    files = [mutated(kind, 1, number) for number in range(50)]
    assert files == [mutated(kind, 1, number) for number in range(50)]
    assert len({*files}) > 30
    assert files != [mutated(kind, 2, number) for number in range(50)]


class UnboundedError(ConfigurationError):
    shown_letters = 100_000


def raising(error: Exception | None, says: str = "") -> Kind:
    def read(folder: Path, content: bytes) -> str:
        if error is not None:
            raise error
        return says

    return replace(BY_NAME["label"], read=read)


@pytest.mark.parametrize(
    ("kind", "refused", "fault"),
    [
        (raising(ConfigurationError("names a class twice")), True, ""),
        (raising(ConfigurationError(" ")), True, "without a word"),
        (raising(ConfigurationError("x" * 60_000)), True, ""),  # its text is bounded
        (raising(UnboundedError("x" * 60_000)), True, "60000 characters"),
        (raising(GuardianFlowError("of the work, not of the file")), False, "GuardianFlowError"),
        (raising(KeyError("names")), False, "KeyError: 'names'"),
        (raising(None, "boxes outside"), False, "boxes outside"),
        (raising(None), False, ""),
    ],
)
def test_what_counts_as_a_fault(folder: Path, kind: Kind, refused: bool, fault: str) -> None:
    found = try_one(kind, folder, b"")
    assert found[0] is refused
    assert fault in found[1] and bool(fault) is bool(found[1])


def test_a_reader_that_does_not_end_is_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(folder: Path, content: bytes) -> str:
        while True:
            pass

    monkeypatch.setattr(fuzzing, "LONGEST_S", 1)
    found = try_one(replace(BY_NAME["label"], read=endless), folder, b"")
    assert found == (False, "took more than 1 s")
