"""The values that a parameter takes in a design: a list of them, or a range.

[0.001, 0.01]                            choices
{low: 0.0001, high: 0.1, log: true}      a range, of whole numbers where low and high are whole
{low: 320, high: 640, step: 32}          a range in steps
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    model_validator,
)

from ..fields import values as kind
from ..sections import Section
from .trials import Value

MOST_STEPS = 10_000


def whole(value: object) -> bool:
    """Whether it is an int, and not true or false."""
    return isinstance(value, int) and not isinstance(value, bool)


def same(one: object, other: object) -> bool:
    """Whether two values are one; true is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def plain(value: object) -> Value:
    """One value, free of the reader's own number types.

    Raises:
        ValueError: it is a list or a mapping, or no finite number.
    """
    if isinstance(value, (str, bool)) or value is None:
        return value
    if isinstance(value, (int, float)):
        if not math.isfinite(value):
            raise ValueError("it is not a finite number")
        return int(value) if isinstance(value, int) else float(value)
    raise ValueError("")


def number(value: object) -> int | float:
    """A finite number.

    Raises:
        ValueError: it is none.
    """
    found = plain(value)
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        raise ValueError("")
    return found


def check_choices(values: tuple[Value, ...]) -> tuple[Value, ...]:
    """Values without repeats; 1 and true are two.

    Raises:
        ValueError: one is there twice.
    """
    seen: set[tuple[bool, Value]] = set()
    for value in values:
        if (key := (isinstance(value, bool), value)) in seen:
            raise ValueError(f"{value!r} is there twice")
        seen.add(key)
    return values


Number = Annotated[int | float, PlainValidator(number), kind.Expected("a number")]
Scalar = Annotated[
    Value, PlainValidator(plain), kind.Expected("text, a number, true, false or nothing")
]
Choices = Annotated[
    tuple[Scalar, ...],
    BeforeValidator(kind.check_not_empty),
    AfterValidator(check_choices),
    kind.Expected("a list of different values like [0.001, 0.01]"),
]


class ParameterRange(Section):
    """Every number from `low` to `high`, or every `step`th of them.

    `log`: as many tries between 0.001 and 0.01 as between 0.01 and 0.1.
    """

    low: Number
    high: Number
    log: bool = Field(default=False, strict=True)
    step: Number | None = None

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if problem := range_problem(self.low, self.high, self.log, self.step):
            raise ValueError(problem)  # `contradictions` says it
        return self

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers."""
        return whole(self.low) and whole(self.high) and (self.step is None or whole(self.step))

    @property
    def steps(self) -> tuple[Value, ...]:
        """Its values where they can be counted: of a step, or of whole numbers; else ()."""
        step = 1 if self.step is None and self.whole and not self.log else self.step
        if step is None:
            return ()
        return tuple(self._counted(step))

    def _counted(self, step: float) -> Iterator[Value]:
        for index in range(number_of_steps(self.low, self.high, step)):
            value = self.low + index * step
            yield value if self.whole else float(f"{value:.12g}")  # 0.1 + 2 · 0.1 is 0.3 here

    @property
    def ends(self) -> tuple[Value, Value]:
        """Its lowest and highest value."""
        return self.low, self.high


def number_of_steps(low: float, high: float, step: float) -> int:
    """Values from low to high, both counted."""
    return math.floor((high - low) / step + 1e-9) + 1


def range_problem(low: object, high: object, log: object, step: object) -> str:
    """What is wrong with a range's bounds; '' where nothing is, or one is no number at all."""
    numbers = [each for each in (low, high) if isinstance(each, (int, float))]
    if len(numbers) < 2 or not all(map(math.isfinite, numbers)):
        return ""
    bottom, top = numbers
    if bottom >= top:
        return f"low must be below high but got {bottom:g} and {top:g}"
    if log is True and bottom <= 0:
        return f"low must be above 0 where log is true but got {bottom:g}"
    if step is None or isinstance(step, bool) or not isinstance(step, (int, float)):
        return ""
    if log is True:
        return "log and step can't both be given; leave one out"
    if not math.isfinite(step) or step <= 0 or step > top - bottom:
        return f"step must be above 0 and at most high - low but got {step:g}"
    if number_of_steps(bottom, top, step) > MOST_STEPS:
        return f"step gives more than {MOST_STEPS} values; take a larger one, or leave it out"
    return ""


def _form(value: object) -> str:
    return kind.ONE if isinstance(value, (Mapping, ParameterRange)) else kind.SEVERAL


Values = Annotated[
    Annotated[ParameterRange, Tag(kind.ONE)] | Annotated[Choices, Tag(kind.SEVERAL)],
    Discriminator(_form),
    kind.Expected("a list like [0.001, 0.01], or a range like {low: 0.001, high: 0.1, log: true}"),
]
