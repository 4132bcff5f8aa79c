"""Finding and reading a scenario file, with a helpful answer where that fails."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from guardianflow.contracts.errors import ConfigurationError, Problem, ScenarioError
from guardianflow.contracts.given import given_path
from guardianflow.support.suggestions import nearest
from guardianflow.support.text.encodings import NotUtf8Error, decode_utf8
from guardianflow.support.text.spelling import spelled_on_disk

MAX_BYTES = 256 * 1024
SUFFIXES = (".yaml", ".yml")


def find_scenario_file(path: str | Path, search_dirs: Sequence[Path] = ()) -> Path:
    """The file meant by a path: relative to the working directory, then to `search_dirs`.

    Raises:
        ScenarioError: there is none (near names are told), or it is a directory.
    """
    written = str(path)
    if not written.strip():
        raise ScenarioError(f"the path of a scenario file must be given but got {written!r}")
    if "://" in written or written.startswith(("runs:/", "models:/")):
        raise ScenarioError(f"{written} is not a file on this machine; download the scenario first")
    try:
        asked = given_path(written)
    except ConfigurationError as error:
        raise ScenarioError(error.problems) from error
    candidates = [asked, *(Path(directory) / asked for directory in search_dirs)]
    try:
        candidates = [spelled_on_disk(candidate) for candidate in candidates]
        for candidate in candidates:
            if candidate.is_file():
                return candidate
        found = next((each for each in candidates if each.exists()), None)
    except OSError as error:  # a name too long, a directory that may not be entered
        reason = error.strerror or str(error)
        raise ScenarioError(Problem(f"can't be looked up: {reason}", written[:200])) from error
    if found is None:
        raise ScenarioError(Problem(_not_found(asked, candidates, search_dirs), written))
    if found.is_dir():
        names = _scenarios_in(found)
        inside = f"; it holds {', '.join(names[:8])}" if names else " without scenarios in it"
        raise ScenarioError(Problem(f"is a directory{inside}: name one YAML file", written))
    raise ScenarioError(Problem("is not a regular file: name one YAML file", written))


def read_scenario_text(file: Path, noun: str = "a scenario", max_bytes: int = MAX_BYTES) -> str:
    """The text of a UTF-8 file.

    Args:
        noun: what the file is, for the message when it is too large.

    Raises:
        ScenarioError: it can't be read, is too large, or has another encoding.
    """
    where = str(file)
    try:
        size = file.stat().st_size
        if size > max_bytes:
            message = (
                f"has {size / 1024:.0f} KiB, and {noun} has at most {max_bytes // 1024}: "
                "is it the right file?"
            )
            raise ScenarioError(Problem(message, where))
        content = file.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ScenarioError(Problem(f"can't be read: {reason}", where)) from error
    try:
        return decode_utf8(content, file.name)
    except NotUtf8Error as error:
        raise ScenarioError(Problem(str(error), where)) from error


def _not_found(asked: Path, candidates: Sequence[Path], search_dirs: Sequence[Path]) -> str:
    folders = list(dict.fromkeys(each.parent for each in candidates))
    beside = {name: folder / name for folder in folders for name in _scenarios_in(folder)}
    near = [beside[name] for name in nearest(asked.name, beside)]
    near = near or _of_that_name(asked, search_dirs)
    message = "there is no such file"
    if near:
        return f"{message}; did you mean {' or '.join(map(str, near))}?"
    missing = [str(folder) for folder in folders if not folder.is_dir()]
    if len(missing) == len(folders):
        return f"{message}: the directory {missing[0]} does not exist"
    return f"{message}; looked in {', '.join(str(f.absolute()) for f in folders if f.is_dir())}"


def _of_that_name(asked: Path, search_dirs: Sequence[Path]) -> list[Path]:
    """The files of that very name, with or without its suffix, in other directories."""
    names = (asked.name, *(asked.name + suffix for suffix in SUFFIXES if not asked.suffix))
    places = [Path(directory) / name for directory in search_dirs for name in names]
    return [place for place in places if place.suffix in SUFFIXES and place.is_file()]


def _scenarios_in(folder: Path) -> list[str]:
    try:
        return sorted(each.name for each in folder.iterdir() if each.suffix in SUFFIXES)
    except OSError:  # no such directory, or closed to us: then no name can be suggested
        return []
