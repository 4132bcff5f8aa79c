"""What happens around a run on any command line: options in, tables or JSON out, exit codes.

    0    done
    1    a failure at work; with --fail-on-gate a release that did not pass
    2    the caller's input can't be used
    130  interrupted

`python -m pipelines.X` (what the MLproject calls) parses its own flags here; the `guardianflow`
command parses its own and calls `run_and_report`.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import shlex
from collections.abc import Sequence
from typing import Any

from guardianflow.contracts.errors import (
    ComparisonFailedError,
    GuardianFlowError,
    ScenarioError,
)
from guardianflow.contracts.releases import PASS
from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.output_streams import surviving_output
from guardianflow.support.secrets.redaction import shown_address, shown_command
from guardianflow.support.secrets.streams import keeping_secrets
from guardianflow.support.stop_signals import let_through, stop_signals
from guardianflow.support.terminal import ArgumentParser, escape_log_lines, write

from .settings import BUILTIN_EXPERIMENT, PROJECT_ROOT
from .stage.kinds import COMPARE, FULL_PIPELINE, KINDS, RELEASE
from .stage.plan import RunOptions

INTERRUPTED = 130
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
SWITCHES = {
    "force": "don't reuse a finished run",
    "no-register": "log models, register none",
    "trust-weights": "open weights that name more than detectors need: they may run anything",
    "dry-run": "show the plan, touch nothing",
    "json": "end stdout with one JSON object",
    "verbose": "show the stages' own output",
}


@keeping_secrets()
def main(stage: str, argv: Sequence[str] | None = None) -> int:
    """`python -m pipelines.{stage}`."""
    arguments, rest = make_parser(stage).parse_known_args(argv)
    return run_guarded(lambda: run_arguments(stage, arguments, rest), as_json=arguments.json)


def make_parser(stage: str) -> argparse.ArgumentParser:
    parser = ArgumentParser(
        prog=f"python -m pipelines.{stage}",
        description=f"Run '{stage}' of a scenario. Any field of the scenario can be overridden: "
        "--training.epochs 5",
        allow_abbrev=False,
    )
    parser.add_argument("--scenario", required=True, help="scenario YAML, path or URI")
    parser.add_argument(
        "--code-path",
        "--experiment-code-path",
        default=BUILTIN_EXPERIMENT,
        help="directory with train.py, a file, or git+https://…@ref (default: %(default)s)",
    )
    gated = {"fail-on-gate": "exit 1 when the release does not pass"}
    switches = SWITCHES | (gated if stage in (FULL_PIPELINE, RELEASE) else {})
    for name, text in switches.items():
        # `mlflow run -P force=true` arrives as `--force true`
        parser.add_argument(
            f"--{name}", nargs="?", const=True, default=False, type=parse_switch, help=text
        )
    if stage == RELEASE:
        parser.add_argument("--run", default="", help="the pipeline whose models are judged")
        parser.add_argument(
            "--source-run-id", nargs="+", default=[], help="train and quant runs to judge"
        )
    if stage in ("infer", "quant", COMPARE):
        parser.add_argument("--source-run-id", default="", help="run whose model to start from")
    if stage in ("quant", FULL_PIPELINE):
        parser.add_argument("--backend", default="", help="openvino, onnx or tensorrt alone")
    if stage == COMPARE:
        parser.add_argument("--quant-variants", default="", help="JSON list of formats to compare")
    if KINDS[stage].resumable:
        parser.add_argument("--resume", default="", help="run id of the parent run that failed")
    return parser


def parse_switch(text: str) -> bool:
    """A switch's value as `mlflow run` passes it."""
    if text.lower() in ("true", "yes", "1"):
        return True
    if text.lower() in ("false", "no", "0", ""):
        return False
    raise argparse.ArgumentTypeError(f"expected true or false but got '{text}'")


