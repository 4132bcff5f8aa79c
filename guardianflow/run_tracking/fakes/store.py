"""Stores in memory that keep the promises of the real ones: for tests, ours and our users'.

The conformance tests run over these and over MLflow alike. Nothing here imports mlflow.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from ...contracts.detector_package import SPEC_FILE, DetectorPackage
from ...contracts.errors import SourceError, TrackingError
from ...contracts.results import DataInput, MetricPoint, RegisteredModel, RunRecord, RunRequest
from ...contracts.run_status import RunStatus
from ...support.suggestions import nearest
from .. import data_inputs, names, references
from ..identity import DIGEST_TAG, verified
from ..run_records import (
    END_TAGS,
    PARENT_TAG,
    BaseStore,
    checked_end_status,
    checked_status,
    finite_points,
)
from ..upkeep.ownership import owner_of_request, owner_tags
from .aliases import InMemoryAliasStore


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
    data: dict[tuple[str, str], DataInput] = field(default_factory=dict)

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
            data=tuple(self.data[key] for key in sorted(self.data)),
        )


class InMemoryStore(BaseStore):
    """RunTracker and RunReader without MLflow; gone with the process."""

    tracking_uri = shown_uri = "memory:"

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}
        self._experiments = {"Default"}
        self._lock = threading.RLock()

    # --- RunTracker ---------------------------------------------------------------------------

    def log_points(self, run_id: str, points: Sequence[MetricPoint]) -> None:
        with self._lock:
            run = self._written(run_id)
            for point in finite_points(points):
                run.metrics.setdefault(point.key, []).append((point.step, point.value))

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

    def log_data(self, run_id: str, data: DataInput) -> None:
        with self._lock:
            run = self._written(run_id)
            run.data.setdefault((data.name, data.digest), data_inputs.stored(data))

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
            run.tags.update(owner_tags())
            run.status = RunStatus.RUNNING
            for tag in END_TAGS:
                run.tags.pop(tag, None)

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

    def finished_runs(self, ended_since_ms: int | None = None) -> Iterator[RunRecord]:
        with self._lock:
            found = [run.record() for run in self._runs.values()]
        for each in found:
            finished = each.status == RunStatus.FINISHED and each.end_time_ms is not None
            if finished and (each.end_time_ms or 0) >= (ended_since_ms or 0):
                yield each

    def logged_steps(self, run_id: str, key: str) -> frozenset[int]:
        with self._lock:
            history = self._run(run_id).metrics.get(names.legal_key(key), [])
            return frozenset(step for step, _ in history)

    def curve(self, run_id: str, key: str) -> list[tuple[int, float]]:
        with self._lock:
            return sorted(dict(self._run(run_id).metrics.get(names.legal_key(key), [])).items())

    def list_experiments(self) -> list[str]:
        with self._lock:
            return sorted(self._experiments)

    def download(self, run_id: str, path: str, destination: Path) -> Path:
        wanted = names.artifact_path(path)
        with self._lock:
            artifacts = dict(self._run(run_id).artifacts)
        within = f"{wanted}/" if wanted else ""
        chosen = {p: c for p, c in artifacts.items() if p == wanted or p.startswith(within)}
        if not chosen:
            folder = wanted[: wanted.rfind("/") + 1]
            beside = {p[len(folder) :].partition("/")[0] for p in artifacts if p.startswith(folder)}
            there = ", ".join(f"{folder}{name}" for name in sorted(beside)[:10]) or "nothing"
            raise SourceError(f"run {run_id} has no artifact '{path}'; beside it lies: {there}")
        for name, content in chosen.items():
            target = destination / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return destination / wanted

    def remove_files(self, run_id: str, folder: str) -> None:
        """As pipelines.wiring.Store's."""
        within = f"{names.artifact_path(folder)}/"
        with self._lock:
            artifacts = self._run(run_id).artifacts
            for name in [each for each in artifacts if each.startswith(within)]:
                del artifacts[name]

    # --- inside -------------------------------------------------------------------------------

    def _experiment_id(self, name: str) -> str:
        self._experiments.add(name)
        return name

    def _create(self, request: RunRequest, experiment_id: str) -> str:
        run = _Run(uuid.uuid4().hex, experiment_id, "", int(time.time() * 1000))
        run.tags.update(owner_of_request(request))
        if request.parent_run_id is not None:
            run.tags[PARENT_TAG] = request.parent_run_id
        self._runs[run.run_id] = run
        self._rename(run.run_id, request.run_name)
        return run.run_id

    def _upload(self, run_id: str, source: Path, place: str, doing: str) -> None:  # noqa: ARG002
        with self._lock:
            run = self._written(run_id)
            files = [source] if source.is_file() else filter(Path.is_file, source.rglob("*"))
            base = source.parent if source.is_file() else source
            for path in files:
                name = PurePosixPath(place) / path.relative_to(base).as_posix()
                run.artifacts[name.as_posix()] = path.read_bytes()

    def _rename(self, run_id: str, name: str) -> None:
        self._run(run_id).run_name = names.stored_text(name, names.TAG_LIMIT)

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


