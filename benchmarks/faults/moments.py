"""When a fault strikes: at a moment that a seed chooses, in a phase of the work."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.faults.place import Command, Place

START, EPOCH, END, STAGE, REGISTERED = "start", "epoch", "end", "stage", "registered"
POLL_S = 0.02
REGISTERED_SHARE = 0.12
LONGEST_STAGE_S = 9.0
"""Of a small pipeline on a quiet machine: later the next stage is struck."""


@dataclass
class Pace:
    """How long phases take on this machine, as the last rounds have shown.

    Args:
        start_s: from the command to the first epoch.
        epoch_s: an epoch.
        end_s: from the last epoch to the command's end.
    """

    start_s: float = 12.0
    epoch_s: float = 1.0
    end_s: float = 6.0


@dataclass(frozen=True)
class Moment:
    """A time within a phase.

    Args:
        phase: from the command's start, an epoch's, the training's end, a stage's start or a
            registration on.
        number: of the epoch, counted from those that are done when it is waited for; of the
            registered versions.
        stage: of the phase 'stage'.
    """

    phase: str
    delay_s: float
    number: int = 0
    stage: str = ""

    def __str__(self) -> str:
        what = {EPOCH: f"epoch +{self.number}", STAGE: self.stage}.get(self.phase, self.phase)
        return f"{what} +{self.delay_s:.2f}s"

    def wait(self, place: Place, command: Command) -> bool:
        """Wait until it has come; False where the command has ended before."""
        seen, last = place.epochs_seen(), place.workload.epochs
        before, begun = place.attempts_at(self.stage), set[str]()

        def stage_begun() -> bool:
            begun.update(place.attempts_at(self.stage) - before)
            # The checks of a pipeline are an attempt at its first stage.
            return len(begun) > (self.stage == "train")

        reached: dict[str, Callable[[], bool]] = {
            START: lambda: True,
            EPOCH: lambda: place.epochs_seen() >= min(seen + self.number, last - 1),
            END: lambda: place.epochs_seen() >= last,
            STAGE: stage_begun,
            REGISTERED: lambda: place.versions() >= self.number,
        }
        while not reached[self.phase]():
            if command.ended:
                return False
            time.sleep(POLL_S)
        until = time.monotonic() + self.delay_s
        while time.monotonic() < until:
            if command.ended:
                return False
            time.sleep(POLL_S)
        return not command.ended


def random_moment(chance: random.Random, place: Place, pace: Pace) -> Moment:
    """Somewhere in the work; as often in its end, where there is most to lose, as in its middle."""
    if place.epochs_seen() >= place.workload.epochs:  # an attempt before this one has got there
        return Moment(START, chance.uniform(0, pace.start_s + pace.end_s))
    if chance.random() < REGISTERED_SHARE:  # before its run has ended
        makes = len({"train", "quant"} & set(place.workload.stages))
        return Moment(REGISTERED, chance.uniform(0, 0.3), chance.randint(1, makes))
    if place.workload.command == "pipeline":
        stage = chance.choice(("train", "quant", "infer", ""))
        if stage and place.given == 1:  # a later attempt may find it done
            return Moment(STAGE, chance.uniform(0, LONGEST_STAGE_S), stage=stage)
        whole = pace.start_s + place.workload.epochs * pace.epoch_s + pace.end_s
        return Moment(START, chance.uniform(0, whole))
    phase = chance.choices((START, EPOCH, END), (15, 45, 40))[0]
    if phase == START:
        return Moment(START, chance.uniform(0, pace.start_s))
    if phase == END:
        return Moment(END, chance.uniform(0, pace.end_s))
    return Moment(EPOCH, chance.uniform(0, pace.epoch_s), chance.randint(1, 4))


def in_training(chance: random.Random, pace: Pace, at_least: int = 1) -> Moment:
    """Somewhere between two epochs' ends.

    Args:
        at_least: epochs that are done by then.
    """
    return Moment(EPOCH, chance.uniform(0, pace.epoch_s), at_least + chance.randint(0, 2))
