"""The inputs of stages: the scenario's data set as local data, and the detector to start from."""

from __future__ import annotations

import json
from pathlib import Path

from guardianflow.contracts.backends import ORIGINAL
from guardianflow.contracts.errors import DatasetError, Problem, ScenarioError, SourceError
from guardianflow.contracts.given import given_path
from guardianflow.contracts.ports import RunTracker
from guardianflow.contracts.results import (
    SPEC_FILE,
    DetectorPackage,
    LocalDataset,
    RunRecord,
    sha256_of,
)
from guardianflow.contracts.run_status import RunStatus
from scenario.conflicts import unknown_classes

from .stage import StageContext
from .weight_trust import admit_package, names_of, tell

WEIGHTS_TAG = "weights.sha256"
"""Of a run: file name → sha256 of what lies under its `weights/`, as JSON."""
RUN_REFERENCE = "runs:/"
MODEL_REFERENCE = "models:/"
WEIGHTS_FOLDER = "weights"


def load_dataset(context: StageContext) -> LocalDataset:
    """The scenario's data set, checked against what the scenario says of it.

    Raises:
        DatasetError: missing or malformed data, other classes, another image count or DVC hash.
        ScenarioError: a gate of its release section names a class that the data does not have.
    """
    from guardianflow.site_data.datasets import resolve_dataset

    wanted = context.scenario.dataset
    dataset = resolve_dataset(
        wanted.path,
        cache_dir=context.settings.datasets_dir,
        base_dir=context.base_dir,
        version=wanted.version,
        expected_classes=context.scenario.task.classes,
    )
    release = context.scenario.release
    gated = unknown_classes(release, dataset.class_names, f"the data set {dataset.name}")
    if named := [Problem(message, ".".join(map(str, path))) for path, message in gated]:
        raise ScenarioError(named)
    problems = []
    if wanted.image_count is not None and wanted.image_count != dataset.image_count:
        problems.append(
            Problem(
                f"the scenario says {wanted.image_count} images but {dataset.image_count} are "
                f"there; correct dataset.image_count or the data set",
                wanted.path,
            )
        )
    if wanted.dvc_hash and dataset.dvc_hash and wanted.dvc_hash != dataset.dvc_hash:
        problems.append(
            Problem(
                f"the scenario asks for DVC hash {wanted.dvc_hash} but the .dvc file says "
                f"{dataset.dvc_hash}; check out the matching version or correct dataset.dvc_hash",
                wanted.path,
            )
        )
    if problems:
        raise DatasetError(problems)
    return dataset


def dataset_tags(dataset: LocalDataset) -> dict[str, str]:
    tags = {"data.fingerprint": dataset.fingerprint}
    if dataset.dvc_hash:
        tags["data.dvc_hash"] = dataset.dvc_hash
    return tags


def infer_split(context: StageContext, dataset: LocalDataset) -> str:
    """The split asked for; else test where there is one, else val."""
    return _split(context, dataset, "test" if "test" in dataset.splits else "val")


def quant_split(context: StageContext, dataset: LocalDataset) -> str:
    """Judge on val unless the scenario says otherwise; never on what calibrated."""
    if context.scenario.dataset.split == "train":
        raise ScenarioError(
            "dataset.split is 'train', but quantisation calibrates on train and may not be "
            "judged on the same images; use val or test"
        )
    return _split(context, dataset, "val")


def _split(context: StageContext, dataset: LocalDataset, default: str) -> str:
    split = context.scenario.dataset.split or default
    if split not in dataset.splits:
        raise ScenarioError(
            f"split '{split}' is not in {dataset.name}, which has {sorted(dataset.splits)}; "
            f"set dataset.split"
        )
    return split


def resolve_weights(context: StageContext) -> Path | None:
    """model.weights_path as a file: from the scenario's directory, the cwd, then the project.

    Raises:
        ScenarioError: it names something that is not there.
    """
    wanted = context.scenario.model.weights_path
    if not wanted:
        return None
    tried = context.places_of(given_path(wanted))
    for path in tried:
        if path.exists():
            return path.resolve()
    raise ScenarioError(
        f"model.weights_path '{wanted}' does not exist; looked for "
        + ", ".join(str(path) for path in tried)
        + ". Give a file that is there, or leave it out to train from scratch"
    )


def fetch_source(context: StageContext, destination: Path) -> DetectorPackage:
    """The detector that quant or infer starts from, verified, below `destination`.

    Raises:
        SourceError: unknown, failed or weightless run; unknown model; a path that is not there.
    """
    reference = context.request.source
    if reference.startswith(RUN_REFERENCE):
        run_id, _, inner = reference[len(RUN_REFERENCE) :].partition("/")
        run = check_source_run(context, run_id)
        if inner:
            return fetch_run_file(context, run_id, inner, destination)
        if "registered_model_name" in run.tags:
            return fetch_registered(context, reference, destination)
        return fetch_unregistered(context, run, destination)
    if reference.startswith(MODEL_REFERENCE):
        return fetch_registered(context, reference, destination)
    for path in context.places_of(given_path(reference)):
        if path.exists():
            return package_of(context, path.resolve(), destination)
    raise SourceError(
        f"model '{reference}' is not a file or directory here, nor runs:/ID, runs:/ID/weights/"
        f"best.pt or models:/NAME@champion"
    )


def check_source_run(context: StageContext, run_id: str) -> RunRecord:
    """The run to start from must have ended well."""
    run = context.ports.store.get_run(run_id)
    if run.status != RunStatus.FINISHED:
        error = run.tags.get("guardianflow.error", "")
        raise SourceError(
            f"source run {run_id} ({run.run_name}) is {run.status}, so it has no model to start "
            f"from{': ' + error if error else ''}. Run it to its end, or name another run"
        )
    return run


