"""The other ways in which people write a scenario → the one that the schema knows.

    batch_sizes: [1, 8]                 benchmark.batch_sizes       FLAT has them all
    precision: int8                     quantization.precision; in an infer file environment's
    preprocess.image_size: 640          model.input_size
    preprocess.augmentations: {…}       training.options
    site: welding                       the content of configs/sites/welding.yaml

A value keeps its place, so that an error about `benchmark.batch_sizes` shows where it was written.
What is said twice must be said alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from guardianflow.contracts.errors import ScenarioError
from guardianflow.support.suggestions import did_you_mean

from .explain import KeyPath, explain, shown
from .files import SUFFIXES, read_scenario_text
from .naming import check_part
from .sections import HOMES, SiteConfig
from .yaml_tree import Document, FileKind, read_document

FLAT: Mapping[str, str] = {
    **dict.fromkeys(
        ("batch_sizes", "warmup_runs", "benchmark_runs", "conf_threshold", "iou_threshold"),
        "benchmark",
    ),
    **dict.fromkeys(
        ("backend", "precision", "method", "calibration_size", "calibration_method"),
        "quantization",
    ),
}
"""Keys at the top of infer and quant files → their section."""
PREPROCESS = ("image_size", "augmentations")
AUGMENTATIONS = (
    "hsv_h", "hsv_s", "hsv_v", "degrees", "translate", "scale", "shear", "perspective", "flipud",
    "fliplr", "bgr", "mosaic", "close_mosaic", "mixup", "cutmix", "copy_paste", "copy_paste_mode",
    "auto_augment", "erasing", "multi_scale",
)  # fmt: skip
"""Ultralytics' names."""
OTHER_NAMES: Mapping[str, str] = {
    **dict.fromkeys(("horizontal_flip", "hflip", "flip_lr"), "fliplr"),
    **dict.fromkeys(("vertical_flip", "vflip", "flip_ud"), "flipud"),
    **dict.fromkeys(("rotate", "rotation"), "degrees"),
}
SITES = Path("configs", "sites")
SITE_FILE = FileKind("a site", "at least customer and region", max_values=100)
_UNUSABLE_SITE = {"customer": "unknown", "region": "unknown"}  # beside a problem; never seen


def plain_path(path: KeyPath, declared: object) -> KeyPath:
    """Where the value of an override's key stands in the plain spelling.

    Args:
        declared: the file's experiment_type.
    """
    if len(path) == 1 and (section := _section_of(path[0], declared)):
        return (section, path[0])
    if path[:2] == ("preprocess", "image_size"):
        return ("model", "input_size")
    if path[:2] == ("preprocess", "augmentations") and len(path) > 2:
        return ("training", "options", OTHER_NAMES.get(str(path[2]), path[2]), *path[3:])
    return path


def make_plain(document: Document, site_dirs: Sequence[Path]) -> None:
    """Move what is spelled otherwise to its plain place; doing it again changes nothing.

    What can't be moved becomes a problem: another value is there, or it is no value that could
    stand there.

    Args:
        site_dirs: directories that may hold NAME.yaml of a site.
    """
    declared = document.values.get("experiment_type")
    for key in list(document.values):
        if section := _section_of(key, declared):
            _move_flat(document, key, section)
    _move_preprocess(document)
    if isinstance(name := document.values.get("site"), str):
        _read_site(document, name, site_dirs)


def site_places(scenario_file: Path | None, search_dirs: Iterable[Path]) -> list[Path]:
    """Where the file of a site may lie: in `sites` or `configs/sites` of the scenario's directory
    and those above it, then below the working directory and `search_dirs`."""
    above = [] if scenario_file is None else list(scenario_file.absolute().parents)
    places = [each / inner for each in above for inner in (Path("sites"), SITES)]
    places += [Path(each) / SITES for each in (Path.cwd(), *search_dirs)]
    return list(dict.fromkeys(places))


def _section_of(key: object, declared: object) -> str:
    """The section of a flat key; '' where it is none, as in a file for training alone."""
    if declared == "train" or not isinstance(key, str):
        return ""
    return "environment" if (key, declared) == ("precision", "infer") else FLAT.get(key, "")


# --- flat keys ----------------------------------------------------------------------------------


def _move_flat(document: Document, key: str, section: str) -> None:
    value = document.values.pop(key)
    written = document.values.get(section)
    if isinstance(written, list):  # variants of quantization, each with all of its values
        for index, variant in enumerate(written):
            if isinstance(variant, dict):
                _put(document, (key,), (section, index, key), value)
        return
    _put(document, (key,), (section, key), value)
    variants = written.get("variants") if isinstance(written, dict) else None
    for index, variant in enumerate(variants if isinstance(variants, list) else ()):
        if isinstance(variant, dict) and key in variant:
            _put(document, (key,), (section, "variants", index, key), value)


