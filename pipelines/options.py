"""The options of both command lines, each declared once.

    guardianflow quant S -s RUN                          made by apps/cli/flags.py, with click
    python -m pipelines.quant --scenario S --source-run-id=RUN     made here, with argparse

A family of commands has a frozen dataclass. Its fields are the options: the name, type and default
are the field's, the rest is `option(…)`. ON_COMMANDS and ON_MODULES say which command takes which,
in the order of --help. `mlflow run -P` passes a switch as `--force true`, and what MLproject does
not declare as `--name VALUE`, which `overrides_from` reads.

Nothing heavy is imported here: --help answers at once.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from guardianflow.contracts.errors import ScenarioError
from guardianflow.support.terminal import ArgumentParser

Asked = TypeVar("Asked")


@dataclass(frozen=True)
class Option:
    """One option of some commands.

    Args:
        flags: of `guardianflow`; a word without dashes is an argument there, and a flag that must
            be given of `python -m`.
        text: what --help says; '' nothing.
        texts: command → what it says instead.
        metavar: stands for the value in --help.
        choices: the values that `guardianflow` takes.
        least: the smallest number.
        show_default: --help tells it.
        required: must be given; or the commands it must be given to.
        sets: the scenario's field that it overrides, `{}` for the value.
        module_flags: of `python -m`; '' the first long one of `flags`.
        module: what `python -m … --help` says; None the same with a small letter, '' nothing.
    """

    flags: str
    text: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    least: int | None = None
    show_default: bool = False
    required: bool | tuple[str, ...] = False
    sets: str = ""
    module_flags: str = ""
    module: str | None = None
    # of the field
    name: str = ""
    type: type = str
    several: bool = False
    default: Any = ""

    @property
    def is_argument(self) -> bool:
        return not self.flags.startswith("-")


def option(flags: str, text: str = "", *, default: Any = "", **more: Any) -> Any:
    """A field that is an option; `more` are values of Option."""
    return field(default=default, metadata={"option": Option(flags, text, **more)})


def switch(flag: str, text: str, **more: Any) -> Any:
    """A field that is False until its flag is given."""
    return option(flag, text, default=False, **more)


def number(flag: str, text: str = "", **more: Any) -> Any:
    """A field that is None until a number is given."""
    return option(flag, text, default=None, **more)


def options_of(kind: type, names: Sequence[str] = ()) -> list[Option]:
    """The options of a family's dataclass, or those of these names, in their order."""
    hints = get_type_hints(kind)
    found = {}
    for each in fields(kind):
        if declared := each.metadata.get("option"):
            hint = hints[each.name]
            found[each.name] = replace(
                declared,
                name=each.name,
                type=(get_args(hint) or (hint,))[0],  # int of 'int | None', str of 'tuple[str, …]'
                several=get_origin(hint) is tuple,
                default=each.default,
            )
    return [found[name] for name in names or found]


# --- what stands on both command lines ------------------------------------------------------------


