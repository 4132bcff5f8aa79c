"""Groups of activations are changed by what they save for what they harm."""

from __future__ import annotations

from typing import Any

import pytest

from guardianflow.contracts.errors import BackendError
from guardianflow.contracts.quantisation import ActivationChange, ActivationGroup
from guardianflow.evaluation.timing.quiet import BusyMachineError
from pipelines.quant.activation_order import ActivationOrder, measure_order

HARM = {"a": 0.2, "b": 0.1, "c": 0.4, "d": 0.3}


class Exporter:
    """Has measured already; says what it was asked for."""

    def __init__(self, gain: Any = None, harm: Any = HARM, groups: tuple[str, ...] = ("a", "b")):
        self.gain, self.harm = gain, harm
        self.activation_groups = tuple(ActivationGroup(name, (name,)) for name in groups)
        self.keys: list[str] = []

    def activation_harm(self, kind: str, progress: Any) -> Any:
        if isinstance(self.harm, Exception):
            raise self.harm
        return self.harm

    def activation_gain(self, kind: str, time: Any, timed_on: str) -> Any:
        self.keys.append(timed_on)
        if isinstance(self.gain, Exception):
            raise self.gain
        return self.gain


class Said:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def message(self, text: str) -> None:
        self.lines.append(text)


def measured(exporter: Exporter, **identity: Any) -> tuple[ActivationOrder, list[str]]:
    said: Any = Said()
    of: Any = exporter
    order = measure_order(of, "hardswish", lambda _: {}, identity, said, lambda *_: None)
    return order, said.lines


def test_the_most_gain_per_harm_comes_first_and_what_saves_nothing_last() -> None:
    gain = {"a": 0.1, "b": 0.04, "c": 0.4, "d": -0.01}
    order, said = measured(Exporter(gain))
    assert order.groups == ("c", "a", "b", "d")  # 1.0, 0.5, 0.4, none
    assert not said
    assert order.change_of(order.groups[:2]) == ActivationChange(("a", "c"))
    assert order.change_of(()) is None
    assert order.to_table()["groups"]["c"] == {"harm": 0.4, "gain": 0.4}


def test_a_group_that_harms_nothing_is_first_however_little_it_saves() -> None:
    assert ActivationOrder.of("relu6", {"a": 0.0, "b": 0.1}, {"a": 0.01, "b": 0.5}).groups == (
        "a",
        "b",
    )


def test_on_a_busy_machine_what_harms_least_is_first_and_that_is_told() -> None:
    order, said = measured(Exporter(BusyMachineError(("load 9",))))
    assert order.groups == ("b", "a", "d", "c")
    assert order.to_table()["groups"]["a"]["gain"] is None
    assert "that harm least are changed first: what each group saves is not known" in said[0]
    assert order.to_table()["reason"].endswith("the machine was busy: load 9")


@pytest.mark.parametrize(
    ("exporter", "why"),
    [
        (Exporter(groups=()), "the activations stay as they are: the network has no SiLU"),
        (Exporter(gain=BackendError("no memory")), "stay as they are: no memory"),
        (Exporter(harm=BackendError("no batch norm")), "stay as they are: no batch norm"),
    ],
)
def test_where_nothing_can_be_changed_that_is_told_and_nothing_done(
    exporter: Exporter, why: str
) -> None:
    order, said = measured(exporter)
    assert order.groups == () and why in said[0]
    assert order.to_table()["reason"] in why


def test_times_are_kept_for_the_machine_and_the_settings_they_were_taken_with() -> None:
    exporter = Exporter({"a": 0.1, "b": 0.1, "c": 0.1, "d": 0.1})
    for identity in ({"machine": "A"}, {"machine": "B"}, {"machine": "A", "calibration": "x"}):
        measured(exporter, **identity)
    first, second, third = exporter.keys
    assert first == third != second
