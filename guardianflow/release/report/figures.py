"""Figures of a release report as text: as many digits as a reader needs to see why.

The same in every language: a point before decimals, a real minus sign, '–' for what is absent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ...contracts.errors import EvaluationError
from ...contracts.estimates import Estimate
from ...contracts.releases import GateVerdict, is_least

ABSENT = "–"
MOST_DECIMALS = 6

ACCURACY, DROP, SPEED, SIZE = "accuracy", "drop", "speed", "size"
ALARMS, DATA = "alarms", "data"


@dataclass(frozen=True)
class GateRule:
    """The demand of a gate, by the first part of its name.

    Args:
        unit: after a figure, with its space.
        decimals: at least so many.
        kind: 'accuracy', 'drop', 'speed', 'size', 'alarms' or 'data': what to do depends on it.
    """

    unit: str
    decimals: int
    kind: str


RULES = {
    "min_mAP50": GateRule("", 3, ACCURACY),
    "min_mAP50_95": GateRule("", 3, ACCURACY),
    "min_recall": GateRule("", 3, ACCURACY),
    "min_recall_in": GateRule("", 3, ACCURACY),
    "max_drop_vs_champion": GateRule("", 3, DROP),
    "max_latency_p95_ms": GateRule(" ms", 1, SPEED),
    "min_fps": GateRule(" fps", 1, SPEED),
    "min_cameras": GateRule("", 0, SPEED),
    "max_size_mb": GateRule(" MB", 1, SIZE),
    "max_missed_alarms": GateRule("", 3, ALARMS),
    "max_false_alarms_per_day": GateRule("", 1, ALARMS),
    "max_alarm_delay_s": GateRule(" s", 1, ALARMS),
    "max_rise_vs_champion": GateRule("", 1, ALARMS),
    "max_leak": GateRule("", 3, DATA),
}


def rule_of(gate: str) -> GateRule:
    """The rule of 'min_recall.helmet'. Raises EvaluationError for a gate that is not known."""
    rule = RULES.get(gate.partition(".")[0])
    if rule is None:
        raise EvaluationError(f"a gate must be one of {', '.join(RULES)} but got '{gate}'")
    return rule


class GateFigures:
    """A gate's figures as text, with the unit but for `low`; '–' where nothing was measured.

    Digits enough that no rounded figure stands on the other side of the limit than its value.

    Attributes:
        stored: '' where there is none.
        exact: the interval is a single point, or there is none.
        interval: '' where the value is exact or absent.
    """

    def __init__(self, gate: GateVerdict) -> None:
        rule, measured = rule_of(gate.gate), gate.measured
        values = [] if measured is None else [measured.value, measured.low, measured.high]
        least = rule.decimals
        if measured is not None and rule.unit:
            least = enough_decimals(measured.value, least)
        decimals, unit = telling_decimals(values, gate.limit, least), rule.unit
        value, low, high = values or (None, None, None)
        self.value = number(value, decimals, unit)
        self.low, self.high = number(low, decimals), number(high, decimals, unit)
        self.limit = f"{'≥' if is_least(gate.gate) else '≤'} {minus(f'{gate.limit:.10g}')}{unit}"
        self.stored = "" if gate.stored is None else number(gate.stored, decimals, unit)
        self.exact = low == high
        self.interval = "" if self.exact else f"{self.low} … {self.high}"


def telling_decimals(values: Iterable[float], limit: float, least: int) -> int:
    """The fewest decimals that keep every value on its side of the limit, 6 at most."""
    finite = [value for value in values if math.isfinite(value)]
    for decimals in range(least, MOST_DECIMALS):
        if all(_sign(round(value, decimals) - limit) == _sign(value - limit) for value in finite):
            return decimals
    return MOST_DECIMALS


def enough_decimals(value: float, least: int) -> int:
    """Decimals for three significant digits, 6 at most: 1 for 21.4, 3 for 0.214."""
    if not math.isfinite(value) or value == 0:
        return least
    return min(MOST_DECIMALS, max(least, 2 - math.floor(math.log10(abs(value)))))


def number(value: float | None, decimals: int, unit: str = "") -> str:
    """'0.523', '−0.010', '∞'; '–' for None or not a number."""
    if value is None or math.isnan(value):
        return ABSENT
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.{decimals}f}"
    return minus(text.lstrip("-") if float(text) == 0 else text) + unit


def signed(value: float, decimals: int) -> str:
    """'+0.012' or '−0.012'; '0.000' without a sign."""
    text = number(value, decimals)
    return text if text.startswith("−") or not text.strip("0.") else f"+{text}"


def minus(text: str) -> str:
    return text.replace("-", "−")


def interval(estimate: Estimate | None, shown: Callable[[float], str]) -> str:
    """'0.512 … 0.541'; '' where there is none or it is a single point.

    Args:
        shown: makes a bound's text.
    """
    if estimate is None or estimate.low == estimate.high:
        return ""
    return f"{shown(estimate.low)} … {shown(estimate.high)}"


def amount(value: float | None) -> str:
    """A time, a rate or a size: three significant digits, one decimal at least."""
    return number(value, 1 if value is None else enough_decimals(value, 1))


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