@dataclass(frozen=True)
class RunCommand:
    """The options of train, infer, quant, full_pipeline, compare or release.

    Args:
        stage: which of them.
        overrides: FIELD=VALUE each.
        judged_run: a release: the pipeline whose models are judged.
        judged_sources: a release: the train and quant runs whose models are judged.
    """

    stage: str
    scenario: str = option("scenario", required=("release",), module="scenario YAML, path or URI")
    overrides: tuple[str, ...] = option(
        "-p --param",
        "Override a field of the scenario: -p training.epochs=5. Repeatable.",
        texts={"release": "Override a field: -p release.min_mAP50=0.7. Repeatable."},
        default=(),
        metavar="FIELD=VALUE",
    )
    code_path: str = option(
        "-e --experiment-code-path --experiment --code-path",
        "Directory with train.py, a file, or git+https://…@ref. "
        "Default: the built-in YOLO experiment.",
        metavar="PATH",
        module_flags="--code-path --experiment-code-path",
        module="directory with train.py, a file, or git+https://…@ref (default: %(default)s)",
    )
    name: str = option("--name", "Scenario name (without a scenario file).", sets="name={}")
    customer: str = option("--customer", "Customer, e.g. donghwa-entec.", sets="site.customer={}")
    task: str = option("--task", "ppe, fall, fire, collision, stuck or own.", sets="task.type={}")
    data: str = option("-d --data", "data.yaml, directory or demo://ppe.", sets="dataset.path={}")
    device: str = option("--device", "auto, cpu, cuda or 0.", sets="environment.device={}")
    imgsz: int | None = number("--imgsz", "Side of the network input.", sets="model.input_size={}")
    no_register: bool = switch("--no-register", "Log models, register none.")
    force: bool = switch("--force", "Don't reuse a finished run.")
    trust_weights: bool = switch(
        "--trust-weights",
        "Open weights whatever they hold: they may run anything. See docs/trust.md.",
        module="open weights that name more than detectors need: they may run anything",
    )
    dry_run: bool = switch(
        "--dry-run",
        "Show scenario and plan; touch nothing.",
        texts={"release": "Show scenario and candidates; touch nothing."},
        module="show the plan, touch nothing",
    )
    as_json: bool = switch(
        "--json", "End stdout with one object.", module="end stdout with one JSON object"
    )
    verbose: bool = switch(
        "--verbose",
        "Show the stages' own output.",
        texts={"release": "Show the stage's own output."},
    )
    model: str = option(
        "-m --model",
        "Architecture (yolo11n) or weights (best.pt).",
        texts={"infer": "runs:/ID, runs:/ID/weights/best.pt, models:/…"},
    )
    source: str = option(
        "-s --source-run-id --source-run",
        "Train run.",
        texts={"infer": "Train or quant run."},
        module="run whose model to start from",
    )
    epochs: int | None = number("--epochs", sets="training.epochs={}")
    batch: int | None = number("--batch", "Batch size.", sets="training.batch_size={}")
    lr: float | None = number("--lr", "Learning rate.", sets="training.learning_rate={}")
    warmup: int | None = number(
        "--warmup", "Calls before the measured ones.", sets="benchmark.warmup_runs={}"
    )
    runs: int | None = number("--runs", "Measured calls.", sets="benchmark.benchmark_runs={}")
    batch_sizes: str = option("--batch-sizes", "e.g. 1,4,8,16", sets="benchmark.batch_sizes=[{}]")
    backend: str = option(
        "--backend",
        "openvino, onnx or tensorrt alone.",
        texts={"full_pipeline": "Quantise for this backend alone."},
    )
    precision: str = option("--precision", "fp32, fp16 or int8.", sets="quantization.precision={}")
    quant_variants: str = option(
        "--quant-variants",
        "Formats, instead of the scenario's.",
        metavar="JSON",
        sets="comparison.quantization_variants={}",
        module="JSON list of formats to compare",
    )
    resume: str = option(
        "--resume",
        "Go on with a pipeline run that failed.",
        texts={"compare": "Go on with a comparison that failed."},
        module="run id of the parent run that failed",
    )
    fail_on_gate: bool = switch("--fail-on-gate", "Exit 1 when the release does not pass.")
    judged_run: str = option(
        "--run",
        "The pipeline to judge.",
        metavar="ID",
        module="the pipeline whose models are judged",
    )
    judged_sources: tuple[str, ...] = option(
        "-s --source-run-id",
        "Train or quant run.",
        default=(),
        metavar="ID",
        module="train and quant runs to judge",
    )

    @property
    def start(self) -> str:
        """The run or model to start from; '' where only the scenario says."""
        return self.source or (self.model if self.stage == "infer" else "")

    def field_overrides(self) -> list[str]:
        """The fields of the scenario that flags set: `--epochs 5` is `training.epochs=5`."""
        given = ((each.sets, getattr(self, each.name)) for each in options_of(RunCommand))
        return [sets.format(value) for sets, value in given if sets and value not in (None, "")]


@dataclass(frozen=True)
class WrapCommand:
    """The options of the wrapper: one experiment by `name`, or a batch.

    Args:
        params: NAME=VALUE each, for placeholders of args_template.
        written: fields whose options stood on the command line.
    """

    name: str = option("name", module="experiment in the registry file")
    everything: bool = switch("--all", "Every experiment of the registry.")
    customer: str = option("--customer", "Every experiment of this customer.")
    resume: str = option("--resume", "Go on with a fleet's batch.", metavar="BATCH")
    jobs: int = option(
        "--jobs", "How many at the same time.", default=1, least=1, show_default=True
    )
    strict: bool = switch("--strict", "Start nothing when one of the fleet can't run.")
    script_type: str = option(
        "--type",
        "Which entry point.",
        default="train",
        choices=("train", "infer", "quant"),
        show_default=True,
        module="train, infer or quant",
    )
    version: str = option(
        "--version",
        "The script of this version: v3, 1214, 최종.",
        module_flags="--script-version",
        module="v3, 1214 or 최종",
    )
    script: str = option("--script", "A script below the directory.", metavar="FILE")
    params: tuple[str, ...] = option(
        "-p --param",
        "Value of a placeholder of args_template. Repeatable.",
        default=(),
        metavar="NAME=VALUE",
    )
    experiments: str = option(
        "--experiments", "The registry file.", metavar="FILE", module="registry file"
    )
    no_register: bool = switch("--no-register", "Register no model.", module="")
    trust_weights: bool = switch(
        "--trust-weights",
        "Open the script's weights whatever they hold: they may run anything.",
        module="",
    )
    dry_run: bool = switch("--dry-run", "Show command, run and tags; start nothing.", module="")
    as_json: bool = switch("--json", "End stdout with one object.", module="")
    written: frozenset[str] = frozenset()


