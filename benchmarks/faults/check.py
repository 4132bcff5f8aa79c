"""What must hold after a fault and the same command again, read from the store by MLflow's client.

Nothing of ours is asked: neither the reader of runs nor the registry.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.faults.place import Command, Place, hashes_of

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

STAGE_TAG, VARIANT_TAG = "guardianflow.stage", "guardianflow.variant"
FINGERPRINT_TAG = "guardianflow.fingerprint"
TIMES = ("sys.", "bench.", "comparison.speedup")
"""Keys of what a busy machine leaves out."""
LABEL_CACHE = re.compile(r"data/labels/\w+\.cache")
GONE_WITHIN_S = 10.0
"""For processes that are about to end."""


class Breach(StrEnum):
    """What can be wrong."""

    COMMAND = "command"
    """A command that had to end well did not."""
    LOSS = "loss"
    DOUBLED = "doubled_point"
    REPEATED = "repeated_epoch"
    ZOMBIE = "zombie"
    REGISTRATION = "registration"
    """A model that is registered twice, half, or for a run that did not end well."""
    CHANGED = "changed_file"


@dataclass(frozen=True)
class Finding:
    breach: Breach
    text: str

    def __str__(self) -> str:
        return f"{self.breach}: {self.text}"


@dataclass(frozen=True)
class Expected:
    """What an undisturbed round of a workload has left.

    Args:
        artifacts: stage → paths that each of its finished runs has.
        metrics: stage → keys, likewise.
        models: how many registered models there are.
    """

    artifacts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    metrics: Mapping[str, frozenset[str]] = field(default_factory=dict)
    models: int = 1


class StoreCheck:
    """Reads the runs and models of one round.

    Args:
        uri: of the store itself, with no proxy before it.
    """

    def __init__(self, place: Place, uri: str, expected: Expected | None) -> None:
        from mlflow import MlflowClient

        self._place, self._uri, self._expected = place, uri, expected
        self._client = MlflowClient(uri)
        experiment = self._client.get_experiment_by_name(place.experiment)
        self._experiment = experiment.experiment_id if experiment else ""
        self.runs: list[Run] = []
        if experiment:
            self.runs = list(self._client.search_runs([self._experiment], max_results=1000))

    def findings(self) -> Iterator[Finding]:
        """Everything that is wrong in the store."""
        for run in self.runs:
            if run.info.status not in ("FINISHED", "FAILED", "KILLED"):
                yield Finding(Breach.ZOMBIE, f"run {_named(run)} is {run.info.status}")
            yield from self._doubled(run)
        yield from self._finished_runs()
        yield from self._models()

    def of_stage(self, stage: str, *, finished: bool = True) -> list[Run]:
        return [
            run
            for run in self.runs
            if run.data.tags.get(STAGE_TAG) == stage
            and (run.info.status == "FINISHED" or not finished)
        ]

    # --- runs ---------------------------------------------------------------------------------

    def _steps(self, run: Run, key: str) -> list[int]:
        return [p.step for p in self._client.get_metric_history(run.info.run_id, key)]

    def _doubled(self, run: Run) -> Iterator[Finding]:
        for key in run.data.metrics:
            for step, count in Counter(self._steps(run, key)).items():
                if count > 1:
                    text = f"{key} of {_named(run)} has {count} points at step {step}"
                    yield Finding(Breach.DOUBLED, text)

    def _finished_runs(self) -> Iterator[Finding]:
        workload = self._place.workload
        for stage, count in workload.stages.items():
            found = self.of_stage(stage)
            if len(found) != count:
                text = f"{count} runs of {stage} must be FINISHED but {len(found)} are"
                yield Finding(Breach.LOSS, text)
            for run in found:
                yield from self._whole(run, stage)
        for run in self.of_stage("train"):
            yield from self._curve(run)
        begun = self.of_stage("train", finished=False)
        if len(begun) > 1:
            yield Finding(Breach.LOSS, f"{len(begun)} runs of one training: it did not go on")

    def _whole(self, run: Run, stage: str) -> Iterator[Finding]:
        """The run has what an undisturbed one has, and its files can be read."""
        artifacts = set(self.artifacts(run))
        if self._expected is not None:
            for kind, there, wanted in (
                ("artifact", artifacts, self._expected.artifacts.get(stage, frozenset())),
                ("metric", run.data.metrics, self._expected.metrics.get(stage, frozenset())),
            ):
                for name in sorted(wanted - set(there)):
                    yield Finding(Breach.LOSS, f"{kind} {name} of {_named(run)} is missing")
        if not any(path.startswith("logs/") for path in artifacts):
            yield Finding(Breach.LOSS, f"{_named(run)} has no log")
        with tempfile.TemporaryDirectory() as folder:
            for path in ("config/scenario.yaml", "config/resolved.json"):
                try:
                    got = self._client.download_artifacts(run.info.run_id, path, folder)
                    text = Path(got).read_text("utf-8")
                except Exception as exc:  # whatever the client raises where it is not there
                    yield Finding(Breach.LOSS, f"{path} of {_named(run)}: {exc}")
                    continue
                if path.endswith(".json"):
                    yield from _fingerprint_differs(run, text)

    def artifacts(self, run: Run, folder: str | None = None) -> Iterator[str]:
        for entry in self._client.list_artifacts(run.info.run_id, folder):
            if entry.is_dir:
                yield from self.artifacts(run, entry.path)
            else:
                yield entry.path

    def _curve(self, run: Run) -> Iterator[Finding]:
        workload = self._place.workload
        wanted = list(range(1, workload.epochs + 1))
        keys = {key for key in run.data.metrics if key.startswith("det.")} | set(workload.curve)
        if not keys:
            yield Finding(Breach.LOSS, f"{_named(run)} has no curve")
        for key in sorted(keys):
            points = self._client.get_metric_history(run.info.run_id, key)
            steps = sorted({point.step for point in points})
            if steps != wanted:
                yield Finding(Breach.LOSS, f"{key} of {_named(run)} has the steps {steps}")
                continue
            values = [p.value for p in sorted(points, key=lambda p: p.step)]
            known = workload.curve.get(key, values)
            if len(values) == len(steps) and values != known:
                yield Finding(Breach.LOSS, f"{key} of {_named(run)} is {values}")
        yield from self._trained_files(run)

    def _trained_files(self, run: Run) -> Iterator[Finding]:
        workload = self._place.workload
        with tempfile.TemporaryDirectory() as folder:
            try:
                download = self._client.download_artifacts
                table = Path(download(run.info.run_id, "results/results.csv", folder))
                weights = Path(download(run.info.run_id, f"weights/{workload.weights}", folder))
                epochs = [line.partition(",")[0] for line in table.read_text().splitlines()[1:]]
            except Exception as exc:
                yield Finding(Breach.LOSS, f"what {_named(run)} trained can't be read: {exc}")
                return
            if [int(epoch) for epoch in epochs] != list(range(1, workload.epochs + 1)):
                yield Finding(Breach.LOSS, f"results.csv of {_named(run)} has the rows {epochs}")
            if workload.proof and proof_of(weights) != workload.proof:
                yield Finding(Breach.LOSS, f"the weights of {_named(run)} lack epochs")

    # --- models -------------------------------------------------------------------------------

    def models(self) -> dict[str, list[ModelVersion]]:
        """Registered model → its versions."""
        prefix = f"{self._place.customer}."
        names = [
            model.name
            for model in self._client.search_registered_models(f"name LIKE '{prefix}%'", 1000)
        ]
        return {
            name: list(self._client.search_model_versions(f"name = '{name}'")) for name in names
        }

    def _models(self) -> Iterator[Finding]:
        models, finished = self.models(), {}
        for run in self.runs:
            finished[run.info.run_id] = run.info.status == "FINISHED"
        wanted = self._expected.models if self._expected else len(models)
        if len(models) != wanted:
            text = f"{wanted} models must be registered but there are {sorted(models)}"
            yield Finding(Breach.LOSS, text)
        for name, versions in models.items():
            if len(versions) != 1:
                runs = [each.run_id for each in versions]
                yield Finding(Breach.REGISTRATION, f"{name} has {len(versions)} versions: {runs}")
            for version in versions:
                if not finished.get(version.run_id):
                    text = f"version {version.version} of {name} is of a run that is not FINISHED"
                    yield Finding(Breach.REGISTRATION, text)
                yield from self._version(version)
            candidate = self._client.get_registered_model(name).aliases.get("candidate")
            if versions and str(candidate) not in {str(each.version) for each in versions}:
                yield Finding(Breach.REGISTRATION, f"{name}@candidate is {candidate}")

    def _version(self, version: ModelVersion) -> Iterator[Finding]:
        from mlflow.artifacts import download_artifacts

        what = f"version {version.version} of {version.name}"
        if version.status != "READY":
            yield Finding(Breach.REGISTRATION, f"{what} is {version.status}")
        with tempfile.TemporaryDirectory() as folder:
            try:
                got = download_artifacts(
                    artifact_uri=version.source, dst_path=folder, tracking_uri=self._uri
                )
                wrong = list(wrong_files(Path(got)))
            except Exception as exc:
                wrong = [str(exc)]
        for each in wrong:
            yield Finding(Breach.REGISTRATION, f"{what}: {each}")

    def half_made(self) -> Iterator[Finding]:
        """Logged models that are no version's."""
        if not self._experiment:
            return
        known = {v.model_id for versions in self.models().values() for v in versions}
        known |= {
            v.tags.get("logged_model_id") for versions in self.models().values() for v in versions
        }
        for model in self._client.search_logged_models(experiment_ids=[self._experiment]):
            if model.model_id not in known:
                text = f"logged model {model.model_id} ({model.status}) is no version's"
                yield Finding(Breach.REGISTRATION, text)

    def as_expected(self) -> Expected:
        """What this round, undisturbed, has left."""
        artifacts: dict[str, frozenset[str]] = {}
        metrics: dict[str, frozenset[str]] = {}
        for stage in self._place.workload.stages:
            runs = self.of_stage(stage)
            if not runs:
                raise ValueError(f"the undisturbed round has no finished run of {stage}")
            paths = [{p for p in self.artifacts(run) if _is_lasting(p)} for run in runs]
            keys = [{k for k in run.data.metrics if not k.startswith(TIMES)} for run in runs]
            artifacts[stage] = frozenset(set.intersection(*paths))
            metrics[stage] = frozenset(set.intersection(*keys))
        return Expected(artifacts, metrics, len(self.models()))


