"""Groups of activations are changed by what they save for what they harm."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from guardianflow.contracts.errors import BackendError
from guardianflow.contracts.quantisation import ActivationChange, ActivationGroup
from guardianflow.evaluation.timing.quiet import BusyMachineError
from pipelines.quant.activation_order import ActivationOrder, Measured, Step, measure_order

HARD: Any = partial(Step, kind="hardswish")
RELU: Any = partial(Step, kind="relu")
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


def groups_of(order: ActivationOrder) -> str:
    return "".join(step.group for step in order.steps)


def measured(exporter: Exporter, **identity: Any) -> tuple[ActivationOrder, list[str]]:
    said: list[str] = []
    of: Any = exporter
    order = measure_order(of, ["hardswish"], lambda _: {}, identity, said.append, lambda *_: None)
    return order, said


def test_the_most_gain_per_harm_comes_first_and_what_saves_nothing_last() -> None:
    gain = {"a": 0.1, "b": 0.04, "c": 0.4, "d": -0.01}
    order, said = measured(Exporter(gain))
    assert groups_of(order) == "cabd"  # 1.0, 0.5, 0.4, none
    assert not said
    assert order.change_of(order.steps[:2]) == ActivationChange.of(("c", "a"))
    assert order.change_of(()) is None
    first = {"group": "c", "kind": "hardswish", "harm": 0.4, "gain": 0.4}
    assert order.to_table()["steps"][0] == first


def test_a_group_that_harms_nothing_is_first_however_little_it_saves() -> None:
    measured = {RELU("b"): Measured(0.1, 0.5), RELU("a"): Measured(0.0, 0.01)}
    assert groups_of(ActivationOrder.of("relu", measured)) == "ab"


def test_what_saves_still_more_is_further_by_what_it_brings_beyond_the_first_kind() -> None:
    order = ActivationOrder.of(
        "hardswish",
        {
            HARD("a"): Measured(0.1, 0.10),  # 1.0
            RELU("a"): Measured(0.3, 0.14),  # 0.04 for 0.2: 0.2
            HARD("b"): Measured(0.1, 0.05),  # 0.5
            RELU("b"): Measured(0.05, 0.06),  # saves more and harms less
            HARD("c"): Measured(0.1, 0.03),  # 0.3
            RELU("c"): Measured(0.2, 0.02),  # saves less than what is there
        },
    )
    assert order.steps == (HARD("a"), HARD("b"), HARD("c"))
    assert order.further == (RELU("b"), RELU("a"))
    assert order.change_of([HARD("a"), RELU("b")]) == ActivationChange(
        (("a", "hardswish"), ("b", "relu"))
    )
    both = order.change_of([RELU("a"), HARD("a")])
    assert both == ActivationChange((("a", "relu"),)), "in whichever order they are given"
    assert len(order.to_table()["steps"]) == 6


def test_on_a_busy_machine_what_harms_least_is_first_and_that_is_told() -> None:
    order, said = measured(Exporter(BusyMachineError(("load 9",))))
    assert groups_of(order) == "badc"
    assert {row["gain"] for row in order.to_table()["steps"]} == {None}
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
    assert order.steps == () and why in said[0]
    assert order.to_table()["reason"] in why


def test_times_are_kept_for_the_machine_and_the_settings_they_were_taken_with() -> None:
    exporter = Exporter({"a": 0.1, "b": 0.1, "c": 0.1, "d": 0.1})
    for identity in ({"machine": "A"}, {"machine": "B"}, {"machine": "A", "calibration": "x"}):
        measured(exporter, **identity)
    first, second, third = exporter.keys
    assert first == third != second
