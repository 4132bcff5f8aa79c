"""The regular expression of a scheme: what varies by its kind, all else as it is written."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..patterns import CAMERA, FRAME, RECORDING, TIME
from .fields import Field, Kind
from .roles import Scheme

_ADDRESS = r"\d+(?:[-_.]\d+){3}"
_UPLOADED = r"(?:[0-9a-f]{8}-)?"
_HASH = r"[0-9A-Za-z-]+"


def pattern_of(
    scheme: Scheme, names: Sequence[tuple[Field, ...]], *, uploaded: bool = False
) -> str:
    """The expression that finds a scheme's groups in names of its shape.

    Args:
        names: fields of the same kinds.
        uploaded: an annotation service put letters of its own before some of them.
    """
    spans = {CAMERA: scheme.camera, RECORDING: scheme.recording}
    for name, index in ((FRAME, scheme.frame), (TIME, scheme.time)):
        spans[name] = None if index is None else (index, index)
    opens = {span[0]: name for name, span in spans.items() if span}
    closes = {span[1] for span in spans.values() if span}
    parts = ["^"]
    slashes = [i for i, field in enumerate(names[0]) if field.text == "/"]
    file_at = slashes[-1] + 1 if slashes else 0
    for index in range(max(closes) + 1):
        if index == file_at and uploaded:
            parts.append(_UPLOADED)
        if index in opens:
            parts.append(f"(?P<{opens[index]}>")
        parts.append(_of_column([fields[index] for fields in names]))
        if index in closes:
            parts.append(")")
    return "".join(parts)


def _of_column(fields: Sequence[Field]) -> str:
    kind, texts = fields[0].kind, {field.text for field in fields}
    if kind is Kind.BETWEEN or (len(texts) == 1 and kind in (Kind.WORD, Kind.VIDEO)):
        return re.escape(fields[0].text).replace("\\-", "-").replace("\\ ", " ")
    lengths = {len(text) for text in texts}
    if kind in (Kind.NUMBER, Kind.EPOCH):
        return r"\d+"
    if kind is Kind.WORD or kind is Kind.VIDEO:
        return r"[^\W\d_]+"
    if kind is Kind.ADDRESS:
        return _ADDRESS
    if kind is Kind.HASH:
        return _HASH
    if len(lengths) == 1:
        return _of_digits(fields[0].text)
    return r"[\d\-:_.]+"


def _of_digits(text: str) -> str:
    """`2026-01-04` → \\d{4}-\\d{2}-\\d{2}"""
    parts = re.findall(r"\d+|\D", text)
    return "".join(
        rf"\d{{{len(part)}}}" if part.isdigit() else re.escape(part).replace("\\-", "-")
        for part in parts
    )
