"""The bytes of a script → its code as a syntax tree, or as text where it has none.

Old scripts are in UTF-8, in CP949, in what their coding line says; they are notebooks, Python 2,
or hold the marks of a merge. What had to be mended is said, and lowers the confidence.
"""

from __future__ import annotations

import ast
import codecs
import json
import re
import warnings
from dataclasses import dataclass

MAX_BYTES = 2 * 1024 * 1024
LONGEST_LINE = 2000
_CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_MERGE = re.compile(r"^(<{7}|\|{7}|={7}|>{7})(?: .*)?$", re.M)
_PRINT = re.compile(
    r"^([ \t]*(?:.*[:;][ \t]*)?)print(?:[ \t]+|(?=[\"']))"
    r"(>>[ \t]*[\w.]+[ \t]*,[ \t]*)?(?!=|\()(.*)$"
)
_BARE_PRINT = re.compile(r"^([ \t]*)print[ \t]*$")
_EXCEPT = re.compile(
    r"^([ \t]*except[ \t]+[^:,()]+|[ \t]*except[ \t]*\([^)]*\))[ \t]*,[ \t]*(\w+)[ \t]*:"
)
_RAISE = re.compile(r"^([ \t]*raise[ \t]+[\w.]+)[ \t]*,[ \t]*([^,]+)$")
_EXEC = re.compile(r"^([ \t]*)exec[ \t]+(?!\()(.*)$")
_OCTAL = re.compile(r"(?<![\w.])0([0-7]+)(?![\w.])")
_LONG = re.compile(r"(?<![\w.])(\d+)[lL]\b")
_MAGIC = re.compile(r"^\s*(?:%|!|\?)")


@dataclass(frozen=True)
class Source:
    """A script's code.

    Args:
        tree: None where no syntax tree could be made of it.
        text: the code; '' where it is none.
        commands: lines that a notebook hands to a shell.
        doubt: what had to be mended or could not be read; '' for a clean script.
        is_code: False: binary, too large or unreadable.
    """

    tree: ast.Module | None
    text: str
    commands: tuple[str, ...] = ()
    doubt: str = ""
    is_code: bool = True


def no_code(why: str) -> Source:
    return Source(None, "", doubt=why, is_code=False)


def read_source(content: bytes, name: str) -> Source:
    """Read a script's bytes. Never raises, whatever they are.

    Args:
        name: its ending tells a notebook.
    """
    if len(content) > MAX_BYTES:
        return no_code(f"it has {len(content) / 1e6:.1f} MB, too much for a script")
    if name.lower().endswith(".ipynb"):
        return _notebook(content)
    text, doubt = decode(content)
    if text is None:
        return no_code(doubt)
    return _parsed(text, doubt)


def decode(content: bytes) -> tuple[str | None, str]:
    """The text of a script and what was doubtful about it; None where it is no text."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return content.decode("utf-16"), "it is UTF-16, which Python does not run"
        except UnicodeDecodeError:
            return None, "it is binary, not source code"
    if b"\0" in content:
        return None, "it is binary, not source code"
    declared = next(
        (m[1].decode("ascii") for line in content.splitlines()[:2] if (m := _CODING.match(line))),
        "",
    )
    for encoding in ("utf-8-sig", declared, "cp949"):
        try:
            if encoding:
                return content.decode(encoding), ""
        except (UnicodeDecodeError, LookupError, ValueError):
            continue
    odd = sum(byte < 9 or 13 < byte < 32 for byte in content)
    if odd > len(content) / 100:
        return None, "it is binary, not source code"
    return content.decode("utf-8", "replace"), "its encoding is unknown"


def _parsed(text: str, doubt: str = "", commands: tuple[str, ...] = ()) -> Source:
    tree = parse(text)
    if tree is not None:
        return Source(tree, text, commands, doubt)
    if _MERGE.search(text):
        kept = first_side(text)
        return Source(parse(kept), kept, commands, "it holds the marks of a merge")
    modern = from_python_2(text)
    if (tree := parse(modern)) is not None:
        return Source(tree, modern, commands, "it is Python 2")
    return Source(None, text, commands, doubt or "its syntax is broken")


def parse(text: str) -> ast.Module | None:
    """A syntax tree, or None where it is no Python 3."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in somebody's old string is not our business
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def first_side(text: str) -> str:
    """A text with the marks of a merge as if the first side had been kept."""
    kept, side = [], ""
    for line in text.splitlines():
        mark = _MERGE.match(line)
        if mark:
            side = {"<": "first", "|": "base", "=": "second", ">": ""}[mark[1][0]]
        elif side in ("", "first"):
            kept.append(line)
    return "\n".join(kept) + "\n"


def from_python_2(text: str) -> str:
    """Python 2's commonest statements in Python 3's spelling; lines keep their numbers."""
    lines = []
    for line in text.splitlines():
        if len(line) > LONGEST_LINE:  # nobody's statement, and some patterns are quadratic
            lines.append(line)
            continue
        line = _BARE_PRINT.sub(r"\1print()", line)
        line = _PRINT.sub(lambda said: f"{said[1]}print({said[3].rstrip().rstrip(',')})", line)
        line = _EXCEPT.sub(r"\1 as \2:", line)
        line = _RAISE.sub(r"\1(\2)", line)
        line = _EXEC.sub(r"\1exec(\2)", line)
        line = _LONG.sub(r"\1", _OCTAL.sub(r"0o\1", line)).replace("<>", "!=")
        lines.append(line.replace("\t", "        "))
    return "\n".join(lines) + "\n"


def _notebook(content: bytes) -> Source:
    try:
        cells = json.loads(content.decode("utf-8-sig"))["cells"]
        written = [_cell_text(cell) for cell in cells if cell.get("cell_type") == "code"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return no_code("it is no notebook that can be read")
    kept, commands, unparsed = [], [], 0
    for text in written:
        code, lines = _without_magics(text)
        commands += lines
        # One cell that never worked must not hide the others.
        if parse(code) is None and parse(code := from_python_2(code)) is None:
            unparsed += 1
        else:
            kept.append(code)
    doubt = f"{unparsed} of its {len(written)} cells are broken" if unparsed else ""
    return _parsed("\n".join(kept), doubt, tuple(commands))


def _cell_text(cell: dict[str, object]) -> str:
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def _without_magics(text: str) -> tuple[str, list[str]]:
    """A cell's code, and the commands its lines hand to a shell."""
    lines, commands = [], []
    whole_cell = re.match(r"\s*%%(\w+)", text)
    if whole_cell and whole_cell[1] not in ("time", "timeit", "capture", "prun"):
        shell = whole_cell[1] in ("bash", "sh", "script")
        return "", text.splitlines()[1:] if shell else []
    for line in text.splitlines():
        if not _MAGIC.match(line):
            lines.append(line)
            continue
        said = line.strip()
        indent = line[: len(line) - len(line.lstrip())]
        lines.append(f"{indent}pass")
        if said.startswith(("!", "%run ", "%sx ")):
            commands.append(said.lstrip("!%").removeprefix("run ").removeprefix("sx ").strip())
    return "\n".join(lines), commands
