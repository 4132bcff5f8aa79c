"""The three classes that an author may write, described: where each is found, what it must hold."""

from __future__ import annotations

from dataclasses import dataclass

from .base import BaseBenchmark, BaseQuantizer, BaseTrainer


@dataclass(frozen=True)
class Method:
    """A method that is called with these positional arguments."""

    name: str
    arguments: tuple[str, ...] = ()
    returns: str = ""

    @property
    def written(self) -> str:
        """As an author would write it."""
        answer = f" -> {self.returns}" if self.returns else ""
        return f"def {self.name}({', '.join(('self', *self.arguments))}){answer}"


@dataclass(frozen=True)
class AuthorClass:
    """One of them.

    Args:
        name: of the class; its file's only subclass of `base` is taken too.
        file: where it lies in a directory.
        required: keyword arguments that must be enough for its constructor.
        optional: keyword arguments that a constructor may name besides.
        methods: that it must have.
        one_of: methods of which it must have at least one.
        may: methods that are called where they are there.
        declares: an attribute of the class that must be there; '' for none.
        summary: for people, what it needs.
    """

    name: str
    file: str
    base: type
    required: tuple[str, ...]
    optional: tuple[str, ...]
    methods: tuple[Method, ...] = ()
    one_of: tuple[Method, ...] = ()
    may: tuple[Method, ...] = ()
    declares: str = ""
    summary: str = ""

    @property
    def constructor(self) -> str:
        return f"def __init__(self, {', '.join(self.required)})"


TRAINER = AuthorClass(
    name="Trainer",
    file="train.py",
    base=BaseTrainer,
    required=("model_config", "training_config", "dataset_config"),
    optional=("environment_config", "work_dir", "resume_from"),
    methods=(
        Method("train", returns="None"),
        Method("get_best_model_path", returns="str"),
    ),
    summary="A trainer has train() and get_best_model_path()",
)
BENCHMARK = AuthorClass(
    name="Benchmark",
    file="benchmark.py",
    base=BaseBenchmark,
    required=("model_config", "benchmark_config", "dataset_config"),
    optional=("environment_config", "work_dir", "class_names", "detector"),
    one_of=(Method("predict", ("images",)), Method("predict_split", ("image_paths",))),
    may=(
        Method("track", ("frames", "frame_rate")),
        Method("extra_metrics", returns="dict"),
        Method("close", returns="None"),
    ),
    summary="A benchmark has predict(images) or predict_split(image_paths)",
)
QUANTIZER = AuthorClass(
    name="Quantizer",
    file="quantize.py",
    base=BaseQuantizer,
    required=("model_config", "quantization_config", "dataset_config"),
    optional=("environment_config", "work_dir", "class_names"),
    methods=(Method("quantize", ("weights", "calibration_images", "out_dir")),),
    declares="makes",
    summary="A quantizer has quantize(weights, calibration_images, out_dir) and says what it makes",
)
AUTHOR_CLASSES = (TRAINER, BENCHMARK, QUANTIZER)
FILES = tuple(each.file for each in AUTHOR_CLASSES)