def _is_lasting(path: str) -> bool:
    """Whether an artifact does not depend on how often a training began."""
    return not path.startswith(("logs/", "plots/"))


def _named(run: Run) -> str:
    return f"{run.info.run_name} {run.info.run_id[:8]} ({run.info.status})"


def _fingerprint_differs(run: Run, text: str) -> Iterator[Finding]:
    try:
        same = json.loads(text)["fingerprint"] == run.data.tags[FINGERPRINT_TAG]
    except (ValueError, KeyError) as exc:
        yield Finding(Breach.LOSS, f"config/resolved.json of {_named(run)} is cut off: {exc}")
        return
    if not same:
        yield Finding(Breach.LOSS, f"config/resolved.json of {_named(run)} is another run's")


def proof_of(weights: Path) -> str:
    import onnx

    props = {each.key: each.value for each in onnx.load(weights).metadata_props}
    return props.get("proof", "")


def wrong_files(model: Path) -> Iterator[str]:
    """What is missing or damaged in a downloaded MLflow model of a detector."""
    if not (model / "MLmodel").is_file():
        yield "MLmodel is missing"
    described = list(model.rglob("detector.json"))
    if len(described) != 1:
        yield f"{len(described)} detector.json"
        return
    files: dict[str, Any] = json.loads(described[0].read_text("utf-8"))["files"]
    for name, digest in files.items():
        path = described[0].parent / name
        if not path.is_file():
            yield f"{name} is missing"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            yield f"{name} is damaged"


