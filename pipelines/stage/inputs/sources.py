"""The detector that a stage starts from: fetched, verified, and what runs say of it."""

from __future__ import annotations

import json
from pathlib import Path

from guardianflow.contracts.backends import ORIGINAL, SOURCE
from guardianflow.contracts.errors import (
    DatasetError,
    ScenarioError,
    SourceError,
)
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
from guardianflow.run_tracking.run_records import WAITING_TAG
from guardianflow.support.text.spelling import nfc

from ..backend_check import require_backend
from ..stage import StageContext
from .data_sets import SPLIT_FOLDER
from .weight_trust import admit_package, names_of, tell, trusts

WEIGHTS_GONE_TAG, GONE = "sweep.weights", "removed"
"""Of a sweep's trial that fell behind, and its value: its model is not there any more."""
WEIGHTS_TAG = "weights.sha256"
"""Of a run: file name → sha256 of what lies under its `weights/`, as JSON."""
RUN_REFERENCE = "runs:/"
MODEL_REFERENCE = "models:/"
WEIGHTS_FOLDER = "weights"


def device_within(context: StageContext, backend: str) -> str:
    """environment.device for a model of this backend.

    In a pipeline one scenario serves models of several backends, and the trained one runs in its
    own library whatever device the others are for. Alone, what is asked for is what it is.
    """
    from guardianflow.backends.catalogue import device_for

    device = context.scenario.environment.device
    return device_for(device, backend) if context.request.parent_run_id else device


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
        f"model.weights_path '{wanted}' does not exist, and weights are not downloaded; looked for "
        + ", ".join(str(path) for path in tried)
        + ". Put the file there, or leave it out (architecture: "
        + f"{context.scenario.model.architecture}) to train from scratch"
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
        if {"registered_model_name", WAITING_TAG} & run.tags.keys():
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

    _require_reader(context, weights)
    benchmark = context.scenario.benchmark
    return package_from_weights(
        weights,
        destination,
        input_size=(
            context.scenario.model.input_size if context.request.input_size_given else None
        ),
        class_names=context.scenario.task.classes or None,  # none named: the file's own
        architecture=context.scenario.model.architecture,
        conf_threshold=benchmark.conf_threshold,
        iou_threshold=benchmark.iou_threshold,
        trusted=trusts(context, weights),
        cache_dir=context.settings.checkpoints_dir,
    )


def _require_reader(context: StageContext, weights: Path) -> None:
    """The library that opens a file in this process must not end it: it is tried in another one."""
    from guardianflow.backends.weights.weight_files import readable, the_file

    info = readable()[the_file(weights).suffix.lower()]
    if info.name != SOURCE and "cpu" in info.hardware:
        require_backend(info.name, "fp32", context.settings.probes_dir)


def check_classes(package: DetectorPackage, dataset: LocalDataset) -> None:
    """A detector is judged only on data that means the same by each class id."""
    if [*map(nfc, package.spec.class_names)] != [*dataset.class_names]:
        raise DatasetError(
            f"the model and the data set name different classes: the model has "
            f"{list(package.spec.class_names)}, {dataset.name} has {list(dataset.class_names)}. "
            f"Same names in the same order are needed"
        )


def check_split(context: StageContext, package: DetectorPackage, dataset: LocalDataset) -> None:
    """A split that was made here must be the one that the model learnt from.

    Raises:
        DatasetError: it is another: images that the model learnt may be among those that judge.
    """
    learnt = package.spec.lineage.get("data_fingerprint")
    made = (context.scratch / SPLIT_FOLDER).is_dir()
    if made and learnt and learnt != dataset.fingerprint:
        raise DatasetError(
            f"dataset.split_ratio splits {dataset.name} otherwise than when the model was trained "
            "(another environment.seed or ratio, or the images changed), so images that it learnt "
            "may be among those that judge it. Give the seed and ratio of the training, or a "
            "data.yaml whose val and test the model has not seen"
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


def require_usual_values(
    context: StageContext, source: DetectorPackage, images: list[Path]
) -> None:
    """Run a network that others exported on pictures of the split before it is believed.

    Raises:
        SourceError: its values are of another kind than ours; says which.
    """
    from guardianflow.backends.weights.foreign import trial_run
    from guardianflow.evaluation.images.preprocessing import LetterboxedImages

    if trial_run.needs_trial(source.spec):
        letterboxed = LetterboxedImages(images, source.spec.input_size)
        device = context.scenario.environment.device
        trial_run.require_usual_values(source, context.request.source, letterboxed, device)


def source_weight_tags(context: StageContext, source: DetectorPackage) -> dict[str, str]:
    """The run's tags for what a reader of its numbers must know of the source's file; told, too."""
    from guardianflow.backends.weights.weight_notes import notes_of, tags_of

    for note in notes_of(source.spec):
        context.events.message(f"{context.request.source}: {note}")
    return tags_of(source.spec)
