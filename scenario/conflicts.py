"""Contradictions in a scenario, across its fields and sections.

Reads what a file holds as well as checked sections, and passes over what has the wrong type: so
contradictions are told together with wrong fields, not after those are mended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from guardianflow.contracts.backends import DEFAULT
from guardianflow.contracts.quantisation import LEAST_IMAGES
from guardianflow.support.text.spelling import nfc

from . import alarm_conflicts
from .alarm_conflicts import ALARM_GATES, RISE, Conflict, look
from .fields.values import LEARNING_RATE, REACTIVATED, SEARCHABLE, TRAINABLE, by_its_name

GATES = (
    "min_mAP50", "min_mAP50_95", "min_recall", "min_recall_in", "max_latency_p95_ms", "min_fps",
    "min_cameras", "max_size_mb", "max_drop_vs_champion", *ALARM_GATES, RISE,
)  # fmt: skip
_RELEASE_KEYS = {*GATES, "max_leak", "unit", "confidence", "objective", "auto_promote"}
_RECALL = "recall."


def conflicts(values: Mapping[str, object]) -> Iterator[Conflict]:
    """Everything that contradicts itself in a file's own values, or in checked sections."""
    classes = look(values.get("task"), "classes")
    number = look(values.get("model"), "num_classes")
    counted = isinstance(number, int) and not isinstance(number, bool)
    named = len(classes) if isinstance(classes, (list, tuple)) else 0
    if counted and named and number != named:
        message = f"model.num_classes is {number} but task.classes names {named}"
        yield ("model", "num_classes"), message
    training = values.get("training")
    rate = look(training, "learning_rate")
    if look(training, "optimizer") == "auto" and rate not in (None, LEARNING_RATE):
        yield (
            ("training", "learning_rate"),
            f"training.learning_rate is {rate}, but with optimizer: auto Ultralytics chooses it; "
            "leave it out, or name an optimizer",
        )
    yield from _of_quantization(values.get("quantization"))
    yield from _of_comparison(values)
    yield from _of_release(values)
    yield from alarm_conflicts.conflicts(values)
    benchmark = values.get("benchmark")
    if look(benchmark, "use_tracking") is True and look(benchmark, "sequences") in (None, (), []):
        yield (
            ("benchmark", "use_tracking"),
            "benchmark.use_tracking is true but benchmark.sequences names none; write "
            "sequences: [DIRECTORY] with sequences in MOTChallenge's layout, or [demo://crossing]",
        )


def expand_variants(value: object) -> object:
    """`{shared keys, variants: [{…}, …]}` as a list of complete mappings; else the value itself.

    Raises:
        ValueError: a list, or `variants`, that does not hold at least one.
    """
    if isinstance(value, (list, tuple)) and not value:
        raise ValueError("it is empty")
    if not isinstance(value, Mapping) or "variants" not in value:
        return value
    variants = value["variants"]
    if not isinstance(variants, (list, tuple)) or not variants:
        raise ValueError("variants must be a list of at least one like [{backend: onnx}]")
    shared = {key: item for key, item in value.items() if key != "variants"}
    return [shared | dict(each) if isinstance(each, Mapping) else each for each in variants]


def unknown_classes(release: object, classes: object, whose: str) -> Iterator[Conflict]:
    """Gates on classes that are not there.

    Args:
        classes: names; anything else says nothing.
        whose: 'task.classes', or what else names them.
    """
    if not isinstance(classes, (list, tuple)) or not classes:
        return
    known = [nfc(str(each)) for each in classes]
    for key, start in (("min_recall", ""), ("max_drop_vs_champion", _RECALL)):
        limits = look(release, key)
        for name in limits if isinstance(limits, Mapping) else ():
            if not isinstance(name, str) or not name.startswith(start):
                continue
            if nfc(of_class := name.removeprefix(start)) not in known:
                has = f"{whose} has {', '.join(known)}"
                yield ("release", key, name), f"release.{key} names class '{of_class}', but {has}"
    in_slices = look(release, "min_recall_in")
    for part, limits in in_slices.items() if isinstance(in_slices, Mapping) else ():
        for name in _innermost(limits):
            if nfc(name) not in known:
                yield (
                    ("release", "min_recall_in", part),
                    f"release.min_recall_in.{part} names class '{name}', but {whose} has "
                    f"{', '.join(known)}",
                )


def _innermost(limits: object) -> Iterator[str]:
    """Class names below a slice, or below the values of a dimension."""
    for name, limit in limits.items() if isinstance(limits, Mapping) else ():
        if isinstance(limit, Mapping):
            yield from _innermost(limit)
        elif isinstance(name, str):
            yield name


# --- section by section -------------------------------------------------------------------------


def _of_quantization(quantization: object) -> Iterator[Conflict]:
    try:
        written = expand_variants(quantization)
    except ValueError:
        return
    several = isinstance(written, (list, tuple))
    variants = list(written) if isinstance(written, (list, tuple)) else [written]
    formats = [
        (look(each, "backend", DEFAULT), look(each, "precision", "int8")) for each in variants
    ]
    yield from _repeated(formats, ("quantization",), "quantization")
    for index, (variant, (backend, precision)) in enumerate(zip(variants, formats, strict=True)):
        place: tuple[str | int, ...] = ("quantization", index) if several else ("quantization",)
        found = (_qat_problem(variant), _activations_problem(variant), _float_problem(variant))
        for problem in filter(None, found):
            yield place, problem
        method = look(variant, "method", "static")
        possible = backend in SEARCHABLE and (precision, method) == ("int8", "static")
        if look(variant, "search") is not None and not possible:
            yield (
                place if several else ("quantization", "search"),
                "quantization.search looks for an int8 static recipe of "
                f"{' or '.join(SEARCHABLE)}, but this is {backend} {precision} {method}; "
                "leave search out here",
            )


