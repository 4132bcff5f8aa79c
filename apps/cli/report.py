"""`guardianflow report`: fetch a release run's report into a file."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from guardianflow.contracts.errors import ConfigurationError, SourceError
from guardianflow.contracts.given import given_path
from guardianflow.release.report.page import FORMATS, report_name
from guardianflow.support.files import whole_file
from guardianflow.support.terminal import print_answer
from pipelines.settings import load_settings
from pipelines.wiring import Ports, connect

from .options import ReportCommand

FOLDER = "report"


def show_report(asked: ReportCommand) -> int:
    """Fetch the report and say where it lies.

    Raises:
        ConfigurationError: a file of another kind, a directory that is missing, not writable.
        SourceError: an unknown run, a run without a release report.
        TrackingError: the store can't be reached.
    """
    # Also of 'runs:/ID/report/release.html', as a version's tag has it.
    run_id = asked.run.strip().removeprefix("runs:/").strip("/").partition("/")[0]
    if not run_id:
        raise ConfigurationError(f"a run must be named by its id but got '{asked.run}'")
    language = asked.language
    target = target_of(asked.to, run_id, language)
    form = target.suffix.removeprefix(".")
    artifact = f"{FOLDER}/{report_name(language, form)}"
    with tempfile.TemporaryDirectory(prefix="guardianflow-report-") as scratch:
        ports = connect(load_settings().tracking_uri)
        put(fetch(ports, run_id, artifact, Path(scratch)), target)
    answer = {
        "run_id": run_id,
        "language": language,
        "format": form,
        "file": str(target),
        "source": f"runs:/{run_id}/{artifact}",
    }
    print_answer(asked.as_json, answer, f"release report of run {run_id}: {target}")
    return 0


def target_of(to: str, run_id: str, language: str) -> Path:
    """The absolute path of the file to write; checked before anything is fetched."""
    suffix = "html" if language == "en" else f"{language}.html"
    path = given_path(to) if to else Path()
    try:
        if not to or to.endswith("/") or path.is_dir():
            path = path / f"release-{run_id[:8]}.{suffix}"
        has_parent = path.parent.is_dir()
    except OSError as exc:  # a name that is too long, a directory that may not be entered
        raise ConfigurationError(f"--to must be a file that can be written: {exc}") from exc
    if path.suffix.removeprefix(".") not in FORMATS:
        raise ConfigurationError(
            f"--to must end with {' or '.join('.' + form for form in FORMATS)}, or be a "
            f"directory, but got '{to}'"
        )
    if not has_parent:
        raise ConfigurationError(f"--to must lie in a directory that exists but got '{to}'")
    return path.absolute()


def fetch(ports: Ports, run_id: str, artifact: str, scratch: Path) -> Path:
    """Download the report.

    Raises:
        SourceError: no such run, or it has no release report.
    """
    record = ports.store.get_run(run_id)
    try:
        return ports.store.download(run_id, artifact, scratch)
    except SourceError as exc:
        raise SourceError(
            f"run {run_id} ('{record.run_name}', {record.status}) has no release report "
            f"{artifact}. Name a release run, or a pipeline whose scenario has a 'release:' "
            "section; `guardianflow history NAME` shows the release runs of a model"
        ) from exc


def put(source: Path, target: Path) -> None:
    """Copy; the target is the old file or the whole new one, never half of it."""
    try:
        with whole_file(target) as unfinished:
            shutil.copyfile(source, unfinished)
    except OSError as exc:
        raise ConfigurationError(f"--to must be a file that can be written: {exc}") from exc
