from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from author_code import GOOD, Write

from experiments_adapters.author_classes import BENCHMARK, QUANTIZER, TRAINER
from experiments_adapters.class_checks import class_named_in, may_hold
from experiments_adapters.code_path import ExperimentCode, find_file, load_where_there
from guardianflow.contracts.errors import ExperimentCodeError


def test_a_directory_and_its_train_file_are_the_same_experiment(
    write_experiment: Write, load: Callable[..., ExperimentCode]
) -> None:
    directory = write_experiment({"train.py": GOOD})
    by_directory, by_file = load(directory), load(directory / "train.py")
    assert by_directory.path == by_file.path == (directory / "train.py").resolve()
    assert by_directory.fingerprint == by_file.fingerprint
    assert by_directory.accepts == frozenset()


def test_relative_references_are_tried_against_base_dirs_then_the_working_directory(
    write_experiment: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    load: Callable[..., ExperimentCode],
) -> None:
    write_experiment({"train.py": GOOD}, "first/mine")
    write_experiment({"train.py": GOOD}, "second/mine")
    write_experiment({"train.py": GOOD}, "second/other")
    monkeypatch.chdir(tmp_path / "second")
    bases = [tmp_path / "missing", tmp_path / "first"]
    assert load("mine", base_dirs=bases).path.is_relative_to(tmp_path / "first")
    assert load("other", base_dirs=bases).path.is_relative_to(tmp_path / "second")


def test_a_missing_path_names_the_places_and_the_nearest_name(
    write_experiment: Write, tmp_path: Path, refusal: Callable[..., str]
) -> None:
    write_experiment({"train.py": GOOD}, "yolo_trainer")
    message = refusal("yolo_trianer", base_dirs=[tmp_path])
    assert str(tmp_path / "yolo_trianer") in message
    assert f"Did you mean '{tmp_path / 'yolo_trainer'}'?" in message


def test_an_empty_reference_is_refused(refusal: Callable[..., str]) -> None:
    assert "experiment_code_path is empty" in refusal(" ")


def test_no_train_file_says_what_is_there(
    write_experiment: Write, refusal: Callable[..., str]
) -> None:
    directory = write_experiment({"fit.py": "", "README.md": ""})
    message = refusal(directory)
    assert "has no train.py" in message
    assert "README.md, fit.py" in message
    assert f"Give the file itself, e.g. '{directory / 'fit.py'}'" in message


def test_no_train_file_points_at_the_one_below(
    write_experiment: Write, refusal: Callable[..., str]
) -> None:
    directory = write_experiment({"src/train.py": GOOD, "setup.py": ""})
    assert f"Did you mean '{directory / 'src'}'?" in refusal(directory)


def test_another_kind_of_file_is_refused(
    write_experiment: Write, refusal: Callable[..., str]
) -> None:
    directory = write_experiment({"train.ipynb": "{}"})
    assert "or a .py file but is 'train.ipynb'" in refusal(directory / "train.ipynb")


def test_a_syntax_error_has_its_line(write_experiment: Write, refusal: Callable[..., str]) -> None:
    directory = write_experiment({"train.py": "x = 1\ndef broken(:\n"})
    assert f"{directory / 'train.py'}:2:" in refusal(directory)


def test_a_syntax_error_in_a_sibling_has_the_siblings_line(
    write_experiment: Write, refusal: Callable[..., str]
) -> None:
    directory = write_experiment({"train.py": "import helpers\n", "helpers.py": "\n\nx = (\n"})
    assert f"{directory / 'helpers.py'}:3:" in refusal(directory)


def test_an_error_on_import_shows_the_authors_frames_alone(
    write_experiment: Write, refusal: Callable[..., str]
) -> None:
    directory = write_experiment(
        {
            "train.py": "from helpers import compute\nVALUE = compute()\n",
            "helpers.py": "import json\ndef compute():\n    return json.loads('{')\n",
        }
    )
    message = refusal(directory)
    assert "importing it raised JSONDecodeError" in message
    assert "VALUE = compute()" in message
    assert "return json.loads('{')" in message
    assert "json/decoder.py" not in message
    assert "importlib" not in message


def test_a_missing_dependency_says_what_to_install(
    write_experiment: Write, refusal: Callable[..., str]
) -> None:
    directory = write_experiment({"train.py": "import os\nimport sklearn_not_there.metrics\n"})
    message = refusal(directory)
    assert f"{directory / 'train.py'}:2: imports 'sklearn_not_there'" in message
    assert "pip install sklearn_not_there" in message


