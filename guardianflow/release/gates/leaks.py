"""The gate of leaks: may the judged images prove anything of this model?

A test set of which much is in train proves nothing, whatever the other gates say, so too large a
share makes a release undecided, asked or not; it never fails one: of the model itself it says
nothing. What can't be known is undecided where somebody asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...contracts.estimates import Estimate
from ...contracts.recordings.leaks import LeakNote, LeakUnknown
from ...contracts.releases import (
    PASS,
    UNDECIDED,
    CauseKind,
    GateCause,
    GateVerdict,
    ReleaseLimits,
)

GATE = "max_leak"


def verdicts(limits: ReleaseLimits, note: LeakNote | None) -> Iterator[GateVerdict]:
    """None where nobody asked and all is well, or nobody looked."""
    asked = limits.max_leak
    if note is None:
        if asked is not None:
            cause = GateCause(CauseKind.LEAK_UNKNOWN, unknown=LeakUnknown.NOT_LOOKED)
            yield GateVerdict(GATE, UNDECIDED, asked, None, cause)
        return
    limit = note.most if asked is None else asked
    measured = Estimate.exactly(note.share)
    counted = GateCause(
        CauseKind.LEAKS, held=note.touched, needed=note.images, split=note.split, told=note.told
    )
    if note.share > limit:
        yield GateVerdict(GATE, UNDECIDED, limit, measured, counted)
    elif asked is not None and note.unknown is not None:
        cause = replace(counted, kind=CauseKind.LEAK_UNKNOWN, unknown=note.unknown)
        yield GateVerdict(GATE, UNDECIDED, limit, None, cause)
    elif asked is not None:
        yield GateVerdict(GATE, PASS, limit, measured, replace(counted, kind=CauseKind.KEPT))
