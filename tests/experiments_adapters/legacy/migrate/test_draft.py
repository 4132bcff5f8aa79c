"""A draft of a Trainer and a scenario around an old script: faithful, loadable, over no file."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from experiments_adapters.code_path import load_experiment
from experiments_adapters.legacy.migrate import Draft, make_draft, write_draft
from experiments_adapters.legacy.registry import LegacyExperiment, parse_registry
from guardianflow.contracts.errors import ConfigurationError
from scenario import load_scenario

REGISTRY = """
experiments:
  동화 안전모:
    path: 동화 안전모
    site: {customer: 동화엔텍, region: busan}
    task: {type: ppe}
    entry_points:
      train:
        default: train.py
        args_template: "--epochs {epochs} --batch-size {batch} --out '{out dir}'"
        defaults: {epochs: 7, batch: 4, out_dir: "내 결과"}
""".replace("{out dir}", "{out_dir}")
ARGPARSE = """
import argparse
from ultralytics import YOLO

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="data/ppe.yaml")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--lr0", type=float, default=0.002)
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()
    run(args)

def run(args):
    model = YOLO("yolo11s.pt")
    model.train(data=args.data, epochs=args.epochs, batch=args.batch_size, lr0=args.lr0,
                optimizer="SGD", cos_lr=True, mosaic=0.5, classes=[0, 2], device=[0, 1],
                project="runs", resume=args.resume, cache=how_much_memory() > 8)
    model.val(split="test")
    model.export(format="onnx")

if __name__ == "__main__":
    main()
"""
CONSTANTS = """
from ultralytics import YOLO
IMGSZ = 320 * 2
CFG = {"weights": "best.pt", "train": dict(epochs=3, batch=2, close_mosaic=1)}

class Learner:
    def __init__(self):
        self.model = YOLO(CFG["weights"])
    def train(self):
        self.model.train(data="https://example.org/x.yaml", imgsz=IMGSZ, **CFG["train"])

Learner().train()
"""
TORCH = """
import argparse, torch
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=2)
parser.add_argument("--batch-size", type=int, default=2)
parser.add_argument("--out", default="out")
args = parser.parse_args()
for epoch in range(args.epochs):
    print(f"epoch {epoch} loss={1 / (epoch + 1)} acc: 0.5")
