"""DVC, without needing it: which .dvc file tracks a data set, and fetching what is missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..contracts.errors import DatasetError, Problem
from ..support.child_processes import read_lines, wait_for
from ..support.foreign_yaml import read_yaml
from ..support.terminal import write

SHOWN_FILES = 5
TAIL_LINES = 8
_HASH_KEYS = ("md5", "checksum", "etag")


@dataclass(frozen=True)
class TrackedOutput:
    """One output of a .dvc file.

    Args:
        dvc_file: the file, e.g. 'data.dvc'.
        path: the file or directory it tracks.
        digest: as the file has it, e.g. '3f…9a.dir'.
        file_count: files in the directory; None for a file, or where it does not say.
    """

    dvc_file: Path
    path: Path
    digest: str
    file_count: int | None = None

    def lacking(self) -> int:
        """The number of tracked files that are not there; a link to nothing is no file."""
        if not self.path.exists():
            return self.file_count or 1
        if self.file_count is None or not self.path.is_dir():
            return 0
        here = sum(1 for p in self.path.rglob("*") if p.is_file())
        return max(0, self.file_count - here)


def tracking(paths: Iterable[Path]) -> list[TrackedOutput]:
    """The outputs of .dvc files that are one of `paths` or hold it, by path.

    Looked for beside each path and beside every folder above it, up to the repository's root.

    Raises:
        DatasetError: a .dvc file there is not YAML.
    """
    outputs_in = cache(_outputs_in)
    found = {
        output.path: output
        for path in paths
        for folder in _folders_above(path)
        for output in outputs_in(folder)
        if output.path == path or output.path in path.parents
    }
    return [found[path] for path in sorted(found)]


def _folders_above(path: Path) -> Iterator[Path]:
    for folder in path.parents:
        yield folder
        if (folder / ".dvc").is_dir() or (folder / ".git").exists():
            return


def _outputs_in(folder: Path) -> list[TrackedOutput]:
    files = [file for file in sorted(folder.glob("*.dvc")) if file.is_file()]
    return [output for file in files for output in _outputs(file)]


def _outputs(file: Path) -> list[TrackedOutput]:
    try:
        content = read_yaml(file)
        folder = file.parent / content.get("wdir", ".")
        return [_output(file, folder, out) for out in content.get("outs") or ()]
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise DatasetError(
            Problem(f"not a .dvc file as DVC writes it: {exc}; run `dvc doctor`", str(file))
        ) from exc


def _output(file: Path, folder: Path, out: dict[str, Any]) -> TrackedOutput:
    digest = next((str(out[key]) for key in _HASH_KEYS if out.get(key)), "")
    count = out.get("nfiles")
    path = Path(folder, out["path"])
    return TrackedOutput(file, path, digest, int(count) if count is not None else None)


def combined_hash(outputs: Iterable[TrackedOutput]) -> str | None:
    """The hash of what tracks a data set; several are joined by ','. None where nothing does."""
    digests = [output.digest for output in outputs if output.digest]
    return ",".join(digests) or None


def executable() -> str | None:
    """The `dvc` command: on PATH, or beside this Python when its environment is not active."""
    beside = Path(sys.executable).parent / "dvc"
    return shutil.which("dvc") or (str(beside) if beside.is_file() else None)


def pull(outputs: Iterable[TrackedOutput], missing: Iterable[Path]) -> None:
    """Run `dvc pull` on the .dvc files behind `outputs`; its output goes to stderr.

    Args:
        missing: what is not there, for the message.

    Raises:
        DatasetError: `dvc` is not installed, or it failed.
    """
    files = sorted({output.dvc_file for output in outputs})
    names = [str(path) for path in missing]
    shown = ", ".join(names[:SHOWN_FILES]) + (
        f" and {len(names) - SHOWN_FILES} more" if len(names) > SHOWN_FILES else ""
    )
    command = executable()
    if command is None:
        pulls = " && ".join(f"dvc pull {file}" for file in files)
        raise DatasetError(
            f"{shown} not found; tracked by {', '.join(map(str, files))}, but `dvc` is not "
            f"installed to fetch it. Install it with: pip install 'guardianflow[dvc]', then run: "
            f"{pulls}"
        )
    for file in files:
        _pull_one(command, file, shown)


def _pull_one(command: str, file: Path, shown: str) -> None:
    arguments = [command, "pull", file.name]
    write(f"{shown} not found; running: dvc pull {file}", error=True)
    lines: list[str] = []
    with subprocess.Popen(
        arguments,
        cwd=file.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        for line in read_lines(process.stdout):
            sys.stderr.write(f"{line}\n")
            lines.append(line.rstrip())
        code = wait_for(process)
    if code:
        raise DatasetError(
            f"`dvc pull {file.name}` in {file.parent} ended with code {code}: "
            f"{' / '.join(lines[-TAIL_LINES:]) or 'no output'}. Check the remote with: "
            f"dvc remote list"
        )