# --- on this machine ----------------------------------------------------------------------------


def commands_findings(commands: Sequence[tuple[str, Command]]) -> Iterator[Finding]:
    """Commands that had to end well, and did not."""
    for what, command in commands:
        status = command.answer.get("status")
        if command.code != 0 or status != "FINISHED":
            text = f"{what} ended with {command.code}, {status}: {command.last_words[-1500:]}"
            yield Finding(Breach.COMMAND, text)


def local_findings(place: Place, allowed_repeats: int) -> Iterator[Finding]:
    """What is wrong with the user's files, processes, and the work directory."""
    now = hashes_of(place.site)
    for path in sorted({*now, *place.users_files}):
        # Ultralytics' own memory of labels, which docs/experiments.md tells of.
        told = not place.workload.counted and LABEL_CACHE.fullmatch(path)
        if now.get(path) != place.users_files.get(path) and not told:
            yield Finding(Breach.CHANGED, f"{path} of the user's was changed, made or removed")
    for pid, line in left_alive(place).items():
        yield Finding(Breach.ZOMBIE, f"process {pid} is left: {line[:200]}")
    repeated = repeated_epochs(place)
    if repeated > allowed_repeats:
        text = f"{repeated} epochs were trained again, {allowed_repeats} may be: "
        yield Finding(Breach.REPEATED, f"{text}{place.told('begun')}")
    for state in place.trainings.glob("[!.]*/state.json"):
        yield Finding(Breach.LOSS, f"{state.parent} is left of a training that is FINISHED")
    for journal in (place.work_dir / "spool").glob("*/journal.json"):
        yield Finding(Breach.LOSS, f"{journal.parent} is not sent")
    for refused in (place.work_dir / "spool/refused").glob("*"):
        yield Finding(Breach.LOSS, f"the store refused records for good: {refused}")


def repeated_epochs(place: Place) -> int:
    """How many epochs, each time counted, were begun though they had been begun before."""
    return sum(count - 1 for count in Counter(place.told("begun")).values())


def left_alive(place: Place) -> dict[int, str]:
    until = time.monotonic() + GONE_WITHIN_S
    while (left := place.processes()) and time.monotonic() < until:
        time.sleep(0.2)
    return left
