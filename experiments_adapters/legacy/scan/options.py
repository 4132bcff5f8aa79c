"""A script's command line, read from its code: argparse, click, typer, fire and absl.

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
from .syntax import UNKNOWN, Function, last_name, literal, parameters_of

_LIBRARIES = re.compile(r"add_argument|click|typer|Fire|DEFINE_")
_BOTH_WAYS = "BooleanOptionalAction"
_BUILTIN_TYPES = {"int", "float", "str"}
_PLAIN_TYPES = {"Path": "str", "PosixPath": "str", "File": "str", "INT": "int", "FLOAT": "float",
                "STRING": "str"}  # fmt: skip
SEVERAL_COMMANDS = "it has several commands of its own; write args_template by hand"


def read_options(
    tree: ast.Module | None, text: str | None = None
) -> tuple[tuple[Option, ...], str]:
    """The options in their order, and why there are none where there should be some.

    Args:
        text: the code, if at hand: one that names none of the libraries is not walked.
    """
    if tree is None or (text is not None and not _LIBRARIES.search(text)):
        return (), ""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    calls.sort(key=lambda call: (call.lineno, call.col_offset))
    names = {last_name(call.func) for call in calls}
    if "add_subparsers" in names:
        return (), SEVERAL_COMMANDS
    found = [option for call in calls if last_name(call.func) == "add_argument"
             for option in _argparse(call)]  # fmt: skip
    found = found or [option for call in calls for option in _absl(call)]
    if found:
        return _unique(found), ""
    functions = {node.name: node for node in tree.body if isinstance(node, Function)}
    commands = [options for each in functions.values() if (options := list(_click(each)))]
    if commands:
        return ((), SEVERAL_COMMANDS) if len(commands) > 1 else (_unique(commands[0]), "")
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


# --- argparse and click ---------------------------------------------------------------------------


def _argparse(call: ast.Call) -> Iterator[Option]:
    flags, given = _texts(call.args), _keywords(call)
    if not flags:
        return
    # The first long one names the value, as argparse has it.
    flag = next((each for each in flags if each.startswith("--")), flags[0])
    positional = not flag.startswith("-")
    name = _text(given.get("dest")) or flag.lstrip("-").replace("-", "_")
    action = _text(given.get("action")) or "store"
    if last_name(given.get("action")) == _BOTH_WAYS:
        action = _BOTH_WAYS
    kind = _type_name(given.get("type"))
    nargs = _text(given.get("nargs"))
    optional = nargs in ("?", "*") or "default" in given
    required = not optional if positional else _value(given.get("required")) is True
    default = _value(given.get("default"))
    option = _option(name, "" if positional else flag, default, required, kind)
    if not positional:
        option = replace(option, aliases=tuple(each for each in flags if each != flag))
    if action != "store":
        option = _switch(option, action)
    elif kind == "bool":
        option = replace(option, left_out="type=bool takes any text, 'False' too, as true")
    elif kind not in _BUILTIN_TYPES:
        option = _leave_out(option, f"type={kind}")
    elif "nargs" in given and nargs != "?":
        option = _leave_out(option, "takes several values")
    if action == "store" and "nargs" in given and nargs != "?":
        option = replace(option, several="words")
    yield option


def _click(function: Function) -> Iterator[Option]:
    for decorator in function.decorator_list:
        if not isinstance(decorator, ast.Call):
            continue
        flags, given = _texts(decorator.args), _keywords(decorator)
        if not flags or last_name(decorator.func) not in ("option", "argument"):
            continue
        flag = max((each for each in flags if each.startswith("-")), key=_length, default="")
        named = next((each for each in flags if each.isidentifier()), "")
        name = named or flag.lstrip("-").partition("/")[0].replace("-", "_")
        default = _value(given.get("default"))
        required = _value(given.get("required")) is True or not (flag or "default" in given)
        option = _option(name, flag, default, required, _type_name(given.get("type"), default))
        others = (each for each in flags if each.startswith("-") and each != flag)
        option = replace(option, aliases=tuple(others))
        if _value(given.get("is_flag")) is True or "/" in flag or isinstance(default, bool):
            option = _switch(option)
        elif "count" in given:
            option = _switch(option, "count")
        elif given.keys() & {"multiple", "nargs"}:
            style = "words" if "nargs" in given and "multiple" not in given else "repeat"
            option = replace(_leave_out(option, "takes several values"), several=style)
        yield option


def _absl(call: ast.Call) -> Iterator[Option]:
    """`flags.DEFINE_integer("epochs", 3, "…")`."""
    kind = last_name(call.func).removeprefix("DEFINE_")
    given = _keywords(call)
    name = _text(call.args[0]) if call.args else _text(given.get("name"))
    if not last_name(call.func).startswith("DEFINE_") or not name:
        return
    default = _value(call.args[1] if len(call.args) > 1 else given.get("default"))
    required = _value(given.get("required")) is True
    typed = {"integer": "int", "float": "float"}.get(kind.removeprefix("multi_"), "str")
    option = _option(name, f"--{name}", default, required, typed)
    if kind in ("bool", "boolean"):
        option = _switch(option, "value")
    elif kind.startswith("multi_"):
        option = replace(_leave_out(option, "takes several values"), several="repeat")
    yield option


# --- typer and fire -----------------------------------------------------------------------------


def _from_functions(
    calls: list[ast.Call], functions: dict[str, Function]
) -> tuple[tuple[Option, ...], str]:
    typer = [
        function
        for function in functions.values()
        if "command" in (last_name(getattr(d, "func", None)) for d in function.decorator_list)
    ]
    if len(typer) > 1:
        return (), SEVERAL_COMMANDS
    if typer:
        return tuple(_parameters(typer[0], fire=False)), ""
    for call in calls:
        name, library = last_name(call.func), last_name(getattr(call.func, "value", None))
        fire = name == "Fire"
        if not fire and (name, library) != ("run", "typer"):
            continue
        target = call.args[0] if call.args else None
        if isinstance(target, ast.Name) and target.id in functions:
            return tuple(_parameters(functions[target.id], fire=fire)), ""
        return (), SEVERAL_COMMANDS
    return (), ""


def _parameters(function: Function, *, fire: bool) -> Iterator[Option]:
    for name, (argument, default) in parameters_of(function).items():
        kind, info = _annotation(argument.annotation)
        texts = info.args if info else []
        if not fire and isinstance(default, ast.Call) and last_name(default.func) in _TYPER:
            info, texts = default, default.args[1:]
            default = info.args[0] if info.args else _keywords(info).get("default")
        missing = default is None or (isinstance(default, ast.Constant) and default.value is ...)
        is_argument = not fire and (last_name(info.func) == "Argument" if info else default is None)
        flag = f"--{name}" if fire else f"--{name.replace('_', '-')}"
        flag = max((f for f in _texts(texts) if f.startswith("--")), key=len, default=flag)
        value = None if missing else _value(default)
        option = _option(name, "" if is_argument else flag, value, missing, kind or "str")
        if kind == "bool" or isinstance(value, bool):
            option = replace(_switch(option), switch="value" if fire else "no-")
        elif kind and kind not in _BUILTIN_TYPES:
            option = _leave_out(option, f"a {kind}")
        yield option


_TYPER = ("Option", "Argument")


def _annotation(node: ast.expr | None) -> tuple[str, ast.Call | None]:
    """The type's name, and typer's Option(…) or Argument(…) inside Annotated."""
    if isinstance(node, ast.Subscript) and last_name(node.value) == "Annotated":
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        calls = (each for each in parts[1:] if isinstance(each, ast.Call))
        info = next((call for call in calls if last_name(call.func) in _TYPER), None)
        return _annotation(parts[0])[0], info
    if isinstance(node, ast.Subscript) and last_name(node.value) == "Optional":
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
    if default is UNKNOWN:
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


def _value(node: ast.expr | None) -> object:
    """A literal's value; None for none, UNKNOWN for what only running the script tells."""
    return None if node is None else literal(node)


def _text(node: ast.expr | None) -> str:
    value = _value(node)
    return value if isinstance(value, str) else ""


def _texts(nodes: list[ast.expr]) -> list[str]:
    """Those of the values that are text."""
    return [value for node in nodes if isinstance(value := literal(node), str)]


def _keywords(call: ast.Call) -> dict[str, ast.expr]:
    return {each.arg: each.value for each in call.keywords if each.arg}


def _length(flag: str) -> tuple[bool, int]:
    """To be compared by: of click's flags, the longest with two dashes names the option."""
    return flag.startswith("--"), len(flag)


def _type_name(node: ast.expr | None, default: object = None) -> str:
    if node is None:
        known = type(default).__name__
        return known if known in _BUILTIN_TYPES else "str"
    if isinstance(node, ast.Call):
        node = node.func
    name = last_name(node) or "unknown"
    return _PLAIN_TYPES.get(name, "str" if name == "Choice" else name)


def _unique(options: list[Option]) -> tuple[Option, ...]:
    """The first of each name: two branches of a script may declare the same one."""
    return tuple({option.name: option for option in reversed(options)}.values())[::-1]
