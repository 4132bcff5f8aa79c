"""Finds what a pickle would import and call, without unpickling it.

    uses_in_file(bytes)     PyTorch's zip and legacy formats, plain pickles
      └─ uses_in_pickle()   one pickle: its opcodes are walked with a stack of stand-ins

A pickle is a program: it names functions, and unpickling imports and calls them. This module
follows the program as the unpickler would, but nothing is ever imported, called, hashed or
compared: what the program names stays a name, everything else is one and the same stand-in. So a
pickle can neither run anything here nor keep the walk busy beyond its own length.

What can't be followed (a callable that is computed, an archive that two readers could read
differently) is an error of its own, `UnreadablePickleError`: it is not known to be harmless.
"""

from __future__ import annotations

import io
import pickletools
import struct
import warnings
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from .pickle_archives import ZIP_START, UnreadablePickleError, is_tar, pickles_of_archive

MOST_OPCODES = 5_000_000
PICKLES_OF_LEGACY_FORMAT = 5  # magic number, protocol, system, object, keys; then tensors' bytes
LEGACY_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


class How(Enum):
    """The ways that a pickle treats a name."""

    IMPORTED = "imported"
    MADE = "made"
    """An instance is made without arguments and without calling the constructor."""
    CALLED = "called"
    """Called with values that the file chooses."""
    KEPT = "kept"
    """Put into the result itself, where other code may call it later."""


@dataclass(frozen=True)
class Use:
    """One name and what is done with it; `place` is for people: 'data.pkl, byte 41'."""

    name: str
    how: How
    place: str


def uses_in_file(content: bytes) -> list[Use]:
    """Everything that opening the file would import or call.

    Args:
        content: of a file written by torch.save (zip or legacy format), or plain pickles one
            after the other.

    Raises:
        UnreadablePickleError: it is none of these, or can't be followed.
    """
    if content.startswith(ZIP_START):
        uses: list[Use] = []
        for name, program in pickles_of_archive(content).items():
            uses += uses_in_pickle(io.BytesIO(program), name)
        return uses
    if not content:
        raise UnreadablePickleError("the file is empty")
    if is_tar(content):
        raise UnreadablePickleError("it is a tar archive, as PyTorch wrote before 2017")
    stream = io.BytesIO(content)
    uses, count = [], 0
    legacy = content.startswith(LEGACY_START)
    while stream.tell() < len(content) and not (legacy and count == PICKLES_OF_LEGACY_FORMAT):
        uses += uses_in_pickle(stream, "")
        count += 1
    return uses


def uses_in_pickle(stream: io.BytesIO, place: str) -> list[Use]:
    """Follow one pickle from the stream's position to its end.

    Args:
        place: what the stream is, for `Use.place`; '' where it is the file itself.

    Raises:
        UnreadablePickleError: truncated, too long, malformed, or a callable is computed.
    """
    return _Walk(stream, place).run()


@dataclass(frozen=True, eq=False)
class _Name:
    name: str
    place: str


class _Other:
    """Stands for every value that is neither a name nor a text."""


