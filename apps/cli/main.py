"""The `guardianflow` command: a thin face on `create_runner` and the store.

Only click is imported here; everything else waits until a command needs it, so `--help` answers
at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from guardianflow import __version__
from guardianflow.support.secrets.streams import keeping_secrets

from . import model_commands
from .legacy import commands as legacy_commands
from .legacy import wrap as wrap_command
from .sections import SectionedGroup

EXAMPLES = """\b
Examples:
  guardianflow pipeline configs/scenarios/demo.yaml
  guardianflow train configs/scenarios/donghwa_welding_v1.yaml -p training.epochs=5
  guardianflow quant configs/scenarios/donghwa_welding_quant_v1.yaml --source-run-id RUN_ID
  guardianflow compare configs/scenarios/demo.yaml -s RUN_ID --quant-variants '[…]'
  guardianflow infer -m models:/demo-construction.seoul-plant1.full.ppe@candidate -d demo://ppe
  guardianflow run donghwa-entec-ppe --type train -p epochs=100
  guardianflow list runs --customer donghwa-entec
"""


@click.group(
    cls=SectionedGroup, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="guardianflow")
def cli() -> None:
    """From a scenario to a registered, quantised, benchmarked detector."""


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What train, infer, quant and pipeline have in common."""
    for option in reversed(
        [
            click.argument("scenario", required=False),
            click.option(
                "-p",
                "--param",
                "overrides",
                multiple=True,
                metavar="FIELD=VALUE",
                help="Override a field of the scenario: -p training.epochs=5. Repeatable.",
            ),
            click.option(
                "-e",
                "--experiment-code-path",
                "--experiment",
                "--code-path",
                "code_path",
                metavar="PATH",
                default="",
                help="Directory with train.py, a file, or git+https://…@ref. "
                "Default: the built-in YOLO experiment.",
            ),
            click.option("--name", default="", help="Scenario name (without a scenario file)."),
            click.option("--customer", default="", help="Customer, e.g. donghwa-entec."),
            click.option("--task", default="", help="ppe, fall, fire, collision, stuck or own."),
            click.option("-d", "--data", default="", help="data.yaml, directory or demo://ppe."),
            click.option("--device", default="", help="auto, cpu, cuda or 0."),
            click.option("--imgsz", type=int, default=None, help="Side of the network input."),
            click.option("--no-register", is_flag=True, help="Log models, register none."),
            click.option("--force", is_flag=True, help="Don't reuse a finished run."),
            click.option(
                "--trust-weights",
                is_flag=True,
                help="Open weights whatever they hold: they may run anything. See docs/trust.md.",
            ),
            click.option("--dry-run", is_flag=True, help="Show scenario and plan; touch nothing."),
            click.option("--json", "as_json", is_flag=True, help="End stdout with one object."),
            click.option("--verbose", is_flag=True, help="Show the stages' own output."),
        ]
    ):
        command = option(command)
    return command


@cli.command(
    epilog="""\b
Examples:
  guardianflow train configs/scenarios/demo.yaml -p training.epochs=5
  guardianflow train --data data.yaml --model yolo11s.pt --epochs 100 --batch 16 \\
      --imgsz 640 --lr 0.01 --customer donghwa-entec --task ppe
"""
)
@run_options
@click.option("-m", "--model", default="", help="Architecture (yolo11n) or weights (best.pt).")
@click.option("--epochs", type=int, default=None)
@click.option("--batch", type=int, default=None, help="Batch size.")
@click.option("--lr", type=float, default=None, help="Learning rate.")
def train(**given: Any) -> None:
    """Train a detector and register it as candidate."""
    finish("train", given)


@cli.command(
    epilog="""\b
Examples:
  guardianflow infer configs/scenarios/demo.yaml --source-run-id RUN_ID
  guardianflow infer -m runs:/RUN_ID/weights/best.pt -d data.yaml --batch-sizes 1,4,8
  guardianflow infer -m models:/NAME@champion -d data.yaml --json
"""
)
@run_options
@click.option("-m", "--model", default="", help="runs:/ID, runs:/ID/weights/best.pt, models:/…")
@click.option(
    "-s", "--source-run-id", "--source-run", "source", default="", help="Train or quant run."
)
@click.option("--batch-sizes", default="", help="e.g. 1,4,8,16")
@click.option("--warmup", type=int, default=None, help="Calls before the measured ones.")
@click.option("--runs", type=int, default=None, help="Measured calls.")
def infer(**given: Any) -> None:
    """Judge a model's accuracy and speed on a split."""
    finish("infer", given)


