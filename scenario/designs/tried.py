"""The values that a design tries, held against the fields that they are for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from ..alarm_conflicts import Conflict, look
from ..conflicts import conflicts
from ..explain import shown
from ..naming import architecture_of_weights
from ..sections import Section
from .components import changes_of, component_problem
from .parameters import SECTIONS, value_problem
from .trials import Value
from .values import ParameterRange, plain, range_problem, whole

PathOf = Callable[[str], str]
USED_BY: Mapping[str, tuple[str, ...]] = {
    "train": ("training", "model", "environment"),
    "infer": ("benchmark", "environment"),
    "quant": ("quantization", "benchmark", "environment"),
}
"""Type → the sections whose fields its stage takes."""


def values_problems(
    values: Mapping[str, object],
    place: tuple[str | int, ...],
    path_of: PathOf,
    name: object,
    tried: object,
) -> Iterator[Conflict]:
    """A name that stands for nothing, and values that the field it stands for can't have."""
    dotted = ".".join(map(str, place))
    try:
        path = path_of(str(name))
    except ValueError as error:
        yield place, f"{dotted}: {error}"
        return
    model = values.get("model")
    weights = look(model, "weights_path") or architecture_of_weights(look(model, "architecture"))
    if path == "model.architecture" and weights:
        yield (
            place,
            f"{dotted}: every run would start from model.weights_path ({shown(weights)}), whatever "
            "its architecture; leave weights_path out, or vary weights_path",
        )
    given: list[tuple[tuple[str | int, ...], object]] = []
    if isinstance(tried, (list, tuple)):
        given = [((*place, index), each) for index, each in enumerate(tried)]
    elif isinstance(tried, (Mapping, ParameterRange)):
        low, high, log, step = (look(tried, each) for each in ("low", "high", "log", "step"))
        if range_problem(low, high, log, step):
            return  # told with the section
        given = [((*place, each), look(tried, each)) for each in ("low", "high")]
        if (second := _second(low, high, step)) is not None:
            given.append((place, second))  # 321 px are as wrong as 320 are right
    for at, each in given:
        try:
            value = plain(each)
        except ValueError:
            continue  # told as a value of the wrong type
        if problem := component_problem(path, value):
            yield at, f"{problem} {shown(value)}"
            continue
        for changed, new in changes_of(path, value).items():
            yield from ((at, f"{dotted}: {said}") for said in _value_problems(values, changed, new))


def _value_problems(values: Mapping[str, object], path: str, value: Value) -> Iterator[str]:
    """What is wrong with a value of a field, by itself or beside the scenario's other fields."""
    if problem := value_problem(path, value):
        yield problem
        return
    section, *inner = path.split(".")
    whole = values.get(section)
    if isinstance(whole, (list, tuple)):
        return
    before = {message for _, message in conflicts(values)}
    after = conflicts({**values, section: with_value(whole, inner, value)})
    yield from (message for _, message in after if message not in before)


def with_value(section: object, inner: Sequence[str], value: Value) -> dict[str, object]:
    """A section as a mapping, with one value in it set."""
    changed: dict[str, object] = dict(section) if isinstance(section, (Mapping, Section)) else {}
    name, *below = inner
    changed[name] = with_value(changed.get(name), below, value) if below else value
    return changed


def _second(low: object, high: object, step: object) -> float | None:
    """The second value of a range that goes by steps or by whole numbers."""
    if isinstance(low, (int, float)) and isinstance(step, (int, float)):
        return low + step
    return low + 1 if whole(low) and whole(high) else None  # type: ignore[operator]


def unused(
    place: tuple[str | int, ...], path_of: PathOf, name: object, stage: str
) -> Iterator[Conflict]:
    """A parameter that the stage does not look at."""
    section = path_or_name(path_of, name).partition(".")[0]
    if section in SECTIONS and section not in USED_BY[stage]:
        users = [each for each, sections in USED_BY.items() if section in sections]
        yield (
            place,
            f"{'.'.join(map(str, place))}: {stage} does not look at {section}; write "
            f"experiment_type: {' or '.join(users)}, or leave it out",
        )


def path_or_name(path_of: PathOf, name: object) -> str:
    try:
        return path_of(str(name))
    except ValueError:
        return str(name)
