"""A script's command line, read from its code: argparse, click, typer and fire.

What a run needs of it becomes `args_template` and `defaults`. An option stays out of the template
where passing it would not mean the same as leaving it: switches, defaults that are computed, and
`type=bool`, for which argparse takes the text 'False' as true.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace

from guardianflow.support.secrets.redaction import redact_value

from .results import Option, Value

_ABSENT = object()
_LIBRARIES = re.compile(r"add_argument|click|typer|Fire")
_BUILTIN_TYPES = {"int", "float", "str"}
_PLAIN_TYPES = {"Path": "str", "PosixPath": "str", "File": "str", "INT": "int", "FLOAT": "float",
                "STRING": "str"}  # fmt: skip
SEVERAL_COMMANDS = "it has several commands of its own; write args_template by hand"


def read_options(
    tree: ast.Module | None, text: str | None = None
) -> tuple[tuple[Option, ...], str]:
    """The options in their order, and why there are none where there should be some.

    Args:
        text: the code, if at hand: one that names none of the four libraries is not walked.
    """
    if tree is None or (text is not None and not _LIBRARIES.search(text)):
        return (), ""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    calls.sort(key=lambda call: (call.lineno, call.col_offset))
    names = {_last(call.func) for call in calls}
    if "add_subparsers" in names:
        return (), SEVERAL_COMMANDS
    found = [option for call in calls if _last(call.func) == "add_argument"
             for option in _argparse(call)]  # fmt: skip
    if found:
        return _unique(found), ""
    functions = {
        node.name: node
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    for function in functions.values():
        found += _click(function)
    if found:
        commands = [f for f in functions.values() if list(_click(f))]
        return ((), SEVERAL_COMMANDS) if len(commands) > 1 else (_unique(found), "")
    return _from_functions(calls, functions)


def template_of(options: tuple[Option, ...]) -> tuple[str, tuple[tuple[str, Value], ...]]:
    """`--epochs {epochs} …` and the values that fill it.

    A secret that stands in a script's code stays there: its option is left out.
    """
    words: list[str] = []
    defaults: list[tuple[str, Value]] = []
    for option in options:
        if option.left_out or redact_value(option.name, option.default) != option.default:
            continue
        words += [shlex.quote(option.flag)] if option.flag else []
        words.append(f"{{{option.name}}}")
        if option.default is not None:
            defaults.append((option.name, option.default))
    return " ".join(words), tuple(defaults)


# --- argparse -----------------------------------------------------------------------------------


def _argparse(call: ast.Call) -> Iterator[Option]:
    flags = [text for argument in call.args if (text := _constant(argument)) is not _ABSENT]
    written = [flag for flag in flags if isinstance(flag, str)]
    if not written:
        return
    given = {each.arg: each.value for each in call.keywords if each.arg}
    flag = max(written, key=lambda text: (text.startswith("--"), len(text)))
    positional = not flag.startswith("-")
    name = _given_text(given, "dest") or flag.lstrip("-").replace("-", "_")
    action = _given_text(given, "action") or "store"
    kind = _type_name(given.get("type"))
    default = _constant(given["default"]) if "default" in given else None
    optional = _given_text(given, "nargs") in ("?", "*") or "default" in given
    required = not optional if positional else _constant(given.get("required")) is True
    option = _option(name, "" if positional else flag, default, required, kind)
    if action != "store":
        option = _switch(option, action)
    elif kind == "bool":
        option = replace(option, left_out="type=bool takes any text, 'False' too, as true")
    elif kind not in _BUILTIN_TYPES:
        option = _leave_out(option, f"type={kind}")
    elif "nargs" in given and _given_text(given, "nargs") != "?":
        option = _leave_out(option, "takes several values")
    yield option


# --- click --------------------------------------------------------------------------------------


def _click(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Option]:
    for decorator in function.decorator_list:
        if not isinstance(decorator, ast.Call) or _last(decorator.func) not in (
            "option",
            "argument",
        ):
            continue
        flags = [str(each) for a in decorator.args if isinstance(each := _constant(a), str)]
        if not flags:
            continue
        given = {each.arg: each.value for each in decorator.keywords if each.arg}
        dashed = [flag for flag in flags if flag.startswith("-")]
        flag = max(dashed, key=lambda text: (text.startswith("--"), len(text)), default="")
        named = next((each for each in flags if each.isidentifier()), "")
        name = named or flag.lstrip("-").partition("/")[0].replace("-", "_")
        default = _constant(given["default"]) if "default" in given else None
        required = _constant(given.get("required")) is True or (not flag and "default" not in given)
        option = _option(name, flag, default, required, _type_name(given.get("type"), default))
        if _constant(given.get("is_flag")) is True or "/" in flag or isinstance(default, bool):
            option = _switch(option)
        elif "multiple" in given or "nargs" in given or "count" in given:
            option = _leave_out(option, "takes several values")
        yield option


# --- typer and fire -----------------------------------------------------------------------------


def _from_functions(
    calls: list[ast.Call], functions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef]
) -> tuple[tuple[Option, ...], str]:
    typer = [
        function
        for function in functions.values()
        if any(isinstance(d, ast.Call) and _last(d.func) == "command"
               for d in function.decorator_list)
    ]  # fmt: skip
    if len(typer) > 1:
        return (), SEVERAL_COMMANDS
    if typer:
        return tuple(_parameters(typer[0], fire=False)), ""
    for call in calls:
        fire = _last(call.func) == "Fire"
        if not fire and (_last(call.func), _last(getattr(call.func, "value", None))) != (
            "run",
            "typer",
        ):
            continue
        target = call.args[0] if call.args else None
        if isinstance(target, ast.Name) and target.id in functions:
            return tuple(_parameters(functions[target.id], fire=fire)), ""
        return (), SEVERAL_COMMANDS
    return (), ""


def _parameters(
    function: ast.FunctionDef | ast.AsyncFunctionDef, *, fire: bool
) -> Iterator[Option]:
    arguments = [*function.args.posonlyargs, *function.args.args]
    padding: list[ast.expr | None] = [None] * (len(arguments) - len(function.args.defaults))
    pairs = list(zip(arguments, [*padding, *function.args.defaults], strict=True))
    pairs += list(zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True))
    for argument, default in pairs:
        if argument.arg in ("self", "cls"):
            continue
        kind, info = _annotation(argument.annotation)
        flag = f"--{argument.arg}" if fire else f"--{argument.arg.replace('_', '-')}"
        if not fire and isinstance(default, ast.Call) and _last(default.func) in _TYPER:
            info, default = default, None
            first = info.args[0] if info.args else _keyword(info, "default")
            texts = info.args[1:]
        else:
            first, texts = default, list(info.args) if info else []
        flags = [str(t) for each in texts if isinstance(t := _constant(each), str)]
        flag = max((f for f in flags if f.startswith("--")), key=len, default=flag)
        missing = first is None or (isinstance(first, ast.Constant) and first.value is ...)
        is_argument = not fire and (
            _last(info.func) == "Argument" if info else missing and default is None
        )
        value = None if first is None or missing else _constant(first)
        option = _option(argument.arg, "" if is_argument else flag, value, missing, kind or "str")
        if kind == "bool" or isinstance(value, bool):
            option = _switch(option)
        elif kind and kind not in _BUILTIN_TYPES:
            option = _leave_out(option, f"a {kind}")
        yield option


_TYPER = ("Option", "Argument")


def _annotation(node: ast.expr | None) -> tuple[str, ast.Call | None]:
    """The type's name, and typer's Option(…) or Argument(…) inside Annotated."""
    if isinstance(node, ast.Subscript) and _last(node.value) == "Annotated":
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        info = next((p for p in parts[1:] if isinstance(p, ast.Call) and _last(p.func) in _TYPER),
                    None)  # fmt: skip
        return _annotation(parts[0])[0], info
    if isinstance(node, ast.Subscript) and _last(node.value) == "Optional":
        return _annotation(node.slice)[0], None
    if isinstance(node, ast.BinOp):  # int | None
        return _annotation(node.left)[0], None
    return (_type_name(node), None) if node is not None else ("", None)


# --- small things -------------------------------------------------------------------------------


def _option(name: str, flag: str, default: object, required: bool, kind: str) -> Option:
    """An option, left out of the template where its default can't be passed as it is."""
    name = re.sub(r"\W", "_", name)
    name = name if name.isidentifier() else f"_{name}"
    option = Option(name, flag, None, required, kind)
    if default is _ABSENT:
        return _leave_out(option, "its default is computed by the script")
    if default is None:
        return option if required else _leave_out(option, "it has no default")
    if isinstance(default, bool) or not isinstance(default, (int, float, str)):
        return _leave_out(option, "its default is no number or text")
    if isinstance(default, str) and (not default.strip() or default.startswith("-")):
        return _leave_out(option, f"its default {default!r} can't be passed")
    if "{" in str(default) or "\n" in str(default):
        return _leave_out(option, "its default can't be passed")
    try:
        {"int": int, "float": float}.get(kind, str)(default)
    except ValueError:
        return _leave_out(option, f"its default {default!r} is no {kind}")
    if kind == "int" and isinstance(default, float):
        return _leave_out(option, f"its default {default!r} is no int")
    return replace(option, default=default)


