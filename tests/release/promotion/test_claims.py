"""One at a time may change a model: living, dead and late holders; every order of steps."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from promotions import (
    NAME,
    PACKAGE,
    WHO,
    Interrupted,
    model,
    promoted,
    third,
    verdict,
)

from guardianflow.contracts.detector_package import DetectorPackage
from guardianflow.contracts.errors import (
    ConcurrentChangeError,
    TrackingError,
)
from guardianflow.contracts.releases import CANDIDATE, CHAMPION, ROLLBACK
from guardianflow.release.promotion import claims
from guardianflow.release.promotion.alias_changes import now
from guardianflow.release.promotion.claims import CLAIM_PREFIX, Claim, claimed
from guardianflow.release.promotion.journal import history
from guardianflow.release.promotion.promotion import rollback
from guardianflow.run_tracking.fakes.aliases import InMemoryAliasStore
from guardianflow.support.process_identity import ProcessIdentity


@pytest.fixture
def second() -> InMemoryAliasStore:
    """v1 at the site, v2 passed against it."""
    return model(verdict(), verdict(champion="1"), champion="1", candidate="2")


# --- two at once ---------------------------------------------------------------------------------


def claim_of(process: ProcessIdentity, age_s: float = 0.0) -> Claim:
    return Claim("ab" * 16, "lee@office", "promote", time.time() - age_s, process)


@pytest.fixture
def other() -> Iterator[ProcessIdentity]:
    """A living process that is not this one."""
    mine = ProcessIdentity.of_this_process()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        stat = Path(f"/proc/{child.pid}/stat").read_text()
        yield replace(mine, pid=child.pid, started=stat.rpartition(")")[2].split()[19])
        child.communicate(b"\n")


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "WAIT_S", 0.1)


def test_a_living_holder_is_named_and_nothing_changes(
    second: InMemoryAliasStore, other: ProcessIdentity, hurried: None
) -> None:
    claim = claim_of(other, 30)
    second.set_model_tag(NAME, claim.tag, claim.to_json())
    said = rf"lee@office \(promote, process {other.pid} on .*, since 20.*Nothing was changed"
    with pytest.raises(ConcurrentChangeError, match=said) as busy:
        promoted(second)
    assert busy.value.exit_code == 1
    assert second.aliases(NAME) == {CHAMPION: "1", CANDIDATE: "2"}
    assert list(second.model_tags(NAME)) == [claim.tag]


def test_a_dead_or_old_claim_is_taken_over_and_removed(other: ProcessIdentity) -> None:
    mine = ProcessIdentity.of_this_process()
    elsewhere = replace(mine, host="office", machine="another boot")
    for claim in (
        claim_of(replace(other, started="1")),  # its number is used again
        claim_of(replace(other, pid=2**22 + 1)),
        claim_of(mine),  # left behind by this very process
        claim_of(other, claims.LEASE_S + 1),
        claim_of(elsewhere, claims.LEASE_S + 1),
    ):
        store = third()
        store.set_model_tag(NAME, claim.tag, claim.to_json())
        promoted(store)
        assert not [tag for tag in store.model_tags(NAME) if tag.startswith(CLAIM_PREFIX)]


def test_a_process_of_another_machine_is_not_taken_for_dead(
    second: InMemoryAliasStore, hurried: None
) -> None:
    """The same number is nobody here; another container may even have this host's name."""
    mine = ProcessIdentity.of_this_process()
    for process in (
        replace(mine, machine="another boot", hardware="another", pid=2**22 + 1),
        replace(mine, machine="", pid=2**22 + 1),
    ):
        claim = claim_of(process)
        second.set_model_tag(NAME, claim.tag, claim.to_json())
        with pytest.raises(ConcurrentChangeError):
            promoted(second)
        second.delete_model_tag(NAME, claim.tag)


def test_a_child_that_ended_and_is_not_buried_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    stat = Path(f"/proc/{child.pid}/stat").read_text()
    identity = replace(
        ProcessIdentity.of_this_process(),
        pid=child.pid,
        started=stat.rpartition(")")[2].split()[19],
    )
    assert child.stdout is not None
    child.stdout.read()  # closed at its end
    while Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        pass
    assert identity.is_dead()
    child.communicate()
    assert identity.is_dead()
    assert not ProcessIdentity.of_this_process().is_dead()


def test_a_holder_that_was_taken_over_or_is_too_slow_writes_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def take_over(store: InMemoryAliasStore) -> None:
        for tag in [tag for tag in store.model_tags(NAME) if tag.startswith(CLAIM_PREFIX)]:
            store.delete_model_tag(NAME, tag)

    store = third()
    with pytest.raises(ConcurrentChangeError, match="has taken over the claim"):
        promoted(Interrupted(store, 3, lambda: take_over(store)))
    assert store.aliases(NAME)[CHAMPION] == "2"
    slow = third()
    with pytest.raises(ConcurrentChangeError, match="so as not to meet another process"):
        promoted(Interrupted(slow, 3, lambda: monkeypatch.setattr(claims, "HOLD_S", -1.0)))
    assert slow.aliases(NAME)[CHAMPION] == "2"


def test_a_registry_that_answers_with_old_data_lets_nobody_through(
    second: InMemoryAliasStore, hurried: None
) -> None:
    class Old:
        def __getattr__(self, name: str) -> Any:
            return (lambda _: {}) if name == "model_tags" else getattr(second, name)

    with pytest.raises(ConcurrentChangeError, match="could not read it back"):
        promoted(Old())
    assert second.aliases(NAME) == {CHAMPION: "1", CANDIDATE: "2"}


