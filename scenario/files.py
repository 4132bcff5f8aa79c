"""Finding and reading a scenario file, with a helpful answer where that fails."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from guardianflow.contracts.errors import ConfigurationError, Problem, ScenarioError
from guardianflow.contracts.given import given_path
from guardianflow.support.suggestions import nearest

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
    candidates = [asked]
    if not asked.is_absolute():
        candidates += [Path(directory) / asked for directory in search_dirs]
    try:
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
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScenarioError(Problem(_not_utf8(content, error, file.name), where)) from error


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


def _not_utf8(content: bytes, error: UnicodeDecodeError, name: str) -> str:
    line = content.count(b"\n", 0, error.start) + 1
    encoding = ""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "UTF-16"
    else:
        try:
            content.decode("cp949")
            encoding = "CP949"
        except UnicodeDecodeError:
            pass
    if not encoding:
        return f"is not UTF-8 text (line {line}): save it as UTF-8 in your editor"
    korean = " (EUC-KR)" if encoding == "CP949" else ""
    return (
        f"is not UTF-8 (line {line}) but looks like {encoding}{korean}; convert it with: "
        f"iconv -f {encoding} -t UTF-8 {shlex.quote(name)} > {shlex.quote(name + '.utf8')} && "
        f"mv {shlex.quote(name + '.utf8')} {shlex.quote(name)}"
    )
