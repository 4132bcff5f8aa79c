"""Optuna's samplers and pruners for what a scenario's sweep asks for."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from scenario.designs.trials import Value
from scenario.designs.values import ParameterRange

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

REDUCTION = 3
"""Of successive halving: a third of those that reach a rung are gone on with, rounded down."""
WARM_UP = 6
"""Epochs in which too little is told of a detector: the learning rate rises for three of them, and
settings that win in the end may be behind. Measured: benchmarks.sweep_efficiency, where the best
setting of the third grid is the 6th of 24 after five epochs, and the 3rd after six."""
Seeded = Callable[[int], "BaseSampler"]


def distribution_of(values: ParameterRange | tuple[Value, ...]) -> BaseDistribution:
    """What is tried of a parameter."""
    from optuna import distributions as kinds

    if isinstance(values, tuple):
        return kinds.CategoricalDistribution(values)
    if values.whole:
        low, high, step = int(values.low), int(values.high), int(values.step or 1)
        return kinds.IntDistribution(low, high - (high - low) % step, log=values.log, step=step)
    bottom, top = float(values.low), float(values.high)
    if values.step is None:
        return kinds.FloatDistribution(bottom, top, log=values.log)
    last = float(f"{bottom + (len(values.steps) - 1) * values.step:.12g}")
    return kinds.FloatDistribution(bottom, last, step=float(values.step))


def sampler_of(strategy: str, most: int, objectives: int) -> Seeded | None:
    """Makes the sampler of a seed; None for a grid.

    TPE draws by chance at first: of a small sweep a quarter, where Optuna's ten would be all.

    Args:
        most: combinations in all.
    """
    import optuna

    if strategy == "grid":
        return None
    if strategy == "random":
        return lambda seed: optuna.samplers.RandomSampler(seed=seed)
    first = min(10 * objectives, max(3, most // 4))
    return lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=first)


def pruner_of(named: str | None, epochs: int, seed: int) -> BasePruner | None:
    """What stops a training early; None where nothing is saved by it.

    asha       successive halving as it goes: the best third of those that reach a rung go on, the
               others as soon as they belong to it; the first rung is at a ninth of the epochs,
               after WARM_UP at least, or half of a shorter training; see halving
    hyperband  the same with several brackets, the first rung of each later than the last one's:
               a training that is slow to begin with has its chance in one of them

    Args:
        epochs: of a training that is not stopped.
        seed: of the search; says which bracket a trial is in.
    """
    if named is None or epochs < REDUCTION:
        return None
    least = max(1, epochs // REDUCTION**2)
    if named == "hyperband":
        return _hyperband(least, epochs, seed)
    from .halving import Halving

    rungs = [max(least, min(WARM_UP, (epochs + 1) // 2))]
    while rungs[-1] * REDUCTION < epochs:
        rungs.append(rungs[-1] * REDUCTION)
    return Halving(rungs, REDUCTION)


def _hyperband(least: int, most: int, seed: int) -> BasePruner:
    from optuna.pruners import HyperbandPruner

    class Seeded(HyperbandPruner):
        """Draws brackets by the seed and the trial's number.

        Optuna draws them by the study's name, which is our parent run's id: another one each time.
        TPE asks it as well: it learns from the trials of one bracket.
        """

        def _get_bracket_id(self, study: Any, trial: FrozenTrial) -> int:  # noqa: ARG002
            return super()._get_bracket_id(SimpleNamespace(study_name=str(seed)), trial)  # type: ignore[arg-type]

    return Seeded(min_resource=least, max_resource=most, reduction_factor=REDUCTION)
