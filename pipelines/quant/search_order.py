"""Which recipe is best within a budget of accuracy and time? The order of tries, and nothing else.

    safest            half of the groups float, those that harm most
      accepted →      boldest, none float; then bisection between the two
      rejected →      more float; then another calibration, as far as it can help
    then              cheaper presets at the number of groups found
    nothing passes →  training on, where it is allowed: none float, then half of the groups
    nor does that →   float16

`attempt` makes and measures one recipe; this module only decides what to try next. The result is
the accepted attempt that the objective prefers, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from guardianflow.contracts.measurements import Estimate
from guardianflow.contracts.quantisation import Recipe, Training

OBJECTIVES = ("latency_p50", "throughput", "size")
SHOWN_CLASSES = 3


@dataclass(frozen=True)
class Limits:
    """What a quantised model may lose, and what is wanted of it.

    Args:
        max_drop_mAP50_95, max_drop_mAP50: original − quantised, at most.
        min_class_recall: of every class at the deployed confidence, at least; None asks for none.
        objective: 'latency_p50', 'throughput' or 'size': what the best of those accepted is best
            at.
    """

    max_drop_mAP50_95: float  # noqa: N815 - the field's own spelling
    max_drop_mAP50: float  # noqa: N815
    min_class_recall: float | None = None
    objective: str = "latency_p50"


@dataclass(frozen=True)
class Measured:
    """What one try came to.

    Args:
        drops: 'mAP50', 'mAP50_95', … → original − quantised on the same images; a value without
            an interval has low = high = value.
        class_recall: class → recall at the deployed confidence.
        relative_latency: median call ÷ that of the float model of the same backend, by turns.
        relative_throughput: frames a second ÷ that of the float model; None where the objective
            does not ask for it.
        size_mb: of its files, 10⁶ bytes.
    """

    drops: Mapping[str, Estimate]
    class_recall: Mapping[str, float]
    relative_latency: float
    size_mb: float
    relative_throughput: float | None = None


@dataclass(frozen=True)
class Attempt:
    """A try and what became of it.

    Args:
        recipe: None for float16.
        measured: None where it could not be made or run.
        accepted: within the limits.
        reason: why, one line.
        certain: False where an interval reaches over a limit: more images would be needed.
        run_id: of the child run; '' where there is none.
    """

    recipe: Recipe | None
    measured: Measured | None
    accepted: bool
    reason: str
    certain: bool = True
    run_id: str = ""

    @property
    def label(self) -> str:
        return "float16" if self.recipe is None else self.recipe.label


@dataclass(frozen=True)
class SearchResult:
    """All tries in their order, the best accepted one, and why the search ended."""

    attempts: tuple[Attempt, ...]
    best: Attempt | None
    ended: str


def judge(recipe: Recipe | None, measured: Measured, limits: Limits, run_id: str = "") -> Attempt:
    """Hold a try against the limits. What was measured decides; the interval says how surely."""
    broken, unsure = [], []
    for key, limit in (
        ("mAP50_95", limits.max_drop_mAP50_95),
        ("mAP50", limits.max_drop_mAP50),
    ):
        drop = measured.drops[key]
        if drop.value > limit:
            broken.append(f"{key} drops by {drop.value:.4f}, {limit:g} is allowed")
        if drop.low <= limit < drop.high:
            unsure.append(f"{key} {drop.low:+.4f}…{drop.high:+.4f}")
    broken += _low_recalls(measured, limits.min_class_recall)
    reason = "; ".join(broken) or "within the limits"
    if unsure:
        reason += f" (not certain: the drop's interval is {', '.join(unsure)})"
    return Attempt(recipe, measured, not broken, reason, certain=not unsure, run_id=run_id)


def _low_recalls(measured: Measured, wanted: float | None) -> list[str]:
    """The worst classes below what is wanted; how many more there are."""
    if wanted is None:
        return []
    low = sorted((r, name) for name, r in measured.class_recall.items() if r < wanted)
    told = [f"recall of {name} is {r:.3f}, {wanted:g} is wanted" for r, name in low[:SHOWN_CLASSES]]
    more = len(low) - len(told)
    return told + ([f"and of {more} more {'class' if more == 1 else 'classes'}"] if more else [])


@dataclass
class RecipeSearch:
    """Decides what to try next; see the module.

    Args:
        ranking: group names, the most harmful first.
        attempt: makes, measures and judges a recipe (None is float16).
        time_left: True while another try of the same length fits the budget.
        objective: as in Limits.
        base: calibration method and preset to begin with.
        methods: other calibration methods to try where the first one fails.
        presets: other presets to try at the end.
        training: how to train on where no calibrated recipe is accepted; None where that is not
            allowed.
    """

    ranking: Sequence[str]
    attempt: Callable[[Recipe | None], Attempt]
    time_left: Callable[[], bool]
    objective: str = "latency_p50"
    base: Recipe = field(default_factory=Recipe)
    methods: Sequence[str] = ("percentile", "minmax", "entropy")
    presets: Sequence[str] = ("performance",)
    training: Training | None = None
    _tried: dict[Recipe | None, Attempt] = field(default_factory=dict)

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
        measured = [each for each in self._tried.values() if each.recipe and each.measured]
        closest = min(measured, key=_drop, default=None)
        start = self.base
        if closest is not None and closest.recipe is not None:
            method = closest.recipe.calibration_method
            start = replace(start, calibration_method=method)
        start = replace(start, training=self.training)
        for count in dict.fromkeys((0, len(self.ranking) // 2)):
            attempt = self._try(self._with_float(start, count))
            if attempt.accepted or attempt.measured is None:  # what failed once fails again
                return attempt.accepted
        return False

    def _with_float(self, recipe: Recipe, count: int) -> Recipe:
        return replace(recipe, float_groups=tuple(sorted(self.ranking[:count])))

    def _passes(self, recipe: Recipe, count: int) -> bool:
        return self._try(self._with_float(recipe, count)).accepted

    def _try(self, recipe: Recipe | None) -> Attempt:
        if recipe not in self._tried:
            if self._tried and not self.time_left():
                raise _OutOfTime
            self._tried[recipe] = self.attempt(recipe)
        return self._tried[recipe]

    def _best(self) -> Attempt | None:
        accepted = [each for each in self._tried.values() if each.accepted]
        return min(accepted, key=lambda each: preference(each, self.objective), default=None)


def _drop(attempt: Attempt) -> float:
    assert attempt.measured is not None  # only what was measured is compared
    return attempt.measured.drops["mAP50_95"].value


def preference(attempt: Attempt, objective: str) -> tuple[float, float]:
    """The lower, the better: what the objective asks for, then the drop of mAP50-95."""
    measured = attempt.measured
    assert measured is not None  # only what was measured is accepted
    cost = {
        "latency_p50": measured.relative_latency,
        "throughput": -(measured.relative_throughput or 0.0),
        "size": measured.size_mb,
    }[objective]
    return cost, measured.drops["mAP50_95"].value


class _OutOfTime(Exception):  # noqa: N818 - it is no error
    pass
