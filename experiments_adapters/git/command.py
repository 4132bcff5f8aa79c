"""Runs git, also in repositories of strangers: nothing that a repository configures is started.

A repository's own `.git/config` can name programs: a file system monitor that `git status` asks,
filters for the content of files, hooks, viewers of differences, transports for objects that are
missing. All calls of git go through here, where these are switched off. What the user has
configured for himself (a filter of LFS, a credential helper) stays.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

NO_TRANSPORT = "none"
_OFF = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.alternateRefsCommand": "",
    "diff.external": "",
    "diff.ignoreSubmodules": "all",
    "status.submoduleSummary": "false",
    "submodule.recurse": "false",
    "log.showSignature": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "protocol.ext.allow": "never",
    "safe.bareRepository": "explicit",  # a folder that only looks like a repository is none
}
_PARTS_OF_A_FILTER = {"clean": "", "smudge": "", "process": "", "required": "false"}
# The variables of an outer git command (a hook, say) would redirect ours to another place.
_OF_ANOTHER_CALL = frozenset(
    (
        *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE"),
        *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_GRAFT_FILE"),
        *("GIT_EXTERNAL_DIFF", "GIT_SHALLOW_FILE", "GIT_IMPLICIT_WORK_TREE", "GIT_CONFIG"),
        *("GIT_INTERNAL_SUPER_PREFIX", "GIT_REPLACE_REF_BASE", "GIT_NO_REPLACE_OBJECTS"),
    )
)


class GitFailedError(Exception):
    """Git is not there, gave no answer in time, or refused; its words are the message."""


def run_git(
    words: Sequence[str],
    directory: Path,
    *,
    wait_s: float,
    transports: str = NO_TRANSPORT,
    variables: Mapping[str, str] | None = None,
    settings: Sequence[tuple[str, str]] = (),
) -> subprocess.CompletedProcess[str]:
    """Run one command of git and take down what it says; its exit code is not judged.

    Args:
        directory: where it runs.
        transports: those it may use, with ':' between them; none where it only reads.
        variables: of its environment, beside ours.
        settings: of its configuration, beside ours.

    Raises:
        OSError: it can't be started.
        subprocess.TimeoutExpired: it did not end in time.
    """
    environment = {k: v for k, v in os.environ.items() if k not in _OF_ANOTHER_CALL}
    # Without locks: `git status` would write its index anew, and the directory stays as it is.
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    environment |= {"GIT_ALLOW_PROTOCOL": transports, **(variables or {})}
    if transports == NO_TRANSPORT:
        environment["GIT_NO_LAZY_FETCH"] = "1"
    # As variables, since `-c NAME=VALUE` can't say a name that holds a '='.
    first = int(environment.get("GIT_CONFIG_COUNT") or 0)
    pairs = [*_OFF.items(), *settings]
    for number, (name, value) in enumerate(pairs, first):
        environment |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    environment["GIT_CONFIG_COUNT"] = str(first + len(pairs))
    return subprocess.run(  # nosec B607 # the git of PATH
        ["git", "--no-pager", *words],
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=wait_s,
        check=False,
        env=environment,
    )


def read_git(
    words: Sequence[str],
    directory: Path,
    *,
    wait_s: float,
    settings: Sequence[tuple[str, str]] = (),
) -> str:
    """The output of a command that only reads.

    Raises:
        GitFailedError: there is no git, no answer in time, or it refuses.
    """
    try:
        done = run_git(words, directory, wait_s=wait_s, settings=settings)
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise GitFailedError(str(exc)) from exc
    if done.returncode:
        raise GitFailedError(done.stderr.strip())
    return done.stdout


def filters_switched_off(directory: Path, *, wait_s: float) -> list[tuple[str, str]]:
    """The settings that switch off each filter that the repository itself configures.

    Raises:
        GitFailedError: they can't be listed, so that none can be switched off.
    """
    words = ["config", "--null", "--show-scope", "--name-only", "--get-regexp", r"^filter\."]
    try:
        done = run_git(words, directory, wait_s=wait_s)
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise GitFailedError(str(exc)) from exc
    if done.returncode not in (0, 1):  # 1: there are none; below 0: killed
        raise GitFailedError(done.stderr.strip())
    said = done.stdout.split("\0")
    names = [
        name.rpartition(".")[0]
        for scope, name in zip(said[::2], said[1::2], strict=False)
        if scope in ("local", "worktree")
    ]
    return [
        (f"{name}.{part}", value)
        for name in dict.fromkeys(names)
        for part, value in _PARTS_OF_A_FILTER.items()
    ]
