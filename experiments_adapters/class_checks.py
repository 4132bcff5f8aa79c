"""Whether a module holds a class that keeps its contract; every breach named at once."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from guardianflow.contracts.errors import ExperimentCodeError, Problem
from guardianflow.support.suggestions import did_you_mean, nearest

from .author_classes import AUTHOR_CLASSES, TRAINER, AuthorClass, Method


def find_class(module: ModuleType, path: Path, wanted: AuthorClass = TRAINER) -> type:
    """The class of the contract's name, or the module's only subclass of its base.

    Raises:
        ExperimentCodeError: there is none, more than one candidate, or the name is no class.
    """
    name, base = wanted.name, wanted.base
    found = getattr(module, name, None)
    if isinstance(found, type):
        return found
    if found is not None:
        raise ExperimentCodeError(
            f"{path}: {name} must be a class but is a {type(found).__name__}; "
            f"write `class {name}({base.__name__}):`"
        )
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == module.__name__
    ]
    heirs = [cls for cls in own if issubclass(cls, base)]
    if len(heirs) == 1:
        return heirs[0]
    names = [cls.__name__ for cls in own]
    if heirs:
        raise ExperimentCodeError(
            f"{path}: several classes extend {base.__name__} "
            f"({', '.join(c.__name__ for c in heirs)}); "
            f"name the one to run {name}, e.g. `{name} = {heirs[0].__name__}`"
        )
    raise ExperimentCodeError(f"{path}: {_no_class(wanted, names)}")


def class_named_in(path: Path, wanted: AuthorClass) -> str:
    """The class that a file holds, read from its text, which is not run; '' where it can't tell.

    Raises:
        ExperimentCodeError: the file is no Python.
    """
    statements = _statements(path)
    if any(wanted.name in _bound(each) for each in statements):
        return wanted.name
    heirs = [
        each.name
        for each in statements
        if isinstance(each, ast.ClassDef) and wanted.base.__name__ in _bases(each)
    ]
    return heirs[0] if len(heirs) == 1 else ""


def may_hold(path: Path, wanted: AuthorClass) -> bool:
    """Whether a file can hold the class, as far as its text tells; only importing it is sure.

    Raises:
        ExperimentCodeError: the file is no Python.
    """
    if class_named_in(path, wanted):
        return True
    others = [each for each in AUTHOR_CLASSES if each is not wanted]
    known = {"object", *(each.base.__name__ for each in others)}
    statements = _statements(path)
    return any("*" in _bound(each) for each in statements) or any(
        isinstance(each, ast.ClassDef)
        and each.name not in {other.name for other in others}
        and bool(set(_bases(each)) - known)  # it may come from the contract's base
        for each in statements
    )


def no_class_in(path: Path, wanted: AuthorClass) -> ExperimentCodeError:
    """The error where it can't hold one."""
    names = [each.name for each in _statements(path) if isinstance(each, ast.ClassDef)]
    return ExperimentCodeError(f"{path}: {_no_class(wanted, names)}")


def _statements(path: Path) -> list[ast.stmt]:
    try:
        return list(_outer(ast.parse(path.read_bytes(), filename=str(path)).body))
    except (SyntaxError, ValueError, RecursionError) as exc:
        place = f"{path}:{getattr(exc, 'lineno', 0) or 0}:{getattr(exc, 'offset', 0) or 0}"
        said = getattr(exc, "msg", "") or exc
        raise ExperimentCodeError(f"{place}: {said}; Python can't read this file") from exc


def _bases(statement: ast.ClassDef) -> list[str]:
    return [ast.unparse(base).rpartition(".")[2] for base in statement.bases]


def check_class(found: type, path: Path, wanted: AuthorClass = TRAINER) -> frozenset[str]:
    """Check methods and constructor; say which of the optional arguments it names.

    Raises:
        ExperimentCodeError: with one problem for every breach.
    """
    where = f"{path}: {found.__name__}"
    breaches = [
        *_method_breaches(found, wanted),
        *_constructor_breaches(found, wanted),
        *(_declaration_breaches(found, wanted.declares) if wanted.declares else []),
    ]
    if breaches:
        raise ExperimentCodeError([Problem(text, where) for text in breaches])
    return frozenset(_parameters(found)) & frozenset(wanted.optional)


def variants_made(found: type) -> tuple[str, ...]:
    """The variants that a checked Quantizer makes."""
    makes = getattr(found, "makes", ())
    return (makes,) if isinstance(makes, str) else tuple(makes)


def _no_class(wanted: AuthorClass, names: Sequence[str]) -> str:
    name = wanted.name
    near = nearest(name, names, 1)
    hint = f" Did you mean '{near[0]}'? Rename it, or add `{name} = {near[0]}`." if near else ""
    return (
        f"has no class {name}; its classes are {', '.join(names) or 'none'}.{hint} "
        f"{wanted.summary}: see docs/experiments.md"
    )


