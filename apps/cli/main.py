"""The `guardianflow` command: a thin face on `create_runner` and the store.

Only click is imported here; everything else waits until a command needs it, so `--help` answers
at once.
"""

from __future__ import annotations

import click

from guardianflow import __version__
from guardianflow.support.secrets.streams import keeping_secrets
from pipelines.options import ON_COMMANDS, RunCommand

from .flags import Command
from .legacy_commands import LEGACY_COMMANDS
from .model_commands import MODEL_COMMANDS
from .options import DoctorCommand, ListCommand, MotCommand, PullCommand, ReportCommand
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


def run_command(name: str, text: str, epilog: str, stage: str = "") -> Command:
    """A command that runs a scenario."""
    work, stage = "apps.cli.run_scenario:run_scenario", stage or name
    return Command(name, work, RunCommand, text, epilog, ON_COMMANDS[stage], stage)


COMMANDS = (
    run_command(
        "train",
        "Train a detector and register it as candidate.",
        """\
  guardianflow train configs/scenarios/demo.yaml -p training.epochs=5
  guardianflow train --data data.yaml --model yolo11s.pt --epochs 100 --batch 16 \\
      --imgsz 640 --lr 0.01 --customer donghwa-entec --task ppe
""",
    ),
    run_command(
        "infer",
        "Judge a model's accuracy and speed on a split.",
        """\
  guardianflow infer configs/scenarios/demo.yaml --source-run-id RUN_ID
  guardianflow infer -m runs:/RUN_ID/weights/best.pt -d data.yaml --batch-sizes 1,4,8
  guardianflow infer -m models:/NAME@champion -d data.yaml --json
""",
    ),
    run_command(
        "quant",
        "Quantise a trained model and compare it with the original.",
        """\
  guardianflow quant configs/scenarios/donghwa_welding_quant_v1.yaml --source-run-id RUN_ID
  guardianflow quant -s RUN_ID --backend openvino --precision int8
""",
    ),
    run_command(
        "pipeline",
        "Train, quantise, judge each variant, decide the release and show the summary.",
        """\
  guardianflow pipeline configs/scenarios/demo.yaml
  guardianflow pipeline configs/scenarios/demo.yaml --resume RUN_ID
""",
        stage="full_pipeline",
    ),
    run_command(
        "release",
        "Judge finished runs by the scenario's gates: may one replace the model in use?",
        """\
  guardianflow release configs/scenarios/demo.yaml --run PARENT_RUN_ID --dry-run
  guardianflow release site.yaml --source-run-id TRAIN_RUN --source-run-id QUANT_RUN
  guardianflow release site.yaml --run PARENT_RUN_ID -p release.min_mAP50=0.7 --fail-on-gate

\b
Exit codes: 0 decided; 1 a failure, or with --fail-on-gate a release not passed; 2 bad input.
""",
    ),
    run_command(
        "compare",
        "Make formats of a trained model and set them beside each other.",
        """\
  guardianflow compare configs/scenarios/demo.yaml --source-run-id RUN_ID \\
      --quant-variants '[{"backend":"native","precision":"fp32"},
                         {"backend":"openvino","precision":"int8"}]'
  guardianflow compare scenario_with_comparison.yaml -s RUN_ID --json
  guardianflow compare scenario_with_comparison.yaml -s RUN_ID --resume PARENT_RUN_ID

\b
backend: native, openvino, onnx, tensorrt; precision: fp32, fp16, int8.
""",
    ),
    Command(
        "list",
        "apps.cli.listing:show_list",
        ListCommand,
        "What the store holds: experiments, runs or registered models.",
        """\
  guardianflow list runs --customer donghwa-entec
  guardianflow list models --json
""",
    ),
    Command(
        "mot",
        "apps.cli.mot:show_mot",
        MotCommand,
        "Judge multi-object tracking: HOTA, MOTA, IDF1 of result files made elsewhere.",
        """\
  guardianflow mot --gt data/sequences --results tracker/results
  guardianflow mot --gt data/sequences/gate --results results --json

\b
GT is a sequence or holds several: NAME/gt/gt.txt, and NAME/seqinfo.ini if there is one.
RESULTS holds NAME.txt for each: frame,id,left,top,width,height,confidence,class,…
""",
    ),
    Command(
        "doctor",
        "apps.cli.doctor:show_doctor",
        DoctorCommand,
        "What this machine is, which backends really run on it, and what to do about the rest.",
        """\
  guardianflow doctor
  guardianflow doctor --fresh --json
""",
    ),
    Command(
        "pull",
        "apps.cli.pull:show_pull",
        PullCommand,
        "Put a registered detector into a directory for a box at the site, or verify one.",
        """\
  guardianflow pull donghwa-entec/busan-plant1/welding/ppe__openvino_int8@champion --to /opt/ppe
  guardianflow pull donghwa-entec.busan-plant1.welding.ppe/3 --to /media/usb/ppe --json
  guardianflow pull --check /opt/ppe

\b
MODEL is NAME@alias, NAME/3, or NAME alone for its champion; models:/ before it is fine.
DIR/current is switched in one step once everything is verified; DIR/previous stays.
""",
    ),
    Command(
        "report",
        "apps.cli.report:show_report",
        ReportCommand,
        "Fetch the report of a release: what was decided, why, and what to do next.",
        """\
  guardianflow report RUN_ID --lang ko
  guardianflow report RUN_ID --to release.md
  guardianflow report RUN_ID --lang ko --to ~/reports/ --json

\b
RUN_ID is a release run or the pipeline run it belongs to; runs:/ID is fine.
The page needs no network; it opens from the disk and prints on A4.
""",
    ),
)


@click.group(
    cls=SectionedGroup, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="guardianflow")
def cli() -> None:
    """From a scenario to a registered, quantised, benchmarked detector."""


for each in (*COMMANDS, *MODEL_COMMANDS, *LEGACY_COMMANDS):
    cli.add_command(each.for_click())


def main() -> None:
    """Secrets are kept from the first message on: click's own quote what was typed."""
    with keeping_secrets():
        cli(prog_name="guardianflow")


if __name__ == "__main__":
    main()
