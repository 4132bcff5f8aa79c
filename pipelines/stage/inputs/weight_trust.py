"""Weights that somebody hands in are looked at before anything opens them.

A .pt is a pickle and may hold any code. What names more than detectors need is refused, before a
run exists, unless the caller said --trust-weights or the file lies in a directory of
GUARDIANFLOW_TRUSTED_WEIGHTS; see docs/trust.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from guardianflow.contracts.results import DetectorPackage

from ..stage import StageContext

FOREIGN_TAG = "weights.foreign_names"
"""On a run that opened, or made, weights that name more than detectors need."""
PICKLES = frozenset({".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".bin", ".joblib", ".tar"})
NO_PICKLES = frozenset(
    {".onnx", ".xml", ".engine", ".yaml", ".yml", ".json", ".txt", ".safetensors", ".h5", ".hdf5"}
    | {".npy", ".npz", ".weights", ".tflite", ".pb", ".torchscript"}
)
"""Files that no trainer unpickles: they have formats of their own."""


def admit(
    context: StageContext, files: Iterable[Path], vouched: Collection[str] = ()
) -> tuple[str, ...]:
    """Look at files that a stage is about to open, or to hand to a trainer.

    Args:
        vouched: names beyond detectors' needs that somebody has vouched for already.

    Returns:
        The names beyond detectors' needs, which somebody vouches for; () where there are none.

    Raises:
        SourceError: a file would run something else; names it.
    """
    from guardianflow.backends.weights import checkpoints

    found: set[str] = set()
    for file in dict.fromkeys(files):
        accepted = (checkpoints.ANYTHING,) if trusts(context, file) else vouched
        found.update(checkpoints.require_known(file, accepted).names)
    return tuple(sorted(found))


def trusts(context: StageContext, file: Path) -> bool:
    """Whether a file is opened whatever it holds: by the command's word, or by where it lies.

    A link counts for the place that it points to.
    """
    place = file.resolve()
    return context.request.trust_weights or any(
        place.is_relative_to(directory) for directory in context.settings.trusted_weights
    )


def given_to_training(context: StageContext, weights: Path | None) -> Iterator[Path]:
    """Files of a scenario that a trainer may unpickle.

    `model.weights_path` whatever it is called, but for formats known to be no pickles; in a
    directory, and among the training's options, what is named as pickles are.
    """
    if weights is not None and weights.is_dir():
        for file in sorted(weights.rglob("*")):
            of_openvino = file.suffix.lower() == ".bin" and file.with_suffix(".xml").is_file()
            if file.suffix.lower() in PICKLES and file.is_file() and not of_openvino:
                yield file
    elif weights is not None and weights.suffix.lower() not in NO_PICKLES:
        yield weights
    scenario = context.scenario
    for text in _texts([scenario.model.architecture, scenario.training.options]):
        path = Path(text).expanduser()
        if path.suffix.lower() in PICKLES:
            yield from (place for place in context.places_of(path) if place.is_file())


def admit_package(
    context: StageContext, package: DetectorPackage, *, registered: bool
) -> DetectorPackage:
    """A package whose weights may be opened; its lineage says which names were accepted.

    Args:
        registered: its identity was checked, so the names in its lineage are vouched for. What
            the lineage of any other package says, vouches for nothing.

    Raises:
        SourceError: its weights would run something else.
    """
    from guardianflow.backends.weights import checkpoints

    pickled = _is_pickled(package)
    vouched = names_of(package) if registered else ()
    names = admit(context, [package.weights_path], vouched) if pickled else ()
    lineage = {k: v for k, v in package.spec.lineage.items() if k != checkpoints.LINEAGE}
    spec = replace(package.spec, lineage=lineage | checkpoints.vouched(names))
    return replace(package, spec=spec)


def names_of(package: DetectorPackage) -> tuple[str, ...]:
    """The names that somebody vouched for when a pickled package was made."""
    from guardianflow.backends.weights.checkpoints import accepted_by

    return accepted_by(package.spec) if _is_pickled(package) else ()


def _is_pickled(package: DetectorPackage) -> bool:
    from guardianflow.backends.catalogue import backend_info

    return backend_info(package.spec.backend).pickled


def tell(context: StageContext, names: Collection[str], what: str) -> dict[str, str]:
    """Say that foreign names were accepted; {} and nothing said where there are none.

    Returns:
        The run's tag.
    """
    if not names:
        return {}
    if not context.request.check_only:
        context.events.message(f"{what} and may run: {shown(names)}")
    return {FOREIGN_TAG: " ".join(names)[:4000]}


def shown(names: Collection[str]) -> str:
    """For people: 'a.B, c.d and 3 more'; what can't be looked into has no names."""
    from guardianflow.backends.weights.checkpoints import ANYTHING

    if ANYTHING in names:
        return "anything, as it can't be looked into"
    listed = sorted(names)
    more = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
    return ", ".join(listed[:5]) + more


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts(each)