@cli.command(
    epilog="""\b
Examples:
  guardianflow quant configs/scenarios/donghwa_welding_quant_v1.yaml --source-run-id RUN_ID
  guardianflow quant -s RUN_ID --backend openvino --precision int8
"""
)
@run_options
@click.option("-s", "--source-run-id", "--source-run", "source", default="", help="Train run.")
@click.option("--backend", default="", help="openvino, onnx or tensorrt alone.")
@click.option("--precision", default="", help="fp32, fp16 or int8.")
def quant(**given: Any) -> None:
    """Quantise a trained model and compare it with the original."""
    finish("quant", given)


@cli.command(
    epilog="""\b
Examples:
  guardianflow pipeline configs/scenarios/demo.yaml
  guardianflow pipeline configs/scenarios/demo.yaml --resume RUN_ID
"""
)
@run_options
@click.option("-m", "--model", default="", help="Architecture (yolo11n) or weights (best.pt).")
@click.option("--epochs", type=int, default=None)
@click.option("--batch", type=int, default=None, help="Batch size.")
@click.option("--lr", type=float, default=None, help="Learning rate.")
@click.option("--backend", default="", help="Quantise for this backend alone.")
@click.option("--resume", default="", help="Go on with a pipeline run that failed.")
@click.option("--fail-on-gate", is_flag=True, help="Exit 1 when the release does not pass.")
def pipeline(**given: Any) -> None:
    """Train, quantise, judge each variant, decide the release and show the summary."""
    finish("full_pipeline", given)


@cli.command(
    epilog="""\b
Examples:
  guardianflow release configs/scenarios/demo.yaml --run PARENT_RUN_ID --dry-run
  guardianflow release site.yaml --source-run-id TRAIN_RUN --source-run-id QUANT_RUN
  guardianflow release site.yaml --run PARENT_RUN_ID -p release.min_mAP50=0.7 --fail-on-gate

\b
Exit codes: 0 decided; 1 a failure, or with --fail-on-gate a release not passed; 2 bad input.
"""
)
@click.argument("scenario")
@click.option("--run", "parent", default="", metavar="ID", help="The pipeline to judge.")
@click.option(
    "-s", "--source-run-id", "sources", multiple=True, metavar="ID", help="Train or quant run."
)
@click.option(
    "-p",
    "--param",
    "overrides",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Override a field: -p release.min_mAP50=0.7. Repeatable.",
)
@click.option("--fail-on-gate", is_flag=True, help="Exit 1 when the release does not pass.")
@click.option("--dry-run", is_flag=True, help="Show scenario and candidates; touch nothing.")
@click.option("--json", "as_json", is_flag=True, help="End stdout with one object.")
@click.option("--verbose", is_flag=True, help="Show the stage's own output.")
def release(**given: Any) -> None:
    """Judge finished runs by the scenario's gates: may one replace the model in use?"""
    from pipelines.command_line import run_guarded

    from .flags import run_release

    sys.exit(run_guarded(lambda: run_release(given), as_json=given["as_json"]))


@cli.command(
    epilog="""\b
Examples:
  guardianflow compare configs/scenarios/demo.yaml --source-run-id RUN_ID \\
      --quant-variants '[{"backend":"native","precision":"fp32"},
                         {"backend":"openvino","precision":"int8"}]'
  guardianflow compare scenario_with_comparison.yaml -s RUN_ID --json
  guardianflow compare scenario_with_comparison.yaml -s RUN_ID --resume PARENT_RUN_ID

\b
backend: native, openvino, onnx, tensorrt; precision: fp32, fp16, int8.
"""
)
@run_options
@click.option("-s", "--source-run-id", "--source-run", "source", default="", help="Train run.")
@click.option(
    "--quant-variants", default="", metavar="JSON", help="Formats, instead of the scenario's."
)
@click.option("--resume", default="", help="Go on with a comparison that failed.")
def compare(**given: Any) -> None:
    """Make formats of a trained model and set them beside each other."""
    finish("compare", given)


@cli.command(
    "list",
    epilog="""\b
Examples:
  guardianflow list runs --customer donghwa-entec
  guardianflow list models --json
""",
)
@click.argument("what", type=click.Choice(["experiments", "runs", "models"]), default="experiments")
@click.option("--customer", default="", help="Only this customer's.")
@click.option("--limit", type=int, default=20, show_default=True, help="Rows at most.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of a table.")
def list_command(what: str, customer: str, limit: int, as_json: bool) -> None:
    """What the store holds: experiments, runs or registered models."""
    from pipelines.command_line import run_guarded

    from .listing import show_list

    sys.exit(run_guarded(lambda: show_list(what, customer, limit, as_json), as_json=as_json))


