"""Runs what a command line asks for, shows what came of it, and gives errors an exit code.

    0    done
    1    a failure at work; with --fail-on-gate a release that did not pass
    2    the caller's input can't be used
    130  interrupted

`python -m pipelines.X` (what the MLproject calls) begins in `main`; the `guardianflow` command
reads its own flags and calls `run_command`. The options are in options.py, the printing in
console.py.
"""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from guardianflow.contracts.errors import ComparisonFailedError, GuardianFlowError
from guardianflow.contracts.releases import PASS
from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.output_streams import surviving_output
from guardianflow.support.secrets.redaction import shown_address, shown_command
from guardianflow.support.secrets.streams import keeping_secrets
from guardianflow.support.stop_signals import let_through, stop_signals
from guardianflow.support.terminal import escape_log_lines, print_json, write

from .options import (
    FORCE_ALL,
    ON_MODULES,
    RunCommand,
    module_flags,
    options_of,
    overrides_from,
    parse_forced,
    parse_module,
)
from .settings import BUILTIN_EXPERIMENT, PROJECT_ROOT
from .stage.kinds import ABLATION, COMPARE, DESIGNS, FULL_PIPELINE, KINDS

if TYPE_CHECKING:
    from scenario import Scenario

    from .stage.plan import RunOptions
    from .tables import VariantTable

INTERRUPTED = 130
COMPARED = {
    "quantization_variants": "quant_variants",
    "architectures": "architectures",
    "datasets": "datasets",
    "run_ids": "run_ids",
    "model_versions": "model_versions",
}
"""Kind of comparison → the option that asks for it, which goes before all that the file names."""
SAID_OR_WITHOUT_EFFECT = (
    "scenario", "code_path", "trust_weights", "force", "explain", "no_register", "dry_run",
    "as_json", "verbose", "resume",
)  # fmt: skip
"""Options that the command to write again says in its own way, or need not repeat."""
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)


@keeping_secrets()
def main(stage: str, argv: Sequence[str] | None = None) -> int:
    """`python -m pipelines.{stage}`."""
    asked, rest = parse_stage(stage, argv)

    def work() -> int:
        whole = replace(asked, overrides=tuple(overrides_from(rest)))
        return run_command(whole, load_asked(whole), invocation(whole), launcher=True)

    return run_guarded(work, as_json=asked.as_json)


def parse_stage(stage: str, argv: Sequence[str] | None) -> tuple[RunCommand, list[str]]:
    """The options of `python -m pipelines.{stage}`, and the words left for `overrides_from`."""
    text = f"Run '{stage}' of a scenario. Any field of the scenario can be overridden: "
    return parse_module(
        RunCommand,
        stage,
        text + "--training.epochs 5",
        argv,
        stage=stage,
        code_path=BUILTIN_EXPERIMENT,
    )


def load_asked(asked: RunCommand, overrides: Sequence[str] = ()) -> Scenario:
    """Load the file that a command names.

    Args:
        overrides: before those of the command.

    Raises:
        ScenarioError: every problem of file, flags and overrides at once.
    """
    from scenario import load_scenario

    from .command_options.scenario_places import local_scenario

    return load_scenario(
        local_scenario(asked.scenario),
        overrides=[*flag_overrides(asked), *overrides, *given_overrides(asked)],
        experiment_type=KINDS[asked.stage].scenario_type,
        search_dirs=[PROJECT_ROOT],
    )


def flag_overrides(asked: RunCommand) -> list[str]:
    """The fields that flags set. Asking for a design makes one of any file's."""
    designs = [f"design={DESIGNS[asked.stage]}"] if asked.stage in DESIGNS else []
    named = [kind for kind in COMPARED if asked.stage == COMPARE and getattr(asked, COMPARED[kind])]
    others = [f"comparison.{kind}=[]" for kind in COMPARED if named and kind not in named]
    return [*designs, *others, *asked.field_overrides()]


def given_overrides(asked: RunCommand) -> list[str]:
    """What was given with -p, short names too; of a sweep or an ablation, lists are tried."""
    from scenario.designs.flags import as_design_overrides

    return as_design_overrides(asked.overrides, DESIGNS.get(asked.stage, ""))


def invocation(asked: RunCommand) -> str:
    """The command to write again; under `mlflow run`, MLflow's."""
    # Without it, resuming would train the built-in experiment instead.
    has_code = asked.code_path not in ("", BUILTIN_EXPERIMENT)
    more = _own_flags(asked)
    if "MLFLOW_RUN_ID" in os.environ:
        from guardianflow.run_tracking.launcher import environment_manager

        code = [f"experiment_code_path={asked.code_path}"] if has_code else []
        trusting = ["trust-weights=true"] if asked.trust_weights else []
        own = [f"{_parameter(flag)}={value}" for flag, value in more]
        parameters = [f"scenario_path={asked.scenario}", *code, *asked.overrides, *trusting, *own]
        words = [word for parameter in parameters for word in ("-P", parameter)]
        run = ["mlflow", "run", ".", "-e", asked.stage, "--env-manager", environment_manager()]
        return shlex.join([*run, *words])
    words = ["python", "-m", f"pipelines.{asked.stage}", "--scenario", asked.scenario]
    words += ["--code-path", asked.code_path] if has_code else []
    for name, _, value in (pair.partition("=") for pair in asked.overrides):
        words += [f"--{name}", value]
    words += ["--trust-weights"] if asked.trust_weights else []
    words += [word for flag, value in more for word in (flag, value)]
    return shlex.join(words)


