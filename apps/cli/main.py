"""The `guardianflow` command: a thin face on `create_runner` and the store.

Only click is imported here; everything else waits until a command needs it, so `--help` answers
at once.
"""

from __future__ import annotations

import click

from guardianflow import __version__
from guardianflow.support.secrets.streams import keeping_secrets
from pipelines.options import ON_COMMANDS, RUN_SCENARIO, RunCommand

from .alarms.commands import ALARM_COMMANDS
from .automation.commands import ALERTS_COMMANDS, OPTIMIZE_COMMANDS
from .config.commands import CONFIG_COMMANDS
from .data.commands import DATA_COMMANDS
from .deployment.commands import DEPLOYMENT_COMMANDS
from .flags import Command, group_of
from .legacy_commands import LEGACY_COMMANDS
from .metrics.commands import DASHBOARD, METRICS_COMMANDS
from .model_commands import MODEL_COMMANDS
from .options import (
    CopyCommand,
    DoctorCommand,
    ListCommand,
    MotCommand,
    PullCommand,
    ReportCommand,
)
from .sections import SectionedGroup
from .signing.commands import KEYS_COMMANDS, SIGN
from .upkeep.commands import UPKEEP_COMMANDS

EXAMPLES = """\b
Examples:
  guardianflow pipeline configs/scenarios/demo.yaml
  guardianflow train configs/scenarios/donghwa_welding_v1.yaml -p training.epochs=5
  guardianflow quant configs/scenarios/donghwa_welding_quant_v1.yaml --source-run-id RUN_ID
  guardianflow compare configs/scenarios/demo.yaml -s RUN_ID --quant-variants '[…]'
  guardianflow sweep configs/scenarios/demo.yaml -p 'learning_rate=[0.001,0.003]'
  guardianflow infer -m models:/demo-construction.seoul-plant1.full.ppe@candidate -d demo://ppe
  guardianflow resume RUN_ID
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
  guardianflow infer -s RUN_ID -e ../experiments/mot_benchmark      # its benchmark.py
""",
    ),
    run_command(
        "quant",
        "Quantise a trained model and compare it with the original.",
        """\
  guardianflow quant configs/scenarios/donghwa_welding_quant_v1.yaml --source-run-id RUN_ID
  guardianflow quant -s RUN_ID --backend openvino --precision int8
  guardianflow quant -s RUN_ID --backend openvino -e ../experiments/my_exporter   # its quantize.py
""",
    ),
    run_command(
        "pipeline",
        "Train, quantise, judge each variant, decide the release and show the summary.",
        """\
  guardianflow pipeline configs/scenarios/demo.yaml
  guardianflow pipeline configs/scenarios/demo.yaml --resume RUN_ID
  guardianflow pipeline configs/scenarios/demo.yaml --explain -p training.epochs=60
  guardianflow pipeline configs/scenarios/demo.yaml --force openvino_int8
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
        "Set formats, architectures, data sets, runs or versions beside each other.",
        """\
  guardianflow compare configs/scenarios/demo.yaml --source-run-id RUN_ID \\
      --quant-variants '[{"backend":"native","precision":"fp32"},
                         {"backend":"openvino","precision":"int8"}]'
  guardianflow compare scenario_with_comparison.yaml -s RUN_ID --json
  guardianflow compare scenario_with_comparison.yaml -s RUN_ID --resume PARENT_RUN_ID
  guardianflow compare -d data.yaml --architectures yolo11n,yolo11s --epochs 50
  guardianflow compare -m models:/NAME@champion --datasets busan/data.yaml,ulsan/data.yaml
  guardianflow compare --run-ids RUN_ID,RUN_ID
  guardianflow compare --model-versions NAME/3,NAME@champion

\b
backend: native, openvino, onnx, tensorrt; precision: fp32, fp16, int8.
""",
    ),
    run_command(
        "sweep",
        "Try values of parameters, and keep the best model.",
        """\
  guardianflow sweep configs/scenarios/demo_sweep.yaml --parallel 2
  guardianflow sweep -d data.yaml -m yolo11s.pt --epochs 50 \\
      -p 'learning_rate=[0.001,0.005,0.01]' -p 'batch_size=[8,16]' --metric mAP50
  guardianflow sweep demo.yaml -p 'lr={low: 1e-4, high: 0.1, log: true}' \\
      --strategy bayesian --max-runs 20 --executor ray
  guardianflow sweep demo.yaml --resume PARENT_RUN_ID
""",
    ),
    run_command(
        "ablation",
        "Show what each component of a training or quantisation is worth.",
        """\
  guardianflow ablation configs/scenarios/demo_ablation.yaml
  guardianflow ablation demo.yaml -p 'ablation.components={augmentation: [true, false]}'
""",
    ),
    Command(
        RUN_SCENARIO,
        "apps.cli.run_scenario:run_whatever",
        RunCommand,
        "Run a scenario as it says itself: by its design and experiment_type.",
        """\
  guardianflow run-scenario configs/scenarios/demo.yaml
  guardianflow run-scenario scenario_with_comparison.yaml -s RUN_ID --dry-run

\b
design sweep, comparison or ablation: that command; experiment_type train, infer or quant: that
command; neither: pipeline.
""",
        ON_COMMANDS[RUN_SCENARIO],
        RUN_SCENARIO,
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
  guardianflow pull NAME --to /opt/ppe --verify-key team.pub

\b
MODEL is NAME@alias, NAME/3, or NAME alone for its champion; models:/ before it is fine.
DIR/current is switched in one step once everything is verified; DIR/previous stays.
""",
    ),
    Command(
        "copy",
        "apps.cli.copy:show_copy",
        CopyCommand,
        "Register a detector of this registry in another one, as candidate.",
        """\
  guardianflow copy donghwa-entec/busan-plant1/welding/ppe@champion --to https://mlflow.plant:5000
  guardianflow copy NAME/3 --to sqlite:////media/usb/mlflow.db --json

\b
MODEL is NAME@alias, NAME/3, or NAME alone for its champion. Everything arrives, or nothing.
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


for each in (
    *(*COMMANDS, *UPKEEP_COMMANDS, *MODEL_COMMANDS, *LEGACY_COMMANDS, *DEPLOYMENT_COMMANDS),
    DASHBOARD,
    SIGN,
):
    cli.add_command(each.for_click())
for name, text, commands in (
    ("alarms", "Alarms of rules over recordings: judge them, tune them.", ALARM_COMMANDS),
    (
        "data",
        "Which recording an image belongs to, splits that don't leak, and what leaks.",
        DATA_COMMANDS,
    ),
    ("config", "See and try the settings of this machine.", CONFIG_COMMANDS),
    ("metrics", "Figures of all finished runs: the metrics store.", METRICS_COMMANDS),
    ("alerts", "Where a limit is passed: rules of configs/triggers.yaml.", ALERTS_COMMANDS),
    ("optimize", "Start what follows from alerts.", OPTIMIZE_COMMANDS),
    ("keys", "Keys that releases are signed with.", KEYS_COMMANDS),
):
    cli.add_command(group_of(name, text, commands))


def main() -> None:
    """Secrets are kept from the first message on: click's own quote what was typed."""
    with keeping_secrets():
        cli(prog_name="guardianflow")


if __name__ == "__main__":
    main()