torch.save({}, "weights/best.pth")
"""


def experiment(folder: Path, code: str, registry: str = REGISTRY) -> LegacyExperiment:
    home = folder / "동화 안전모"
    home.mkdir()
    (home / "train.py").write_text(code, "utf-8")
    (home / "data").mkdir()
    (home / "data/ppe.yaml").write_text("names: [a]")
    return parse_registry(registry, folder / "experiments.yaml").get("동화 안전모")


def drafted(folder: Path, code: str) -> tuple[Draft, Any, str]:
    """The draft as written: itself, its scenario, its code."""
    draft = make_draft(experiment(folder, code), folder / "new" / "동화")
    write_draft(draft)
    return (
        draft,
        load_scenario(draft.target / "scenario.yaml"),
        (draft.target / "train.py").read_text("utf-8"),
    )


def test_the_scripts_own_values_stand_in_the_scenario(tmp_path: Path) -> None:
    draft, scenario, code = drafted(tmp_path, ARGPARSE)
    assert draft.way == "ultralytics"
    training = scenario.training
    # The registry's defaults are what a wrapped run passes; they win over the script's own.
    assert (training.epochs, training.batch_size) == (7, 4)
    assert (training.learning_rate, training.optimizer) == (0.002, "sgd")
    assert (training.scheduler, training.early_stopping) == ("cosine", 100)
    assert dict(training.options) == {"mosaic": 0.5, "classes": [0, 2]}
    assert scenario.model.architecture == "yolo11s"
    assert scenario.model.weights_path == str(tmp_path / "동화 안전모/yolo11s.pt")
    assert scenario.dataset.path == str(tmp_path / "동화 안전모/data/ppe.yaml")
    assert (scenario.environment.device, scenario.environment.seed) == ("0", 0)
    assert scenario.site.customer == "동화엔텍"
    todos = "\n".join(draft.todos)
    assert "nothing is downloaded" in todos
    assert "several GPUs" in todos
    assert "option cache: the script says cache=how_much_memory() > 8" in todos
    for part in ("model.val(split='test')", "model.export(format='onnx')", "project='runs'"):
        assert part in code


def test_constants_dictionaries_and_classes_are_followed(tmp_path: Path) -> None:
    draft, scenario, _ = drafted(tmp_path, CONSTANTS)
    assert draft.way == "ultralytics"
    assert (scenario.training.epochs, scenario.training.batch_size) == (3, 2)
    assert scenario.model.input_size == 640
    assert dict(scenario.training.options) == {"close_mosaic": 1}
    assert scenario.dataset.path == "https://example.org/x.yaml"
    assert scenario.model.architecture == "TODO"  # best.pt does not say
    assert scenario.training.optimizer == "auto"  # as the script leaves it to Ultralytics
    assert not any("optimizer" in each or "learning_rate" in each for each in draft.todos)


@pytest.mark.parametrize(
    "code",
    [
        "E = 5\nE += 1\nfrom ultralytics import YOLO\nYOLO('a').train(data='d', epochs=E)",
        "from ultralytics import YOLO\nE = 5 if input() else 6\nYOLO('a').train(epochs=E)",
        "from ultralytics import YOLO\nE = 5\ndef f():\n    global E\n    E = 6\n"
        "def g():\n    YOLO('a').train(epochs=E)\nf()\ng()",
        "import argparse\nfrom ultralytics import YOLO\np = argparse.ArgumentParser()\n"
        "p.add_argument('--n', type=int, default=5)\nargs = p.parse_args()\nargs.n = 6\n"
        "YOLO('a').train(epochs=args.n)",
    ],
)
def test_what_only_running_tells_is_a_todo_not_a_guess(tmp_path: Path, code: str) -> None:
    draft, _, _ = drafted(tmp_path, code)
    assert any("the script says epochs=" in each for each in draft.todos), draft.todos


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (TORCH, "no YOLO"),
        ("from ultralytics import YOLO\nfor s in 'ns':\n    YOLO(s).train(data='d')", "several"),
        (
            "from ultralytics import YOLO\ndef go(s):\n    YOLO(s).train(data='d')\n"
            "for s in 'ns':\n    go(s)",
            "several",
        ),
        (
            "from ultralytics import YOLO\nclass Job:\n    def train(self, model):\n"
            "        model.train(data='d')\nJob().train(YOLO('a.pt'))",
            "several",
        ),
        ("from ultralytics import RTDETR\nRTDETR('a.pt').train(data='d')", "no YOLO"),
        ("from ultralytics import RTDETR\nRTDETR('a.pt').train(data='d')", "RTDETR in line 2"),
        ("from ultralytics import YOLOE\nm = YOLOE('a.pt')\nm.train(data='d')", "YOLOE in line 3"),
        ("import ultralytics as u\nu.YOLOWorld('a').train(data='d')", "YOLOWorld in line 2"),
        (
            "from ultralytics import YOLO\nclass Mine(YOLO):\n    pass\nMine('a').train(data='d')",
            "Mine in line 4",
        ),
        ("from ultralytics import YOLO\nYOLO('yoloe-11s.pt').train(data='d')", "YOLOE"),
        ("from ultralytics import YOLO\nYOLO('yolov8s-worldv2.pt').train(data='d')", "YOLO-World"),
        ("from ultralytics import YOLO\nYOLO('yolo11n-seg.pt').train(data='d')", "that segments"),
        ("from ultralytics import YOLO\nYOLO('rtdetr-l.pt').train(data='d')", "RT-DETR"),
        ("def broken(:\n", "can't be read"),
    ],
)
def test_other_scripts_are_run_and_must_be_filled_in_first(
    tmp_path: Path, code: str, why: str
) -> None:
    draft, _, text = drafted(tmp_path, code)
    assert draft.way == "script"
    assert why in draft.why
    assert "BEST = " in text
    trainer = _trainer(draft)
    with pytest.raises(ValueError, match="fill in BEST"):
        trainer(model_config=None, training_config=None, dataset_config=None)


def _trainer(draft: Draft) -> Any:
    """The class, as `python train.py` would define it."""
    space: dict[str, Any] = {"__name__": "train", "__file__": str(draft.target / "train.py")}
    exec(compile(draft.files["train.py"], space["__file__"], "exec"), space)
    return space["Trainer"]


def test_a_script_run_as_it_is_gets_the_scenarios_values_and_reports(tmp_path: Path) -> None:
    code = TORCH.replace("import argparse, torch", "import argparse, os").replace(
        "torch.save({}, ", "os.mkdir('weights'); open('weights/best.pth', 'w').write(str(args)) #"
    )
    _, scenario, text = drafted(tmp_path, code)
    assert scenario.training.epochs == 7
    filled = text.replace('BEST = ""', 'BEST = "weights/best.pth"')
    space: dict[str, Any] = {"__name__": "train", "__file__": "train.py"}
    exec(compile(filled, "train.py", "exec"), space)
    reported: list[tuple[int, dict[str, float]]] = []

    class Listening(space["Trainer"]):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, metrics: Any) -> None:
            reported.append((epoch, dict(metrics)))

    training = SimpleNamespace(epochs=3, batch_size=9, learning_rate=0.1)
    model = SimpleNamespace(architecture="yolo11n", weights_path=None)
    trainer = Listening(model, training, SimpleNamespace(path="d"), work_dir=tmp_path)
    trainer.train()
    assert [epoch for epoch, _ in reported] == [1, 2, 3]  # the script counts from 0
    assert reported[1][1] == {"loss": 0.5, "acc": 0.5}
    said = Path(trainer.get_best_model_path()).read_text()
    assert "epochs=3, batch_size=9, out='내 결과'" in said
    assert Path(trainer.get_best_model_path()).parent == tmp_path


def test_the_original_stays_and_nothing_is_overwritten(tmp_path: Path) -> None:
    entry = experiment(tmp_path, ARGPARSE)
    before = {each: _state(each) for each in entry.directory.rglob("*") if each.is_file()}
    target = tmp_path / "new"
    write_draft(make_draft(entry, target))
    after = {each: _state(each) for each in entry.directory.rglob("*") if each.is_file()}
    assert after == before
    (target / "train.py").write_text("mine")
    with pytest.raises(ConfigurationError, match="nothing is overwritten"):
        make_draft(entry, target)
    assert (target / "train.py").read_text() == "mine"
    with pytest.raises(ConfigurationError, match="must lie outside"):
        make_draft(entry, entry.directory / "new")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["new", "동화 안전모"]


def _state(path: Path) -> tuple[str, int]:
    return hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns


def test_all_that_is_in_the_way_is_told_at_once(tmp_path: Path) -> None:
    registry = REGISTRY.replace("busan", "TODO").replace("type: ppe", "type: TODO")
    entry = experiment(tmp_path, ARGPARSE, registry)
    (entry.directory / "train.py").unlink()
    (tmp_path / "new").mkdir()
    (tmp_path / "new/file").write_text("")
    with pytest.raises(ConfigurationError) as caught:
        make_draft(entry, tmp_path / "new")
    text = str(caught.value)
    for part in ("site.region", "task.type", "train.py", "nothing is overwritten"):
        assert part in text


@pytest.mark.parametrize("name", ['it\'s "quoted" \\ 경로', "'''\"\"\"", "tab\\n{x}"])
def test_any_path_gives_code_that_can_be_imported(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    home.mkdir()
    for script, code in (("a.py", ARGPARSE), ("b.py", TORCH)):
        (home / script).write_text(code, "utf-8")
        registry = json.dumps(
            {
                "experiments": {
                    "x": {
                        "path": str(home),
                        "site": {"customer": "c", "region": "r"},
                        "task": {"type": "ppe"},
                        "entry_points": {"train": {"default": script}},
                    }
                }
            },
            ensure_ascii=False,
        )
        entry = parse_registry(registry, tmp_path / "experiments.yaml").get("x")
        draft = make_draft(entry, tmp_path / f"new-{script}")
        write_draft(draft)
        assert _trainer(draft).__name__ == "Trainer"
        assert sys.modules.get("train") is None


def test_every_training_of_the_example_fleet_gives_a_draft(fleet: Path, tmp_path: Path) -> None:
    labels = json.loads((fleet / "labels.json").read_text("utf-8"))
    made: dict[str, int] = {"ultralytics": 0, "script": 0}
    for directory, scripts in labels.items():
        for number, (script, kind) in enumerate(scripts.items()):
            if kind != "train" or not script.endswith(".py"):
                continue
            entry = LegacyExperiment.model_validate(
                {
                    "path": str(fleet / directory),
                    "site": {"customer": "c", "region": "r"},
                    "task": {"type": "ppe"},
                    "entry_points": {"train": {"default": script}},
                }
            )
            draft = make_draft(entry, tmp_path / f"{directory}-{number}")
            write_draft(draft)
            _trainer(draft)
            made[draft.way] += 1
    assert made["ultralytics"] >= 8, made
    assert made["script"] >= 8, made


REAL = """
from ultralytics import YOLO

