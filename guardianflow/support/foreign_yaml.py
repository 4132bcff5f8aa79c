"""YAML files that other programs and people wrote, read so that no content of theirs breaks us.

The library raises a dozen kinds of exception for what it can't make a value of, and follows an
alias as often as it is named: nine lines can stand for a billion values.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

MAX_BYTES = 16 * 1024 * 1024
MAX_VALUES = 1_000_000
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


def read_yaml(file: Path, *, with_places: bool = False) -> Any:
    """Reads a YAML file in UTF-8; gives None where it is empty.

    Args:
        with_places: mappings know the line and column of their keys (`.lc.key(name)`).

    Raises:
        UnreadableYamlError: it is missing, closed to us, too large, of another encoding, or no
            YAML; says why.
    """
    try:
        if file.stat().st_size > MAX_BYTES:
            raise UnreadableYamlError(f"it has more than {MAX_BYTES // 1024**2} MiB")
        content = YAML(typ="rt" if with_places else "safe", pure=True).load(
            file.read_text(encoding="utf-8-sig")
        )
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
    except UnicodeDecodeError as exc:
        raise UnreadableYamlError("can't be read as YAML: it is not UTF-8 text") from exc
    except Exception as exc:  # ValueError, RecursionError, TypeError …: of the library, as it likes
        raise UnreadableYamlError(f"can't be read as YAML: {type(exc).__name__}: {exc}") from exc
    if _values(content, {}, set()) > MAX_VALUES:
        raise UnreadableYamlError(f"its aliases stand for more than {MAX_VALUES} values")
    return content


def _values(content: object, known: dict[int, float], above: set[int]) -> float:
    """The number of values once each alias is written out; infinite for one inside itself.

    Raises:
        UnreadableYamlError: a number that can't be written.
    """
    if isinstance(content, int) and content.bit_length() > MAX_NUMBER_BITS:
        raise UnreadableYamlError("it holds a whole number of more than 1,000 digits")
    if not isinstance(content, (Mapping, list, set)):
        return 1
    if id(content) in above:
        return float("inf")
    if id(content) not in known:
        above.add(id(content))
        inner = [*content, *content.values()] if isinstance(content, Mapping) else content
        known[id(content)] = 1 + sum(_values(each, known, above) for each in inner)
        above.discard(id(content))
    return known[id(content)]
