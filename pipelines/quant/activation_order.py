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
    """What a search changes, the most gain per harm first.

    Args:
        steps: each group, changed for the kind most like SiLU; () where there is nothing to change.
        further: groups changed for another kind, which saves more than the first one; by what it
            saves and harms beyond that.
        measured: step → what it brings; those too that are in neither. Where nothing was timed,
            the group that harms least is first, and nothing is further.
        reason: why there is nothing to change, or no gain is known; '' otherwise.
    """

    steps: tuple[Step, ...] = ()
    further: tuple[Step, ...] = ()
    measured: Mapping[Step, Measured] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def of(cls, kind: str, measured: Mapping[Step, Measured], reason: str = "") -> ActivationOrder:
        """Args: kind: the one most like SiLU, measured of every group."""

        def beyond(step: Step) -> Measured:
            first, each = measured[Step(step.group, kind)], measured[step]
            if first.gain is None or each.gain is None:
                return Measured(each.harm - first.harm, None)
            return Measured(each.harm - first.harm, each.gain - first.gain)

        steps = [step for step in measured if step.kind == kind]
        others = {step: beyond(step) for step in measured if step.kind != kind}
        further = [step for step, each in others.items() if each.gain is not None and each.gain > 0]
        return cls(
            tuple(sorted(steps, key=lambda step: _rank(measured[step]))),
            tuple(sorted(further, key=lambda step: _rank(others[step]))),
            dict(measured),
            reason,
        )

    def change_of(
        self, steps: Collection[Step], trained: Distillation | None = None
    ) -> ActivationChange | None:
        """The change that some of the steps make, trained on or not; None for none."""
        # what goes further counts, wherever it stands among the steps given
        kinds = dict(step for step in (*self.steps, *self.further) if step in steps)
        return ActivationChange(tuple(sorted(kinds.items())), trained) if kinds else None

    def to_table(self) -> dict[str, Any]:
        """For results/search.json."""
        in_order = dict.fromkeys([*self.steps, *self.further, *self.measured])
        rows = [{**step._asdict(), **self.measured[step]._asdict()} for step in in_order]
        return {**({"reason": self.reason} if self.reason else {}), "steps": rows}


def _rank(brought: Measured) -> tuple[float, float]:
    saved = brought.gain or 0.0
    # what saves nothing comes last, what harms least of it first
    return (-max(saved, 0.0) / max(brought.harm, LEAST_HARM), brought.harm)


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
    return ActivationOrder.of(kinds[0], measured, reason)


def _part(
    progress: Callable[[int, int], None], number: int, parts: int
) -> Callable[[int, int], None]:
    """The progress of a part, told as that of the whole."""
    return lambda done, whole: progress(number * whole + done, parts * whole)
