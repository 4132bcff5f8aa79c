"""Machines of which a test says what else they do: made-up clocks, real ones, and real burners."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import pytest

from guardianflow.evaluation.timing import conditions
from guardianflow.evaluation.timing.conditions import Moment
from guardianflow.evaluation.timing.process_load import MachineTime, ProcessTree, process_tree


@dataclass
class Machine:
    """Clocks that a test moves by hand; `look` and `rest` are for QuietRounds.

    Args:
        others: cores that others take, at a time in seconds since the start.
        stolen: cores given to other machines; None where the system doesn't tell.
        own: cores that we take ourselves.
        counted: whether the system's count has what we take.
    """

    others: Callable[[float], float] = lambda _: 0.0
    stolen: float | None = 0.0
    own: float = 1.0
    counted: bool = True
    load: float = 0.5
    throttled: float | None = None
    at_s: float = 0.0
    rested: list[float] = field(default_factory=list)
    _others_s: float = 0.0

    def pass_time(self, seconds: float, step: float = 0.01) -> None:
        """Others work on in small steps, so that they may come and go meanwhile."""
        end = self.at_s + seconds
        while self.at_s < end - 1e-9:
            now = min(step, end - self.at_s)
            self._others_s += now * self.others(self.at_s)
            self.at_s += now
        self.at_s = end

    def rest(self, seconds: float) -> None:
        self.rested.append(seconds)
        self.pass_time(seconds)

    def look(self) -> Moment:
        own = self.own * self.at_s
        stolen = None if self.stolen is None else self.stolen * self.at_s
        busy = self._others_s + (own if self.counted else 0.0)
        throttled = None if self.throttled is None else self.throttled * self.at_s
        return Moment(self.at_s, own, MachineTime(busy, 1e9, stolen), throttled, self.load)


def let_others_take(monkeypatch: pytest.MonkeyPatch, cores: float) -> None:
    """From now on the system says that others take so many cores, whatever they really do.

    Both clocks are read at one moment, as a busy machine may take long between two readings.
    """
    began = time.perf_counter()
    read = MachineTime(0.0, 1e9, 0.0)

    def own() -> ProcessTree:
        nonlocal read
        passed, tree = time.perf_counter() - began, process_tree()
        read = MachineTime(tree.cpu_s + cores * passed, 1e9, 0.0)
        return tree

    monkeypatch.setattr(conditions, "process_tree", own)
    monkeypatch.setattr(conditions, "own_cores_time", lambda: read)


def was_timed(metrics: Mapping[str, float], *keys: str) -> bool:
    """Whether a stage of a real machine has these times: all of them and above 0, or none.

    Tests run beside each other, so that either may come: then it must be said.
    """
    busy = metrics.get("sys.busy", 0.0)
    found = [metrics[key] for key in keys if key in metrics]
    assert all(value > 0 for value in found)
    if len(found) == len(keys):
        return True
    assert busy == 1.0 and not found, f"{found} of {keys}"
    return False


BURN = "import os, time\nend = time.time() + {seconds}\nwhile time.time() < end: pass"


@contextmanager
def burning(seconds: float) -> Iterator[Callable[[], None]]:
    """Every core busy for so long, by processes that are none of ours: they have no parent here.

    Yields what ends them earlier.
    """
    code = BURN.format(seconds=seconds)
    fork = (
        "import os, subprocess, sys\n"
        "for _ in os.sched_getaffinity(0):\n"
        f"    child = subprocess.Popen([sys.executable, '-c', {code!r}], start_new_session=True,\n"
        "                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "    print(child.pid)\n"
    )
    # The one between ends at once, and what it leaves belongs to init.
    told = subprocess.run(
        [sys.executable, "-c", fork], check=True, capture_output=True, text=True
    ).stdout
    burners = [int(line) for line in told.split()]

    def end() -> None:
        while burners:
            with suppress(ProcessLookupError):
                os.kill(burners.pop(), signal.SIGKILL)

    try:
        yield end
    finally:
        end()
