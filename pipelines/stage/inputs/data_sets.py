"""The data set of a scenario as local data, the split that is taken, and what runs say of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from guardianflow.contracts.errors import (
    DatasetError,
    Problem,
    Problems,
    ScenarioError,
)
from guardianflow.contracts.results import (
    DataInput,
    LocalDataset,
)
from scenario.conflicts import unknown_classes

from ...data_notices import notices, warning_tags
from ..stage import CONFIG_FOLDER, StageContext

SPLIT_FOLDER = f"{CONFIG_FOLDER}/split"


def load_dataset(context: StageContext) -> LocalDataset:
    """The scenario's data set, checked against what the scenario says of it.

    Raises:
        DatasetError: missing or malformed data, other classes, another image count or DVC hash.
        ScenarioError: gates of its release section name classes, cameras or values of columns that
            the data does not have.
    """
    wanted = context.scenario.dataset
    classes = tuple(context.scenario.task.classes)
    seed = context.scenario.environment.seed
    key = (
        *(wanted.path, wanted.split_ratio, wanted.version, wanted.group_rule),
        *(seed, context.base_dir, classes),
    )
    if key not in context.datasets:
        context.datasets[key] = _resolve(context)
    dataset = context.datasets[key]
    release = context.scenario.release
    gated = unknown_classes(release, dataset.class_names, f"the data set {dataset.name}")
    named = [Problem(message, ".".join(map(str, path))) for path, message in gated]
    if release is not None and release.min_recall_in:
        named += _unknown_slices(context, release.min_recall_in, dataset)
    if named:
        raise ScenarioError(named)
    problems = Problems()
    if wanted.image_count is not None and wanted.image_count != dataset.image_count:
        problems.add(
            f"the scenario says {wanted.image_count} images but {dataset.image_count} are there; "
            "correct dataset.image_count or the data set",
            wanted.path,
        )
    if wanted.dvc_hash and dataset.dvc_hash and wanted.dvc_hash != dataset.dvc_hash:
        problems.add(
            f"the scenario asks for DVC hash {wanted.dvc_hash} but the .dvc file says "
            f"{dataset.dvc_hash}; check out the matching version or correct dataset.dvc_hash",
            wanted.path,
        )
    if problems:
        raise DatasetError(problems)
    for line in notices(dataset):
        context.events.notice(line)
    return replace(dataset, name=wanted.name) if wanted.name else dataset


def _unknown_slices(
    context: StageContext, slices: Iterable[str], dataset: LocalDataset
) -> list[Problem]:
    """Gates on slices that the split to be judged on does not have: told before anything trains."""
    from guardianflow.site_data.appearance.columns import slice_problems

    paths = dataset.splits[infer_split(context, dataset)]
    return [
        Problem(text, f"release.min_recall_in.{name}")
        for name, text in slice_problems(slices, dataset, paths)
    ]


def load_labelled(context: StageContext) -> LocalDataset:
    """The scenario's data set, with something in its train split to learn from.

    Raises:
        DatasetError, ScenarioError: as load_dataset; or train has no labelled object.
    """
    dataset = load_dataset(context)
    if not dataset.train_objects:
        train = dataset.splits["train"]
        raise DatasetError(
            f"'train': its {len(train)} images must have labelled objects to learn from but have "
            f"none, e.g. {train[0]}: label them, or look for labels/ beside images/"
        )
    return dataset


def _resolve(context: StageContext) -> LocalDataset:
    from guardianflow.site_data.datasets import resolve_dataset

    return resolve_dataset(
        split_reference(context),
        cache_dir=context.settings.datasets_dir,
        base_dir=context.base_dir,
        version=context.scenario.dataset.version,
        expected_classes=context.scenario.task.classes,
        groups=context.scenario.dataset.group_rule,
    )


def split_reference(context: StageContext) -> str:
    """dataset.path, or the data.yaml of the split that dataset.split_ratio asks for.

    Its lists are kept for the run's config/split/.

    Raises:
        DatasetError: it can't be split so.
    """
    wanted, seed = context.scenario.dataset, context.scenario.environment.seed
    if wanted.split_ratio is None:
        return wanted.path
    from guardianflow.site_data.recordings.splits import dealer_of
    from guardianflow.site_data.splitting import split_data_set

    rule = wanted.group_rule
    split = split_data_set(
        wanted.path,
        shares=dict(wanted.split_ratio),
        seed=seed,
        cache_dir=context.settings.datasets_dir,
        base_dir=context.base_dir,
        class_names=context.scenario.task.classes,
        dealer=dealer_of(rule, context.base_dir) if rule else None,
    )
    if not split.made:
        return split.reference
    folder = context.scratch / SPLIT_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, images in split.images.items():
        text = "".join(f"{image}\n" for image in images)
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    if not context.request.check_only:
        counts = ", ".join(f"{name} {len(images)}" for name, images in split.images.items())
        how = f"the data set was split by dataset.split_ratio with seed {seed}"
        context.events.message(
            f"{how}, with recordings kept whole by dataset.groups: {counts}"
            if rule
            else f"{how}, image by image: {counts}. Frames of one recording or camera may be on "
            "both sides, and then val and test look better than new pictures will; dataset.groups "
            "keeps recordings whole"
        )
    return split.reference


def dataset_tags(dataset: LocalDataset) -> dict[str, str]:
    tags = {"data.fingerprint": dataset.fingerprint}
    if dataset.dvc_hash:
        tags["data.dvc_hash"] = dataset.dvc_hash
    return tags | warning_tags(dataset)


def data_input(context: StageContext, dataset: LocalDataset, split: str) -> DataInput:
    """The data set as a run of this stage shows it."""
    return DataInput(dataset.name, dataset.fingerprint, split, context.scenario.dataset.path)


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