@cli.command(
    epilog="""\b
Examples:
  guardianflow mot --gt data/sequences --results tracker/results
  guardianflow mot --gt data/sequences/gate --results results --json

\b
GT is a sequence or holds several: NAME/gt/gt.txt, and NAME/seqinfo.ini if there is one.
RESULTS holds NAME.txt for each: frame,id,left,top,width,height,confidence,class,…
"""
)
@click.option("--gt", "truth", required=True, metavar="DIR", help="Ground truth.")
@click.option("--results", required=True, metavar="DIR", help="Result files of a tracker.")
@click.option("--json", "as_json", is_flag=True, help="End stdout with one object, rates in 0…1.")
def mot(truth: str, results: str, as_json: bool) -> None:
    """Judge multi-object tracking: HOTA, MOTA, IDF1 of result files made elsewhere."""
    from pipelines.command_line import run_guarded

    def work() -> int:
        from .mot import show_mot

        return show_mot(truth, results, as_json)

    sys.exit(run_guarded(work, as_json=as_json))


@cli.command(
    epilog="""\b
Examples:
  guardianflow doctor
  guardianflow doctor --fresh --json
"""
)
@click.option("--fresh", is_flag=True, help="Try every backend anew; believe no kept verdict.")
@click.option("--json", "as_json", is_flag=True, help="End stdout with one object.")
def doctor(fresh: bool, as_json: bool) -> None:
    """What this machine is, which backends really run on it, and what to do about the rest."""
    from pipelines.command_line import run_guarded

    from .doctor import examine

    sys.exit(run_guarded(lambda: examine(fresh=fresh, as_json=as_json), as_json=as_json))


@cli.command(
    epilog="""\b
Examples:
  guardianflow pull donghwa-entec/busan-plant1/welding/ppe__openvino_int8@champion --to /opt/ppe
  guardianflow pull donghwa-entec.busan-plant1.welding.ppe/3 --to /media/usb/ppe --json
  guardianflow pull --check /opt/ppe

\b
MODEL is NAME@alias, NAME/3, or NAME alone for its champion; models:/ before it is fine.
DIR/current is switched in one step once everything is verified; DIR/previous stays.
"""
)
@click.argument("model", required=False, default="")
@click.option("--to", "target", default="", metavar="DIR", help="Directory of the box's bundles.")
@click.option("--check", default="", metavar="DIR", help="Verify DIR/current; needs no store.")
@click.option("--json", "as_json", is_flag=True, help="End stdout with one object.")
def pull(model: str, target: str, check: str, as_json: bool) -> None:
    """Put a registered detector into a directory for a box at the site, or verify one."""
    from pipelines.command_line import run_guarded

    def work() -> int:
        from .pull import show_pull

        return show_pull(model, target, check, as_json)

    sys.exit(run_guarded(work, as_json=as_json))


@cli.command(
    epilog="""\b
Examples:
  guardianflow report RUN_ID --lang ko
  guardianflow report RUN_ID --to release.md
  guardianflow report RUN_ID --lang ko --to ~/reports/ --json

\b
RUN_ID is a release run or the pipeline run it belongs to; runs:/ID is fine.
The page needs no network; it opens from the disk and prints on A4.
"""
)
@click.argument("run")
@click.option(
    "--lang", type=click.Choice(["en", "ko"]), default="en", show_default=True, help="Language."
)
@click.option(
    "--to",
    default="",
    metavar="FILE",
    help="File ending with .html or .md, or a directory. Default: release-ID.html here.",
)
@click.option("--json", "as_json", is_flag=True, help="End stdout with one object.")
def report(run: str, lang: str, to: str, as_json: bool) -> None:
    """Fetch the report of a release: what was decided, why, and what to do next."""
    from pipelines.command_line import run_guarded

    def work() -> int:
        from .report import show_report

        return show_report(run, lang, to, as_json)

    sys.exit(run_guarded(work, as_json=as_json))


model_commands.add_to(cli)
legacy_commands.add_to(cli)
wrap_command.add_to(cli)


def finish(stage: str, given: dict[str, Any]) -> None:
    """Run the command and leave with its exit code."""
    from pipelines.command_line import run_guarded

    from .flags import run_flags

    sys.exit(run_guarded(lambda: run_flags(stage, given), as_json=given["as_json"]))


def main() -> None:
    """Secrets are kept from the first message on: click's own quote what was typed."""
    with keeping_secrets():
        cli(prog_name="guardianflow")


if __name__ == "__main__":
    main()