def test_a_misspelt_sibling_is_no_missing_dependency(
    write_experiment: Write, refusal: Callable[..., str]
) -> None:
    directory = write_experiment(
        {"train.py": "import helper_functons\n", "helper_functions.py": ""}
    )
    message = refusal(directory)
    assert "did you mean 'helper_functions'?" in message
    assert "pip install" not in message


def test_a_script_that_exits_on_import_is_told_about_main(
    write_experiment: Write, refusal: Callable[..., str]
) -> None:
    directory = write_experiment({"train.py": "import sys\nsys.exit(2)\n"})
    message = refusal(directory)
    assert "ended the process (exit code 2)" in message
    assert '`if __name__ == "__main__":`' in message


def test_ctrl_c_during_import_passes(
    write_experiment: Write, load: Callable[..., ExperimentCode]
) -> None:
    directory = write_experiment({"train.py": "raise KeyboardInterrupt\n"})
    with pytest.raises(KeyboardInterrupt):
        load(directory)


def test_a_syntax_error_raised_by_a_call_is_no_syntax_error_of_the_file(
    write_experiment: Write, refusal: Callable[..., str]
) -> None:
    directory = write_experiment({"train.py": "raise SyntaxError('bad option')\n"})
    assert "importing it raised SyntaxError: bad option" in refusal(directory)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("class Trianer: ...\nclass Net: ...\n", ["Trianer, Net", "Did you mean 'Trianer'?"]),
        ("x = 1\n", ["has no class Trainer; its classes are none"]),
        ("from collections import OrderedDict\n", ["its classes are none"]),
        ("def Trainer(): ...\n", ["Trainer must be a class but is a function"]),
        (
            "class Trainer: ...\n",
            ["lacks the method train", "lacks the method get_best_model_path"],
        ),
        (
            "class Trainer: ...\n",
            ["can't take the keyword arguments model_config, training_config"],
        ),
        (
            GOOD.replace("def train(self)", "train = 3\n    def fit(self)"),
            ["train must be a method but is 3"],
        ),
        (GOOD.replace("def train(self)", "def train(self, data)"), ["asks for data"]),
        (
            GOOD.replace("model_config, training_config", "cfg, training_config", 1),
            ["can't take the keyword arguments model_config", "also demands cfg"],
        ),
        (
            GOOD.replace("dataset_config):", "dataset_config, device, work_dir):", 1),
            ["also demands device, work_dir", "give the others a default"],
        ),
        (
            GOOD.replace("dataset_config):", "dataset_config, /):", 1),
            ["can't take the keyword arguments model_config, training_config, dataset_config"],
        ),
        (
            "from abc import abstractmethod\n"
            "from experiments_adapters.base import BaseTrainer\n"
            "class Trainer(BaseTrainer):\n"
            "    @abstractmethod\n    def augment(self): ...\n"
            "    def train(self): ...\n",
            ["leaves the abstract method augment open", "lacks the method get_best_model_path"],
        ),
        (
            "from experiments_adapters.base import BaseTrainer\n"
            "class A(BaseTrainer): ...\nclass B(BaseTrainer): ...\n",
            ["several classes extend BaseTrainer (A, B)", "`Trainer = A`"],
        ),
    ],
)
def test_a_class_that_breaks_the_contract_is_told_how(
    write_experiment: Write, text: str, expected: list[str], refusal: Callable[..., str]
) -> None:
    message = refusal(write_experiment({"train.py": text}))
    for words in expected:
        assert words in message


def test_every_breach_is_a_problem_of_its_own(
    write_experiment: Write, load: Callable[..., ExperimentCode]
) -> None:
    directory = write_experiment({"train.py": "class Trainer:\n    pass\n"})
    with pytest.raises(ExperimentCodeError) as caught:
        load(directory)
    assert len(caught.value.problems) == 3
    assert caught.value.exit_code == 2


def test_the_only_base_trainer_may_have_another_name(
    write_experiment: Write, load: Callable[..., ExperimentCode]
) -> None:
    text = GOOD.replace("class Trainer:", "class Mine(BaseTrainer):")
    text = "from experiments_adapters.base import BaseTrainer\nclass Net: ...\n" + text
    assert load(write_experiment({"train.py": text})).loaded_class.__name__ == "Mine"