class InMemoryRegistry:
    """DetectorRegistry without MLflow.

    Args:
        store: where the runs are that detectors are registered for.

    Attributes:
        models: the AliasStore of the same models.
        shown: run → the detector's digest that its metrics are shown with, and on which data.
    """

    def __init__(self, store: InMemoryStore) -> None:
        self.models = InMemoryAliasStore()
        self._store = store
        # Run → the identity and the files of the detector that it logged.
        self._logged: dict[str, tuple[str, dict[str, bytes]]] = {}
        self.shown: dict[str, tuple[str, DataInput | None]] = {}

    def register(
        self,
        run_id: str,
        package: DetectorPackage,
        name: str,
        *,
        alias: str = "candidate",
        tags: Mapping[str, str] | None = None,
        check: Callable[[str], object] | None = None,
    ) -> RegisteredModel:
        registered = names.registered_name(name)
        references.check_alias(alias)
        self._store.get_run(run_id)
        package = DetectorPackage.load(package.directory)
        if run_id in self._logged and package.rule_of(self._logged[run_id][0]) is None:
            raise TrackingError(f"run {run_id} has logged another detector already")
        files = (*package.spec.files, SPEC_FILE)
        content = {file: (package.directory / file).read_bytes() for file in files}
        self._logged.setdefault(run_id, (package.digest, content))
        numbers = {
            each.run_id: number
            for (of, number), each in self.models.records.items()
            if of == registered
        }
        version = numbers.get(run_id) or self.models.add_version(
            registered, references.version_tags(package, run_id, tags), run_id
        )
        if check is not None:
            try:
                check(f"models:/{registered}/{version}")
            except BaseException:
                if run_id not in numbers:
                    self.models.delete_version(registered, version)
                raise
        self.models.set_alias(registered, alias, version)
        self._store.annotate(
            run_id,
            tags={"registered_model_name": registered, "registered_model_version": version},
        )
        return self.describe(f"models:/{registered}/{version}")

    def fetch(self, reference: str, destination: Path) -> DetectorPackage:
        wanted = references.parse_reference(reference)
        references.check_destination(destination)
        if wanted.run_id is not None:
            run = self._store.get_run(wanted.run_id)
            references.check_source_run(run)
            if run.run_id not in self._logged:
                raise references.no_detector(run)
            digest, files = self._logged[run.run_id]
            recorded = {digest}
        else:
            version = references.find_version(self.models, wanted)
            digest, files = self._logged.get(version.run_id or "", ("", {}))
            recorded = {digest, version.tags.get(DIGEST_TAG, "")}
        with tempfile.TemporaryDirectory() as scratch:
            lies = Path(scratch) / "package"
            for file, content in files.items():
                target = lies / file
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            package = verified(DetectorPackage.load(lies, alone=True), recorded, reference)
            shutil.copytree(lies, destination, dirs_exist_ok=True)
        return replace(package, directory=destination)

    def describe(self, reference: str) -> RegisteredModel:
        return references.describe(self.models, reference)

    def list_models(self, pattern: str = "") -> list[RegisteredModel]:
        wanted = pattern.replace("/", ".")
        found = [each for each in self.models.all_versions() if wanted in each.name]
        return sorted(found, key=lambda model: (model.name, int(model.version)))

    def tag_version(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        wanted = references.ModelReference(names.registered_name(name), version)
        found = references.find_version(self.models, wanted)
        written = names.stored_values(tags, references.REGISTRY_TAG_LIMIT)
        changed = replace(found, tags={**found.tags, **written})
        self.models.records[found.name, found.version] = changed

    def show_metrics(
        self, run_id: str, reference: str, package: DetectorPackage, data: DataInput | None = None
    ) -> int:
        wanted = references.parse_reference(reference)
        if wanted.run_id is not None:
            digest = self._logged.get(wanted.run_id, ("", {}))[0]
        else:
            digest = references.find_version(self.models, wanted).tags.get(DIGEST_TAG, "")
        if not digest:
            return 0
        if package.rule_of(digest) is None:
            raise TrackingError(f"'{reference}' means another detector by now than was judged")
        self.shown[run_id] = (digest, data)
        return len(self._store.get_run(run_id).metrics)