def run_arguments(stage: str, arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    from scenario import load_scenario

    scenario = load_scenario(
        arguments.scenario,
        overrides=[
            *comparison_overrides(stage, getattr(arguments, "quant_variants", "")),
            *overrides_from(rest),
        ],
        experiment_type=KINDS[stage].scenario_type,
        search_dirs=[PROJECT_ROOT],
    )
    options = RunOptions(
        code_path=arguments.code_path or BUILTIN_EXPERIMENT,
        source="" if stage == RELEASE else getattr(arguments, "source_run_id", ""),
        backend=getattr(arguments, "backend", ""),
        resume=getattr(arguments, "resume", ""),
        resumable=KINDS[stage].resumable,
        force=arguments.force,
        register=not arguments.no_register,
        trust_weights=arguments.trust_weights,
        launcher=True,
        verbose=arguments.verbose,
        fail_on_gate=getattr(arguments, "fail_on_gate", False),
        judged_run=getattr(arguments, "run", ""),
        judged_sources=tuple(arguments.source_run_id) if stage == RELEASE else (),
        invocation=invocation(stage, arguments, rest),
    )
    return run_and_report(
        scenario, stage, options, dry_run=arguments.dry_run, as_json=arguments.json
    )


def comparison_overrides(stage: str, variants: str) -> list[str]:
    """Whoever asks for a comparison runs one, whatever the file's design."""
    if stage != COMPARE:
        return []
    named = [f"comparison.quantization_variants={variants}"] if variants else []
    return ["design=comparison", *named]


def invocation(stage: str, arguments: argparse.Namespace, rest: Sequence[str]) -> str:
    """The command to write again; under `mlflow run`, MLflow's."""
    scenario, pairs = arguments.scenario, overrides_from(rest)
    if "MLFLOW_RUN_ID" in os.environ:
        trusting = ["trust-weights=true"] if arguments.trust_weights else []
        parameters = [f"scenario_path={scenario}", *pairs, *trusting]
        words = [word for parameter in parameters for word in ("-P", parameter)]
        return shlex.join(["mlflow", "run", ".", "-e", stage, *words])
    words = ["python", "-m", f"pipelines.{stage}", "--scenario", scenario]
    for name, _, value in (pair.partition("=") for pair in pairs):
        words += [f"--{name}", value]
    words += ["--trust-weights"] if arguments.trust_weights else []
    if stage == COMPARE:  # without these it would be another comparison
        for name in ("source_run_id", "quant_variants"):
            if value := getattr(arguments, name):
                words += [f"--{name.replace('_', '-')}", value]
    return shlex.join(words)


def overrides_from(rest: Sequence[str]) -> list[str]:
    """`--training.epochs 5`, as `mlflow run -P training.epochs=5` passes it on.

    Raises:
        ScenarioError: a flag that is no field of a scenario, or one without a value.
    """
    problems, pairs, place = [], [], 0
    while place < len(rest):
        word = rest[place]
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not name:
            problems.append(f"expected --section.field VALUE but got '{word}'")
            place += 1
        elif equals:
            pairs.append(f"{name}={value}")
            place += 1
        elif place + 1 < len(rest):
            pairs.append(f"{name}={rest[place + 1]}")
            place += 2
        else:
            problems.append(f"'{word}' has no value; write {word} VALUE")
            place += 1
    if problems:
        raise ScenarioError(problems)
    return pairs


def run_and_report(
    scenario: Any, stage: str, options: RunOptions, *, dry_run: bool = False, as_json: bool = False
) -> int:
    """Run a scenario and print what came of it; errors go up to `guarded`."""
    from scenario import dump_scenario

    from .console import make_reporter
    from .runner import create_runner, plan_as_dict

    runner = create_runner(
        scenario, options=options, stage=stage, reporter=None if dry_run else make_reporter()
    )
    if dry_run:
        plan = plan_as_dict(runner, dump_scenario(scenario))
        print_json(plan) if as_json else print_plan(plan)
        return 0
    try:
        result = runner.run()
    except KeyboardInterrupt as exc:
        from .stage.parent_run import resume_command

        raise KeyboardInterrupt(str(exc) or resume_command(options, options.resume)) from None
    except ComparisonFailedError as exc:  # what was measured is shown before the failure is told
        if not as_json:
            show_comparison(exc.comparison)
        raise
    if as_json:
        print_json(result_as_dict(result) | comparison_as_dict(comparison_of(scenario, result)))
    else:
        show(scenario, result)
    return gate_code(options, result)


def gate_code(options: RunOptions, result: StageResult) -> int:
    """1 where a release had to pass and did not; says which gates stopped it."""
    if not options.fail_on_gate or result.decision.get("outcome") == PASS:
        return 0
    from .release.text import refusal

    write(f"error: {refusal(result.decision)}", error=True)
    return 1


def comparison_of(scenario: Any, result: StageResult) -> Any:
    """The table of a comparison's result; None for other results."""
    if result.stage != COMPARE:
        return None
    from .compare.table import tabulate

    return tabulate(scenario, result.run_id, result.stages)


def comparison_as_dict(table: Any) -> dict[str, Any]:
    if table is None:
        return {}
    from .compare.table import to_dict

    return {"comparison": to_dict(table)}


def show_comparison(table: Any) -> None:
    from .console import print_comparison

    print_comparison(table)
    write(f"\nrun {table.run_id} in experiment {table.experiment_name}")


def show(scenario: Any, result: StageResult) -> None:
    from .console import print_result, print_summary
    from .full_pipeline.summary import summarise

    if result.stage == COMPARE:
        show_comparison(comparison_of(scenario, result))
    elif result.stage == FULL_PIPELINE:
        print_summary(summarise(scenario, result.run_id, result.stages))
        write(f"\nrun {result.run_id} in experiment {result.experiment_name}")
    else:
        print_result(result)
    if result.decision:
        from .release.text import decision_lines

        write("\n" + "\n".join(decision_lines(result.decision)))
    write(where_to_look())


def where_to_look() -> str:
    from .settings import load_settings

    uri = load_settings().tracking_uri
    if uri and uri.startswith("http"):
        return f"Look at it: {shown_address(uri)}"
    store = f" --backend-store-uri {uri}" if uri else ""
    return shown_command(f"Look at it: make ui, or mlflow ui{store}")


def print_plan(plan: dict[str, Any]) -> None:
    write(plan["scenario"])
    write("# planned stages")
    for stage in plan["stages"]:
        source = f"  from {stage['source']}" if stage["source"] else ""
        write(f"#   {stage['stage']:<24} {stage['experiment_name']} · {stage['run_name']}{source}")


def print_json(value: Any) -> None:
    write(json.dumps(value, ensure_ascii=False, default=str))


def result_as_dict(result: StageResult) -> dict[str, Any]:
    """The object that --json ends stdout with."""
    return {
        "run_id": result.run_id,
        "status": result.status,
        **({"reason": result.reason} if result.reason else {}),
        **({"notes": list(result.notes)} if result.notes else {}),
        **({"release": dict(result.decision)} if result.decision else {}),
        "stage": result.stage,
        "variant": result.variant,
        "reused": result.reused,
        "experiment_name": result.experiment_name,
        "run_name": result.run_name,
        "metrics": dict(result.metrics),
        "models": [{**vars(model), "uri": model.uri} for model in result.models],
        "stages": [result_as_dict(stage) for stage in result.stages],
    }


@keeping_secrets()
def run_guarded(work: Any, *, as_json: bool = False) -> int:
    """Call `work`; turn what it raises into one clear message and the right exit code.

    Ctrl-C, SIGTERM and a closed terminal interrupt it, once. What becomes of the output (a reader
    that goes away, a terminal without Hangul) touches neither the work nor the exit code.
    """
    escape_log_lines()
    with surviving_output(), stop_signals(held=True, own_process=True, until_exit=True):
        try:
            with let_through():
                return int(work())
        except KeyboardInterrupt as exc:
            resume = str(exc)
            print_error(as_json, "KeyboardInterrupt", "interrupted", INTERRUPTED, resume=resume)
            return INTERRUPTED
        except GuardianFlowError as exc:
            fields = {k: getattr(exc, k, None) for k in ("stage", "run_id", "log", "resume")}
            fields |= comparison_as_dict(getattr(exc, "comparison", None)) if as_json else {}
            print_error(as_json, type(exc).__name__, str(exc), exc.exit_code, **fields)
            return exc.exit_code
        except OSError as exc:
            if exc.errno not in UNWRITABLE:
                raise  # not the disk's fault: ours, with its traceback
            message = f"{exc}. Make room there or free it, or set GUARDIANFLOW_WORK_DIR elsewhere"
            print_error(as_json, type(exc).__name__, message, 1)
            return 1


def print_error(as_json: bool, kind: str, message: str, code: int, **fields: Any) -> None:
    """The error for people on stderr; the same as the last line of stdout with --json."""
    write(f"error: {message}", error=True)
    if kind == "KeyboardInterrupt" and fields.get("resume"):
        write(f"  resume: {fields['resume']}", error=True)
    if as_json:
        error = {"type": kind, "message": message, "exit_code": code, **fields}
        print_json(
            {
                "status": RunStatus.KILLED if code == INTERRUPTED else RunStatus.FAILED,
                "error": error,
            }
        )
