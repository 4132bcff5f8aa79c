"""A data set reference → a checked data set on this machine, and its labels.

'demo://ppe?seed=7' ─ demo ─┐
data.yaml, directory ───────┴─ read_layout ─ (dvc pull) ─ labels, images ─ resolved ─ LocalDataset
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..contracts.data_warnings import DataWarningKind
from ..contracts.errors import DatasetError, Problem, Problems
from ..contracts.recordings.groups import GroupRule
from ..contracts.results import LabelledImage, LocalDataset
from ..support.suggestions import did_you_mean
from ..support.text.spelling import nfc
from . import dvc
from .data_yaml import Layout, first_there, read_layout
from .demo import SCHEME, demo_data_set, parse_demo
from .fingerprint import fingerprint
from .image_places import absolute
from .labels import label_path_of, read_labels, to_pixels
from .memory.images import ImageMemory
from .memory.known_sets import KnownSet, watched_of
from .memory.manifests import keep_manifest
from .once import is_whole
from .recordings.groups import with_groups
from .resolved import listings_of, write_resolved

logger = logging.getLogger(__name__)

_ROW_KINDS = {  # in the order of RowOddities → the key of the number
    DataWarningKind.CLIPPED: "boxes",
    DataWarningKind.POLYGONS: "rows",
    DataWarningKind.KEYPOINTS: "rows",
    DataWarningKind.REPEATED_ROWS: "rows",
}


def resolve_dataset(
    reference: str,
    *,
    cache_dir: Path,
    base_dir: Path | None = None,
    version: str | None = None,
    expected_classes: Sequence[str] | None = None,
    groups: GroupRule | None = None,
) -> LocalDataset:
    """Make a data set lie on this machine, and check it.

    Args:
        reference: a data.yaml; a directory that holds one; or 'demo://ppe', also with options
            ('demo://ppe?images=60&size=160&seed=7', 'demo://cctv?leak=twins').
        cache_dir: where drawn sets, resolved data.yaml files and hashes of images are kept.
        base_dir: what a relative path is looked up in, before the working directory.
        version: of the data, as people call it; passed on.
        expected_classes: the classes the caller means, in any order; None or empty: any.
        groups: tells the recording of each image; None: nothing does.

    Returns:
        The data set. Its `data_yaml` lies under `cache_dir`, names every image by absolute path
        and is made anew when the images or classes change.

    Raises:
        DatasetError: with every problem found: paths that don't exist (nearest names given),
            missing or damaged images, malformed label rows (file:line), empty splits, classes
            that are not the expected ones, files that DVC tracks and can't fetch; then what is
            wrong with the groups.
    """
    cache_dir = absolute(cache_dir)
    if reference.startswith(SCHEME):
        name = f"demo-{parse_demo(reference)[0]}"
        data_yaml = demo_data_set(reference, cache_dir)
    else:
        data_yaml = _find(reference, base_dir)
        name = data_yaml.stem if data_yaml.stem != "data" else data_yaml.parent.name
    known = KnownSet(cache_dir, data_yaml)
    dataset = _recall(known, expected_classes or ())
    if dataset is None:
        began_ns = time.time_ns()
        layout, tracked_by = _read(data_yaml, cache_dir)
        dataset = _check(
            layout, name, cache_dir, expected_classes or (), dvc.combined_hash(tracked_by)
        )
        known.keep(dataset, watched_of(layout), began_ns)
    if groups is not None:
        dataset = with_groups(dataset, groups, data_yaml, [base_dir] if base_dir else [])
    for warning in dataset.warnings:
        logger.warning("%s: %s %s", data_yaml, warning.cause, warning.to_dict())
    return replace(dataset, version=version)


def _recall(known: KnownSet, expected: Sequence[str]) -> LocalDataset | None:
    """The set as it was checked before; None where it must be looked at anew, or is another."""
    dataset = known.recall()
    if dataset is None or not is_whole(dataset.data_yaml.parent):
        return None
    if expected and {*map(nfc, expected)} != set(dataset.class_names):
        return None  # an error, told with all others
    return dataset


def _check(
    layout: Layout, name: str, cache_dir: Path, expected: Sequence[str], dvc_hash: str | None
) -> LocalDataset:
    """Read every file of a set; raises DatasetError."""
    problems = Problems(layout.problems)
    classes = layout.class_names
    if expected and classes and {*map(nfc, expected)} != set(classes):  # in any order
        problems.add(
            f"the data set's classes are [{', '.join(classes)}] but the task's are "
            f"[{', '.join(expected)}]: name the same classes in both",
            layout.data_yaml,
        )
    checked = _check_files(layout, cache_dir, problems)
    if problems:
        raise DatasetError(problems)
    hashes, listings = checked.image_hashes, listings_of(layout)
    judged = _judged_pictures(layout, hashes)
    resolved = write_resolved(layout, name, cache_dir, checked.rewritten)
    labels, columns = checked.label_hashes, layout.pose_columns
    identity = fingerprint(listings, layout.class_names, hashes, labels, columns)
    keep_manifest(cache_dir, identity, listings, layout.class_names, hashes, labels)
    return LocalDataset(
        name=name,
        data_yaml=resolved.data_yaml,
        class_names=layout.class_names,
        splits=resolved.splits,
        fingerprint=identity,
        dvc_hash=dvc_hash,
        without_labels={
            split: sum(image not in layout.labels.of for image in images)
            for split, images in layout.images.items()
        },
        train_objects=sum(checked.objects.get(image, 0) for image in layout.images["train"]),
        judged_pictures=frozenset(resolved.place_of(image) for image in judged),
        warnings=tuple(layout.warnings),
    )


def _find(reference: str, base_dir: Path | None) -> Path:
    """The data.yaml of a reference, pulled where DVC tracks it and it is not there."""
    scheme = re.match(r"([A-Za-z][\w+.-]+)://", reference)
    if scheme:
        raise DatasetError(
            f"'{reference}': data sets at {scheme[1]}:// are not supported yet; copy the data to "
            f"this machine and give its path, or use {SCHEME}ppe"
        )
    bases = [Path()] if base_dir is None else [base_dir, Path()]
    place = first_there(reference, bases, Path.exists)
    if not place.exists():
        outputs = dvc.tracking([place])
        if not outputs:
            raise DatasetError(_not_found(reference, place))
        _pull(outputs, [place])
        if not place.exists():
            raise DatasetError(f"{place} is still missing after dvc pull; is it in the .dvc file?")
    return _yaml_in(place) if place.is_dir() else place


def _read(data_yaml: Path, cache_dir: Path) -> tuple[Layout, list[dvc.TrackedOutput]]:
    """Read a data.yaml, pulling what DVC tracks and is not there."""
    layout = read_layout(data_yaml, [cache_dir])
    outputs = dvc.tracking(_places(layout))
    lacking = [output for output in outputs if output.lacking()]
    if layout.missing and not lacking:  # e.g. a listing names what the directory never held
        lacking = dvc.tracking(layout.missing)
    if lacking:
        _pull(lacking, layout.missing or [output.path for output in lacking])
        layout = read_layout(data_yaml, [cache_dir])
    return layout, outputs


def _pull(outputs: Sequence[dvc.TrackedOutput], missing: Sequence[Path]) -> None:
    """Pull, and don't believe DVC's exit code: it is 0 when the remote has lost files, too."""
    dvc.pull(outputs, missing)
    problems = Problems()
    for output in outputs:
        if count := output.lacking():
            problems.add(
                f"{count} files of {output.path} are still missing after dvc pull; see what the "
                f"remote lacks with: dvc status --cloud {output.dvc_file.name}",
                output.dvc_file,
            )
    if problems:
        raise DatasetError(problems)


def _places(layout: Layout) -> list[Path]:
    """Files and directories whose .dvc file would speak for the data set."""
    entries = [entry for entries in layout.entries.values() for entry in entries]
    labels = [label_path_of(entry / "x.jpg").parent for entry in entries]
    return [layout.data_yaml, layout.root, *entries, *labels]


def _not_found(reference: str, place: Path) -> str:
    """Names the first part of the path that is not there, and what is there instead."""
    parents = [place, *place.parents]
    missing = next(p for p in reversed(parents) if not p.exists())
    siblings = [p.name for p in missing.parent.iterdir()] if missing.parent.is_dir() else []
    near = did_you_mean(missing.name, siblings)
    return f"data set '{reference}': {missing} does not exist{near}"


def _yaml_in(folder: Path) -> Path:
    for name in ("data.yaml", "data.yml"):
        if (folder / name).is_file():
            return folder / name
    found = sorted(p for p in folder.iterdir() if p.suffix in (".yaml", ".yml") and p.is_file())
    if len(found) == 1:
        return found[0]
    if found:
        raise DatasetError(
            f"{folder} holds several YAML files and none is data.yaml; give one of them: "
            f"{', '.join(p.name for p in found)}"
        )
    raise DatasetError(
        f"{folder} holds no data.yaml; write one that names train, val and the classes, or give "
        f"the path of yours"
    )


@dataclass
class _Checked:
    """The content of a set's files.

    Args:
        image_hashes, label_hashes: sha256 by the image's path.
        objects: labelled objects by the image's path.
        rewritten: images whose label the resolved set must hold → its content there.
    """

    image_hashes: dict[Path, str]
    label_hashes: dict[Path, str] = field(default_factory=dict)
    objects: dict[Path, int] = field(default_factory=dict)
    rewritten: dict[Path, bytes] = field(default_factory=dict)


def _check_files(layout: Layout, cache_dir: Path, problems: Problems) -> _Checked:
    """Look at every image and label once; what is wrong is added to `problems`, what is odd to
    the layout's warnings."""
    images = list(dict.fromkeys(image for split in layout.images.values() for image in split))
    key = hashlib.sha256(str(layout.data_yaml).encode()).hexdigest()[:16]
    facts, wrong = ImageMemory(cache_dir / "images" / f"{key}.json").look_at(images)
    problems += [Problem(message, str(path)) for path, message in sorted(wrong.items())]
    checked = _Checked({path: fact.sha256 for path, fact in facts.items()})
    totals: Counter[DataWarningKind] = Counter()
    examples: dict[DataWarningKind, list[Path]] = defaultdict(list)
    for image, label in layout.labels.of.items():
        rows, content = read_labels(
            image,
            max(1, len(layout.class_names)),
            problems,
            label=label,
            pose_columns=layout.pose_columns,
        )
        if content is None:
            continue
        checked.label_hashes[image] = hashlib.sha256(content).hexdigest()
        checked.objects[image] = len(rows.class_ids) + len(rows.problems)
        if not rows.trainable_as_written:
            checked.rewritten[image] = rows.as_text().encode()
        elif image in layout.labels.respelled:
            checked.rewritten[image] = content
        for cause, count in zip(_ROW_KINDS, rows.odd, strict=True):
            if count:
                totals[cause] += count
                examples[cause].append(label)
    for cause, unit in _ROW_KINDS.items():
        if totals[cause]:
            layout.warn(cause, "", {unit: totals[cause]}, examples[cause])
    problems += _unlabelled(layout)
    return checked


