"""Stores in memory that keep the promises of the real ones: for tests, ours and our users'.

The conformance tests run over these and over MLflow alike. Nothing here imports mlflow.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from ...contracts.detector_package import SPEC_FILE, DetectorPackage
from ...contracts.errors import SourceError, TrackingError
from ...contracts.results import MetricPoint, RegisteredModel, RunRecord, RunRequest
from ...contracts.run_status import RunStatus
from ...support.suggestions import nearest
from .. import names, references
from ..identity import DIGEST_TAG, verified
from ..launcher import (
    adopted_params,
    claim_launcher_run,
    launcher_tags,
    tags_to_clean,
    warn_of_written_secrets,
)
from ..run_records import (
    ERROR_TAG,
    LAUNCHER_TAG,
    PARENT_TAG,
    checked_end_status,
    checked_status,
    run_page,
)
from ..uploads import cleaned


@dataclass
class _Run:
    run_id: str
    experiment_name: str
    run_name: str
    start_time_ms: int
    status: RunStatus = RunStatus.RUNNING
    end_time_ms: int | None = None
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    artifacts: dict[str, bytes] = field(default_factory=dict)

    def record(self) -> RunRecord:
        return RunRecord(
            run_id=self.run_id,
            experiment_name=self.experiment_name,
            run_name=self.run_name,
            status=self.status,
            start_time_ms=self.start_time_ms,
            end_time_ms=None if self.status == RunStatus.RUNNING else self.end_time_ms,
            tags=dict(self.tags),
            params=dict(self.params),
            # As MLflow: the value of the largest step, and of those the last one written.
            metrics={
                key: max(enumerate(history), key=lambda entry: (entry[1][0], entry[0]))[1][1]
                for key, history in self.metrics.items()
            },
            parent_run_id=self.tags.get(PARENT_TAG),
        )


class InMemoryStore:
    """RunTracker and RunReader without MLflow; gone with the process."""

    tracking_uri = "memory:"

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}
        self._experiments = {"Default"}
        self._lock = threading.RLock()

    # --- RunTracker ---------------------------------------------------------------------------

    def start_run(self, request: RunRequest) -> str:
        with self._lock:
            if request.parent_run_id is not None:
                self._run(request.parent_run_id)
            self._experiments.add(request.experiment_name)
            launcher = self._launcher() if request.adopt_launcher else None
            if launcher is not None and launcher.experiment_name == request.experiment_name:
                run = launcher
                run.run_name = names.stored_text(request.run_name, names.TAG_LIMIT)
                params = adopted_params(request, run.params)
            else:
                run = _Run(
                    uuid.uuid4().hex,
                    request.experiment_name,
                    names.stored_text(request.run_name, names.TAG_LIMIT),
                    int(time.time() * 1000),
                )
                self._runs[run.run_id] = run
                params = dict(request.params)
            if request.parent_run_id is not None:
                run.tags[PARENT_TAG] = request.parent_run_id
            self.annotate(run.run_id, params=params, tags=request.tags)
            if launcher is not None and launcher is not run:
                page = run_page(request.experiment_name, run.run_id)
                self.annotate(run.run_id, tags={LAUNCHER_TAG: launcher.run_id})
                self.annotate(launcher.run_id, tags=launcher_tags(request, run.run_id, page))
            return run.run_id

    def log_metrics(
        self, run_id: str, metrics: Mapping[str, float], step: int | None = None
    ) -> None:
        points = [MetricPoint(key, value, step or 0, 0) for key, value in metrics.items()]
        self.log_points(run_id, points)

    def log_points(self, run_id: str, points: Sequence[MetricPoint]) -> None:
        with self._lock:
            run = self._written(run_id)
            for point in points:
                for key, value in names.finite_metrics({point.key: point.value}).items():
                    run.metrics.setdefault(key, []).append((point.step, value))

    def annotate(
        self,
        run_id: str,
        *,
        params: Mapping[str, object] | None = None,
        tags: Mapping[str, object] | None = None,
    ) -> None:
        with self._lock:
            run = self._written(run_id)
            for key, value in names.stored_values(params, names.PARAM_LIMIT).items():
                if run.params.setdefault(key, value) != value:
                    raise TrackingError(
                        f"parameter '{key}' of run {run_id} is '{run.params[key]}' and can't "
                        f"become '{value}'"
                    )
            run.tags.update(names.stored_values(tags, names.TAG_LIMIT))

    def log_files(self, run_id: str, source: Path, folder: str = "") -> None:
        place = PurePosixPath(names.artifact_path(folder))
        if not source.exists():
            raise TrackingError(f"{source} must be a file or directory to upload: it is missing")
        with self._lock, cleaned(source) as clean:
            run = self._written(run_id)
            files = [clean] if clean.is_file() else [p for p in clean.rglob("*") if p.is_file()]
            base = clean.parent if clean.is_file() else clean
            for path in files:
                name = place / path.relative_to(base).as_posix()
                run.artifacts[name.as_posix()] = path.read_bytes()

    def end_run(self, run_id: str, status: RunStatus = RunStatus.FINISHED) -> None:
        with self._lock:
            run = self._written(run_id)
            run.status = checked_end_status(status)
            run.end_time_ms = int(time.time() * 1000)

    def reopen_run(self, run_id: str) -> None:
        with self._lock:
            run = self._run(run_id)
            if run.status == RunStatus.FINISHED:
                raise SourceError(f"run {run_id} is FINISHED: there is nothing to resume")
            run.status = RunStatus.RUNNING
            run.tags.pop(ERROR_TAG, None)

    def fail_running(self, parent_run_id: str, status: RunStatus = RunStatus.FAILED) -> list[str]:
        ended: list[str] = []
        with self._lock:
            for child in self.find_runs(tags={PARENT_TAG: parent_run_id}, limit=len(self._runs)):
                ended += self.fail_running(child.run_id, status)
                if child.status == RunStatus.RUNNING:
                    self.end_run(child.run_id, status)
                    ended.append(child.run_id)
        return ended

    # --- RunReader ----------------------------------------------------------------------------

    def get_run(self, run_id: str) -> RunRecord:
        with self._lock:
            return self._run(run_id).record()

    def find_runs(
        self,
        *,
        experiment_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        status: RunStatus | None = None,
        limit: int = 100,
    ) -> list[RunRecord]:
        wanted = names.stored_values(tags, names.TAG_LIMIT)
        if status is not None:
            checked_status(status)
        with self._lock:
            found = [
                run.record()
                for run in reversed(self._runs.values())
                if experiment_name in (None, run.experiment_name)
                and status in (None, run.status)
                and all(run.tags.get(key) == value for key, value in wanted.items())
            ]
        return sorted(found, key=lambda record: -record.start_time_ms)[:limit]

    def list_experiments(self) -> list[str]:
        with self._lock:
            return sorted(self._experiments)

    def download(self, run_id: str, path: str, destination: Path) -> Path:
        wanted = PurePosixPath(names.artifact_path(path))
        with self._lock:
            artifacts = {PurePosixPath(p): c for p, c in self._run(run_id).artifacts.items()}
        chosen = {p: c for p, c in artifacts.items() if p == wanted or wanted in p.parents}
        if not chosen:
            depth = len(wanted.parent.parts) + 1
            beside = sorted(
                {
                    PurePosixPath(*p.parts[:depth]).as_posix()
                    for p in artifacts
                    if wanted.parent in p.parents
                }
            )
            there = ", ".join(beside[:10]) or "nothing"
            raise SourceError(f"run {run_id} has no artifact '{path}'; beside it lies: {there}")
        for name, content in chosen.items():
            target = destination / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return destination / wanted

    def link_launcher(self, run_id: str) -> None:
        launcher = self._launcher()
        if launcher is not None and launcher.run_id != run_id:
            run = self.get_run(run_id)
            request = RunRequest(run.experiment_name, run.run_name)
            launcher.tags |= launcher_tags(request, run_id, run_id)

    # --- inside -------------------------------------------------------------------------------

    def _run(self, run_id: str) -> _Run:
        if run_id not in self._runs:
            near = nearest(run_id, self._runs)
            hint = f"; nearest: {', '.join(near)}" if near else ""
            raise SourceError(f"there is no run '{run_id}' in memory{hint}")
        return self._runs[run_id]

    def _written(self, run_id: str) -> _Run:
        try:
            return self._run(run_id)
        except SourceError as exc:
            raise TrackingError(f"could not log to run {run_id}: {exc}") from exc

    def _launcher(self) -> _Run | None:
        launcher = claim_launcher_run()
        if launcher is None:
            return None
        if launcher.run_id not in self._runs:
            raise TrackingError(f"MLFLOW_RUN_ID names run {launcher.run_id}, which is not here")
        run = self._runs[launcher.run_id]
        if run.status != RunStatus.RUNNING:
            return None
        warn_of_written_secrets(run.run_id, run.params)
        run.tags |= tags_to_clean(run.tags)
        return run


@dataclass
class _Version:
    model: RegisteredModel
    files: dict[str, bytes]


class InMemoryRegistry:
    """DetectorRegistry without MLflow.

    Args:
        store: where the runs are that detectors are registered for.
    """

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store
        self._versions: list[_Version] = []
        self._aliases: dict[tuple[str, str], str] = {}
        self._logged: dict[str, _Version] = {}

    def register(
        self,
        run_id: str,
        package: DetectorPackage,
        name: str,
        *,
        alias: str = "candidate",
        tags: Mapping[str, str] | None = None,
    ) -> RegisteredModel:
        registered = names.registered_name(name)
        references.check_alias(alias)
        self._store.get_run(run_id)
        package = DetectorPackage.load(package.directory)
        logged = self._logged.get(run_id)
        if logged is not None and package.rule_of(logged.model.tags[DIGEST_TAG]) is None:
            raise TrackingError(f"run {run_id} has logged another detector already")
        version = next(
            (v for v in self._of(registered) if v.model.run_id == run_id), None
        ) or _Version(
            RegisteredModel(
                name=registered,
                version=str(len(self._of(registered)) + 1),
                display_name=names.display_name(registered),
                run_id=run_id,
                tags=references.version_tags(package, run_id, tags),
                created_ms=int(time.time() * 1000),
            ),
            {
                file: (package.directory / file).read_bytes()
                for file in (*package.spec.files, SPEC_FILE)
            },
        )
        if version not in self._versions:
            self._versions.append(version)
        self._logged[run_id] = version
        self._aliases[registered, alias] = version.model.version
        self._store.annotate(
            run_id,
            tags={
                "registered_model_name": registered,
                "registered_model_version": version.model.version,
            },
        )
        return self._with_aliases(version.model)

    def fetch(self, reference: str, destination: Path) -> DetectorPackage:
        wanted = references.parse_reference(reference)
        references.check_destination(destination)
        if wanted.run_id is not None:
            run = self._store.get_run(wanted.run_id)
            references.check_source_run(run)
            found = self._logged.get(run.run_id)
            if found is None:
                raise references.no_detector(run)
        else:
            found = self._version(wanted)
        with tempfile.TemporaryDirectory() as scratch:
            lies = Path(scratch) / "package"
            for file, content in found.files.items():
                target = lies / file
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            recorded = {found.model.tags.get(DIGEST_TAG, "")}
            package = verified(DetectorPackage.load(lies, alone=True), recorded, reference)
            shutil.copytree(lies, destination, dirs_exist_ok=True)
        return replace(package, directory=destination)

    def describe(self, reference: str) -> RegisteredModel:
        wanted = references.parse_reference(reference)
        if wanted.run_id is not None:
            raise SourceError(f"'{reference}' is a run; expected 'models:/NAME@alias'")
        return self._with_aliases(self._version(wanted).model)

    def list_models(self, pattern: str = "") -> list[RegisteredModel]:
        wanted = pattern.replace("/", ".")
        models = [self._with_aliases(v.model) for v in self._versions if wanted in v.model.name]
        return sorted(models, key=lambda model: (model.name, int(model.version)))

    def tag_version(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        found = self._version(references.ModelReference(names.registered_name(name), version))
        written = names.stored_values(tags, references.REGISTRY_TAG_LIMIT)
        found.model = replace(found.model, tags={**found.model.tags, **written})

    def _of(self, name: str) -> list[_Version]:
        return [version for version in self._versions if version.model.name == name]

    def _version(self, wanted: references.ModelReference) -> _Version:
        versions = {version.model.version: version for version in self._of(wanted.name)}
        if not versions:
            raise references.unknown_model(wanted.name, {v.model.name for v in self._versions})
        if wanted.alias is not None:
            aliases = {a: v for (n, a), v in self._aliases.items() if n == wanted.name}
            if wanted.alias not in aliases:
                raise references.unknown_alias(wanted.name, wanted.alias, aliases)
            return versions[aliases[wanted.alias]]
        version = wanted.version or max(versions, key=int)
        if version not in versions:
            raise references.unknown_version(wanted.name, version, versions)
        return versions[version]

    def _with_aliases(self, model: RegisteredModel) -> RegisteredModel:
        aliases = sorted(
            alias
            for (name, alias), version in self._aliases.items()
            if name == model.name and version == model.version
        )
        return replace(model, aliases=tuple(aliases))
