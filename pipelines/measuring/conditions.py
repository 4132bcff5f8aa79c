"""Takes times on a quiet machine, and says what machine it was.

A time that could not be taken in quiet is left out: no metric, no interval, no picture. The stage
ends all the same, since accuracy and files don't depend on it. `sys.busy` tells that times are
missing, and such a run stands in for new work only where no quiet comes: see stage.finished_twin.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from guardianflow.contracts.measurements import BUSY, Conditions, Timing, TimingDoubt
from guardianflow.contracts.results import SessionInfo

from ..stage.quiet import quiet_rounds
from ..stage.stage import StageContext, library_versions

if TYPE_CHECKING:
    from guardianflow.evaluation.timing.conditions import Moment
    from guardianflow.evaluation.timing.quiet import QuietRounds

T = TypeVar("T")
LIBRARIES = ("torch", "openvino", "onnxruntime", "tensorrt", "numpy", "opencv-python-headless")


@dataclass
class TimingConditions:
    """Watches the machine while something is timed; use it as a context manager.

    It looks between rounds alone, so the times don't pay for it.

    Args:
        context: of the stage; what is left out is told through its events.
        timings: what was timed, by names for people; filled in before the end.

    Attributes:
        rounds: for what takes times.
        missing: what was left out → why.
    """

    context: StageContext
    timings: dict[str, Timing] = field(default_factory=dict)
    missing: dict[str, tuple[TimingDoubt, ...]] = field(default_factory=dict)
    rounds: QuietRounds = field(init=False)
    conditions: Conditions = field(init=False)
    _describe: Callable[..., Conditions] = field(init=False)
    _before: Moment = field(init=False)

    def __enter__(self) -> TimingConditions:
        from guardianflow.backends import hardware
        from guardianflow.backends.probe.probe import ISA_VARIABLE
        from guardianflow.evaluation.timing.conditions import Moment
        from guardianflow.evaluation.timing.process_load import usable_cores

        versions = library_versions(*LIBRARIES)
        self._describe = partial(
            Conditions,
            cpu=hardware.cpu_model(),
            gpus=hardware.gpu_names(),
            physical_cores=hardware.physical_cores(),
            logical_cores=max(1, int(usable_cores())),
            isa_cap=os.environ.get(ISA_VARIABLE, ""),
            libraries={name: versions[name] for name in LIBRARIES if versions[name]},
        )
        self.rounds = quiet_rounds(self.context.settings, self.context.events)
        self._before = Moment.now()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        from guardianflow.evaluation.timing.conditions import Moment

        if kind is not None:
            return
        self.conditions = self.rounds.conditions(
            self._before, Moment.now(), self.timings, self._describe
        )
        for doubt in self.conditions.doubts:
            if not doubt.is_busy:
                self.context.events.message(f"take these times with care: {doubt}")
        for note in self.notes:
            self.context.events.message(note)

    def timed(self, what: str, work: Callable[[], T]) -> T | None:
        """The result of work that takes times by `rounds`; None where the machine was busy.

        Args:
            what: it is, for people.
        """
        from guardianflow.evaluation.timing.quiet import BusyMachineError

        try:
            return work()
        except BusyMachineError as exc:
            self.missing[what] = exc.doubts
            return None

    def leave_out(self, what: str, doubts: tuple[TimingDoubt, ...]) -> None:
        """Note what an earlier part of the stage could not time; without doubts it could."""
        if doubts:
            self.missing[what] = doubts
            self.rounds.missed.append(doubts)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is left out, why, and what to do; nothing where all could be timed."""
        if not self.missing:
            return ()
        wait_s = self.rounds.wait_s
        waited = f"no quiet came within {wait_s:.0f} s" if wait_s else "quiet was not waited for"
        doubts = "; ".join(str(each) for each in self.conditions.busy)
        # Without a wait a finished run is reused as it is; some stages never reuse one.
        forced = wait_s > 0 or self.context.request.force
        again = "" if forced else " with --force"
        return (
            f"left out, because the machine was busy: {', '.join(self.missing)} ({doubts}; "
            f"{waited}). All else is complete. Run the same command again{again} when the machine "
            "is quiet",
        )

    def metrics(self) -> dict[str, float]:
        """Metrics: how busy the machine was, how many doubts there are, what measuring took."""
        seen = self.conditions
        found = {
            "sys.load_per_core": seen.load_before / seen.logical_cores,
            "sys.warnings": float(len(seen.warnings)),
            "sys.timing_rounds": float(seen.rounds),
            "sys.timing_rounds_discarded": float(seen.rounds_discarded),
        }
        for name in ("other_cores", "stolen_cores", "other_gpu_pct"):
            if (value := getattr(seen, name)) is not None:
                found[f"sys.{name}"] = value
        return found | ({BUSY: 1.0} if seen.busy else {})

    def tags(self, session: SessionInfo) -> dict[str, str]:
        """Tags: what the session really was, and on what machine."""
        tags = {
            "sys.execution_precision": session.execution_precision,
            "sys.device": session.device,
            "sys.library": session.library,
            "sys.streams": str(session.streams),
        }
        if session.threads is not None:
            tags["sys.threads"] = str(session.threads)
        return tags | self.machine_tags()

    def machine_tags(self) -> dict[str, str]:
        """Tags: the machine alone."""
        from guardianflow.evaluation.timing.conditions import conditions_tags

        return conditions_tags(self.conditions)
