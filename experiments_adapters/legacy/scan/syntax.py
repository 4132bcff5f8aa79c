"""Parts of a script's syntax tree, as the scan and `migrate` both read them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

UNKNOWN = object()
"""A value that only running the script tells."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


def literal(node: ast.expr) -> object:
    """The value that stands in the code, or UNKNOWN."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return UNKNOWN


def plain_name(node: ast.expr) -> str:
    """'model', 'self.model'; '' for what is no plain name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return ""


def last_name(node: ast.AST | None) -> str:
    """'add_argument' of `parser.add_argument`; '' for what has no name."""
    return str(getattr(node, "attr", getattr(node, "id", "")))


def is_made_of(node: ast.AST, name: str) -> bool:
    """Whether it is a part of `name` or a call on it: `model.to(device)` is still the model."""
    while isinstance(node, (ast.Call, ast.Attribute, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
        if isinstance(node, (ast.Name, ast.Attribute)) and plain_name(node) == name:
            return True
    return False


def imported_names(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """The names that an import gives, each with its full name: ('np', 'numpy')."""
    module = f"{node.module}." if isinstance(node, ast.ImportFrom) and node.module else ""
    for alias in node.names:
        bound = alias.asname or alias.name.partition(".")[0]
        yield bound, module + (alias.name if alias.asname else bound)


def assignments(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The targets of a `=` or `:=`, each with its value."""
    if isinstance(node, ast.Assign):
        yield from ((target, node.value) for target in node.targets)
    elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
        yield node.target, node.value


def parameters_of(function: Function) -> dict[str, tuple[ast.arg, ast.expr | None]]:
    """Name → parameter and default, in the order of a call; methods without `self`."""
    places = [*function.args.posonlyargs, *function.args.args]
    padding: list[ast.expr | None] = [None] * (len(places) - len(function.args.defaults))
    pairs = list(zip(places, [*padding, *function.args.defaults], strict=True))
    pairs += zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return {each.arg: (each, value) for each, value in pairs if each.arg not in ("self", "cls")}
