"""YAML files that other programs and people wrote, read so that no content of theirs breaks us.

The library raises a dozen kinds of exception for what it can't make a value of, and follows an
alias as often as it is named: nine lines can stand for a billion values. What '<<' merges it copies
while it reads, so that is counted before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from .text.encodings import NotUtf8Error, decode_utf8

MAX_BYTES = 16 * 1024 * 1024
MAX_VALUES = 1_000_000
MAX_DEPTH = 50
MERGE, MERGE_TAG = "<<", "tag:yaml.org,2002:merge"
_LONG_TIME = re.compile(r"\d(?::[0-9_]+){400}")
"""YAML 1.1 takes '1:30:00' for a number of base 60, and works through a long one for minutes."""
MAX_NUMBER_BITS = 3_322
"""Python refuses to write more than 4,300 digits, but reads them from hexadecimal ones."""


class UnreadableYamlError(ValueError):
    """The file is no YAML that can be read.

    Args:
        line, column: where, from 1; 0 where nobody can say.
    """

    def __init__(self, reason: str, line: int = 0, column: int = 0) -> None:
        super().__init__(reason)
        self.line, self.column = line, column


def read_yaml(file: Path, *, with_places: bool = False, max_bytes: int = MAX_BYTES) -> Any:
    """Reads a YAML file in UTF-8; gives None where it is empty.

    Args:
        with_places: mappings know the line and column of their keys (`.lc.key(name)`).
        max_bytes: the size of a file that is refused unread.

    Raises:
        UnreadableYamlError: it is missing, closed to us, too large, of another encoding, no YAML,
            or nested more than MAX_DEPTH deep; says why.
    """
    try:
        if (size := file.stat().st_size) > max_bytes:
            raise UnreadableYamlError(
                f"it has {size // 1024} KiB, {max_bytes // 1024} are the most: the right file?"
            )
        text = decode_utf8(file.read_bytes(), file.name)
        if _LONG_TIME.search(text):
            raise UnreadableYamlError("it holds a whole number of more than 1,000 digits")
        if MERGE in text and _merged(_reader(with_places).compose(text), {}, set()) > MAX_VALUES:
            raise UnreadableYamlError(f"its '<<' stand for more than {MAX_VALUES} values")
        content = _reader(with_places).load(text)
    except UnreadableYamlError:
        raise
    except MarkedYAMLError as exc:
        mark = exc.problem_mark
        reason = f"not valid YAML: {exc.problem or exc.context}"
        raise UnreadableYamlError(
            reason, *((mark.line + 1, mark.column + 1) if mark else ())
        ) from exc
    except OSError as exc:
        raise UnreadableYamlError(f"can't be read: {exc.strerror or exc}") from exc
    except NotUtf8Error as exc:
        raise UnreadableYamlError(str(exc)) from exc
    except RecursionError as exc:
        raise UnreadableYamlError(f"it is nested more than {MAX_DEPTH} deep") from exc
    except Exception as exc:  # ValueError, RecursionError, TypeError …: of the library, as it likes
        raise UnreadableYamlError(f"can't be read as YAML: {type(exc).__name__}: {exc}") from exc
    if _values(content, {}, set()) > MAX_VALUES:
        raise UnreadableYamlError(f"its aliases stand for more than {MAX_VALUES} values")
    return content


def _reader(with_places: bool) -> YAML:
    reader = YAML(typ="rt" if with_places else "safe", pure=True)
    reader.composer.warn_double_anchors = False  # allowed; the later one counts from there
    return reader


def _merged(node: Node | None, known: dict[int, float], above: set[int]) -> float:
    """The number of pairs in all mappings, those among them that '<<' copies."""
    if not isinstance(node, (MappingNode, SequenceNode)) or id(node) in known:
        return 0
    if id(node) in above:
        return float("inf") if isinstance(node, MappingNode) else 0
    above.add(id(node))
    below, own = 0.0, 0.0
    for each in node.value:
        key, value = each if isinstance(node, MappingNode) else (None, each)
        below += _merged(key, known, above) + _merged(value, known, above)
        if key is not None and str(key.tag) == MERGE_TAG:
            sources = value.value if isinstance(value, SequenceNode) else [value]
            own += sum(known.get(id(source), 0.0) for source in sources)
        own += 1
    above.discard(id(node))
    known[id(node)] = own
    return below + own


def _values(content: object, known: dict[int, float], above: set[int]) -> float:
    """The number of values once each alias is written out; infinite for one inside itself.

    Raises:
        UnreadableYamlError: a number that can't be written, or too deep.
    """
    if isinstance(content, int) and content.bit_length() > MAX_NUMBER_BITS:
        raise UnreadableYamlError("it holds a whole number of more than 1,000 digits")
    if not isinstance(content, (Mapping, list, set)):
        return 1
    if id(content) in above:
        return float("inf")
    if len(above) >= MAX_DEPTH:
        raise UnreadableYamlError(f"it is nested more than {MAX_DEPTH} deep")
    if id(content) not in known:
        above.add(id(content))
        inner = [*content, *content.values()] if isinstance(content, Mapping) else content
        known[id(content)] = 1 + sum(_values(each, known, above) for each in inner)
        above.discard(id(content))
    return known[id(content)]