def test_a_tag_that_is_no_claim_is_named(second: InMemoryAliasStore) -> None:
    for text in ("no json", "[]", json.dumps({"token": "x", "process": {}})):
        second.set_model_tag(NAME, CLAIM_PREFIX + "x", text)
        with pytest.raises(TrackingError, match="must be a claim on the model's aliases"):
            promoted(second)


def test_a_state_that_changed_after_the_decision_is_not_built_upon(
    second: InMemoryAliasStore,
) -> None:
    second.add_version(NAME, verdict(champion="1"))

    def meanwhile(name: str, version: str) -> DetectorPackage:
        promoted(second, version="3", who="lee@office")
        return PACKAGE

    with pytest.raises(ConcurrentChangeError, match=r"changed meanwhile.*by lee@office"):
        promoted(second, version="2", verify=meanwhile)
    assert second.aliases(NAME) == {CHAMPION: "3", ROLLBACK: "1", CANDIDATE: "2"}


def test_a_change_made_while_a_command_was_starting_is_not_built_upon() -> None:
    store = model({}, {}, {}, champion="1", candidate="2")
    decided_at = now()
    time.sleep(0.01)
    promoted(store, force=True, reason="first", who="lee@office")
    for version in ("2", "3"):
        with pytest.raises(ConcurrentChangeError, match=r"changed meanwhile.*by lee@office"):
            promoted(store, version=version, force=True, reason="second", decided_at=decided_at)
    with pytest.raises(ConcurrentChangeError, match=r"rollback of .* changed meanwhile"):
        rollback(store, NAME, who=WHO, decided_at=decided_at)
    assert store.aliases(NAME) == {CHAMPION: "2", ROLLBACK: "1"}
    time.sleep(0.01)
    rollback(store, NAME, who=WHO, decided_at=now())
    assert store.aliases(NAME)[CHAMPION] == "1"


class Turns:
    """Lets threads make one step at a time, in the order that a test draws."""

    def __init__(self, order: list[int], threads: int) -> None:
        self.order, self.waiting = order, {}
        self.gates = [threading.Semaphore(0) for _ in range(threads)]
        self.arrived = threading.Semaphore(0)
        self.alive = set(range(threads))
        self.mine = threading.local()

    def step(self, *_: object) -> None:
        self.arrived.release()
        self.gates[self.mine.number].acquire()

    def body(self, number: int, work: Callable[[], None]) -> None:
        self.mine.number = number
        self.step()
        try:
            work()
        finally:
            self.alive.discard(number)
            self.arrived.release()

    def run(self, works: list[Callable[[], None]]) -> None:
        threads = [
            threading.Thread(target=self.body, args=(number, work), daemon=True)
            for number, work in enumerate(works)
        ]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert self.arrived.acquire(timeout=20)
        turn, rng = 0, random.Random(0)
        while self.alive:
            ready = sorted(self.alive)
            drawn = self.order[turn] if turn < len(self.order) else rng.randrange(len(ready))
            turn += 1
            assert turn < 5000, "nobody gets through"
            self.gates[ready[drawn % len(ready)]].release()
            assert self.arrived.acquire(timeout=20)
        for thread in threads:
            thread.join(20)


class Stepping:
    """A store where every single read and write waits for its turn."""

    def __init__(self, store: Any, turns: Turns) -> None:
        self.store, self.turns = store, turns

    def __getattr__(self, name: str) -> Any:
        whole = getattr(self.store, name)

        def call(*arguments: Any) -> Any:
            self.turns.step()
            return whole(*arguments)

        return call


@settings(max_examples=150, deadline=None)
@given(st.integers(2, 3), st.lists(st.integers(0, 2), max_size=60))
def test_in_no_order_of_reads_and_writes_do_two_hold_the_model(
    threads: int, order: list[int]
) -> None:
    store, inside, passed = third(), [], []
    turns = Turns(order, threads)

    def work() -> None:
        with claimed(Stepping(store, turns), NAME, who=WHO, doing="promote"):
            inside.append(1)
            assert len(inside) == 1
            turns.step()
            turns.step()
            assert len(inside) == 1
            inside.pop()
        passed.append(1)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(claims, "pause", turns.step)
        turns.run([work] * threads)
    assert len(passed) == threads  # all in turn: nobody locks the others out for good
    assert not [tag for tag in store.model_tags(NAME) if tag.startswith(CLAIM_PREFIX)]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 1), max_size=120))
def test_of_two_promotions_at_once_exactly_one_wins(order: list[int]) -> None:
    store = model({}, {}, {}, champion="1", candidate="2")
    turns, results = Turns(order, 2), {}

    def work(version: str) -> None:
        try:
            promoted(Stepping(store, turns), version=version, force=True, reason="now")
            results[version] = "won"
        except ConcurrentChangeError as exc:
            results[version] = str(exc)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(claims, "pause", turns.step)
        turns.run([lambda: work("2"), lambda: work("3")])
    entries = history(store, NAME)
    now = store.aliases(NAME)
    won = [version for version, result in results.items() if result == "won"]
    # One that looked only when the other was done promotes over it, in order.
    assert won
    assert len(entries) == len(won)
    assert now[CHAMPION] in won
    assert now[ROLLBACK] == ("1" if len(won) == 1 else entries[0].after[CHAMPION])
    for version in {"2", "3"} - set(won):
        assert "changed meanwhile" in results[version] or "must be alone" in results[version]
