"""Contradictions in a scenario, across its fields and sections.

Reads what a file holds as well as checked sections, and passes over what has the wrong type: so
contradictions are told together with wrong fields, not after those are mended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from guardianflow.contracts.backends import DEFAULT

from .fields import SEARCHABLE, TRAINABLE, by_its_name

Conflict = tuple[tuple[str | int, ...], str]
"""Where, and what."""

LATER_COMPARISONS = ("architectures", "run_ids", "model_versions", "datasets")
"""Kinds of comparison that a user may know from the documentation of a later version."""
GATES = (
    "min_mAP50", "min_mAP50_95", "min_recall", "max_latency_p95_ms", "min_fps", "min_cameras",
    "max_size_mb", "max_drop_vs_champion",
)  # fmt: skip
_RELEASE_KEYS = {*GATES, "confidence", "objective", "auto_promote"}
_RECALL = "recall."


def conflicts(values: Mapping[str, object]) -> Iterator[Conflict]:
    """Everything that contradicts itself in a file's own values, or in checked sections."""
    classes = _look(values.get("task"), "classes")
    number = _look(values.get("model"), "num_classes")
    counted = isinstance(number, int) and not isinstance(number, bool)
    named = len(classes) if isinstance(classes, (list, tuple)) else 0
    if counted and named and number != named:
        message = f"model.num_classes is {number} but task.classes names {named}"
        yield ("model", "num_classes"), message
    yield from _of_quantization(values.get("quantization"))
    yield from _of_comparison(values)
    yield from _of_release(values)
    benchmark = values.get("benchmark")
    if _look(benchmark, "use_tracking") is True and _look(benchmark, "sequences") in (None, (), []):
        message = (
            "benchmark.use_tracking is true but benchmark.sequences names none; write "
            "sequences: [DIRECTORY] with sequences in MOTChallenge's layout, or [demo://crossing]"
        )
        yield ("benchmark", "use_tracking"), message


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
    known = [str(each) for each in classes]
    for key, start in (("min_recall", ""), ("max_drop_vs_champion", _RECALL)):
        limits = _look(release, key)
        for name in limits if isinstance(limits, Mapping) else ():
            if not isinstance(name, str) or not name.startswith(start):
                continue
            if (of_class := name.removeprefix(start)) not in known:
                message = (
                    f"release.{key} names class '{of_class}', but {whose} has {', '.join(known)}"
                )
                yield ("release", key, name), message


# --- section by section -------------------------------------------------------------------------


def _of_quantization(quantization: object) -> Iterator[Conflict]:
    try:
        written = expand_variants(quantization)
    except ValueError:
        return
    several = isinstance(written, (list, tuple))
    variants = list(written) if isinstance(written, (list, tuple)) else [written]
    formats = [
        (_look(each, "backend", DEFAULT), _look(each, "precision", "int8")) for each in variants
    ]
    yield from _repeated(formats if several else (), ("quantization",), "quantization")
    for index, (variant, (backend, precision)) in enumerate(zip(variants, formats, strict=True)):
        place: tuple[str | int, ...] = ("quantization", index) if several else ("quantization",)
        if problem := _qat_problem(variant):
            yield place, problem
        method = _look(variant, "method", "static")
        possible = backend in SEARCHABLE and (precision, method) == ("int8", "static")
        if _look(variant, "search") is not None and not possible:
            message = (
                "quantization.search looks for an int8 static recipe of "
                f"{' or '.join(SEARCHABLE)}, but this is {backend} {precision} {method}; "
                "leave search out here"
            )
            yield place if several else ("quantization", "search"), message


def _qat_problem(variant: object) -> str:
    """The contradiction about QAT in one variant of `quantization`; '' where there is none."""
    backend = _look(variant, "backend") or DEFAULT
    precision = _look(variant, "precision") or "int8"
    asked = _look(variant, "method") == "qat"
    allowed = _look(_look(variant, "search"), "allow_qat") is True
    able = " or ".join(TRAINABLE)
    if asked and (backend not in TRAINABLE or precision != "int8"):
        return (
            f"quantization.method qat makes int8 for {able}, but this is {backend} {precision}; "
            "use method static, or leave method out"
        )
    if allowed and backend not in TRAINABLE:
        return (
            f"quantization.search.allow_qat is for {able}, but this is {backend}; leave allow_qat "
            "out here"
        )
    if _look(variant, "qat") is not None and not (asked or allowed):
        return (
            "quantization.qat says how to train, but nothing is trained; add method: qat, or "
            "search: {allow_qat: true}, or leave qat out"
        )
    return ""


def _of_comparison(values: Mapping[str, object]) -> Iterator[Conflict]:
    comparison = values.get("comparison")
    variants = _look(comparison, "quantization_variants")
    nothing = variants is None or variants in ([], ())
    later = isinstance(comparison, Mapping) and not comparison.keys().isdisjoint(LATER_COMPARISONS)
    wanted = values.get("design") == "comparison" or comparison is not None
    if nothing and wanted and not later:  # a kind that is not there yet is told as that alone
        yield (
            ("comparison",),
            "the comparison names nothing to compare; write comparison: {quantization_variants: "
            "[{backend: openvino, precision: int8}]}, or give --quant-variants",
        )
    if isinstance(variants, (list, tuple)):
        made = ((_look(each, "backend"), _look(each, "precision")) for each in variants)
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
            message = (
                f"{whose} variants {first} and {index} are both {backend} {precision}, and would "
                "have the same name; keep one"
            )
            yield (*place, index), message


def _of_release(values: Mapping[str, object]) -> Iterator[Conflict]:
    release = values.get("release")
    if not (hasattr(release, "min_recall") or isinstance(release, Mapping)):
        return
    misspelt = isinstance(release, Mapping) and not _RELEASE_KEYS.issuperset(release)
    if not misspelt and not any(_asked(_look(release, name)) for name in GATES):
        yield (
            ("release",),
            "release asks for no gate, so every model would pass; write at least one of "
            + ", ".join(GATES),
        )
    yield from unknown_classes(release, _look(values.get("task"), "classes"), "task.classes")
    cameras = _look(values.get("benchmark"), "cameras")
    if _asked(_look(release, "min_cameras")) and cameras is None:
        yield (
            ("release", "min_cameras"),
            "release.min_cameras needs benchmark.cameras, which says what a camera sends; write "
            "benchmark: {cameras: {fps: 15, latency_budget_ms: 200}}",
        )
    if _look(values.get("dataset"), "split") == "train":
        yield (
            ("dataset", "split"),
            "dataset.split is 'train', but a release may not be judged on the images it was "
            "trained on; write test or val",
        )


def _asked(limit: object) -> bool:
    return limit is not None and limit != {}


def _look(section: object, name: str, default: object = None) -> object:
    """A value of a file's mapping or of a checked section."""
    if isinstance(section, Mapping):
        return section.get(name, default)
    return getattr(section, name, default)
