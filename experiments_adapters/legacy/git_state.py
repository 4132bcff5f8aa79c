"""The commit that a script's directory is at, read without touching the directory."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

WAIT_S = 10.0


def git_state(directory: Path) -> dict[str, str]:
    """Tags `exp.git_commit` and `exp.git_dirty`; empty where the directory is under no Git.

    `exp.git_dirty` is 'true' where a tracked file of the directory differs from the commit.
    """
    commit = _git(directory, "rev-parse", "HEAD")
    if not commit:
        return {}
    changed = _git(directory, "status", "--porcelain", "--untracked-files=no", "--", ".")
    tags = {"exp.git_commit": commit.strip()}
    if changed is not None:
        tags["exp.git_dirty"] = "true" if changed.strip() else "false"
    return tags


def _git(directory: Path, *words: str) -> str | None:
    """The output of git; None where it fails."""
    # Without locks: `git status` would write its index anew, and the directory stays as it is.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(
            ["git", "-C", str(directory), *words],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=WAIT_S,
            check=False,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
