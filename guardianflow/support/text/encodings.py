"""Text files of others: UTF-8, or a message that says what they are and how to convert them.

Korean Windows saves in CP949, PowerShell's `>` and Excel's "Unicode text" in UTF-16. None of them
is guessed and read on: a wrong guess makes other names of the same bytes. Tables that a Korean
Excel wrote are the exception, where what they name is looked up: a wrong guess is then told.
"""

from __future__ import annotations

import shlex

_SURE_NULS = 0.2
"""Share of zero bytes: in UTF-16 about half of a Latin text's, in UTF-8 none."""
_FEWEST_BYTES = 8


class NotUtf8Error(ValueError):
    """The bytes are text of another encoding, or none; says which and what to do."""


def decode_utf8(content: bytes, name: str) -> str:
    """The text of a file in UTF-8; a byte-order mark at its start is no part of it.

    Args:
        name: of the file, for the command that converts it.

    Raises:
        NotUtf8Error: it is not UTF-8.
    """
    if _wide_without_mark(content):
        raise NotUtf8Error(_not_utf8(content, 0, name))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotUtf8Error(_not_utf8(content, error.start, name)) from error


def decode_table(content: bytes, name: str) -> str:
    """As decode_utf8, of a table; one in CP949, as a Korean Excel saves it, is read too.

    Raises:
        NotUtf8Error: it is neither.
    """
    try:
        return decode_utf8(content, name)
    except NotUtf8Error:
        if _encoding_of(content) != "CP949":
            raise
        return content.decode("cp949")


def _not_utf8(content: bytes, start: int, name: str) -> str:
    line = content.count(b"\n", 0, start) + 1
    encoding = _encoding_of(content)
    if not encoding:
        return f"is not UTF-8 text (line {line}): save it as UTF-8 in your editor"
    korean = " (EUC-KR)" if encoding == "CP949" else ""
    return (
        f"is not UTF-8 (line {line}) but looks like {encoding}{korean}; convert it with: "
        f"iconv -f {encoding} -t UTF-8 {shlex.quote(name)} > {shlex.quote(name + '.utf8')} && "
        f"mv {shlex.quote(name + '.utf8')} {shlex.quote(name)}"
    )


def _encoding_of(content: bytes) -> str:
    """The encoding that the bytes look like; '' where nobody can say."""
    if content.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "UTF-32"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    if wide := _wide_without_mark(content):
        return wide
    try:
        content.decode("cp949")
    except UnicodeDecodeError:
        return ""
    return "CP949"


def _wide_without_mark(content: bytes) -> str:
    """UTF-16 without its mark is UTF-8 with zero bytes, all of them at every second place."""
    even, odd = content[::2].count(0), content[1::2].count(0)
    if len(content) < _FEWEST_BYTES or max(even, odd) <= _SURE_NULS * len(content):
        return ""
    return "" if min(even, odd) else "UTF-16BE" if even else "UTF-16LE"
