"""The order in which a search changes groups of activations: by measured gain per harm."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from guardianflow.contracts.errors import BackendError, GuardianFlowError
from guardianflow.contracts.quantisation import (
    ActivationChange,
    Distillation,
    RecipeExporter,
    TimePackages,
)

TIMED_BY = ("benchmark", "device", "machine", "libraries", "own_code")
"""What of a try's identity its times depend on, beside the network."""
LEAST_HARM = 1e-6
"""What harms less counts as this: a quotient by 0 has no order."""


class Step(NamedTuple):
    """A group of activations, changed for a kind, whatever it was changed for before."""

    group: str
    kind: str


class Measured(NamedTuple):
    """What a step brings, alone.

    Args:
        harm: error that it brings into the float network.
        gain: share of the time that it saves; None where that could not be timed.
    """

    harm: float
    gain: float | None


@dataclass(frozen=True)
class ActivationOrder:
    """Steps from a network as it was trained to the cheapest one, the most gain per harm first.

    A group may have several: for what is most like SiLU first, then for what is faster still. What
    a later one is worth is what it saves more than the one before it, by what it harms more.

    Args:
        steps: () where there is nothing to change.
        measured: step → what it brings; those too that are in no order, as another one of the
            group saves more and harms less. Where nothing was timed, the step that harms least is
            first, and each group has the first of its kinds alone.
        reason: why there is nothing to change, or no gain is known; '' otherwise.
    """

    steps: tuple[Step, ...] = ()
    measured: Mapping[Step, Measured] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def of(cls, measured: Mapping[Step, Measured], reason: str = "") -> ActivationOrder:
        groups = dict.fromkeys(step.group for step in measured)
        worth = {step: rank for group in groups for step, rank in _worth(group, measured).items()}
        return cls(tuple(sorted(worth, key=worth.__getitem__)), dict(measured), reason)

    def change_of(
        self, steps: Collection[Step], trained: Distillation | None = None
    ) -> ActivationChange | None:
        """The change that some of the steps make, trained on or not; None for none."""
        # of several of one group the last one in the order counts
        kinds = dict(step for step in self.steps if step in steps)
        return ActivationChange(tuple(sorted(kinds.items())), trained) if kinds else None

    def to_table(self) -> dict[str, Any]:
        """For results/search.json."""
        in_order = [*self.steps, *(each for each in self.measured if each not in self.steps)]
        rows = [
            {**step._asdict(), **self.measured[step]._asdict(), "in_order": step in self.steps}
            for step in in_order
        ]
        return {**({"reason": self.reason} if self.reason else {}), "steps": rows}


def _worth(group: str, measured: Mapping[Step, Measured]) -> dict[Step, tuple[float, float]]:
    """A group's steps in their order → by what they are sorted among those of other groups.

    They are the corners of the upper hull of gain over harm, from (0, 0), so that what a step is
    worth falls from one to the next and none comes before the one that it replaces.
    """
    own = {step: each for step, each in measured.items() if step.group == group}
    first, least = next(iter(own.items()))
    if any(each.gain is None for each in own.values()):
        return {first: (0.0, least.harm)}
    chosen: dict[Step, tuple[float, float]] = {}
    at = Measured(0.0, 0.0)
    while True:
        slopes = {step: _slope(at, each) for step, each in own.items()}
        best = min(slopes, key=lambda step: (-slopes[step], own[step].harm))
        if slopes[best] <= 0:
            break
        chosen[best] = (-slopes[best], own[best].harm)
        at = own[best]
    # what saves nothing comes last, what harms least of it first
    return chosen or {first: (0.0, least.harm)}


def _slope(before: Measured, after: Measured) -> float:
    assert before.gain is not None
    assert after.gain is not None  # whoever asks has looked
    return (after.gain - before.gain) / max(after.harm - before.harm, LEAST_HARM)


def measure_order(
    exporter: RecipeExporter,
    kinds: Sequence[str],
    time: TimePackages,
    identity: Mapping[str, Any],
    say: Callable[[str], None],
    progress: Callable[[int, int], None],
) -> ActivationOrder:
    """Measure what each group of activations harms and saves; an empty order where none can be.

    Args:
        kinds: what SiLU may be changed for, the one most like it first.
        time: by turns; raises BusyMachineError where the machine is too busy.
        identity: of a try; what of it times depend on is named in TIMED_BY.
        say: is told why the order is not what it could be.
        progress: called with (groups done, groups in all), of all kinds.
    """
    from guardianflow.evaluation.timing.quiet import BusyMachineError

    told = json.dumps({key: identity.get(key) for key in TIMED_BY}, sort_keys=True, default=str)
    timed_on = hashlib.sha256(told.encode()).hexdigest()
    reason, gain = "", dict[str, Mapping[str, float]]()
    try:
        if not exporter.activation_groups:
            raise BackendError("the network has no SiLU")
        harm = {
            kind: exporter.activation_harm(kind, _part(progress, number, len(kinds)))
            for number, kind in enumerate(kinds)
        }
        gain = {kind: exporter.activation_gain(kind, time, timed_on) for kind in kinds}
    except BusyMachineError as exc:
        reason = f"what each group saves is not known, the machine was busy: {exc}"
        say(f"activations that harm least are changed first: {reason}")
    except GuardianFlowError as exc:
        say(f"the activations stay as they are: {exc}")
        return ActivationOrder(reason=str(exc))
    measured = {
        Step(group, kind): Measured(harm[kind][group], gain[kind][group] if gain else None)
        for kind in kinds
        for group in harm[kind]
    }
    return ActivationOrder.of(measured, reason)


def _part(
    progress: Callable[[int, int], None], number: int, parts: int
) -> Callable[[int, int], None]:
    """The progress of a part, told as that of the whole."""
    return lambda done, whole: progress(number * whole + done, parts * whole)