def _own_flags(asked: RunCommand) -> list[tuple[str, str]]:
    """Flag and value of each option without which it would be another work."""
    names = [name for name in ON_MODULES[asked.stage] if name not in SAID_OR_WITHOUT_EFFECT]
    given = ((each, getattr(asked, each.name)) for each in options_of(RunCommand, names))
    return [
        (module_flags(each)[0], "true" if value is True else str(value))
        for each, value in given
        if value != each.default and not each.several
    ]


def _parameter(flag: str) -> str:
    """The name of a flag behind `mlflow run -P`: as MLproject declares it, else as it is."""
    name = flag.removeprefix("--")
    return "source_run_id" if name == "source-run-id" else name


def run_command(
    asked: RunCommand, scenario: Scenario, again: str, *, launcher: bool = False
) -> int:
    """Run a scenario and print what came of it; errors go up to `run_guarded`.

    Args:
        again: the command to write again.
        launcher: a run that `mlflow run` made may be adopted.
    """
    from .console import make_reporter, print_explained, print_plan, print_run_table
    from .runner import create_runner, explain, plan_as_dict
    from .stage.plan import RunOptions, check_forced

    forced = parse_forced(asked.force)
    only = forced if forced != FORCE_ALL else ""
    options = RunOptions(
        code_path=asked.code_path or BUILTIN_EXPERIMENT,
        source=asked.start,
        backend=asked.backend,
        resume=asked.resume,
        join=asked.join,
        resumable=KINDS[asked.stage].resumable,
        force=forced == FORCE_ALL,
        force_only=only,
        register=not asked.no_register,
        trust_weights=asked.trust_weights,
        launcher=launcher,
        verbose=asked.verbose,
        fail_on_gate=asked.fail_on_gate,
        judged_run=asked.judged_run,
        judged_sources=asked.judged_sources,
        executor=asked.executor,
        parallel=asked.parallel,
        invocation=again,
    )
    reporter = None if asked.dry_run or asked.explain else make_reporter()
    runner = create_runner(scenario, options=options, stage=asked.stage, reporter=reporter)
    if only:
        check_forced(only, runner.planned())
    if asked.explain:
        print_explained(explain(runner), as_json=asked.as_json)
        return 0
    if asked.dry_run:
        plan = plan_as_dict(runner, scenario)
        print_json(plan) if asked.as_json else print_plan(plan)
        return 0
    try:
        result = runner.run()
    except KeyboardInterrupt as exc:
        from .stage.parent_run import resume_command

        raise KeyboardInterrupt(str(exc) or resume_command(options, options.resume)) from None
    except ComparisonFailedError as exc:  # what was measured is shown before the failure is told
        if not asked.as_json:
            print_run_table(cast("VariantTable", exc.comparison))
        raise
    show(scenario, result, as_json=asked.as_json)
    return gate_code(options, result)


def show(scenario: Scenario, result: StageResult, *, as_json: bool) -> None:
    """Print what came of a command."""
    from .console import print_everything, result_as_dict

    if as_json:
        table = table_of(scenario, result) if result.stage in (COMPARE, ABLATION) else None
        print_json(result_as_dict(result) | comparison_as_dict(table))
    else:
        print_everything(result, table_of(scenario, result), where_to_look())


def gate_code(options: RunOptions, result: StageResult) -> int:
    """1 where a release had to pass and did not; says which gates stopped it."""
    decision = result.decision
    if not options.fail_on_gate or decision is None or decision.outcome == PASS:
        return 0
    from .release.text import refusal

    write(f"error: {refusal(decision)}", error=True)
    return 1


def table_of(scenario: Scenario, result: StageResult) -> VariantTable | None:
    """The table of what ran several stages side by side; None for other results."""
    if result.stage == COMPARE:
        from .compare import kinds

        return kinds.table_of(scenario, result.run_id, result.stages)
    if result.stage == ABLATION:
        from .ablation.effects import tabulate

        return tabulate(scenario, result.run_id, result.stages)
    if result.stage == FULL_PIPELINE:
        from .full_pipeline.summary import summarise

        return summarise(scenario, result.run_id, result.stages)
    return None


def comparison_as_dict(table: Any) -> dict[str, Any]:
    return {} if table is None else {"comparison": table.to_dict()}


def where_to_look() -> str:
    from .settings import load_settings

    uri = load_settings().tracking_uri
    if uri and uri.startswith("http"):
        return f"Look at it: {shown_address(uri)}"
    store = f" --backend-store-uri {uri}" if uri else ""
    return shown_command(f"Look at it: make ui, or mlflow ui{store}")


@keeping_secrets()
def run_guarded(work: Callable[[], int], *, as_json: bool = False) -> int:
    """Call `work`; turn what it raises into one clear message and the right exit code.

    Ctrl-C, SIGTERM and a closed terminal interrupt it, once. What becomes of the output (a reader
    that goes away, a terminal without Hangul) touches neither the work nor the exit code.
    """
    escape_log_lines()
    with surviving_output(), stop_signals(held=True, own_process=True, until_exit=True):
        try:
            with let_through():
                return work()
        except KeyboardInterrupt as exc:
            resume = str(exc)
            print_error(as_json, "KeyboardInterrupt", "interrupted", INTERRUPTED, resume=resume)
            return INTERRUPTED
        except GuardianFlowError as exc:
            told = ("stage", "run_id", "log", "resume", "failure_reason")
            fields = {k: getattr(exc, k, None) for k in told}
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
