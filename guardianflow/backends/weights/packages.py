"""From a weight file that a user or a trainer gives to a detector package."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ...contracts.backends import SOURCE
from ...contracts.errors import ConfigurationError, Problem, SourceError
from ...contracts.results import DetectorPackage, DetectorSpec
from ...support.text.spelling import nfc
from ..exporting import complete_or_absent
from . import checkpoints, weight_files, weight_notes
from .known_checkpoints import facts_and_figures
from .weight_files import WeightFacts


def package_from_weights(
    weights: Path,
    destination: Path,
    *,
    input_size: int | None,
    assumed_size: int | None = None,
    class_names: Sequence[str] | None = None,
    architecture: str = "",
    conf_threshold: float = 0.25,
    iou_threshold: float = 0.45,
    lineage: Mapping[str, str] | None = None,
    trusted: bool = False,
    cache_dir: Path | None = None,
) -> DetectorPackage:
    """Copy a detector's files and describe them.

    What the file says of itself wins where the caller says nothing; where both speak they must
    agree. A .pt file is a pickle, which can hold any code: it is opened only where it names
    nothing but what detectors need, or where it is trusted.

    Args:
        weights: an Ultralytics .pt, an .onnx, an OpenVINO .xml with its .bin, a TensorRT .engine
            exported by Ultralytics, or a directory with exactly one of them.
        destination: a directory that does not exist yet.
        input_size: side of the square network input, pixels; None takes the file's.
        assumed_size: where `input_size` is None and the file says none either.
        class_names: index = class id; None takes the file's.
        architecture: e.g. 'yolo11n'; '' takes the file's.
        conf_threshold, iou_threshold: the thresholds to deploy with.
        lineage: recorded in the package as it is. A PyTorch detector's number of parameters and
            operations are recorded beside it; see model_figures.
        trusted: the caller vouches for a .pt whatever it names. What it names beyond detectors'
            needs is recorded in the lineage, so that the package opens from then on.
        cache_dir: where what was read of checkpoints is kept; None keeps nothing.

    Raises:
        SourceError: the file is missing or is no detector; says what it is. It would run what no
            detector needs.
        ConfigurationError: class names or input size contradict the file, a threshold outside
            0…1, `destination` exists. All at once.
    """
    weights = Path(weights)
    facts, known, size = _read(weights, input_size, assumed_size, trusted, cache_dir)
    named = class_names if class_names is not None else facts.class_names
    names = None if named is None else tuple(map(nfc, named))
    thresholds = {"conf_threshold": conf_threshold, "iou_threshold": iou_threshold}
    problems = list(_problems(facts, class_names, size, thresholds, str(weights)))
    if problems or names is None:
        raise ConfigurationError(problems)
    missing = [str(path) for path in facts.files.values() if not path.is_file()]
    if missing:
        raise SourceError(f"{weights} refers to {', '.join(missing)}, which is missing")
    with complete_or_absent(destination) as work:
        for name, path in facts.files.items():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, work / name)
        spec = DetectorSpec(
            backend=facts.backend,
            precision=facts.precision,
            architecture=architecture or facts.architecture,
            class_names=names,
            input_size=size,
            output=facts.output,
            weights=next(iter(facts.files)),
            files={},
            **thresholds,
            lineage={
                **known,
                **weight_notes.lineage_of(facts, input_size, size),
                **(lineage or {}),
            },
        )
        made = DetectorPackage.create(work, spec)
    return DetectorPackage(destination, made.spec)


def _read(
    weights: Path,
    given: int | None,
    assumed: int | None,
    trusted: bool,
    cache_dir: Path | None,
) -> tuple[WeightFacts, dict[str, str], int]:
    """Read what the file says of itself, what a lineage is to say of it, and the input size."""
    accepted = (checkpoints.ANYTHING,) if trusted else ()
    file = weight_files.the_file(weights)
    if weight_files.readable()[file.suffix.lower()].name != SOURCE:
        facts = weight_files.read(file, accepted)
        return facts, {}, _size_of(facts, given, assumed, file)
    seen = checkpoints.look(file)
    facts, figures = facts_and_figures(seen, given, accepted, cache_dir)
    size = _size_of(facts, given, assumed, file)
    if size != (facts.made_for if given is None else given):
        facts, figures = facts_and_figures(seen, size, accepted, cache_dir)
    return facts, checkpoints.vouched(seen.names if trusted else ()) | figures, size


def _size_of(facts: WeightFacts, given: int | None, assumed: int | None, file: Path) -> int:
    """The input size: the caller's, the file's, else the one to assume."""
    size = facts.input_size or facts.made_for or assumed if given is None else given
    if size is None:
        raise SourceError(
            f"{file} does not say the size of its input, and neither does the scenario: set "
            "model.input_size to the side that it was trained with, in pixels (--imgsz of the "
            "guardianflow command)"
        )
    return size


def _problems(
    facts: WeightFacts,
    given: Sequence[str] | None,
    input_size: int,
    thresholds: Mapping[str, float],
    where: str,
) -> Iterator[Problem]:
    """Everything that contradicts the file or itself."""
    told = facts.class_names
    if given is None and told is None:
        yield Problem("the file names no classes; give class_names", where)
    elif given is not None and told is not None and not _same_names(told, given):
        yield Problem(
            f"class names must agree, but the file has {_show(told)} and the scenario has "
            f"{_show(given)}; correct the scenario's classes or name other weights",
            where,
        )
    elif given is not None and facts.class_count not in (None, len(given)):
        yield Problem(
            f"the file was made for {facts.class_count} classes but {len(given)} are named: "
            f"{_show(given)}",
            where,
        )
    if facts.input_size not in (None, input_size):
        yield Problem(
            f"model.input_size (--imgsz) must be {facts.input_size}, as the file was exported, but "
            f"is {input_size}",
            where,
        )
    elif input_size < 1 or input_size % facts.stride:
        yield Problem(
            f"model.input_size (--imgsz) must be a positive multiple of {facts.stride} but is "
            f"{input_size}",
            where,
        )
    for field, value in thresholds.items():
        if not 0 <= value <= 1:
            yield Problem(f"{field} must be from 0 to 1 but is {value}")


def _same_names(theirs: Sequence[str], given: Sequence[str]) -> bool:
    # OpenVINO's own metadata separates labels by spaces and so writes '_' for the ones inside.
    return [nfc(n).replace(" ", "_") for n in theirs] == [nfc(n).replace(" ", "_") for n in given]


def _show(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in list(names)[:8])
    more = len(names) - 8
    return f"[{shown}{f', … and {more} more' if more > 0 else ''}]"