@pytest.mark.parametrize(
    ("signature", "accepts"),
    [
        ("model_config, training_config, dataset_config, work_dir=None", {"work_dir"}),
        ("*, dataset_config, training_config, model_config, resume_from=None", {"resume_from"}),
        ("**kwargs", set()),
        ("model_config, environment_config=None, **kwargs", {"environment_config"}),
    ],
)
def test_a_constructor_gets_what_it_names(
    write_experiment: Write,
    tmp_path: Path,
    signature: str,
    accepts: set[str],
    load: Callable[..., ExperimentCode],
    build: Callable[..., Any],
) -> None:
    text = GOOD.replace("self, model_config, training_config, dataset_config", f"self, {signature}")
    text = text.replace("self.model_config = model_config", "self.given = locals()")
    code = load(write_experiment({"train.py": text}))
    assert code.accepts == accepts
    trainer = build(code)
    given = trainer.given | trainer.given.get("kwargs", {})
    expected = {"environment_config": "E", "work_dir": tmp_path / "work", "resume_from": None}
    for name in accepts:
        assert given[name] == expected[name]
    assert given["model_config"] == "M"
    assert (tmp_path / "work").is_dir()


BENCH = (
    "class Benchmark:\n"
    "    def __init__(self, model_config, benchmark_config, dataset_config): ...\n"
    "    def predict(self, images): ...\n"
)


def test_each_class_is_found_in_its_own_file(
    write_experiment: Write, tmp_path: Path, load: Callable[..., ExperimentCode]
) -> None:
    directory = write_experiment({"train.py": GOOD, "benchmark.py": BENCH})
    assert load(directory).path.name == "train.py"
    code = load(directory, wanted=BENCHMARK)
    assert (code.path.name, code.label) == ("benchmark.py", "Benchmark (benchmark.py)")
    assert load_where_there(str(directory), QUANTIZER, cache_dir=tmp_path) is None


def test_who_changes_a_benchmark_need_not_train_anew(
    write_experiment: Write, load: Callable[..., ExperimentCode]
) -> None:
    directory = write_experiment({"train.py": GOOD, "benchmark.py": BENCH, "shared.py": ""})
    trained, judged = load(directory).fingerprint, load(directory, wanted=BENCHMARK).fingerprint
    (directory / "benchmark.py").write_text(BENCH + "# changed\n", encoding="utf-8")
    assert load(directory).fingerprint == trained
    assert load(directory, wanted=BENCHMARK).fingerprint != judged
    (directory / "train.py").write_text(GOOD + "import benchmark\n", encoding="utf-8")
    importing = load(directory).fingerprint
    (directory / "benchmark.py").write_text(BENCH, encoding="utf-8")
    assert load(directory).fingerprint != importing  # the training may depend on it now


@pytest.mark.parametrize(
    ("text", "named", "held"),
    [
        (BENCH, "Benchmark", True),
        ("from other import Thing as Benchmark\n", "Benchmark", True),
        ("Benchmark = make()\n", "Benchmark", True),
        ("try:\n    from a import Benchmark\nexcept ImportError:\n    pass\n", "Benchmark", True),
        ("import base\nclass Mine(base.BaseBenchmark): ...\n", "Mine", True),
        ("from common import Base\nclass Mine(Base): ...\n", "", True),  # only importing tells
        ("from common import *\n", "", True),
        ("class Net(object): ...\nclass Trainer(BaseTrainer): ...\n", "", False),
        ("def Trainer(): ...\n", "", False),
    ],
)
def test_a_plan_reads_the_class_from_the_text(
    write_experiment: Write, text: str, named: str, held: bool
) -> None:
    file = write_experiment({"benchmark.py": text + "raise SystemExit\n"}) / "benchmark.py"
    assert class_named_in(file, BENCHMARK) == named
    assert may_hold(file, BENCHMARK) is held
    if not held:
        with pytest.raises(ExperimentCodeError, match="has no class Benchmark"):
            find_file(str(file), BENCHMARK)


def test_a_shared_file_that_holds_another_class_alone_is_left(
    write_experiment: Write, tmp_path: Path
) -> None:
    text = "from base import Base\nclass Mine(Base):\n" + GOOD.partition("Trainer:\n")[2]
    base = "from experiments_adapters.base import BaseTrainer\nclass Base(BaseTrainer): ...\n"
    file = write_experiment({"mine.py": text, "base.py": base}) / "mine.py"
    given: dict[str, Any] = {"cache_dir": tmp_path, "shared": True}
    assert load_where_there(str(file), TRAINER, **given) is not None
    assert load_where_there(str(file), BENCHMARK, **given) is None
    with pytest.raises(ExperimentCodeError, match="has no class Benchmark; its classes are Mine"):
        load_where_there(str(file), BENCHMARK, cache_dir=tmp_path)
