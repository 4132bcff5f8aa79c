"""Chooses the default among versions of a script, and the patterns that name them all."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from .options import template_of
from .results import FoundEntry, Kind, Note, Script
from .script_names import NameFacts, read_name

_LEADING_WORD = re.compile(r"[^\W\d_]+")
RULES = (
    ("put aside", "the others are put aside"),
    ("whole", "Python can't run the others as they are"),
    ("recognised", "what it does is the surest"),
    ("named", "its name says what it does"),
    ("final", "it is called final"),
    ("version", "it has the highest version"),
    ("day", "it has the latest date"),
    ("depth", "it lies higher than the others"),
    ("plain", "its name has no further words"),
    ("modified", "its last commit is the newest"),
)
WRITTEN_LAST = "its file was written last"
APART_S = 600.0
"""File times closer than this say nothing: a clone, a copy and an archive set them all anew."""
RELIABLE = 0.45
"""Below it a script's type is a guess, and any surer one goes before."""


def propose(kind: Kind, scripts: Sequence[Script]) -> FoundEntry | None:
    """The entry point for one type of work; None where no script does it.

    Args:
        scripts: every script of the directory.
    """
    mine = [each for each in scripts if each.type == kind]
    if not mine:
        return None
    runnable = [each for each in mine if each.runnable]
    patterns = patterns_for(runnable, scripts)
    if not runnable:
        names = ", ".join(each.path for each in mine[:3])
        why = f"only notebooks do this: {names}; export one to a .py"
        return FoundEntry(kind, None, why, False, ())
    default, why, sure = choose(runnable)
    template, defaults = template_of(default.options)
    return FoundEntry(
        type=kind,
        default=default.path,
        why=why,
        sure=sure,
        patterns=patterns,
        args_template=template,
        defaults=defaults,
        notes=tuple(_notes(default)),
    )


def choose(scripts: Sequence[Script]) -> tuple[Script, str, bool]:
    """The default among runnable scripts, why, and whether that is sure."""
    ordered = sorted(scripts, key=_rank, reverse=True)
    best = ordered[0]
    if len(ordered) == 1:
        return best, "the only one", True
    second = ordered[1]
    one, other = _rank(best), _rank(second)
    decided = next((i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b), None)
    if decided is None:
        alike = [each for each in ordered if _rank(each) == one]
        return _the_newest(alike, len(ordered))
    rule, said = RULES[decided]
    marks = _names(best.path).marks
    why = f"{marks}: {said}" if marks and rule in ("final", "version", "day") else said
    aside = [each.name for each in ordered if _aside(each)]
    if aside and not _aside(best):
        why += f"; put aside: {', '.join(aside[:3])}{' …' if len(aside) > 3 else ''}"
    return best, f"{why} (of {len(ordered)})", _is_sure(rule, best, second)


def _the_newest(alike: Sequence[Script], count: int) -> tuple[Script, str, bool]:
    """Of scripts between which nothing else decides the one that was changed last; never sure."""
    by_time = sorted(alike, key=lambda each: (-each.modified_s, each.path))
    best, second = by_time[:2]
    apart = best.modified_s - second.modified_s
    if best.dated_by_git and second.dated_by_git and apart > 0:
        return best, f"{RULES[-1][1]} (of {count})", False
    if apart > APART_S:
        return best, f"{WRITTEN_LAST} (of {count})", False
    first = min(alike, key=lambda each: each.path)
    return first, f"one of {len(alike)} alike: nothing tells which is in use", False


def patterns_for(chosen: Sequence[Script], scripts: Sequence[Script]) -> tuple[str, ...]:
    """Globs that match all of `chosen` and none of the others.

    `train*.py` where the word tells the type and nothing of another type begins so, else the exact
    names.
    """
    others = [each.path for each in scripts if each not in chosen]
    patterns: dict[str, None] = {}
    for script in sorted(chosen, key=lambda each: each.path):
        folder = script.path[: len(script.path) - len(script.name)]
        word = _LEADING_WORD.match(script.name)
        glob = f"{escaped(folder)}{word[0]}*.py" if word else ""
        telling = word is not None and script.type in read_name(word[0]).hints
        fits = telling and script.path.endswith(".py")
        alone = fits and not any(matches(glob, each) for each in others)
        patterns[glob if alone else escaped(script.path)] = None
    return tuple(patterns)


