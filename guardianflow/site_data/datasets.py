"""A data set reference → a checked data set on this machine, its labels, its calibration images.

'demo://ppe?seed=7' ─ demo ─┐
data.yaml, directory ───────┴─ read_layout ─ (dvc pull) ─ labels, images ─ LocalDataset
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..contracts.errors import DatasetError, Problem, Problems
from ..contracts.given import given_path
from ..contracts.results import LabelledImage, LocalDataset
from ..support.suggestions import did_you_mean
from . import dvc
from .data_yaml import Layout, absolute, read_layout
from .demo import SCHEME, demo_data_set, make_once, parse_demo
from .fingerprint import ImageMemory, fingerprint
from .labels import image_size, label_path_of, read_labels, to_pixels

logger = logging.getLogger(__name__)


def resolve_dataset(
    reference: str,
    *,
    cache_dir: Path,
    base_dir: Path | None = None,
    version: str | None = None,
    expected_classes: Sequence[str] | None = None,
) -> LocalDataset:
    """Make a data set lie on this machine, and check it.

    Args:
        reference: a data.yaml; a directory that holds one; or 'demo://ppe', also with options
            ('demo://ppe?images=60&size=160&seed=7').
        cache_dir: where drawn sets, resolved data.yaml files and hashes of images are kept.
        base_dir: what a relative path is looked up in, before the working directory.
        version: of the data, as people call it; passed on.
        expected_classes: the classes the caller means, in any order; None or empty: any.

    Returns:
        The data set. Its `data_yaml` lies under `cache_dir`, names every image by absolute path
        and is made anew when the images or classes change.

    Raises:
        DatasetError: with every problem found: paths that don't exist (nearest names given),
            missing or damaged images, malformed label rows (file:line), empty splits, classes
            that are not the expected ones, files that DVC tracks and can't fetch.
    """
    cache_dir = absolute(cache_dir)
    tracked_by: list[dvc.TrackedOutput] = []
    if reference.startswith(SCHEME):
        name = f"demo-{parse_demo(reference)[0]}"
        data_yaml = demo_data_set(reference, cache_dir)
        layout = read_layout(data_yaml)
    else:
        data_yaml, layout, tracked_by = _local(reference, base_dir)
        name = data_yaml.stem if data_yaml.stem != "data" else data_yaml.parent.name
    problems = Problems(layout.problems)
    problems += _class_problems(layout, expected_classes)
    image_hashes, label_hashes = _check_files(layout, cache_dir, problems)
    if problems:
        raise DatasetError(problems)
    _warn_of_shared_images(layout, image_hashes)
    return LocalDataset(
        name=name,
        data_yaml=_write_resolved(layout, name, cache_dir),
        class_names=layout.class_names,
        splits=layout.images,
        fingerprint=fingerprint(layout.images, layout.class_names, image_hashes, label_hashes),
        version=version,
        dvc_hash=dvc.combined_hash(tracked_by),
    )


def _local(reference: str, base_dir: Path | None) -> tuple[Path, Layout, list[dvc.TrackedOutput]]:
    """Find and read a data.yaml, pulling what DVC tracks and is not there."""
    scheme = re.match(r"([A-Za-z][\w+.-]+)://", reference)
    if scheme:
        raise DatasetError(
            f"'{reference}': data sets at {scheme[1]}:// are not supported yet; copy the data to "
            f"this machine and give its path, or use {SCHEME}ppe"
        )
    place = _find(reference, base_dir)
    if not place.exists():
        outputs = dvc.tracking([place])
        if not outputs:
            raise DatasetError(_not_found(reference, place))
        _pull(outputs, [place])
        if not place.exists():
            raise DatasetError(f"{place} is still missing after dvc pull; is it in the .dvc file?")
    data_yaml = _yaml_in(place) if place.is_dir() else place
    layout = read_layout(data_yaml)
    outputs = dvc.tracking(_places(layout))
    lacking = [output for output in outputs if output.lacking()]
    if layout.missing and not lacking:  # e.g. a listing names what the directory never held
        lacking = dvc.tracking(layout.missing)
    if lacking:
        _pull(lacking, layout.missing or [output.path for output in lacking])
        layout = read_layout(data_yaml)
    return data_yaml, layout, outputs


def _pull(outputs: Sequence[dvc.TrackedOutput], missing: Sequence[Path]) -> None:
    """Pull, and don't believe DVC's exit code: it is 0 when the remote has lost files, too."""
    dvc.pull(outputs, missing)
    problems = [
        Problem(
            f"{output.lacking()} files of {output.path} are still missing after dvc pull; see what "
            f"the remote lacks with: dvc status --cloud {output.dvc_file.name}",
            str(output.dvc_file),
        )
        for output in outputs
        if output.lacking()
    ]
    if problems:
        raise DatasetError(problems)


def _places(layout: Layout) -> list[Path]:
    """Files and directories whose .dvc file would speak for the data set."""
    entries = [entry for entries in layout.entries.values() for entry in entries]
    labels = [label_path_of(entry / "x.jpg").parent for entry in entries]
    return [layout.data_yaml, layout.root, *entries, *labels]


def _find(reference: str, base_dir: Path | None) -> Path:
    """The path meant; where nothing is there, the first place it was looked for."""
    given = given_path(reference)
    bases = [Path()] if base_dir is None else [base_dir, Path()]
    candidates = [absolute(base / given) for base in bases]
    return next((path for path in candidates if path.exists()), candidates[0])


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


def _class_problems(layout: Layout, expected: Sequence[str] | None) -> list[Problem]:
    """Classes are matched by name, so another order is no problem."""
    if not expected or not layout.class_names or set(expected) == set(layout.class_names):
        return []
    return [
        Problem(
            f"the data set's classes are [{', '.join(layout.class_names)}] but the task's are "
            f"[{', '.join(expected)}]: name the same classes in both",
            str(layout.data_yaml),
        )
    ]


def _check_files(
    layout: Layout, cache_dir: Path, problems: Problems
) -> tuple[dict[Path, str], dict[Path, str]]:
    """Look at every image and label once; what is wrong is added to `problems`.

    Returns:
        sha256 of the images and of their label files, both by the image's path.
    """
    images = sorted({image for split in layout.images.values() for image in split})
    key = hashlib.sha256(str(layout.data_yaml).encode()).hexdigest()[:16]
    facts, wrong = ImageMemory(cache_dir / "images" / f"{key}.json").look_at(images)
    problems += [Problem(message, str(path)) for path, message in sorted(wrong.items())]
    label_hashes: dict[Path, str] = {}
    objects: dict[Path, int] = {}
    for image in images:
        rows, content = read_labels(image, max(1, len(layout.class_names)), problems)
        if content is not None:
            label_hashes[image] = hashlib.sha256(content).hexdigest()
            objects[image] = len(rows.class_ids) + len(rows.problems)
    problems += _unlabelled(layout, label_hashes, objects)
    return {path: fact.sha256 for path, fact in facts.items()}, label_hashes


def _unlabelled(
    layout: Layout, label_hashes: Mapping[Path, str], objects: Mapping[Path, int]
) -> list[Problem]:
    """An image without a label file is background; a split without a label folder is a mistake."""
    problems = Problems()
    for split, images in layout.images.items():
        if not images or any(image in label_hashes for image in images):
            continue
        folders = {label_path_of(image).parent for image in images}
        if not any(folder.is_dir() for folder in folders):
            problems.add(
                f"'{split}': none of its {len(images)} images has labels: there is no folder "
                f"{min(folders)}; make it, empty, if they are all background",
                layout.data_yaml,
            )
    train = layout.images.get("train", ())
    if train and not problems and not any(objects.get(image) for image in train):
        problems.add(
            f"'train': its {len(train)} images have no labelled object to learn from "
            f"(looked for e.g. {label_path_of(train[0])})",
            layout.data_yaml,
        )
    return problems


def _warn_of_shared_images(layout: Layout, hashes: Mapping[Path, str]) -> None:
    """The same picture in train and in a split that judges makes its numbers too good."""
    learnt = {hashes[image] for image in layout.images["train"]}
    for split, images in layout.images.items():
        shared = sum(hashes[image] in learnt for image in images) if split != "train" else 0
        if shared:
            logger.warning(
                "%s: %d of %d images in '%s' are also in 'train'; what is measured on them says "
                "little about new pictures",
                layout.data_yaml,
                shared,
                len(images),
                split,
            )


def _write_resolved(layout: Layout, name: str, cache_dir: Path) -> Path:
    """A data.yaml of absolute paths, in a directory named after its content."""
    listings = {split: "\n".join(map(str, images)) for split, images in layout.images.items()}
    names = "".join(
        f"  {i}: {json.dumps(class_name, ensure_ascii=False)}\n"
        for i, class_name in enumerate(layout.class_names)
    )
    digest = hashlib.sha256(json.dumps([listings, names]).encode()).hexdigest()[:16]
    slug = re.sub(r"[^\w-]", "_", name)
    home = cache_dir / "datasets" / f"{slug}-{digest}"

    def write(folder: Path) -> None:
        for split, listing in listings.items():
            (folder / f"{split}.txt").write_text(f"{listing}\n", encoding="utf-8")
        text = "".join(
            f"{split}: {json.dumps(str(home / f'{split}.txt'), ensure_ascii=False)}\n"
            for split in listings
        )
        text = f"path: {json.dumps(str(home), ensure_ascii=False)}\n{text}names:\n{names}"
        (folder / "data.yaml").write_text(text, encoding="utf-8")

    make_once(home, write)
    return home / "data.yaml"


def read_labelled_images(dataset: LocalDataset, split: str) -> list[LabelledImage]:
    """The images of a split with their boxes in pixels, sorted by path.

    An image without a label file has no boxes. Width and height are those of the image turned as
    its EXIF data say, as OpenCV reads it.

    Raises:
        DatasetError: no such split, or files that changed for the worse since the set was resolved.
    """
    problems = Problems()
    labelled = []
    for image in _images_of(dataset, split):
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


def _images_of(dataset: LocalDataset, split: str) -> tuple[Path, ...]:
    images = dataset.splits.get(split)
    if images is None:
        raise DatasetError(
            f"data set '{dataset.name}' has no split '{split}'; it has: {', '.join(dataset.splits)}"
        )
    return images


def images_by_class(dataset: LocalDataset, split: str) -> dict[str, int]:
    """Class name → images of the split that show at least one object of it.

    Raises:
        DatasetError: no such split, or a label file that became malformed or unreadable.
    """
    shown = _classes_by_image(dataset, _images_of(dataset, split)).values()
    return {name: sum(i in ids for ids in shown) for i, name in enumerate(dataset.class_names)}


def _classes_by_image(dataset: LocalDataset, images: Iterable[Path]) -> dict[Path, set[int]]:
    """Ids of the classes that each image shows. Raises DatasetError: labels malformed since."""
    problems, count = Problems(), len(dataset.class_names)
    classes = {i: set(read_labels(i, count, problems)[0].class_ids.tolist()) for i in images}
    if problems:
        raise DatasetError(problems)
    return classes


def sample_calibration_images(dataset: LocalDataset, size: int, *, seed: int) -> tuple[Path, ...]:
    """Pick images of the train split to calibrate a quantised model on.

    Half of them are shared out evenly over the classes, rarest first, so that a class that few
    images show is there too; the rest are drawn at random. Images that are also in another split
    are left out: nobody calibrates on what judges.

    Args:
        size: how many are wanted; all there are come back when there are fewer.
        seed: the same seed picks the same images in the same order.

    Raises:
        DatasetError: `size` is below 1, or the train split has no image of its own.
    """
    if size < 1:
        raise DatasetError(f"the calibration size must be at least 1 but got {size}")
    judging = {p for name, images in dataset.splits.items() if name != "train" for p in images}
    train = [p for p in dataset.splits.get("train", ()) if p not in judging]
    if not train:
        raise DatasetError(
            f"data set '{dataset.name}' has no train images of its own to calibrate on "
            f"({len(dataset.splits.get('train', ()))} in train, all of them in another split too)"
        )
    order = np.random.default_rng(seed).permutation(len(train))
    shuffled = [train[i] for i in order]
    if size >= len(shuffled):
        return tuple(shuffled)
    return tuple(_share_out(shuffled, _classes_by_image(dataset, shuffled), size))


def _share_out(shuffled: Sequence[Path], classes: Mapping[Path, set[int]], size: int) -> list[Path]:
    """Images for each class, rarest first, up to its quota; then others in the order given."""
    showing: dict[int, list[Path]] = {}
    for image in shuffled:
        for class_id in classes[image]:
            showing.setdefault(class_id, []).append(image)
    quota = max(1, size // (2 * max(1, len(showing))))
    chosen: dict[Path, None] = {}
    for class_id in sorted(showing, key=lambda c: (len(showing[c]), c)):
        have = sum(class_id in classes[image] for image in chosen)
        for image in showing[class_id]:
            if have >= quota or len(chosen) == size:
                break
            if image not in chosen:
                chosen[image] = None
                have += 1
    for image in shuffled:
        if len(chosen) == size:
            break
        chosen[image] = None
    return list(chosen)