def _switch(option: Option, action: str = "") -> Option:
    why = f"a switch ({action})" if action else "a switch"
    return replace(option, left_out=why, default=None, required=False, switch=action or "flag")


def _leave_out(option: Option, why: str) -> Option:
    """Out of the template; one that is required stays in, and must be given."""
    return option if option.required else replace(option, left_out=why, default=None)


def _constant(node: ast.expr | None) -> object:
    """A literal's value; _ABSENT for what only running the script tells."""
    if node is None:
        return None
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return _ABSENT


def _given_text(given: dict[str, ast.expr], key: str) -> str:
    value = _constant(given.get(key))
    return value if isinstance(value, str) else ""


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((each.value for each in call.keywords if each.arg == name), None)


def _type_name(node: ast.expr | None, default: object = None) -> str:
    if node is None:
        known = type(default).__name__
        return known if known in _BUILTIN_TYPES else "str"
    if isinstance(node, ast.Call):
        node = node.func
    name = _last(node) or "unknown"
    return _PLAIN_TYPES.get(name, "str" if name == "Choice" else name)


def _last(node: ast.AST | None) -> str:
    return str(getattr(node, "attr", getattr(node, "id", "")))


def _unique(options: list[Option]) -> tuple[Option, ...]:
    """The first of each name: two branches of a script may declare the same one."""
    return tuple({option.name: option for option in reversed(options)}.values())[::-1]