def _qat_problem(variant: object) -> str:
    """The contradiction about QAT in one variant of `quantization`; '' where there is none."""
    backend = look(variant, "backend") or DEFAULT
    precision = look(variant, "precision") or "int8"
    asked = look(variant, "method") == "qat"
    search = look(variant, "search")
    allowed = look(search, "allow_qat") is True
    # What is trained on after activations were changed is the float network, of any backend.
    changed = look(search, "allow_activations") is True and backend in REACTIVATED
    able = " or ".join(TRAINABLE)
    if asked and (backend not in TRAINABLE or precision != "int8"):
        return (
            f"quantization.method qat makes int8 for {able}, but this is {backend} {precision}; "
            "use method static, or leave method out"
        )
    if allowed and backend not in TRAINABLE and not changed:
        return (
            f"quantization.search.allow_qat is for {able}, but this is {backend}; leave allow_qat "
            "out here"
        )
    if look(variant, "qat") is not None and not (asked or (allowed and backend in TRAINABLE)):
        return (
            "quantization.qat says how to train, but nothing is trained; add method: qat, or "
            "search: {allow_qat: true}, or leave qat out"
        )
    return ""


def _activations_problem(variant: object) -> str:
    """The contradiction about activations in one variant of `quantization`; '' for none."""
    backend, search = look(variant, "backend") or DEFAULT, look(variant, "search")
    if look(search, "allow_activations") is not True or backend not in SEARCHABLE:
        return ""  # what can't be searched is told as that alone
    if backend not in REACTIVATED:
        return (
            f"quantization.search.allow_activations is for {' or '.join(REACTIVATED)}, but this is "
            f"{backend}; leave allow_activations out here"
        )
    if look(search, "objective") == "size":
        return (
            "quantization.search.allow_activations makes a network faster, not smaller, but the "
            "objective is size; leave it out, or choose latency_p50 or throughput"
        )
    if isinstance(images := look(variant, "calibration_size"), int) and images < LEAST_IMAGES:
        return (
            "quantization.search.allow_activations measures batch norms anew, on at least "
            f"{LEAST_IMAGES} images, but calibration_size is {images}; raise it, or leave "
            "allow_activations out"
        )
    return ""


def _float_problem(variant: object) -> str:
    """The contradiction about the activation of a float format in one variant; '' for none."""
    backend = look(variant, "backend") or DEFAULT
    precision = look(variant, "precision") or "int8"
    if look(variant, "activation") is None:
        if look(variant, "distil_minutes") is not None:
            return (
                "quantization.distil_minutes says how long to train on after activations were "
                "changed, but quantization.activation is not set; set it, or leave "
                "distil_minutes out"
            )
        return ""
    if precision == "int8":
        return (
            "quantization.activation is for fp32 and fp16, but this is int8; use "
            "quantization.search with allow_activations, which finds how many int8 may change"
        )
    if backend not in REACTIVATED:
        return (
            f"quantization.activation is for {' or '.join(REACTIVATED)}, but this is {backend}; "
            "leave activation out here"
        )
    return ""


def _of_comparison(values: Mapping[str, object]) -> Iterator[Conflict]:
    variants = look(values.get("comparison"), "quantization_variants")
    if isinstance(variants, (list, tuple)):
        made = ((look(each, "backend"), look(each, "precision")) for each in variants)
        formats = ((by_its_name(backend), p) for backend, p in made)
        yield from _repeated(formats, ("comparison", "quantization_variants"), "comparison")


def _repeated(
    formats: Iterable[tuple[object, object]], place: tuple[str, ...], whose: str
) -> Iterator[Conflict]:
    """Variants of a backend and precision that an earlier one has."""
    seen: dict[tuple[str, str], int] = {}
    for index, (backend, precision) in enumerate(formats):
        if not isinstance(backend, str) or not isinstance(precision, str):
            continue
        first = seen.setdefault((backend, precision), index)
        if first != index:
            yield (
                (*place, index),
                f"{whose} variants {first} and {index} are both {backend} {precision}, and would "
                "have the same name; keep one",
            )


def _of_release(values: Mapping[str, object]) -> Iterator[Conflict]:
    release = values.get("release")
    if not (hasattr(release, "min_recall") or isinstance(release, Mapping)):
        return
    misspelt = isinstance(release, Mapping) and not _RELEASE_KEYS.issuperset(release)
    if not misspelt and not any(_asked(look(release, name)) for name in GATES):
        yield (
            ("release",),
            "release asks for no gate, so every model would pass; write at least one of "
            + ", ".join(GATES),
        )
    yield from unknown_classes(release, look(values.get("task"), "classes"), "task.classes")
    cameras = look(values.get("benchmark"), "cameras")
    if _asked(look(release, "min_cameras")) and cameras is None:
        yield (
            ("release", "min_cameras"),
            "release.min_cameras needs benchmark.cameras, which says what a camera sends; write "
            "benchmark: {cameras: {fps: 15, latency_budget_ms: 200}}",
        )
    if look(values.get("dataset"), "split") == "train":
        yield (
            ("dataset", "split"),
            "dataset.split is 'train', but a release may not be judged on the images it was "
            "trained on; write test or val",
        )


def _asked(limit: object) -> bool:
    return limit is not None and limit != {}