def _unlabelled(layout: Layout) -> list[Problem]:
    """An image without a label file is background; a split without a label folder is a mistake."""
    problems, labels = Problems(), layout.labels.of
    for split, images in layout.images.items():
        without = [image for image in images if image not in labels]
        if without:
            numbers = {"without": len(without), "images": len(images)}
            layout.warn(DataWarningKind.WITHOUT_LABELS, split, numbers, without)
        if not images or len(without) < len(images) or layout.labels.problems:
            continue
        folders = {label_path_of(image).parent for image in images}
        if not any(folder.is_dir() for folder in folders):
            problems.add(
                f"'{split}': none of its {len(images)} images has labels: there is no folder "
                f"{min(folders)}; make it, empty, if they are all background",
                layout.data_yaml,
            )
    return problems


def _judged_pictures(layout: Layout, hashes: Mapping[Path, str]) -> frozenset[Path]:
    """Train images whose picture is in another split, too.

    The same picture in train and in a split that judges makes its numbers too good: told, as are
    pictures that a split judges several times under several names.
    """
    learnt = {hashes[image] for image in layout.images["train"]}
    judged: set[str] = set()
    for split, images in layout.images.items():
        if split == "train":
            continue
        here = Counter(hashes[image] for image in images)
        judged |= set(here)
        shared = [image for image in images if hashes[image] in learnt]
        if shared:
            numbers = {"shared": len(shared), "images": len(images)}
            layout.warn(DataWarningKind.SHARED_WITH_TRAIN, split, numbers, shared)
        if copies := len(images) - len(here):
            shown = [image for image in images if here[hashes[image]] > 1]
            numbers = {"copies": copies, "images": len(images)}
            layout.warn(DataWarningKind.SAME_PICTURES, split, numbers, shown)
    return frozenset(image for image in layout.images["train"] if hashes[image] in judged)


def read_labelled_images(dataset: LocalDataset, split: str) -> list[LabelledImage]:
    """The images of a split with their boxes in pixels, sorted by path.

    An image without a label file has no boxes. Width and height are those of the image as it is
    decoded, turned as it is to be shown.

    Raises:
        DatasetError: no such split, or files that changed for the worse since the set was resolved.
    """
    from .image_files import image_size  # and with it OpenCV, which is not needed to resolve

    problems = Problems()
    labelled = []
    for image in images_of(dataset, split):
        try:
            width, height = image_size(image)
        except (ValueError, OSError) as exc:
            problems.add(str(exc), image)
            continue
        rows, _ = read_labels(image, len(dataset.class_names), problems)
        boxes = to_pixels(rows.boxes_cxcywh, width, height)
        labelled.append(LabelledImage(image, width, height, boxes, rows.class_ids))
    if problems:
        raise DatasetError(problems)
    return labelled


def images_of(dataset: LocalDataset, split: str) -> tuple[Path, ...]:
    """The images of a split. Raises DatasetError where there is none of that name."""
    images = dataset.splits.get(split)
    if images is None:
        raise DatasetError(
            f"data set '{dataset.name}' has no split '{split}'; it has: {', '.join(dataset.splits)}"
        )
    return images