def _outer(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that a module runs itself, also those within `if` and `try`."""
    for each in body:
        yield each
        if isinstance(each, (ast.If, ast.Try, ast.With)):
            for part in ("body", "orelse", "finalbody"):
                yield from _outer(getattr(each, part, []))
            for handler in getattr(each, "handlers", []):
                yield from _outer(handler.body)


def _bound(statement: ast.stmt) -> list[str]:
    """The names that a statement gives a value."""
    if isinstance(statement, (ast.ClassDef, ast.FunctionDef)):
        return [statement.name]
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return [alias.asname or alias.name for alias in statement.names]
    if isinstance(statement, ast.Assign):
        return [each.id for each in statement.targets if isinstance(each, ast.Name)]
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return [statement.target.id]
    return []


def _method_breaches(found: type, wanted: AuthorClass) -> list[str]:
    abstract = set(getattr(found, "__abstractmethods__", ()))
    breaches = []
    for method in wanted.methods:
        if method.name in abstract or inspect.getattr_static(found, method.name, None) is None:
            breaches.append(f"lacks the method {method.name}; add `{method.written}`")
        else:
            breaches += _breaches_of(found, method)
    there = [each for each in wanted.one_of if hasattr(found, each.name)]
    if wanted.one_of and not there:
        names = " or ".join(each.name for each in wanted.one_of)
        choices = " or ".join(f"`{each.written}`" for each in wanted.one_of)
        breaches.append(f"lacks a method {names}; add {choices}")
    for method in (*there, *(each for each in wanted.may if hasattr(found, each.name))):
        breaches += _breaches_of(found, method)
    named = {each.name for each in wanted.methods}
    breaches += [
        f"leaves the abstract method {name} open; define it" for name in sorted(abstract - named)
    ]
    return breaches


def _breaches_of(found: type, expected: Method) -> list[str]:
    """What keeps a method that is there from being called as it will be."""
    name, as_written = expected.name, inspect.getattr_static(found, expected.name)
    method = getattr(found, name)
    if not callable(method):
        return [f"{name} must be a method but is {as_written!r}; write `{expected.written}`"]
    given = ", ".join(expected.arguments)
    called = f"is called with ({given})" if given else "is called without arguments"
    needed, most = _takes(method, as_written, len(expected.arguments))
    if needed:
        return [f"{name} {called} but asks for {', '.join(needed)}; write `{expected.written}`"]
    if most is not None and most < len(expected.arguments):
        return [f"{name} {called} but takes {most}; write `{expected.written}`"]
    return []


def _takes(method: object, as_written: object, given: int) -> tuple[list[str], int | None]:
    """Arguments without default that a call on an instance would still have to give, and how
    many it takes by position; None for any number."""
    if not callable(method):
        return [], None
    try:
        parameters = list(inspect.signature(method).parameters.values())
    except (TypeError, ValueError):  # methods of compiled classes tell nothing
        return [], None
    bound = isinstance(as_written, (staticmethod, classmethod))
    own = parameters if bound else parameters[1:]
    by_place = [p for p in own if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    left = [*by_place[given:], *(p for p in own if p.kind is p.KEYWORD_ONLY)]
    any_number = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    needed = [p.name for p in left if p.default is p.empty]
    return needed, None if any_number else len(by_place)


def _parameters(found: type) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(found).parameters)
    except (TypeError, ValueError):  # compiled classes: the call itself will tell
        return {}


def _constructor_breaches(found: type, wanted: AuthorClass) -> list[str]:
    parameters, required = _parameters(found), wanted.required
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    keywords = {
        n for n, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }
    missing = [] if takes_any else [n for n in required if n not in keywords]
    breaches = []
    if missing:
        breaches.append(
            f"its constructor can't take the keyword arguments {', '.join(missing)} "
            f"(it takes {', '.join(parameters) or 'none'}); write `{wanted.constructor}`"
        )
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    demanded = [
        name
        for name, p in parameters.items()
        if p.default is p.empty and p.kind not in several and name not in required
    ]
    if demanded:
        breaches.append(
            f"its constructor also demands {', '.join(demanded)}, but "
            f"{', '.join(required)} must be enough; give the others a default, e.g. None"
        )
    return breaches


def _declaration_breaches(found: type, name: str) -> list[str]:
    """What keeps `makes` from naming variants."""
    from guardianflow.backends.catalogue import made_names
    from guardianflow.contracts.detector_package import PRECISIONS

    known = [f"{backend}_{precision}" for backend in made_names() for precision in PRECISIONS]
    value = getattr(found, name, ())
    asked = (value,) if isinstance(value, str) else value
    if not isinstance(asked, (tuple, list, set, frozenset)) or not asked:
        return [
            f"must say which variants it {name} but says {value!r}; write "
            f'`{name} = "openvino_int8"`, or several of {", ".join(known)}'
        ]
    return [
        f"{name} must name variants of {', '.join(known)} but names {each!r}"
        f"{did_you_mean(each, known, 1) if isinstance(each, str) else ''}"
        for each in asked
        if each not in known
    ]
