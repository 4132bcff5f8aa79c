"""A training's metrics in its run: each point exactly once, whatever ended the process in between.

A report goes to the journal first and to the tracker then, with the journal's time. A training
that goes on logs again what the store lacks of the journal, and nothing that it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from ..wiring import Store
from .epoch_journal import EpochJournal, Report


class Curve:
    """The curve of one run.

    Args:
        went_on: the run has points of an earlier attempt.
        tell: told what could not be written down; the training goes on.

    Attributes:
        repeated: epochs that were reported before, so that their first points stay.
    """

    def __init__(
        self,
        store: Store,
        run_id: str,
        journal: EpochJournal,
        *,
        went_on: bool,
        tell: Callable[[str], None],
    ) -> None:
        self._store, self._run_id, self._journal = store, run_id, journal
        self._went_on, self._tell = went_on, tell
        self._known: dict[str, set[int]] = {}
        self._written = True
        self.repeated: list[int] = []

    @property
    def epochs_done(self) -> int:
        return self._journal.last_epoch

    def values(self) -> dict[str, float]:
        """The last value of each metric."""
        return dict(pair for each in self._journal.reports for pair in each.metrics.items())

    def catch_up(self) -> int:
        """Log what the journal has and the store lacks; how many points that were.

        Raises:
            TrackingError: the store refuses.
        """
        reports = self._journal.reports
        keys = dict.fromkeys(key for each in reports for key in each.metrics)
        there = {key: self._store.logged_steps(self._run_id, key) for key in keys}
        points = [
            point
            for report in reports
            for point in report.points()
            if point.step not in there[point.key]
        ]
        if points:
            self._store.log_points(self._run_id, points)
        for key, steps in there.items():
            self._known[key] = {*steps, *(r.step for r in reports if key in r.metrics)}
        return len(points)

    def kept(self, report: Report) -> Report:
        """The report without the points that an earlier attempt has logged."""
        metrics = self.fresh(report.step, report.metrics)
        # What the machine took may have been sampled in one of the attempts alone.
        if metrics.keys() != report.metrics.keys() and report.step not in self.repeated:
            self.repeated.append(report.step)
        return replace(report, metrics=metrics)

    def fresh(self, step: int, metrics: Mapping[str, float]) -> dict[str, float]:
        """The metrics that have no point at this step from an earlier attempt."""
        if not self._went_on:
            return dict(metrics)
        return {key: value for key, value in metrics.items() if step not in self._steps(key)}

    def write(self, report: Report) -> None:
        """Write a report down; what can't be written is told once, and logged nevertheless."""
        try:
            self._journal.append(report)
            self._written = True
        except OSError as exc:
            if self._written:
                self._tell(
                    f"epoch {report.step} could not be written down for a later attempt ({exc}); "
                    "the training goes on. Make room in the work directory"
                )
            self._written = False

    def log(self, report: Report) -> None:
        """Write a report down, then log it."""
        if report.metrics:
            self.write(report)
            self._store.log_points(self._run_id, report.points())

    def _steps(self, key: str) -> set[int]:
        if key not in self._known:
            self._known[key] = set(self._store.logged_steps(self._run_id, key))
        return self._known[key]