def fetch_registered(context: StageContext, reference: str, destination: Path) -> DetectorPackage:
    """A registered model; one from before weights were looked into may need --trust-weights."""
    package = context.ports.registry.fetch(reference, destination)
    if package.verified_by.note and not context.request.check_only:
        context.events.message(f"{reference} is {package.verified_by.note}")
    return admit_package(context, package, registered=True)


def fetch_run_file(
    context: StageContext, run_id: str, inner: str, destination: Path
) -> DetectorPackage:
    """`runs:/ID/weights/best.pt`: one file (or model directory) of a run's artifacts."""
    weights = context.ports.store.download(run_id, inner, destination / "download")
    check_weights(context.ports.store.get_run(run_id), destination / "download")
    return package_of(context, weights, destination / "package")


def fetch_unregistered(context: StageContext, run: RunRecord, destination: Path) -> DetectorPackage:
    """The model of a run that was told not to register it: what lies under its `weights/`."""
    try:
        weights = context.ports.store.download(run.run_id, "weights", destination / "download")
    except SourceError as exc:
        raise SourceError(
            f"source run {run.run_id} ({run.run_name}) has no weights, so there is no detector to "
            f"start from; name a train or quant run"
        ) from exc
    check_weights(run, destination / "download")
    files = [path for path in weights.iterdir() if path.is_file()]
    return package_of(context, files[0] if len(files) == 1 else weights, destination / "package")


def log_weights(store: RunTracker, run_id: str, source: Path) -> None:
    """Upload a weight file, or a directory of them, to the run's `weights/`, and what they are."""
    store.log_files(run_id, source, WEIGHTS_FOLDER)
    base = source if source.is_dir() else source.parent
    files = sorted(source.rglob("*")) if source.is_dir() else [source]
    sums = {p.relative_to(base).as_posix(): sha256_of(p) for p in files if p.is_file()}
    store.annotate(run_id, tags={WEIGHTS_TAG: json.dumps(sums, ensure_ascii=False)})


def check_weights(run: RunRecord, download: Path) -> None:
    """Compare what was downloaded of a run's `weights/` with what the run logged.

    Runs of earlier releases, and files elsewhere in a run, have nothing to compare with.

    Raises:
        SourceError: a file is not what the run logged.
    """
    folder = download / WEIGHTS_FOLDER
    if not folder.is_dir() or WEIGHTS_TAG not in run.tags:
        return
    try:
        sums = dict(json.loads(run.tags[WEIGHTS_TAG]))
    except (ValueError, TypeError) as exc:
        raise SourceError(f"tag '{WEIGHTS_TAG}' of run {run.run_id} can't be read: {exc}") from exc
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        name = path.relative_to(folder).as_posix()
        if sums.get(name) != sha256_of(path):
            raise SourceError(
                f"{WEIGHTS_FOLDER}/{name} of run {run.run_id} is not what the run logged: its "
                f"sha256 is {sha256_of(path)}, not {sums.get(name)}. Name another run"
            )


def package_of(context: StageContext, weights: Path, destination: Path) -> DetectorPackage:
    """A detector package as it is, or made of a weights file.

    Raises:
        SourceError: it is no detector, or would run what no detector needs.
    """
    if weights.is_dir() and (weights / SPEC_FILE).is_file():
        return admit_package(context, DetectorPackage.load(weights), registered=False)
    from guardianflow.backends.weights.packages import package_from_weights

    benchmark = context.scenario.benchmark
    return package_from_weights(
        weights,
        destination,
        input_size=context.scenario.model.input_size,
        class_names=context.scenario.task.classes or None,  # none named: the file's own
        architecture=context.scenario.model.architecture,
        conf_threshold=benchmark.conf_threshold,
        iou_threshold=benchmark.iou_threshold,
        trusted=context.request.trust_weights,
        cache_dir=context.settings.checkpoints_dir,
    )


def check_classes(package: DetectorPackage, dataset: LocalDataset) -> None:
    """A detector is judged only on data that means the same by each class id."""
    if tuple(package.spec.class_names) != tuple(dataset.class_names):
        raise DatasetError(
            f"the model and the data set name different classes: the model has "
            f"{list(package.spec.class_names)}, {dataset.name} has {list(dataset.class_names)}. "
            f"Same names in the same order are needed"
        )


def require_original(context: StageContext, source: DetectorPackage) -> None:
    """Variants are made of the trained model, and compared with it: never with another variant.

    Raises:
        SourceError: it is a variant itself, or another trainer's file; names what to give instead.
    """
    if source.spec.variant == ORIGINAL:
        return
    origin = source.spec.lineage.get("source_run_id")
    if origin:
        raise SourceError(
            f"{context.request.source} is already the variant {source.spec.variant}, made from "
            f"run {origin}. Quantise the trained model itself: --source-run-id {origin}"
        )
    raise SourceError(
        f"variants are made of a PyTorch float32 detector, but {context.request.source} is "
        f"{source.spec.variant} and does not say what it was made from. Name the train run, or a "
        ".pt file"
    )


def source_run_tags(context: StageContext) -> dict[str, str]:
    """`source.run_id` for a run reference, `source.model` for the rest."""
    reference = context.request.source
    if reference.startswith(RUN_REFERENCE):
        return {"source.run_id": reference[len(RUN_REFERENCE) :].partition("/")[0]}
    return {"source.model": reference}


def source_trust_tags(context: StageContext, source: DetectorPackage) -> dict[str, str]:
    """The run's tags for what the source names beyond detectors' needs; told, too."""
    return tell(context, names_of(source), f"{context.request.source} is trusted")