model = YOLO("yolo11n.yaml")
model.train(data="data/data.yaml", epochs=2, imgsz=64, batch=2, workers=0, device="cpu",
            optimizer="AdamW", lr0=0.001, plots=False, amp=False, project="runs", seed=3)
model.val()
"""


def write_tiny_data(folder: Path) -> None:
    import cv2
    import numpy as np

    random = np.random.default_rng(0)
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            (folder / split / kind).mkdir(parents=True)
        for number in range(4):
            image = random.integers(0, 255, (64, 64, 3), dtype=np.uint8)
            cv2.imwrite(str(folder / split / "images" / f"{number}.jpg"), image)
            label = folder / split / "labels" / f"{number}.txt"
            label.write_text("0 0.5 0.5 0.4 0.4\n1 0.2 0.2 0.2 0.2\n")
    (folder / "data.yaml").write_text(
        f"path: {folder}\ntrain: train/images\nval: val/images\nnames: [안전모, 머리]\n", "utf-8"
    )


@pytest.mark.acceptance
@pytest.mark.timeout(280)
def test_the_draft_of_a_plain_ultralytics_script_really_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guardianflow.run_tracking.mlflow_store import MlflowStore
    from pipelines import create_runner
    from pipelines.settings import Settings

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "settings"))
    flat = REGISTRY[: REGISTRY.index("        args_template")]
    entry = experiment(tmp_path, REAL, flat)
    write_tiny_data(entry.directory / "data")
    draft = make_draft(entry, tmp_path / "new")
    assert (draft.way, draft.todos) == ("ultralytics", ())
    write_draft(draft)
    code = load_experiment(str(draft.target), cache_dir=tmp_path / "cache")
    assert code.accepts == {"environment_config", "work_dir"}
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    result = create_runner(
        load_scenario(draft.target / "scenario.yaml"),
        uri,
        experiment_code_path=str(draft.target),
        settings=Settings(work_dir=tmp_path / "work"),
    ).run()
    run = MlflowStore(uri).get_run(result.run_id)
    assert run.status == "FINISHED"
    assert run.experiment_name == "동화엔텍/busan-plant1/full"
    assert (run.params["train.epochs"], run.params["env.seed"]) == ("2", "3")
    assert {"det.mAP50", "det.box_loss"} <= set(run.metrics)
    assert result.models[0].display_name == "동화엔텍/busan-plant1/full/ppe"
    assert not (entry.directory / "runs").exists()