_COMMON = (
    "scenario", "overrides", "code_path", "name", "customer", "task", "data", "device", "imgsz",
    "no_register", "force", "trust_weights", "dry_run", "as_json", "verbose",
)  # fmt: skip
_TRAINING = ("model", "epochs", "batch", "lr")
ON_COMMANDS: Mapping[str, tuple[str, ...]] = {
    "train": (*_COMMON, *_TRAINING),
    "infer": (*_COMMON, "model", "source", "batch_sizes", "warmup", "runs"),
    "quant": (*_COMMON, "source", "backend", "precision"),
    "full_pipeline": (*_COMMON, *_TRAINING, "backend", "resume", "fail_on_gate"),
    "compare": (*_COMMON, "source", "quant_variants", "resume"),
    "release": (
        "scenario", "judged_run", "judged_sources", "overrides", "fail_on_gate", "dry_run",
        "as_json", "verbose",
    ),
}  # fmt: skip
_COMMON_MODULE = (
    "scenario", "code_path", "force", "no_register", "trust_weights", "dry_run", "as_json",
    "verbose",
)  # fmt: skip
ON_MODULES: Mapping[str, tuple[str, ...]] = {
    "train": _COMMON_MODULE,
    "infer": (*_COMMON_MODULE, "source"),
    "quant": (*_COMMON_MODULE, "source", "backend"),
    "full_pipeline": (*_COMMON_MODULE, "fail_on_gate", "backend", "resume"),
    "compare": (*_COMMON_MODULE, "source", "quant_variants", "resume"),
    "release": (*_COMMON_MODULE, "fail_on_gate", "judged_run", "judged_sources"),
    "wrap": (
        "name", "script_type", "version", "script", "experiments", "no_register", "trust_weights",
        "dry_run", "as_json",
    ),
}  # fmt: skip


# --- python -m ------------------------------------------------------------------------------------


def parse_module(
    kind: type[Asked], module: str, description: str, argv: Sequence[str] | None, **fixed: Any
) -> tuple[Asked, list[str]]:
    """Read the words behind `python -m pipelines.{module}`.

    Args:
        kind: the family's dataclass.
        fixed: its fields that are no options; an option's other default.

    Returns:
        What is asked, and the words that are no options: see `overrides_from`.
    """
    parser = ArgumentParser(
        prog=f"python -m pipelines.{module}", description=description, allow_abbrev=False
    )
    for each in options_of(kind, ON_MODULES[module]):
        flags = _module_flags(each)
        text = each.text[:1].lower() + each.text[1:].removesuffix(".")
        more: dict[str, Any] = {"nargs": "+"} if each.several else {}
        if each.type is bool:
            more = {"nargs": "?", "const": True, "type": parse_switch}
        parser.add_argument(
            *flags,
            dest=each.name,
            metavar=flags[0].removeprefix("--").replace("-", "_").upper(),
            required=each.is_argument,
            default=each.default,
            help=(text if each.module is None else each.module) or None,
            **more,
        )
    parser.set_defaults(**fixed)
    given, rest = parser.parse_known_args(argv)
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in vars(given).items()}
    return kind(**values), rest


def _module_flags(each: Option) -> list[str]:
    if each.module_flags:
        return each.module_flags.split()
    long = [flag for flag in each.flags.split() if flag.startswith("--")]
    return long[:1] or [f"--{each.name}"]


def parse_switch(text: str) -> bool:
    """A switch's value as `mlflow run` passes it."""
    if text.lower() in ("true", "yes", "1"):
        return True
    if text.lower() in ("false", "no", "0", ""):
        return False
    raise argparse.ArgumentTypeError(f"expected true or false but got '{text}'")


def overrides_from(rest: Sequence[str]) -> list[str]:
    """`--training.epochs 5`, as `mlflow run -P training.epochs=5` passes it on.

    Raises:
        ScenarioError: a flag that is no field of a scenario, or one without a value.
    """
    problems, pairs, words = [], [], iter(rest)
    for word in words:
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not name:
            problems.append(f"expected --section.field VALUE but got '{word}'")
        elif equals:
            pairs.append(f"{name}={value}")
        elif (following := next(words, None)) is not None:
            pairs.append(f"{name}={following}")
        else:
            problems.append(f"'{word}' has no value; write {word} VALUE")
    if problems:
        raise ScenarioError(problems)
    return pairs
