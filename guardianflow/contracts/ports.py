"""Small protocols, failures specified, that one room may ask of another.

Backend, Session      guardianflow/backends
ObjectDetector        guardianflow/detector.py
RunTracker, RunReader, RunHistory, DetectorRegistry, AliasStore
                      guardianflow/run_tracking (MLflow, and a fake)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from .results import (
    DataInput,
    DetectorPackage,
    ExportRequest,
    MetricPoint,
    RegisteredModel,
    RunRecord,
    RunRequest,
    SessionInfo,
)
from .run_status import RunStatus

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from .results import Detections

    ImageArray = npt.NDArray[np.uint8]
    RawOutput = npt.NDArray[np.float32]


class Session(Protocol):
    """A model opened for inference on this machine.

    Normalisation (u8 → 0…1) is the session's business, inside the graph where the backend can.
    """

    @property
    def info(self) -> SessionInfo: ...

    def infer(self, images: ImageArray) -> RawOutput:
        """Run the network.

        Args:
            images: uint8, N×S×S×3, RGB, letterboxed; 1 ≤ N ≤ info.batch_size.

        Returns:
            float32, N×(4+classes)×anchors or N×K×6, as the package's spec.output says.

        Raises:
            EvaluationError: the images' or the output's shape is not the promised one.
        """

    def submit(self, images: ImageArray) -> Future[RawOutput]:
        """Run the network beside other calls; only a session opened for throughput can.

        Any thread may call it. It waits while `info.requests` calls are under way.

        Args:
            images: as for infer; must not be changed before the future is done.

        Raises:
            EvaluationError: the images' shape is not the promised one, or the session was opened
                for latency. What goes wrong later is raised by the future.
        """

    def close(self) -> None: ...


class Backend(Protocol):
    """One inference library: makes model files and opens them."""

    @property
    def name(self) -> str: ...

    def export(
        self,
        source: DetectorPackage,
        request: ExportRequest,
        destination: Path,
        calibration: Sequence[ImageArray] | None = None,
    ) -> DetectorPackage:
        """Make this backend's files from a PyTorch package, complete or not at all.

        Args:
            destination: a directory that does not exist yet; renamed into place at the end.
            calibration: letterboxed images, uint8 S×S×3 RGB, of the train split; read lazily.

        Raises:
            BackendUnavailableError: this machine or this backend can't do it; names the cure.
            BackendError: it can, and it failed.
            ConfigurationError: int8 static without calibration images, a source of another kind.
        """

    def open(
        self,
        package: DetectorPackage,
        *,
        batch_size: int = 1,
        device: str = "auto",
        mode: str = "latency",
    ) -> Session:
        """Open the package's files for batches of `batch_size`.

        Args:
            mode: 'latency' or 'throughput'; see SessionInfo.

        Raises:
            ConfigurationError: a mode that is neither.
            MissingDependencyError: the library is not installed.
            BackendUnavailableError: the device asked for is not there, or the backend has no
                throughput mode on it.
            BackendError: the files can't be opened.
        """


@runtime_checkable
class ObjectDetector(Protocol):
    """Something that finds objects in decoded images."""

    @property
    def class_names(self) -> tuple[str, ...]: ...

    def predict(
        self,
        images: Sequence[ImageArray],
        *,
        confidence: float | None = None,
        iou: float | None = None,
        multi_label: bool = False,
    ) -> list[Detections]:
        """Find objects.

        Args:
            images: each uint8, H×W×3, RGB, any size.
            confidence, iou: thresholds; None takes the deployed ones.
            multi_label: a box may count for several classes (mAP is taken so), not only its best.
        """


class RunTracker(Protocol):
    """Writes runs. Every method names the run: there is no active run.

    All raise TrackingError when the store refuses or can't be reached.
    """

    def start_run(self, request: RunRequest) -> str:
        """Make a run, or adopt the one that `mlflow run` has made; returns its id.

        Tags and parameters are written before it returns; when that fails the run is ended
        FAILED, so none is left RUNNING.

        Raises:
            SourceError: the parent run is unknown.
            TrackingError: also when the experiment has been deleted.
        """

    def log_metrics(
        self, run_id: str, metrics: Mapping[str, float], step: int | None = None
    ) -> None:
        """Log finite values, however many; keys are made legal (`names.legal_key`).

        A NaN or infinity is left out, never written as 0. Without a step they stand at 0.
        """

    def log_points(self, run_id: str, points: Sequence[MetricPoint]) -> None:
        """Log points of any number of curves, many at once; else as log_metrics."""

    def annotate(
        self,
        run_id: str,
        *,
        params: Mapping[str, object] | None = None,
        tags: Mapping[str, object] | None = None,
    ) -> None:
        """Write parameters and tags as text; a None is left out, a long text is cut.

        A parameter, once written, can't become another value; a tag can.
        """

    def log_data(self, run_id: str, data: DataInput) -> None:
        """Name a data set that the run uses: MLflow's page shows it in its column Dataset.

        No data is read or uploaded. The same name and digest again changes nothing.
        """

    def log_files(self, run_id: str, source: Path, folder: str = "") -> None:
        """Upload a file, or a directory's content, under `folder` of the run's artifacts.

        Secrets in texts are replaced in what is uploaded.
        """

    def end_run(self, run_id: str, status: RunStatus = RunStatus.FINISHED) -> None:
        """End a run FINISHED, FAILED or KILLED."""

    def settle(self, patience_s: float = 10.0) -> str:
        """Wait a bounded time until all that was written has reached the store.

        Returns:
            What has not, for people: how much, why, where it is kept. '' where all has.
        """


class RunReader(Protocol):
    """Reads runs."""

    def get_run(self, run_id: str) -> RunRecord:
        """Raises SourceError when there is no such run (nearest ids named) or it was deleted."""

    def find_runs(
        self,
        *,
        experiment_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        status: RunStatus | None = None,
        limit: int = 100,
    ) -> list[RunRecord]:
        """Newest first; tags compared exactly. An unknown experiment gives none."""

    def logged_steps(self, run_id: str, key: str) -> frozenset[int]:
        """The steps at which a metric has a point; none where it was never logged.

        Also points that are on their way: what is answered need not be logged again.

        Raises:
            SourceError: there is no such run.
        """

    def list_experiments(self) -> list[str]:
        """Names of all experiments that have not been deleted, sorted."""

    def download(self, run_id: str, path: str, destination: Path) -> Path:
        """Fetch an artifact file or directory to `destination`/`path`; returns where it lies.

        Raises SourceError when the run or the artifact is unknown; names what lies beside it.
        """


class RunHistory(Protocol):
    """Reads all runs, however many."""

    def finished_runs(self, ended_since_ms: int | None = None) -> Iterator[RunRecord]:
        """Every FINISHED run of every experiment, read as it is asked for, in no given order.

        Args:
            ended_since_ms: those alone that ended then or later, ms since 1970.

        Raises:
            TrackingError: the store can't be reached; what was given before is right.
        """

    def curve(self, run_id: str, key: str) -> list[tuple[int, float]]:
        """(step, value) of a metric, the steps rising; of each the value that was logged last.

        Of the store alone: what is on its way there is not in it. Never logged: none.

        Raises:
            SourceError: there is no such run.
        """


class DetectorRegistry(Protocol):
    """Logs detector packages as models and keeps their registered names."""

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
        """Log the package as the run's detector, register it and set the alias, or leave nothing.

        Doing it again for the same run and files sets the alias and makes nothing new. Of a store
        that is away and spooled, the answer `is_pending`: it is registered when it is sent.

        Args:
            run_id: the run that made the detector.
            name: slash or dot form.
            tags: written on the version, beside those that say what it is.
            check: given the version's URI before the alias is set; what it raises leaves nothing.

        Raises:
            SourceError: a name or alias that can't be one, an unknown run, files that don't
                match their sha256.
            TrackingError: the run has logged another detector; the store refuses.
        """

    def fetch(self, reference: str, destination: Path) -> DetectorPackage:
        """Download a registered or logged detector and check every file.

        Args:
            reference: 'models:/NAME@alias', 'models:/NAME/3', 'models:/NAME' (its latest
                version), NAME with slashes or dots, or 'runs:/RUN_ID' (the detector logged by
                that run).
            destination: a new or empty directory; complete, or as it was.

        Raises:
            SourceError: unknown name, version, alias or run; a run that failed or has no
                detector; a model that is none of ours; a file that does not match its sha256.
        """

    def describe(self, reference: str) -> RegisteredModel:
        """The version that a 'models:/…' reference means; nothing is downloaded.

        Raises:
            SourceError: unknown name, version or alias; not a 'models:/…' reference.
        """

    def list_models(self, pattern: str = "") -> list[RegisteredModel]:
        """Every version of every model whose name contains `pattern` (slash or dot form).

        Sorted by name and version.
        """

    def tag_version(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        """Write tags of a version, in their order; those it has under other keys stay.

        Args:
            name: slash or dot form.

        Raises:
            SourceError: unknown model or version.
            TrackingError: the store refuses; tags before the refused one were written.
        """

    def show_metrics(
        self, run_id: str, reference: str, package: DetectorPackage, data: DataInput | None = None
    ) -> int:
        """Show what a run measured of a detector with that detector, beside the data it used.

        Args:
            reference: of the detector, as `fetch` takes it.
            package: the detector that was measured; an alias may mean another one by now.

        Returns:
            How many numbers; 0 where the run that is named has logged no detector.

        Raises:
            SourceError: unknown run, name, version or alias.
            TrackingError: it is another detector; the store refuses.
        """


class AliasStore(Protocol):
    """Registered models' aliases and tags: single reads and writes, each done wholly or not at all.

    A read sees every write that ended before the read began, whoever made it; promotion's mutual
    exclusion rests on that (docs/adr/0007-one-promotion-at-a-time.md). Names are in slash or dot
    form. Every method raises SourceError for an unknown model (nearest names suggested), and
    TrackingError when the store refuses or can't be reached: a write may then have arrived or not.
    """

    def versions(self, name: str) -> Sequence[RegisteredModel]:
        """Every version, the oldest first, with its tags and aliases."""

    def aliases(self, name: str) -> Mapping[str, str]:
        """Alias → version."""

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Point the alias to the version, in one write. Raises SourceError: no such version."""

    def delete_alias(self, name: str, alias: str) -> None:
        """Remove the alias; nothing happens where it is not set."""

    def model_tags(self, name: str) -> Mapping[str, str]:
        """The tags of the model itself, not those of its versions."""

    def set_model_tag(self, name: str, key: str, value: str) -> None:
        """Write a tag of the model. Raises TrackingError: longer than 5,000 characters."""

    def delete_model_tag(self, name: str, key: str) -> None:
        """Remove the tag; nothing happens where it is not set."""