def matches(pattern: str, path: str) -> bool:
    """Whether a pattern of the registry names a script; `*` stays inside one directory."""
    return glob_pattern(pattern).fullmatch(path) is not None


@lru_cache(maxsize=4096)
def glob_pattern(glob: str) -> re.Pattern[str]:
    """A glob below a directory as a regular expression: `**/` is any number of directories."""
    parts = []
    for piece in re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", glob):
        if piece == "**/":
            parts.append("(?:.*/)?")
        elif piece == "**":
            parts.append(".*")
        elif piece in ("*", "?"):
            parts.append("[^/]" + ("*" if piece == "*" else ""))
        elif piece.startswith("[") and piece.endswith("]") and len(piece) > 2:
            inside = re.sub(r"([\\\[&|~])", r"\\\1", piece[1:-1])
            parts.append(f"[{re.sub('^!', '^/', inside)}]")
        else:
            parts.append(re.escape(piece))
    return re.compile("".join(parts), re.S)


def escaped(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)


# --- ranking ------------------------------------------------------------------------------------


_TESTS = re.compile(r"(?<![a-z])tests?\d*(?![a-z])|테스트", re.I)


def _aside(script: Script) -> bool:
    """Whether its name or a folder's says so; a folder `test` holds what tests a detector."""
    *folders, name = script.path.split("/")
    return bool(read_name(name).put_aside) or any(
        read_name(_TESTS.sub("", folder)).put_aside for folder in folders
    )


@lru_cache(maxsize=4096)
def _names(path: str) -> NameFacts:
    """The marks of a script's name, or of the nearest folder that has some: `exp_v2/train.py`."""
    *folders, name = path.split("/")
    own = read_name(name)
    for folder in reversed(folders):
        if own.version or own.day or own.finals != (0, 0):
            break
        facts = read_name(folder)
        own = replace(own, version=facts.version, day=facts.day, finals=facts.finals)
    return own


def _is_plain(script: Script) -> bool:
    """`train.py` beside `train_aux.py`: the word for what it does, and no more."""
    stem = script.name.rpartition(".")[0]
    return script.type in read_name(stem).hints and _LEADING_WORD.fullmatch(stem) is not None


def _rank(script: Script) -> tuple[object, ...]:
    facts = _names(script.path)
    year = time.gmtime(max(0.0, min(script.modified_s, 4e9))).tm_year
    day = facts.day or (0, 0, 0)
    return (
        not _aside(script),
        not script.doubt,
        script.confidence >= RELIABLE,
        script.type in facts.hints,
        facts.finals,
        facts.version,
        (day[0] or year, day[1], day[2]) if facts.day else day,
        -script.path.count("/"),
        _is_plain(script),
    )


def _is_sure(rule: str, best: Script, second: Script) -> bool:
    """Whether the names leave no doubt: no other mark speaks for the runner-up."""
    one, other = _names(best.path), _names(second.path)
    if rule in ("put aside", "whole", "recognised"):
        return True
    if rule == "named":
        return not other.marks
    if rule == "final":
        return one.version >= other.version and (one.day or (0, 0, 0)) >= (other.day or (0, 0, 0))
    if rule == "version":
        return not other.day or bool(one.day and one.day >= other.day)
    if rule == "day":  # a bare train.py beside train_1214.py may be the newer one
        years = {bool(each.day and each.day[0]) for each in (one, other)}
        return other.day is not None and len(years) == 1
    return False


def _notes(script: Script) -> Iterator[Note]:
    """Notes on the default, for the person who fills in the registry."""
    if script.doubt:
        yield Note(f"{script.path}: {script.doubt}; Python 3 will not run it as it is", todo=True)
    if script.options_note:
        yield Note(f"{script.path}: {script.options_note}", todo=True)
    missing = [each.flag or each.name for each in script.options if each.required]
    if missing:
        yield Note(f"{', '.join(missing)} must be given: no default in the script", todo=True)
    left = [
        f"{each.flag or each.name} ({each.left_out})" for each in script.options if each.left_out
    ]
    if left:
        yield Note(f"not in the template: {', '.join(left[:6])}{' …' if len(left) > 6 else ''}")
    for label, paths in (("data", script.data), ("weights", script.weights)):
        if paths:
            yield Note(f"{label} in its code: {', '.join(paths[:3])}")
