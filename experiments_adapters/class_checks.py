"""Whether a module holds a Trainer that keeps the contract; every breach named at once."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType

from guardianflow.contracts.errors import ExperimentCodeError, Problem
from guardianflow.support.suggestions import nearest

from .base import BaseTrainer

REQUIRED_ARGUMENTS = ("model_config", "training_config", "dataset_config")
OPTIONAL_ARGUMENTS = ("environment_config", "work_dir", "resume_from")
_METHODS = {
    "train": "def train(self) -> None",
    "get_best_model_path": "def get_best_model_path(self) -> str",
}
_CONSTRUCTOR = f"def __init__(self, {', '.join(REQUIRED_ARGUMENTS)})"


def find_trainer(module: ModuleType, path: Path) -> type:
    """The class `Trainer` of a module, or its only BaseTrainer subclass under another name.

    Raises:
        ExperimentCodeError: there is none, more than one candidate, or `Trainer` is no class.
    """
    found = getattr(module, "Trainer", None)
    if isinstance(found, type):
        return found
    if found is not None:
        raise ExperimentCodeError(
            f"{path}: Trainer must be a class but is a {type(found).__name__}; "
            "write `class Trainer(BaseTrainer):`"
        )
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == module.__name__
    ]
    heirs = [cls for cls in own if issubclass(cls, BaseTrainer)]
    if len(heirs) == 1:
        return heirs[0]
    names = [cls.__name__ for cls in own]
    if heirs:
        raise ExperimentCodeError(
            f"{path}: several classes extend BaseTrainer ({', '.join(c.__name__ for c in heirs)}); "
            "name the one to run Trainer, e.g. `Trainer = " + heirs[0].__name__ + "`"
        )
    near = nearest("Trainer", names, 1)
    hint = f" Did you mean '{near[0]}'? Rename it, or add `Trainer = {near[0]}`." if near else ""
    raise ExperimentCodeError(
        f"{path}: has no class Trainer; its classes are {', '.join(names) or 'none'}.{hint} "
        "A trainer has train() and get_best_model_path(): see docs/experiments.md"
    )


def check_trainer(trainer_class: type, path: Path) -> frozenset[str]:
    """Check methods and constructor; say which of the optional arguments it names.

    Raises:
        ExperimentCodeError: with one problem for every breach.
    """
    where = f"{path}: {trainer_class.__name__}"
    breaches = [*_method_breaches(trainer_class), *_constructor_breaches(trainer_class)]
    if breaches:
        raise ExperimentCodeError([Problem(text, where) for text in breaches])
    return frozenset(_parameters(trainer_class)) & frozenset(OPTIONAL_ARGUMENTS)


def _method_breaches(trainer_class: type) -> list[str]:
    abstract = set(getattr(trainer_class, "__abstractmethods__", ()))
    breaches = []
    for name, expected in _METHODS.items():
        method = inspect.getattr_static(trainer_class, name, None)
        if method is None or name in abstract:
            breaches.append(f"lacks the method {name}; add `{expected}`")
        elif not callable(getattr(trainer_class, name)):
            breaches.append(f"{name} must be a method but is {method!r}; write `{expected}`")
        elif needed := _required_of(getattr(trainer_class, name), method):
            breaches.append(
                f"{name} is called without arguments but asks for {', '.join(needed)}; "
                f"write `{expected}`"
            )
    breaches += [
        f"leaves the abstract method {name} open; define it"
        for name in sorted(abstract - set(_METHODS))
    ]
    return breaches


def _required_of(method: object, as_written: object) -> list[str]:
    """Arguments without default that a call on an instance would have to give."""
    if not callable(method):
        return []
    try:
        parameters = list(inspect.signature(method).parameters.values())
    except (TypeError, ValueError):  # methods of compiled classes tell nothing
        return []
    bound = isinstance(as_written, (staticmethod, classmethod))
    return [
        p.name
        for p in (parameters if bound else parameters[1:])
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]


def _parameters(trainer_class: type) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(trainer_class).parameters)
    except (TypeError, ValueError):  # compiled classes: the call itself will tell
        return {}


def _constructor_breaches(trainer_class: type) -> list[str]:
    parameters = _parameters(trainer_class)
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    keywords = {
        n for n, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }
    missing = [] if takes_any else [n for n in REQUIRED_ARGUMENTS if n not in keywords]
    breaches = []
    if missing:
        breaches.append(
            f"its constructor can't take the keyword arguments {', '.join(missing)} "
            f"(it takes {', '.join(parameters) or 'none'}); write `{_CONSTRUCTOR}`"
        )
    demanded = [
        name
        for name, p in parameters.items()
        if p.default is p.empty
        and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        and name not in REQUIRED_ARGUMENTS
    ]
    if demanded:
        breaches.append(
            f"its constructor also demands {', '.join(demanded)}, but "
            f"{', '.join(REQUIRED_ARGUMENTS)} must be enough; give the others a default, e.g. None"
        )
    return breaches