_OTHER, _EMPTY = _Other(), ()
_OPCODES = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
_TEXTS = frozenset(
    {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE"}
    | {"BINUNICODE8"}
)
_GETS, _PUTS = ("GET", "BINGET", "LONG_BINGET"), ("PUT", "BINPUT", "LONG_BINPUT")

_DAMAGE = (ValueError, OverflowError, MemoryError, struct.error, DeprecationWarning)


class _Walk:
    """The unpickler's machine, with stand-ins on its stack."""

    def __init__(self, stream: io.BytesIO, place: str) -> None:
        self._stream, self._place = stream, place
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []  # the stacks under the marks
        self._memo: dict[int, Any] = {}
        self._uses: dict[tuple[str, How], Use] = {}
        self._at = 0

    def run(self) -> list[Use]:
        with warnings.catch_warnings():
            # Python warns of an escape in a text that it does not know: no pickler writes one.
            warnings.simplefilter("error", DeprecationWarning)
            return self._steps()

    def _steps(self) -> list[Use]:
        for _ in range(MOST_OPCODES):
            self._at = self._stream.tell()
            code = self._stream.read(1)
            opcode = _OPCODES.get(code)
            if opcode is None:
                raise self._unreadable(f"no opcode {code!r}" if code else "it ends too early")
            if opcode.name == "STOP":
                self._keep(self._pop())
                return list(self._uses.values())
            try:
                self._do(opcode)
            except _DAMAGE as exc:
                raise self._unreadable(f"{opcode.name}: {str(exc)[:100]}") from exc
        raise self._unreadable(f"it has more than {MOST_OPCODES} steps")

    def _do(self, opcode: pickletools.OpcodeInfo) -> None:
        name = opcode.name
        if name in ("GLOBAL", "INST"):
            self._named(self._line(), self._line())
            if name == "INST":
                callee = self._pop()
                self._keep_all(self._pop_to_mark())
                self._call(callee, How.CALLED)
            return
        if name.startswith("EXT"):
            raise self._unreadable("it names what it calls by a number (copyreg extension)")
        argument = opcode.arg.reader(self._stream) if opcode.arg else None
        special = getattr(self, f"_on_{name.lower()}", None)
        if special is not None:
            special()
        elif name in _GETS:
            if argument not in self._memo:
                raise self._unreadable(f"it takes what it never stored ({argument})")
            self._stack.append(self._memo[argument])
        elif name in _PUTS:
            self._store(argument)
        elif name in _TEXTS:
            self._stack.append(argument)
        else:
            self._plain(opcode)

    def _plain(self, opcode: pickletools.OpcodeInfo) -> None:
        """Opcodes that only move values: what they take is kept, what they give is a value."""
        for kind in reversed(opcode.stack_before):
            if kind is pickletools.stackslice:
                self._keep_all(self._pop_to_mark())
            elif kind is not pickletools.markobject:
                self._keep(self._pop())
        self._stack += [_OTHER] * len(opcode.stack_after)

    # opcodes with a meaning of their own

    def _on_mark(self) -> None:
        self._below.append(self._stack)
        self._stack = []

    def _on_pop(self) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._pop_to_mark()

    def _on_pop_mark(self) -> None:
        self._pop_to_mark()

    def _on_dup(self) -> None:
        self._stack.append(self._top())

    def _on_memoize(self) -> None:
        self._store(len(self._memo))

    def _on_empty_tuple(self) -> None:
        self._stack.append(_EMPTY)

    def _on_tuple(self) -> None:
        items = self._pop_to_mark()
        self._keep_all(items)
        self._stack.append(_OTHER if items else _EMPTY)

    def _on_stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        if type(name) is not str or type(module) is not str:
            raise self._unreadable("it computes the name of what it imports")
        self._named(module, name)

    def _on_reduce(self) -> None:
        self._keep(self._pop())
        self._call(self._pop(), How.CALLED)

    def _on_newobj(self) -> None:
        arguments = self._pop()
        self._keep(arguments)
        self._call(self._pop(), How.MADE if arguments is _EMPTY else How.CALLED)

    def _on_newobj_ex(self) -> None:
        self._keep_all([self._pop(), self._pop()])
        self._call(self._pop(), How.CALLED)

    def _on_obj(self) -> None:
        items = self._pop_to_mark()
        if not items:
            raise self._unreadable("it makes an instance of nothing")
        self._keep_all(items[1:])
        self._call(items[0], How.CALLED)

    # the stack

    def _named(self, module: str, name: str) -> None:
        found = _Name(full_name(module, name), self._where())
        self._note(found, How.IMPORTED)
        self._stack.append(found)

    def _call(self, callee: Any, how: How) -> None:
        if not isinstance(callee, _Name):
            raise self._unreadable("it calls what it computes")
        self._note(callee, how)
        self._stack.append(_OTHER)

    def _keep(self, value: Any) -> None:
        if isinstance(value, _Name):
            self._note(value, How.KEPT)

    def _keep_all(self, values: Iterable[Any]) -> None:
        for value in values:
            self._keep(value)

    def _note(self, found: _Name, how: How) -> None:
        self._uses.setdefault((found.name, how), Use(found.name, how, found.place))

    def _top(self) -> Any:
        if not self._stack:
            raise self._unreadable("it takes from an empty stack")
        return self._stack[-1]

    def _pop(self) -> Any:
        self._top()
        return self._stack.pop()

    def _pop_to_mark(self) -> list[Any]:
        if not self._below:
            raise self._unreadable("it goes back to a mark that is not there")
        items, self._stack = self._stack, self._below.pop()
        return items

    def _store(self, index: Any) -> None:
        # The C unpickler makes room for every index up to the largest one.
        if not 0 <= index <= self._at:
            raise self._unreadable(f"it stores under a number out of order ({index})")
        self._memo[index] = self._top()

    def _line(self) -> str:
        line = self._stream.readline()
        if not line.endswith(b"\n"):
            raise self._unreadable("it ends within a name")
        return line[:-1].decode("utf-8")

    def _where(self) -> str:
        return f"{self._place}, byte {self._at}" if self._place else f"byte {self._at}"

    def _unreadable(self, why: str) -> UnreadablePickleError:
        return UnreadablePickleError(f"{why} ({self._where()})")


def full_name(module: str, name: str) -> str:
    """'torch.nn.modules.conv.Conv2d'. A name with dots in itself, which is a way through
    attributes, is told apart by a colon: 'torch:serialization.os.system'.

    Names of Python 2 are given as the unpickler understands them: '__builtin__' is 'builtins'.
    """
    if (module, name) in NAME_MAPPING:
        module, name = NAME_MAPPING[module, name]
    else:
        module = IMPORT_MAPPING.get(module, module)
    parts = [*module.split("."), *name.split(".")]
    if not all(part.isidentifier() for part in parts):
        raise UnreadablePickleError(f"it imports {module!r} {name!r}, which is no name")
    return f"{module}:{name}" if "." in name else f"{module}.{name}"
