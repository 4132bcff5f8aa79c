"""Decides the order of tries: which recipe is best within a budget of accuracy and time?

    safest            half of the groups float, those that harm most
      accepted →      boldest, none float; then bisection between the two
      rejected →      more float; then another calibration, as far as it can help
    then              cheaper presets at the number of groups found
    nothing passes →  training on, where it is allowed: none float, then half of the groups
    nor does that →   float16

`attempt` makes and measures one recipe; this module only decides what to try next. The result is
the accepted trial that the objective prefers, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from guardianflow.contracts.quantisation import Recipe, Training

from .trial import Trial


@dataclass(frozen=True)
class SearchResult:
    """All tries in their order, the best accepted one, and why the search ended."""

    trials: tuple[Trial, ...]
    best: Trial | None
    ended: str


@dataclass
class RecipeSearch:
    """Decides what to try next; see the module.

    Args:
        ranking: group names, the most harmful first.
        attempt: makes, measures and judges a recipe (None is float16).
        time_left: True while another try of the same length fits the budget.
        objective: 'latency_p50', 'throughput' or 'size': what the best one is best at.
        base: calibration method and preset to begin with.
        methods: other calibration methods to try where the first one fails.
        presets: other presets to try at the end.
        training: how to train on where no calibrated recipe is accepted; None where that is not
            allowed.
    """

    ranking: Sequence[str]
    attempt: Callable[[Recipe | None], Trial]
    time_left: Callable[[], bool]
    objective: str = "latency_p50"
    base: Recipe = field(default_factory=Recipe)
    methods: Sequence[str] = ("percentile", "minmax", "entropy")
    presets: Sequence[str] = ("performance",)
    training: Training | None = None
    _tried: dict[Recipe | None, Trial] = field(default_factory=dict)

    def run(self) -> SearchResult:
        """Try until nothing is left to try or no time is."""
        ended = "nothing more to try"
        try:
            fewest = self._fewest_float()
            if fewest is not None:
                self._cheaper(fewest)
            elif not self._trained():
                self._try(None)
        except _OutOfTime:
            ended = "the time budget is used up"
            if self._best() is None and None not in self._tried:
                # A float16 file is made in seconds, and it beats having nothing.
                self._tried[None] = self.attempt(None)
        return SearchResult(tuple(self._tried.values()), self._best(), ended)

    def _fewest_float(self) -> Recipe | None:
        """The accepted recipe with the fewest groups float, by bisection; None where none is."""
        for recipe in self._starts():
            safest = len(self.ranking) // 2
            if not self._passes(recipe, safest):
                safest = len(self.ranking) - 1
                if safest <= len(self.ranking) // 2 or not self._passes(recipe, safest):
                    continue
                rejected = len(self.ranking) // 2
            elif safest == 0 or self._passes(recipe, 0):
                return self._with_float(recipe, 0)
            else:
                rejected = 0
            accepted = safest
            while accepted - rejected > 1:
                middle = (accepted + rejected) // 2
                if self._passes(recipe, middle):
                    accepted = middle
                else:
                    rejected = middle
            return self._with_float(recipe, accepted)
        return None

    def _starts(self) -> Iterator[Recipe]:
        yield self.base
        for method in self.methods:
            if method != self.base.calibration_method:
                yield replace(self.base, calibration_method=method)

    def _cheaper(self, found: Recipe) -> None:
        for preset in self.presets:
            if preset != found.preset:
                self._try(replace(found, preset=preset))

    def _trained(self) -> bool:
        """Whether a network is accepted after training on, from the best calibration there is."""
        if self.training is None:
            return False
        measured = [each for each in self._tried.values() if each.recipe and each.is_measured]
        closest = min(measured, key=lambda each: each.drop, default=None)
        start = self.base
        if closest is not None and closest.recipe is not None:
            method = closest.recipe.calibration_method
            start = replace(start, calibration_method=method)
        start = replace(start, training=self.training)
        for count in dict.fromkeys((0, len(self.ranking) // 2)):
            trial = self._try(self._with_float(start, count))
            if trial.accepted or not trial.is_measured:  # what failed once fails again
                return trial.accepted
        return False

    def _with_float(self, recipe: Recipe, count: int) -> Recipe:
        return replace(recipe, float_groups=tuple(sorted(self.ranking[:count])))

    def _passes(self, recipe: Recipe, count: int) -> bool:
        return self._try(self._with_float(recipe, count)).accepted

    def _try(self, recipe: Recipe | None) -> Trial:
        if recipe not in self._tried:
            if self._tried and not self.time_left():
                raise _OutOfTime
            self._tried[recipe] = self.attempt(recipe)
        return self._tried[recipe]

    def _best(self) -> Trial | None:
        accepted = [each for each in self._tried.values() if each.accepted]
        return min(accepted, key=lambda each: preference(each, self.objective), default=None)


def preference(trial: Trial, objective: str) -> tuple[float, float]:
    """The lower, the better: what the objective asks for, then the drop of mAP50-95."""
    cost = {
        "latency_p50": trial.relative_latency,
        "throughput": -(trial.relative_throughput or 0.0),
        "size": trial.size_mb,
    }[objective]
    return cost, trial.drop


class _OutOfTime(Exception):  # noqa: N818 - it is no error
    pass
