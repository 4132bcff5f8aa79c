"""The commit that a script's directory is at, read without touching the directory."""

from __future__ import annotations

from pathlib import Path

from experiments_adapters.git.command import GitFailedError, filters_switched_off, read_git

WAIT_S = 10.0
_STATUS = ("status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all", "--", ".")


def git_state(directory: Path) -> dict[str, str]:
    """Tags `exp.git_commit` and `exp.git_dirty`; empty where the directory is under no Git.

    `exp.git_dirty` is 'true' where a tracked file of the directory differs from the commit. It is
    absent where only a filter of the repository's own, which is not run, could tell.
    """
    try:
        commit = read_git(["rev-parse", "--verify", "HEAD"], directory, wait_s=WAIT_S).strip()
    except GitFailedError:
        return {}
    tags = {"exp.git_commit": commit}
    try:
        filters = filters_switched_off(directory, wait_s=WAIT_S)
        changed = read_git(_STATUS, directory, wait_s=WAIT_S, settings=filters).strip()
    except GitFailedError:
        return tags
    if not changed or not filters:
        tags["exp.git_dirty"] = "true" if changed else "false"
    return tags
