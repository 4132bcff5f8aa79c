"""`guardianflow bundle-wheels`: everything that an installation without internet needs."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from guardianflow.contracts.errors import ConfigurationError, GuardianFlowError
from guardianflow.contracts.given import given_path
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.child_processes import wait_for
from guardianflow.support.files import scratch_folder, whole_directory
from guardianflow.support.secrets.redaction import redact_text
from guardianflow.support.terminal import print_answer, say
from pipelines.settings import PROJECT_ROOT

from .commands import BundleWheelsCommand

REQUIREMENTS = ("requirements.txt", "deploy/requirements-server.txt")
OWN_FILES = ("pyproject.toml", "requirements.in", "README.md", "LICENSE")
SUMS = "SHA256SUMS"
EXTRAS = "s3"
LEAST_SETUPTOOLS = 80
"""What pyproject.toml builds with; where it is installed none is fetched."""


def show_bundled_wheels(asked: BundleWheelsCommand) -> int:
    """Fill a new directory with wheels and the list of their hashes.

    Raises:
        ConfigurationError: the directory is there already, a file is missing, or this Python has
            no pip.
        GuardianFlowError: pip could not find or build something.
    """
    target = given_path(asked.target).absolute()
    files = _requirement_files(asked.requirements)
    problems = [f"there is no file {file}" for file in files if not file.is_file()]
    if not (PROJECT_ROOT / "pyproject.toml").is_file():
        problems.append(f"{PROJECT_ROOT} is no checkout of the project, which its wheel comes from")
    if target.exists():
        problems.append(f"--to must be a new directory but {target} is there already")
    if importlib.util.find_spec("pip") is None:
        problems.append(f"{sys.executable} has no pip: run it with `python -m ensurepip` first")
    if problems:
        raise ConfigurationError(problems)
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_directory(target) as draft:
        for file in files:
            say(f"collecting {file} …")
            _pip_wheel(draft, *_of_file(file))
        if headless := _headless_opencv(files):
            _pip_wheel(draft, "--no-deps", headless)
        say("building this project …")
        _build_own(draft)
        count = write_sums(draft)
    answer = {"status": RunStatus.FINISHED, "directory": str(target), "wheels": count}
    there = f"pip install --no-index --find-links {target} 'guardianflow[{EXTRAS}]'"
    print_answer(
        asked.as_json, answer, f"{target}: {count} wheels. Then, without internet:\n  {there}"
    )
    return 0


def write_sums(folder: Path) -> int:
    """The hashes of all wheels, as `sha256sum --check` reads them; how many there are."""
    lines = []
    for wheel in sorted(folder.glob("*.whl")):
        with wheel.open("rb") as stream:
            lines.append(f"{hashlib.file_digest(stream, 'sha256').hexdigest()}  {wheel.name}\n")
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
    return len(lines)


def _requirement_files(given: tuple[str, ...]) -> list[Path]:
    if given:
        return [given_path(each).absolute() for each in given]
    return [PROJECT_ROOT / each for each in REQUIREMENTS]


def _of_file(file: Path) -> list[str]:
    """What pip is told of a file: the project's versions hold for the server's libraries too."""
    lock = PROJECT_ROOT / REQUIREMENTS[0]
    held = [] if file == lock or not lock.is_file() else ["--constraint", str(lock)]
    return ["--requirement", str(file), *held]


def _headless_opencv(files: list[Path]) -> str:
    """OpenCV without windows, of the pinned version: a server has no desktop's libraries."""
    for file in files:
        if pinned := re.search(r"^opencv-python==([\w.]+)", file.read_text("utf-8"), re.M):
            return f"opencv-python-headless=={pinned[1]}"
    return ""


def _build_own(target: Path) -> None:
    """Build this project from a copy: what an earlier build left beside it would go in, too."""
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text("utf-8"))
    rooms = project["tool"]["setuptools"]["packages"]["find"]["include"]
    with scratch_folder("guardianflow-build-") as copy:
        for name in OWN_FILES:
            shutil.copyfile(PROJECT_ROOT / name, copy / name)
        for room in rooms:
            name = room.rstrip("*")
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(PROJECT_ROOT / name, copy / name, ignore=ignored)
        isolated = ["--no-build-isolation"] if _has_setuptools() else []
        _pip_wheel(target, "--no-deps", *isolated, str(copy))


def _has_setuptools() -> bool:
    try:
        return int(version("setuptools").split(".")[0]) >= LEAST_SETUPTOOLS
    except PackageNotFoundError:
        return False


def _pip_wheel(target: Path, *words: str) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said,
        subprocess.Popen(
            [*command, "--wheel-dir", str(target), *words], stdout=sys.stderr, stderr=said
        ) as process,
    ):
        if wait_for(process):
            said.seek(0)
            last = redact_text(said.read().strip())[-800:]
            raise GuardianFlowError(f"pip could not collect {' '.join(words)}:\n{last}")
