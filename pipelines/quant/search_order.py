"""Decides the order of tries: which recipe is best within a budget of accuracy and time?

    safest            half of the groups float, those that harm most
      accepted →      boldest, none float; then bisection between the two
      rejected →      more float; then another calibration, as far as it can help
    then              cheaper activations, where they are allowed: all of them, then bisection
                      between none and all, the most gain per harm first, and those behind the one
                      that was too much, one by one; then each group further, to a kind that saves
                      more; where not all pass, the same from those that do to all, trained on,
                      where that is allowed
    then              cheaper presets at what was found
    nothing passes →  training on, where it is allowed: none float, then half of the groups
    nor does that →   float16

`attempt` makes and measures one recipe; this module only decides what to try next. The result is
the accepted trial that the objective prefers, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from guardianflow.contracts.quantisation import Distillation, Recipe, Training

from .activation_order import ActivationOrder, Step
from .trial import Trial

BEHIND = 5
"""Steps that are tried one by one behind the one that was too much: what each harms in the float
network tells little of what it costs in mAP."""


@dataclass(frozen=True)
class SearchResult:
    """All tries in their order, the best accepted one, and why the search ended.

    Args:
        chosen_by: what the best one is best at: the objective, or 'size' where an accepted try has
            no figure for that, because the machine was busy. The fewer layers are float, the
            smaller are the files.
    """

    trials: tuple[Trial, ...]
    best: Trial | None
    ended: str
    chosen_by: str = ""


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
        distillation: how to train on after activations were changed; None where that is not
            allowed.
        order_activations: measures in which order activations are changed; None where that is
            not allowed. Asked once, when a recipe without them is accepted.
    """

    ranking: Sequence[str]
    attempt: Callable[[Recipe | None], Trial]
    time_left: Callable[[], bool]
    objective: str = "latency_p50"
    base: Recipe = field(default_factory=Recipe)
    methods: Sequence[str] = ("percentile", "minmax", "entropy")
    presets: Sequence[str] = ("performance",)
    training: Training | None = None
    distillation: Distillation | None = None
    order_activations: Callable[[], ActivationOrder] | None = None
    activation_order: ActivationOrder = field(default_factory=ActivationOrder)
    _tried: dict[Recipe | None, Trial] = field(default_factory=dict)

    def run(self) -> SearchResult:
        """Try until nothing is left to try or no time is."""
        ended = "nothing more to try"
        try:
            fewest = self._fewest_float()
            if fewest is not None:
                cheapest = self._cheapest_activations(fewest)
                for preset in (each for each in self.presets if each != fewest.preset):
                    self._try(replace(cheapest, preset=preset))
            elif not self._trained():
                self._try(None)
        except _OutOfTime:
            ended = "the time budget is used up"
            if self._best() is None and None not in self._tried:
                # A float16 file is made in seconds, and it beats having nothing.
                self._tried[None] = self.attempt(None)
        return SearchResult(tuple(self._tried.values()), self._best(), ended, self._chosen_by())

    def _fewest_float(self) -> Recipe | None:
        """The accepted recipe with the fewest groups float, by bisection; None where none is."""
        for method in dict.fromkeys([self.base.calibration_method, *self.methods]):
            recipe = replace(self.base, calibration_method=method)
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
            count = _bisected(safest, rejected, partial(self._passes, recipe))
            return self._with_float(recipe, count)
        return None

    def _cheapest_activations(self, fewest: Recipe) -> Recipe:
        """The accepted recipe with the most activations changed.

        Where all of them are too many, training on may make up for it, if that is allowed: all of
        them again, then bisection from those that passed without it.
        """
        if self.order_activations is None:
            return fewest
        if not self.time_left():
            raise _OutOfTime
        self.activation_order = order = self.order_activations()
        whole = len(order.steps)

        def changed(steps: Collection[Step], trained: Distillation | None = None) -> Recipe:
            return replace(fewest, activations=order.change_of(steps, trained))

        def passes(count: int) -> bool:
            return self._try(changed(order.steps[:count])).accepted

        if not whole:
            return fewest
        first = whole if passes(whole) else _bisected(0, whole, passes)
        plain = list(order.steps[:first])
        for step in (*order.steps[first + 1 :][:BEHIND], *order.further):
            if self._try(changed([*plain, step])).accepted:
                plain.append(step)
        # what passes untrained comes first: training has the least to make up for
        steps = [*plain, *(each for each in order.steps if each not in plain)]
        if first == whole or self.distillation is None:
            return changed(plain)
        healed = self._try(changed(steps, self.distillation))
        if not healed.is_measured:  # what failed once fails again
            return changed(plain)

        def heals(count: int) -> bool:
            return self._try(changed(steps[:count], self.distillation)).accepted

        count = len(steps) if healed.accepted else _bisected(len(plain), len(steps), heals)
        return changed(steps[:count], self.distillation if count > len(plain) else None)

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
        objective = self._chosen_by()
        return min(
            self._accepted(),
            key=lambda each: (cost(each, objective) or 0.0, each.drop),  # none is None here
            default=None,
        )

    def _chosen_by(self) -> str:
        known = (cost(each, self.objective) is not None for each in self._accepted())
        return self.objective if all(known) else "size"

    def _accepted(self) -> list[Trial]:
        return [each for each in self._tried.values() if each.accepted]


def cost(trial: Trial, objective: str) -> float | None:
    """What the objective asks for, the lower the better; None where it was not measured."""
    if objective == "throughput":
        rate = trial.relative_throughput
        return None if rate is None else -rate
    return {"latency_p50": trial.relative_latency, "size": trial.size_mb}[objective]


def _bisected(accepted: int, rejected: int, passes: Callable[[int], bool]) -> int:
    """The last number that passes, on the way from one that does to one that does not."""
    while abs(accepted - rejected) > 1:
        middle = (accepted + rejected) // 2
        if passes(middle):
            accepted = middle
        else:
            rejected = middle
    return accepted


class _OutOfTime(Exception):  # noqa: N818 - it is no error
    pass
