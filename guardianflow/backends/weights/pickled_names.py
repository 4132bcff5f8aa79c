"""What a pickle would import and call, found out without unpickling it.

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
import tarfile
import zipfile
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

LARGEST_PROGRAM = 32 << 20
"""Bytes of a zip archive's pickle, which holds no tensors; large detectors have 0.5 MB."""
MOST_OPCODES = 5_000_000
PICKLES_OF_LEGACY_FORMAT = 5  # magic number, protocol, system, object, keys; then tensors' bytes
LEGACY_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
ZIP_START = b"PK\x03\x04"


class How(Enum):
    """What a pickle does with a name."""

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


class UnreadablePickleError(Exception):
    """A file can't be looked into; says why, and whether it is a TorchScript archive."""

    def __init__(self, why: str, *, torchscript: bool = False) -> None:
        super().__init__(why)
        self.torchscript = torchscript


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


# --- one pickle -----------------------------------------------------------------------------------


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
            except (ValueError, OverflowError, MemoryError, struct.error) as exc:
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


# --- archives -------------------------------------------------------------------------------------


def is_tar(content: bytes) -> bool:
    """Whether PyTorch would take the file for its oldest format."""
    try:
        tarfile.open(fileobj=io.BytesIO(content), mode="r:").close()
    except tarfile.ReadError:
        return False
    except (
        Exception
    ):  # damaged so that Python's own reader stumbles: not known to be something else
        return True
    return True


def pickles_of_archive(content: bytes) -> dict[str, bytes]:
    """The pickles in a zip archive as torch.save writes it: name → program.

    PyTorch has a reader of its own, in C++. So whatever two readers could see differently is
    refused: two entries of one name, something before or after the archive, compression, entries
    in several folders.

    Raises:
        UnreadablePickleError: not an archive that torch.save writes.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_end(content)
            entries = archive.infolist()
            _check_entries(entries)
            pickles = [e for e in entries if e.filename.casefold().endswith(".pkl")]
            large = [e.filename for e in pickles if e.file_size > LARGEST_PROGRAM]
            if large:
                raise UnreadablePickleError(f"{large[0]} is larger than {LARGEST_PROGRAM} bytes")
            return {e.filename: archive.read(e) for e in pickles}
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, struct.error) as exc:
        raise UnreadablePickleError(f"it is a damaged zip archive: {exc}") from exc
    except (NotImplementedError, RuntimeError, OverflowError, MemoryError) as exc:
        raise UnreadablePickleError(f"it is an odd zip archive: {exc}") from exc


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.filename for entry in entries]
    folders = {name.partition("/")[0] for name in names}
    if any(name.endswith("/constants.pkl") for name in names):
        raise UnreadablePickleError("it is a TorchScript archive", torchscript=True)
    odd = [
        entry.filename
        for entry in entries
        if entry.orig_filename != entry.filename
        or not entry.filename.isascii()
        or "\\" in entry.filename
        or entry.compress_type != zipfile.ZIP_STORED
        or entry.compress_size != entry.file_size
        or entry.flag_bits & 0x41  # encrypted
    ]
    if odd:
        raise UnreadablePickleError(f"PyTorch does not write an entry like {odd[0]!r}")
    if len({name.casefold() for name in names}) != len(names):
        raise UnreadablePickleError("two entries of the archive have the same name")
    if len(folders) != 1 or f"{next(iter(folders))}/data.pkl" not in names:
        raise UnreadablePickleError("it is a zip archive that torch.save has not written")
    if min(entry.header_offset for entry in entries) != 0:
        raise UnreadablePickleError("something stands before the archive")


def _check_end(content: bytes) -> None:
    """The archive's table of contents must be the one that any reader finds."""
    end = len(content) - 22
    signature, *disks, _, size, start, comment = struct.unpack_from("<4s4H2LH", content, end)
    if signature != b"PK\x05\x06" or comment or disks[0] or disks[1]:
        raise UnreadablePickleError("something stands behind the archive")
    table_ends = end
    if end >= 76 and content[end - 20 : end - 16] == b"PK\x06\x07":
        table_ends = end - 76
        _, _, place, _ = struct.unpack_from("<4sLQL", content, end - 20)
        kind, length, *_, long_size, long_start = struct.unpack_from(
            "<4sQ2H2L4Q", content, table_ends
        )
        agree = size in (long_size, 0xFFFFFFFF) and start in (long_start, 0xFFFFFFFF)
        if kind != b"PK\x06\x06" or place != table_ends or length != 44 or not agree:
            raise UnreadablePickleError("its two tables of contents differ")
        size, start = long_size, long_start
    if start + size != table_ends:
        raise UnreadablePickleError("its table of contents is not where it says")
