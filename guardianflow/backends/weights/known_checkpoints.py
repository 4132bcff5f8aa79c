"""Keeps what was read of a checkpoint by its sha256, so that it is not opened again.

    cache_dir/KEY.json    facts and figures; KEY is a hash over the file, the input size, and all
                          that reads: our modules and the versions of the libraries

Whether a checkpoint may be opened is not kept: every file is looked at each time. A file there is
whole or absent, and one that can't be read is made anew.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...contracts.detector_package import sha256_of
from ...support.files import replace_file
from . import checkpoints, model_figures, ultralytics_models, weight_files
from .weight_files import CHECKPOINT, WeightFacts

LOGGER = logging.getLogger(__name__)
READERS = ("weight_files", "model_figures", "product_counter", "ultralytics_models")
"""Modules beside this one whose answers are kept: with another version, a file is read anew."""
LIBRARIES = ("torch", "ultralytics")


def facts_and_figures(
    seen: checkpoints.Look,
    input_size: int | None,
    accepted: Collection[str],
    cache_dir: Path | None,
) -> tuple[WeightFacts, dict[str, str]]:
    """Read what a checkpoint says of itself, and its figures as a lineage holds them.

    Args:
        seen: the file, looked at.
        input_size: side that figures are for; None takes the one that the file was trained with.
        accepted: names beyond detectors' that it may hold; see `checkpoints`.
        cache_dir: made where it is missing; None keeps nothing.

    Raises:
        as `weight_files.read`.
    """
    file, place = seen.weights, None
    if cache_dir is not None and not seen.unknown(accepted):
        place = _place(cache_dir, seen.content, input_size)
    if place is not None and (known := _kept(place, file)) is not None:
        return known
    model = ultralytics_models.load_detector(file, accepted, seen)
    facts, figures = weight_files.facts_of(model, file), dict[str, str]()
    size = input_size if input_size is not None else facts.made_for
    if size is not None and size > 0 and size % facts.stride == 0:
        figures = model_figures.lineage_figures(model, file.name, facts.output, size)
    if place is not None and figures:
        _keep(place, facts, figures)
    return facts, figures


def _place(cache_dir: Path, content: bytes, input_size: int | None) -> Path | None:
    """The place of the answer for a file; None where nothing can be kept."""
    try:
        versions = [importlib.metadata.version(name) for name in LIBRARIES]
        readers = [sha256_of(Path(__file__).with_name(f"{name}.py")) for name in READERS]
    except (importlib.metadata.PackageNotFoundError, OSError):
        return None
    told = [hashlib.sha256(content).hexdigest(), input_size, versions, readers]
    return cache_dir / f"{hashlib.sha256(json.dumps(told).encode()).hexdigest()}.json"


def _kept(place: Path, file: Path) -> tuple[WeightFacts, dict[str, str]] | None:
    try:
        values: Any = json.loads(place.read_text(encoding="utf-8"))
        figures = {str(name): str(value) for name, value in values.pop("figures").items()}
        names = values.pop("class_names")
        class_names = None if names is None else tuple(map(str, names))
        facts = WeightFacts(**values, class_names=class_names, files={CHECKPOINT: file})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        LOGGER.warning("%s is damaged (%s); its file is read anew", place, exc)
        return None
    return facts, figures


def _keep(place: Path, facts: WeightFacts, figures: dict[str, str]) -> None:
    values = asdict(facts) | {"figures": figures}
    del values["files"]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        replace_file(place.parent, place.name, json.dumps(values, ensure_ascii=False), ".reading-")
    except OSError as exc:  # the answer counts; the file is read anew the next time
        LOGGER.warning("what was read can't be kept in %s: %s", place, exc)
