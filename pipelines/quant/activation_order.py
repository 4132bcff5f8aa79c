"""The order in which a search changes groups of activations: by measured gain per harm."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from guardianflow.contracts.errors import BackendError, GuardianFlowError
from guardianflow.contracts.quantisation import (
    ActivationChange,
    Distillation,
    RecipeExporter,
    TimePackages,
)

from ..stage.events import EventSink

TIMED_BY = ("benchmark", "device", "machine", "libraries", "own_code")
"""What of a try's identity its times depend on, beside the network."""
LEAST_HARM = 1e-6
"""What harms less counts as this: a quotient by 0 has no order."""


@dataclass(frozen=True)
class ActivationOrder:
    """Groups of activations, the most gain per harm first.

    Args:
        kind: what they are changed for.
        groups: names; () where there is nothing to change.
        harm: group → error that it brings into the float network.
        gain: group → share of the time that it saves; empty where that could not be timed, and
            then the group that harms least is first.
        reason: why there is nothing to change, or no gain is known; '' otherwise.
    """

    kind: str = ""
    groups: tuple[str, ...] = ()
    harm: Mapping[str, float] = field(default_factory=dict)
    gain: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def of(cls, kind: str, harm: Mapping[str, float], gain: Mapping[str, float]) -> ActivationOrder:
        def worth(group: str) -> tuple[float, float]:
            saved = gain.get(group, 0.0)
            # what saves nothing comes last, what harms least of it first
            return (-max(saved, 0.0) / max(harm[group], LEAST_HARM), harm[group])

        return cls(kind, tuple(sorted(harm, key=worth)), dict(harm), dict(gain))

    def change_of(
        self, groups: Sequence[str], trained: Distillation | None = None
    ) -> ActivationChange | None:
        """The change of some groups, trained on or not; None for none."""
        return ActivationChange(tuple(sorted(groups)), self.kind, trained) if groups else None

    def to_table(self) -> dict[str, Any]:
        """For results/search.json."""
        rows = {
            name: {"harm": self.harm[name], "gain": self.gain.get(name)} for name in self.groups
        }
        told = {"reason": self.reason} if self.reason else {}
        return {"kind": self.kind, **told, "groups": rows}


def measure_order(
    exporter: RecipeExporter,
    kind: str,
    time: TimePackages,
    identity: Mapping[str, Any],
    events: EventSink,
    progress: Callable[[int, int], None],
) -> ActivationOrder:
    """Measure what each group of activations harms and saves; an empty order where none can be.

    Args:
        kind: what SiLU is changed for.
        time: by turns; raises BusyMachineError where the machine is too busy.
        identity: of a try; what of it times depend on is named in TIMED_BY.
    """
    from guardianflow.evaluation.timing.quiet import BusyMachineError

    told = json.dumps({key: identity.get(key) for key in TIMED_BY}, sort_keys=True, default=str)
    harm: Mapping[str, float] = {}
    try:
        if not exporter.activation_groups:
            raise BackendError("the network has no SiLU")
        harm = exporter.activation_harm(kind, progress)
        gain = exporter.activation_gain(kind, time, hashlib.sha256(told.encode()).hexdigest())
    except BusyMachineError as exc:
        reason = f"what each group saves is not known, the machine was busy: {exc}"
        events.message(f"activations that harm least are changed first: {reason}")
        return replace(ActivationOrder.of(kind, harm, {}), reason=reason)
    except GuardianFlowError as exc:
        events.message(f"the activations stay as they are: {exc}")
        return ActivationOrder(kind, reason=str(exc))
    return ActivationOrder.of(kind, harm, gain)
