"""Keys, values and names as MLflow takes them; no secret stands in them.

Functions of the standard library; the store, the registry and their fakes share them, so that all
agree about what is written. Every parameter and tag goes through `stored_text` or `model_tag`.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import unicodedata
from collections.abc import Mapping

from ..contracts.errors import SourceError
from ..support.secrets.redaction import redact_text, redact_value

KEY_LIMIT = 250
PARAM_LIMIT = 6000
TAG_LIMIT = 8000
REGISTERED_NAME_LIMIT = 250

# MLflow's own rule for the keys of metrics, parameters and tags; \w takes Hangul in.
_LEGAL_KEY = re.compile(r"[/\w.\- :]*")
_ILLEGAL_CHARACTER = re.compile(r"[^/\w.\- :]")
_REFUSED_IN_NAMES = ":%@\"'\\"


def legal_key(name: str) -> str:
    """The key under which MLflow stores a metric, parameter or tag of this name.

    A name that MLflow takes stays as it is: letters of any script, digits, `_ - . : /` and
    space. Otherwise refused characters become `_`, and ten hexadecimal digits of the name's
    sha256 are appended, so that two names never meet in one key: 'ap.hat (new)' →
    'ap.hat _new_-' + digits. The same holds for names over 250 characters.
    """
    normal = unicodedata.normalize("NFC", name)
    if _is_legal(normal):
        return normal
    digest = hashlib.sha256(normal.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    readable = _ILLEGAL_CHARACTER.sub("_", normal)
    if not _is_path_stable(readable):
        readable = readable.replace("/", "_").lstrip(".")
    return f"{readable[: KEY_LIMIT - 11]}-{digest}"


def _is_legal(name: str) -> bool:
    return (
        0 < len(name) <= KEY_LIMIT
        and _LEGAL_KEY.fullmatch(name) is not None
        and _is_path_stable(name)
    )


def _is_path_stable(name: str) -> bool:
    # MLflow refuses keys that a file system would read as another one ('a//b', './a', '..').
    return posixpath.normpath(name) == name and name != "." and not name.startswith(("..", "/"))


def stored_values(values: Mapping[str, object] | None, limit: int) -> dict[str, str]:
    """Legal keys and texts that MLflow keeps whole; a None is left out (absent is absent).

    What a key names a secret is replaced, and so is a secret inside a text.
    """
    return {
        legal_key(name): stored_text(redact_value(name, value), limit)
        for name, value in (values or {}).items()
        if value is not None
    }


def stored_text(value: object, limit: int) -> str:
    """`value` as text of at most `limit` characters, without secrets.

    A longer one is cut, and says so at its end with its full length: MLflow would cut it
    silently. Whole values belong into artifacts (the scenario is one). What a database can't
    hold (NUL, a file name's undecodable bytes) is written as an escape.
    """
    text = redact_text(str(value)).encode("utf-8", "backslashreplace").decode("utf-8")
    text = text.replace("\x00", "\\x00")
    if len(text) <= limit:
        return text
    mark = f"… [cut: {len(text)} characters]"
    return text[: limit - len(mark)] + mark


def model_tag(value: str) -> str:
    """A registered model's tag, without secrets.

    Such tags are records of ours in JSON (claims, the journal): one has a field 'token' that is
    none, so only what looks like a secret by itself, or was learnt, is replaced.
    """
    return redact_text(value, keyed=False)


def artifact_path(path: str) -> str:
    """A path inside a run's artifacts, '/' between its parts; '' for their root.

    Raises:
        SourceError: it leads out of the run's artifacts.
    """
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts:
        raise SourceError(f"run has no artifact '{path}': a path must not hold '..'")
    return "/".join(parts)


def registered_name(name: str) -> str:
    """The registered name, with dots, of a model named with slashes or dots.

    Raises:
        SourceError: the name can't be a registered name; says which rule it breaks.
    """
    given = unicodedata.normalize("NFC", name)
    problem = _name_problem(given)
    if problem:
        raise SourceError(
            f"'{name}' can't name a model: {problem}. Expected e.g. "
            "'customer/region-plant/zone/task' or the same with dots"
        )
    return given.replace("/", ".")


def _name_problem(name: str) -> str:
    refused = sorted({c for c in name if c in _REFUSED_IN_NAMES or not c.isprintable()})
    if refused:
        return f"it holds {' '.join(map(repr, refused))}"
    if "/" in name and "." in name:
        return "it mixes slashes and dots, and one stands for the other"
    parts = re.split(r"[/.]", name)
    if not all(part and part == part.strip() for part in parts):
        return "a part of it is empty or begins or ends with a space"
    if len(name) > REGISTERED_NAME_LIMIT:
        return f"it is longer than {REGISTERED_NAME_LIMIT} characters"
    return ""


def display_name(name: str) -> str:
    """The form for people: slashes for dots."""
    return name.replace(".", "/")