def _put(document: Document, origin: KeyPath, target: KeyPath, value: object) -> None:
    """Set a value at its plain place, unless another one is there."""
    holder: object = document.values
    for part in target[:-1]:
        if isinstance(holder, dict) and holder.get(part) is None:
            holder[part] = {}
        holder = holder[part]  # type: ignore[index]
        if not isinstance(holder, (dict, list)):
            return  # the section itself is wrong, and told as that
    if not isinstance(holder, dict):
        return
    key = target[-1]
    if key in holder:
        if holder[key] != value:
            other = document.problem("", target).where
            document.tell(
                f"{_dotted(origin)} is {shown(value)}, but {_dotted(target)} is "
                f"{shown(holder[key])} ({other}); they mean the same, keep one",
                origin,
            )
        return
    holder[key] = value
    for path, place in list(document.places.items()):
        if path[: len(origin)] == origin:
            document.places[(*target, *path[len(origin) :])] = place
    for path, where in list(document.overridden.items()):
        if path[: len(origin)] == origin:
            document.overridden[(*target, *path[len(origin) :])] = where


def _dotted(path: KeyPath) -> str:
    return ".".join(map(str, path))


# --- preprocess ---------------------------------------------------------------------------------


def _move_preprocess(document: Document) -> None:
    given = document.values.pop("preprocess", None)
    if given is None:
        return
    if not isinstance(given, dict):
        known = " and ".join(PREPROCESS)
        message = f"preprocess must be a mapping with {known} but got {shown(given)}"
        document.tell(message, ("preprocess",))
        return
    for key in given:
        if key not in PREPROCESS:
            hint = did_you_mean(key, PREPROCESS, 1) or f"; known are {', '.join(PREPROCESS)}"
            document.tell(f"unknown key '{key}' in 'preprocess'{hint}", ("preprocess", key))
    if (size := given.get("image_size")) is not None:
        if isinstance(size, list) and len(size) == 2 and size[0] == size[1]:
            size = size[0]  # [640, 640] is a square, and the only shape there is
        if isinstance(size, list):
            document.tell(
                "preprocess.image_size must be one number, the side of a square in pixels, but "
                f"got {shown(size)}",
                ("preprocess", "image_size"),
            )
        else:
            _put(document, ("preprocess", "image_size"), ("model", "input_size"), size)
    augmentations = given.get("augmentations")
    if augmentations is None:
        return
    if not isinstance(augmentations, dict):
        document.tell(
            "preprocess.augmentations must be a mapping of Ultralytics' names to their values like "
            f"{{mosaic: 1.0, fliplr: 0.5}} but got {shown(augmentations)}",
            ("preprocess", "augmentations"),
        )
        return
    for name, value in augmentations.items():
        origin, plain = ("preprocess", "augmentations", name), OTHER_NAMES.get(name, name)
        if plain not in AUGMENTATIONS:
            hint = did_you_mean(name, (*AUGMENTATIONS, *OTHER_NAMES), 1)
            known = hint or f"; known are {', '.join(AUGMENTATIONS)}"
            document.tell(
                f"unknown augmentation '{name}'{known} (what a trainer of your own knows goes to "
                "training.options)",
                origin,
            )
        elif isinstance(value, bool) and value:
            document.tell(
                f"preprocess.augmentations.{name} must be a value that says how much, like 0.5, "
                "but got true",
                origin,
            )
        else:
            value = 0.0 if value is False else value
            _put(document, origin, ("training", "options", plain), value)


# --- sites --------------------------------------------------------------------------------------


def _read_site(document: Document, name: str, site_dirs: Sequence[Path]) -> None:
    document.values["site"] = dict(_UNUSABLE_SITE)
    try:
        wanted = check_part(name)
    except ValueError as error:
        document.tell(
            f"site must be a mapping, or the name of a file in {SITES} without .yaml, but got "
            f"{shown(name)}; {error}",
            ("site",),
        )
        return
    known = _sites_in(site_dirs)
    if wanted not in known:
        looked = ", ".join(map(str, [each for each in site_dirs if each.is_dir()])) or str(SITES)
        hint = did_you_mean(wanted, known, 1) or f"; looked in {looked}"
        document.tell(f"site '{name}': there is no {name}.yaml{hint}", ("site",))
        return
    found = known[wanted]
    try:
        site = read_document(read_scenario_text(found, "a site"), str(found), SITE_FILE)
    except ScenarioError as error:
        document.problems.extend(error.problems)
        return
    document.problems.extend(site.problems)
    if site.problems:
        return
    values, top = site.values, cast("KeyPath", ())
    if isinstance(inner := values.get("site"), dict) and len(values) == 1:
        values, top = inner, ("site",)
    try:
        SiteConfig.model_validate(values)
    except ValidationError as error:
        for each in explain(SiteConfig, error, values, HOMES):
            path = (*top, *each.path)
            document.problems.append(site.problem(each.message, path, each.of_key))
        return
    document.values["site"] = dict(values)


def _sites_in(folders: Sequence[Path]) -> dict[str, Path]:
    """Name, as people read it, → file; of two files of one name the first folder's."""
    found: dict[str, Path] = {}
    for folder in folders:
        try:
            files = sorted(each for each in folder.iterdir() if each.suffix.lower() in SUFFIXES)
        except OSError:  # no such folder, or closed to us
            continue
        for each in files:
            try:
                found.setdefault(check_part(each.stem), each)
            except ValueError:
                continue
    return found
