"""The process that a run belongs to, written on the run, and its signs of life.

    guardianflow.process    who works at it: ProcessIdentity as JSON; from the run's first moment on
    guardianflow.starter    who started that process, and ends its run where it dies; or no tag
    guardianflow.heartbeat  when it was last heard of; for people, no decision rests on it

A run is gone where its process is dead for certain, and so is the one that started it: that one
knows why it died, and has its log. Of a process that can't be seen from here nothing is concluded,
however long it has been silent: its network may be away.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum

from ...contracts.ports import RunTracker
from ...contracts.results import RunRecord, RunRequest
from ...support.child_processes import join
from ...support.process_identity import ProcessIdentity

PROCESS_TAG = "guardianflow.process"
STARTER_TAG = "guardianflow.starter"
HEARTBEAT_TAG = "guardianflow.heartbeat"
BEAT_EVERY_S = 60.0
LAST_BEAT_S = 1.0
"""Waited at a run's end for a sign of life that is under way."""


class Life(StrEnum):
    """What is known of the process that a run belongs to."""

    LIVES = "lives"
    """Or has died a moment ago, and the one that started it is about to end its run."""
    GONE = "gone"
    ELSEWHERE = "elsewhere"
    """It can't be seen from here: another machine, or another container."""
    UNMARKED = "unmarked"
    """The run names none: others made it, or a GuardianFlow from before these tags."""


_starter_tags: dict[str, str] = {}
"""Of this process; it says so itself, as one that a server has forked has another parent."""


def was_started_by(starter: ProcessIdentity) -> None:
    """Say that this process' runs are ended by another one, should this one die."""
    _starter_tags[STARTER_TAG] = starter.to_json()


def owner_tags() -> dict[str, str]:
    """Tags of a run that this process works at from now on."""
    process = ProcessIdentity.of_this_process().to_json()
    return {PROCESS_TAG: process, **_starter_tags, HEARTBEAT_TAG: _now()}


def with_owner(request: RunRequest) -> RunRequest:
    """The request of a run that is this process'; one that names another owner keeps it."""
    return replace(request, tags={**owner_tags(), **request.tags})


def owner_of_request(request: RunRequest) -> dict[str, str]:
    """Of a request's tags those that name its owner."""
    keys = (PROCESS_TAG, STARTER_TAG, HEARTBEAT_TAG)
    return {key: request.tags[key] for key in keys if key in request.tags}


def owner_of(tags: Mapping[str, str]) -> ProcessIdentity | None:
    """The process that the tags name; None where they name none that can be read."""
    return _named(tags, PROCESS_TAG)


def _named(tags: Mapping[str, str], key: str) -> ProcessIdentity | None:
    try:
        return ProcessIdentity.from_json(tags[key])
    except (KeyError, ValueError):
        return None


def life_of(tags: Mapping[str, str]) -> Life:
    """What can be told of the process that the tags name."""
    owner = owner_of(tags)
    if owner is None:
        return Life.UNMARKED
    if owner.is_dead():
        starter = _named(tags, STARTER_TAG)
        is_watched = starter is not None and starter.is_here() and not starter.is_dead()
        return Life.LIVES if is_watched else Life.GONE
    return Life.LIVES if owner.is_here() else Life.ELSEWHERE


def last_sign_ms(run: RunRecord) -> int:
    """When a run was last heard of, in ms since 1970: its heartbeat, else its start."""
    try:
        heard = datetime.fromisoformat(run.tags.get(HEARTBEAT_TAG, ""))
        return max(int(heard.timestamp() * 1000), run.start_time_ms)
    except ValueError:
        return run.start_time_ms


@contextmanager
def signs_of_life(store: RunTracker, run_id: str) -> Iterator[None]:
    """Renew a run's heartbeat about every minute, from a thread that neither fails nor delays.

    A store that refuses, or does not answer, costs a beat and nothing else.
    """
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_EVERY_S):
            try:
                store.annotate(run_id, tags={HEARTBEAT_TAG: _now()})
            except Exception:  # the next one may arrive; the work must not know # nosec B112
                continue

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        join(thread, LAST_BEAT_S)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
