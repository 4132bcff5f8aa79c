"""A script's values in its draft: paths that it puts together, optimizer and schedule, names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from experiments_adapters.legacy.migrate import Draft, make_draft, write_draft
from experiments_adapters.legacy.migrate.scenario_text import plain_name
from experiments_adapters.legacy.registry import parse_registry
from scenario import load_scenario

REGISTRY = """
experiments:
  동화 안전모:
    path: 동화 안전모
    site: {customer: 동화엔텍, region: busan}
    task: {type: ppe}
    entry_points: {train: {default: train.py}}
"""


def drafted(folder: Path, code: str) -> tuple[Draft, Any, str]:
    """The draft as written: itself, its scenario, its code."""
    home = folder / "동화 안전모"
    (home / "data").mkdir(parents=True)
    (home / "train.py").write_text(code, "utf-8")
    (home / "data/ppe.yaml").write_text("names: [a]")
    entry = parse_registry(REGISTRY, folder / "experiments.yaml").get("동화 안전모")
    draft = make_draft(entry, folder / "new" / "동화")
    write_draft(draft)
    return draft, load_scenario(draft.target / "scenario.yaml"), draft.files["train.py"]


def one_call(**arguments: str) -> str:
    given = "".join(f", {name}={value}" for name, value in arguments.items())
    return f"from ultralytics import YOLO\nYOLO('yolo11n.yaml').train(data='data/ppe.yaml'{given})"


@pytest.mark.parametrize(
    "root",
    [
        "ROOT = Path(__file__).parent",
        "ROOT = Path(__file__).resolve().parent",
        "ROOT = Path(__file__).resolve().parents[0]",
        "import pathlib\nROOT = pathlib.Path(__file__).absolute().parent",
        "FILE = Path(__file__).resolve()\nROOT = FILE.parents[0]",
        "ROOT = Path.cwd()",
        "ROOT = Path('.')",
        "ROOT = Path(os.path.dirname(os.path.abspath(__file__)))",
    ],
)
@pytest.mark.parametrize(
    "path",
    [
        "ROOT / 'data' / 'ppe.yaml'",
        "str(ROOT / 'data/ppe.yaml')",
        "(ROOT / 'data' / 'x.yaml').with_name('ppe.yaml').as_posix()",
        "ROOT.joinpath('data', 'ppe.yaml')",
        "f'{ROOT}/data/ppe.yaml'",
        "os.path.join(ROOT, 'data', 'ppe.yaml')",
        "osp.join(str(ROOT), NAME)",
        "DATA",
    ],
)
def test_paths_that_a_script_puts_together_are_followed(
    tmp_path: Path, root: str, path: str
) -> None:
    code = f"import os, os.path as osp\nfrom pathlib import Path\n{root}\nNAME = 'data/ppe.yaml'\n"
    code += f"DATA = ROOT / NAME\n{one_call().replace(chr(39) + 'data/ppe.yaml' + chr(39), path)}"
    draft, scenario, _ = drafted(tmp_path, code)
    assert draft.way == "ultralytics"
    assert Path(scenario.dataset.path) == tmp_path / "동화 안전모/data/ppe.yaml"
    assert not any("path" in each for each in draft.todos)


@pytest.mark.parametrize(
    "path", ["Path(input()) / 'x.yaml'", "ROOT / 'x.yaml'", "Path('a').glob('*')[0]", "3 / 'x'"]
)
def test_a_path_that_only_running_tells_is_a_todo(tmp_path: Path, path: str) -> None:
    code = "from pathlib import Path\nfrom elsewhere import ROOT\n"
    draft, scenario, _ = drafted(tmp_path, code + one_call().replace("'data/ppe.yaml'", path))
    assert scenario.dataset.path == "TODO"
    assert any("the data.yaml of the training" in each for each in draft.todos)


def test_a_networks_file_that_the_script_puts_together(tmp_path: Path) -> None:
    code = "from pathlib import Path\nfrom ultralytics import YOLO\nROOT = Path(__file__).parent\n"
    code += "YOLO(ROOT / 'cfg' / 'yolo11n-ppe.yaml').train(data='data/ppe.yaml')"
    draft, scenario, _ = drafted(tmp_path, code)
    file = tmp_path / "동화 안전모/cfg/yolo11n-ppe.yaml"
    assert scenario.model.weights_path == str(file)
    assert any("weights_path: there is no such file" in each for each in draft.todos)


@pytest.mark.parametrize(
    ("given", "optimizer", "scheduler", "options"),
    [
        ({}, "auto", "linear", {}),
        ({"optimizer": "'auto'", "lr0": "0.02"}, "auto", "linear", {}),
        ({"optimizer": "'SGD'"}, "sgd", "linear", {}),
        ({"lrf": "0.1"}, "auto", "linear", {"lrf": 0.1}),
        ({"lrf": "0.1", "cos_lr": "True"}, "auto", "cosine", {"lrf": 0.1}),
        ({"lrf": "1.0"}, "auto", "constant", {}),
        ({"lrf": "1", "cos_lr": "False"}, "auto", "constant", {}),
        ({"lrf": "1.0", "cos_lr": "True"}, "auto", "cosine", {"lrf": 1.0}),
    ],
)
def test_steps_of_the_optimizer_are_the_scripts_own(
    tmp_path: Path, given: dict[str, str], optimizer: str, scheduler: str, options: dict[str, float]
) -> None:
    """The draft calls train with the arguments that the script would, and its defaults else."""
    draft, scenario, code = drafted(tmp_path, one_call(**given))
    training = scenario.training
    assert (training.optimizer, training.scheduler) == (optimizer, scheduler)
    assert dict(training.options) == options
    assert not [each for each in draft.todos if "optimizer" in each or "learning" in each]
    called = _called_by(draft, scenario, code)
    assert called["optimizer"] == {"auto": "auto", "sgd": "SGD"}[optimizer]
    assert called.get("lr0", 0.01) == 0.01
    assert called["cos_lr"] is (scheduler == "cosine")
    assert called.get("lrf") == {"constant": 1.0}.get(scheduler, options.get("lrf"))


def _called_by(draft: Draft, scenario: Any, code: str) -> dict[str, Any]:
    """The arguments of the draft's own call of train, the library's class put aside."""
    space: dict[str, Any] = {"__name__": "train", "__file__": "train.py"}
    exec(compile(code, "train.py", "exec"), space)
    called: dict[str, Any] = {}

    class Listening:
        def __init__(self, weights: str) -> None:
            called["weights"] = weights

        def add_callback(self, *_: object) -> None: ...

        def train(self, **arguments: Any) -> None:
            called.update(arguments)

    space["YOLO"] = Listening
    trainer = space["Trainer"](scenario.model, scenario.training, scenario.dataset)
    trainer.train()
    return called


def test_a_constant_rate_with_an_end_is_refused_by_the_draft(tmp_path: Path) -> None:
    draft, scenario, _ = drafted(tmp_path, one_call())
    changed = {"scheduler": "constant", "options": {"lrf": 0.1}}
    training = scenario.training.model_copy(update=changed)
    space: dict[str, Any] = {"__name__": "train", "__file__": "train.py"}
    exec(compile(draft.files["train.py"], "train.py", "exec"), space)
    with pytest.raises(ValueError, match=r"leave out training\.options\.lrf"):
        space["Trainer"](scenario.model, training, scenario.dataset)


def test_a_long_name_becomes_one_that_a_scenario_takes(tmp_path: Path) -> None:
    names = [
        f"동화엔텍 부산 제1공장 용접라인 안전모 착용여부 검출 실험 2024년 12월 최종본 {n}"
        for n in "가나"
    ]
    found = {plain_name(name) for name in names}
    assert len(found) == 2
    assert all(len(each) == 45 for each in found)
    assert plain_name("a b") == "a_b"
    assert plain_name("x" * 45) == "x" * 45
