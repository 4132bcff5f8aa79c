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

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .command_options.declared import Option as Option
from .command_options.declared import number as number
from .command_options.declared import option as option
from .command_options.declared import options_of as options_of
from .command_options.declared import switch as switch
from .command_options.words import FORCE_ALL as FORCE_ALL
from .command_options.words import module_flags as module_flags
from .command_options.words import overrides_from as overrides_from
from .command_options.words import parse_forced as parse_forced
from .command_options.words import read_words
from .stage.kinds import DESIGNS

Asked = TypeVar("Asked")


@dataclass(frozen=True)
class RunCommand:
    """The options of train, infer, quant, full_pipeline, compare, sweep, ablation or release.

    Args:
        stage: which of them.
        overrides: FIELD=VALUE each.
        judged_run: a release: the pipeline whose models are judged.
        judged_sources: a release: the train and quant runs whose models are judged.
    """

    stage: str
    scenario: str = option(
        "scenario", required=("release", "run-scenario"), module="scenario YAML, path or URI"
    )
    overrides: tuple[str, ...] = option(
        "-p --param",
        "Override a field of the scenario: -p training.epochs=5. Repeatable.",
        texts={
            "release": "Override a field: -p release.min_mAP50=0.7. Repeatable.",
            "sweep": "Values to try: -p 'learning_rate=[0.001,0.01]', -p 'lr={low: 1e-4, high: "
            "0.1, log: true}'; or one for all trials: -p epochs=5. Repeatable.",
        },
        default=(),
        metavar="FIELD=VALUE",
    )
    code_path: str = option(
        "-e --experiment-code-path --experiment --code-path",
        "Directory with train.py (class Trainer), a file, or git+https://…@ref. "
        "Default: the built-in YOLO experiment.",
        texts={
            "infer": "Directory with benchmark.py (class Benchmark), a file, or git+https://…@ref: "
            "it finds the boxes, GuardianFlow judges and times them. Default: GuardianFlow does "
            "all.",
            "quant": "Directory with quantize.py (class Quantizer), a file, or git+https://…@ref: "
            "it makes the variant's files, GuardianFlow judges them. Default: GuardianFlow makes "
            "them.",
            "full_pipeline": "Directory with train.py, quantize.py and benchmark.py or some of "
            "them, or git+https://…@ref. Default, and for what is not there: the built-in way.",
            "compare": "Directory with quantize.py (class Quantizer), a file, or "
            "git+https://…@ref. Default: GuardianFlow makes the variants.",
            "sweep": "Directory with train.py, quantize.py or benchmark.py, whichever trials are "
            "of, or git+https://…@ref. Default: the built-in way.",
        },
        metavar="PATH",
        module_flags="--code-path --experiment-code-path",
    )
    name: str = option("--name", "Scenario name (without a scenario file).", sets="name={}")
    customer: str = option("--customer", "Customer, e.g. donghwa-entec.", sets="site.customer={}")
    task: str = option("--task", "ppe, fall, fire, collision, stuck or own.", sets="task.type={}")
    data: str = option("-d --data", "data.yaml, directory or demo://ppe.", sets="dataset.path={}")
    device: str = option(
        "--device", "auto, cpu, cuda, 0; 0,1 for a training.", sets="environment.device={}"
    )
    imgsz: int | None = number("--imgsz", "Side of the network input.", sets="model.input_size={}")
    no_register: bool = switch("--no-register", "Log models, register none.")
    force: str = option(
        "--force",
        "Don't reuse finished runs; with STAGE (train, quant, infer) or a variant (openvino_int8), "
        "not that one's and what follows from it.",
        metavar="[STAGE]",
        bare=FORCE_ALL,
    )
    explain: bool = switch(
        "--explain", "Show what differs from the last finished run, and why; run nothing."
    )
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
        texts={
            "infer": "runs:/ID, runs:/ID/weights/best.pt, models:/…",
            "compare": "The model to judge on each data set: runs:/ID, models:/NAME@champion.",
        },
    )
    source: str = option(
        "-s --source-run-id --source-run",
        "Train run.",
        texts={
            "infer": "Train or quant run.",
            "sweep": "Run to start from.",
        },
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
    architectures: str = option(
        "--architectures",
        "Train each, e.g. yolo11n,yolo26n.",
        metavar="A,B",
        sets="comparison.architectures=[{}]",
        module="train each and compare: yolo11n,yolo26n",
    )
    datasets: str = option(
        "--datasets",
        "Judge one model on the data of several sites: a/data.yaml,b/data.yaml.",
        metavar="A,B",
        sets="comparison.datasets=[{}]",
        module="judge one model on each: a/data.yaml,b/data.yaml",
    )
    run_ids: str = option(
        "--run-ids",
        "Compare what finished runs have made; nothing is trained.",
        metavar="A,B",
        sets="comparison.run_ids=[{}]",
        module="finished runs to compare",
    )
    model_versions: str = option(
        "--model-versions",
        "Compare registered versions: NAME/3,NAME@champion.",
        metavar="A,B",
        sets="comparison.model_versions=[{}]",
        module="registered versions to compare: NAME/3,NAME@champion",
    )
    strategy: str = option(
        "--strategy", "grid, random or bayesian.", sets="sweep.strategy={}", metavar="NAME"
    )
    metric: str = option(
        "--metric",
        "The number that decides, e.g. mAP50; several show the trade-off: mAP50,latency.",
        texts={
            "compare": "The number that ranks, e.g. mAP50.",
            "ablation": "The number that tells an effect, e.g. mAP50.",
        },
        sets="DESIGN.metric={}",
        metavar="NAME",
    )
    minimize: bool = switch(
        "--minimize", "Less of the metric is better.", sets="DESIGN.direction=minimize"
    )
    max_runs: int | None = number(
        "--max-runs", "Combinations to try at most.", least=1, sets="sweep.max_runs={}"
    )
    repeats: int | None = number(
        "--repeats", "Runs of each, with other seeds.", least=1, sets="DESIGN.repeats={}"
    )
    parallel: int | None = number(
        "--parallel", "Runs at a time.", least=1, sets="DESIGN.parallel={}"
    )
    executor: str = option(
        "--executor",
        "local, ray or ray://HOST:PORT.",
        metavar="NAME",
        module="local, ray or ray://HOST:PORT",
    )
    resume: str = option(
        "--resume",
        "Go on with a pipeline run that failed.",
        texts={
            "compare": "Go on with a comparison that failed.",
            "sweep": "Go on with a sweep that stopped, by its parent run.",
            "ablation": "Go on with an ablation that failed.",
        },
        module="run id of the parent run that failed",
    )
    join: str = option(
        "--join",
        "Take trials of a sweep that another machine has begun, by its parent run; the runs are "
        "kept in PostgreSQL.",
        metavar="ID",
        module="run id of the parent run of a sweep at work on another machine",
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
        return self.source or (self.model if self.stage in ("infer", "compare") else "")

    def field_overrides(self) -> list[str]:
        """The fields of the scenario that flags set: `--epochs 5` is `training.epochs=5`."""
        found = []
        for each in options_of(RunCommand):
            value = getattr(self, each.name)
            if not each.sets or value is None or value is False or value == "":
                continue
            if each.sets.startswith("DESIGN") and self.stage not in DESIGNS:
                continue  # run-scenario: its scenario says which; then it is asked again
            sets = each.sets.replace("DESIGN", DESIGNS.get(self.stage, ""))
            several = each.name == "metric" and "," in value
            found.append(sets.format(f"[{value}]" if several else value))
        return found


@dataclass(frozen=True)
class WrapCommand:
    """The options of the wrapper: one experiment by `name`, or a batch.

    Args:
        params: NAME=VALUE each, for placeholders of args_template and options of the script.
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
        "Value of a placeholder of args_template, or of any option of the script. Repeatable.",
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
    "no_register", "force", "explain", "trust_weights", "dry_run", "as_json", "verbose",
)  # fmt: skip
_TRAINING = ("model", "epochs", "batch", "lr")
_COMPARED = ("architectures", "datasets", "run_ids", "model_versions", "quant_variants")
_DESIGN = ("parallel", "executor", "resume")
RUN_SCENARIO = "run-scenario"
"""The command whose stage its scenario decides."""
ON_COMMANDS: Mapping[str, tuple[str, ...]] = {
    "train": (*_COMMON, *_TRAINING),
    "infer": (*_COMMON, "model", "source", "batch_sizes", "warmup", "runs"),
    "quant": (*_COMMON, "source", "backend", "precision"),
    "full_pipeline": (*_COMMON, *_TRAINING, "backend", "resume", "fail_on_gate"),
    "compare": (
        *_COMMON, *_COMPARED, "model", "source", "epochs", "batch", "lr", "metric", "minimize",
        "repeats", *_DESIGN,
    ),
    "sweep": (
        *_COMMON, *_TRAINING, "source", "strategy", "metric", "minimize", "max_runs", "repeats",
        *_DESIGN, "join",
    ),
    "ablation": (
        *_COMMON, *_TRAINING, "source", "metric", "minimize", "repeats", *_DESIGN,
    ),
    RUN_SCENARIO: (
        "scenario", "overrides", "code_path", "source", "backend", "resume", "parallel", "executor",
        "no_register", "force", "explain", "trust_weights", "fail_on_gate", "dry_run",
        "as_json", "verbose",
    ),
    "release": (
        "scenario", "judged_run", "judged_sources", "overrides", "fail_on_gate", "dry_run",
        "as_json", "verbose",
    ),
}  # fmt: skip
_COMMON_MODULE = (
    "scenario", "code_path", "force", "no_register", "trust_weights", "dry_run", "as_json",
    "verbose",
)  # fmt: skip
_STAGE_MODULE = (*_COMMON_MODULE, "explain")
ON_MODULES: Mapping[str, tuple[str, ...]] = {
    "train": _STAGE_MODULE,
    "infer": (*_STAGE_MODULE, "source"),
    "quant": (*_STAGE_MODULE, "source", "backend"),
    "full_pipeline": (*_STAGE_MODULE, "fail_on_gate", "backend", "resume"),
    "compare": (
        *_STAGE_MODULE, *_COMPARED, "source", "metric", "minimize", "repeats", *_DESIGN,
    ),
    "sweep": (
        *_STAGE_MODULE, "source", "strategy", "metric", "minimize", "max_runs", "repeats", *_DESIGN,
        "join",
    ),
    "ablation": (*_STAGE_MODULE, "source", "metric", "minimize", "repeats", *_DESIGN),
    "release": (*_COMMON_MODULE, "fail_on_gate", "judged_run", "judged_sources"),
    "wrap": (
        "name", "script_type", "version", "script", "experiments", "no_register", "trust_weights",
        "dry_run", "as_json",
    ),
}  # fmt: skip


def parse_module(
    kind: type[Asked], module: str, description: str, argv: Sequence[str] | None, **fixed: Any
) -> tuple[Asked, list[str]]:
    """Read the words behind `python -m pipelines.{module}`; see `read_words`."""
    return read_words(kind, module, ON_MODULES[module], description, argv, **fixed)


def is_stage_or_variant(word: str) -> bool:
    """Whether a word behind --force is its value, and no scenario."""
    if word in (FORCE_ALL, *ON_COMMANDS):
        return True
    return re.fullmatch(r"[a-z0-9-]+_(fp32|fp16|int8)", word) is not None
