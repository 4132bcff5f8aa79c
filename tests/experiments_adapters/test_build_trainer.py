from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from author_code import GOOD, Write

from experiments_adapters.code_path import ExperimentCode
from experiments_adapters.trainers import check_result
from guardianflow.contracts.errors import ExperimentCodeError, TrainerError


def test_reports_reach_the_listener_while_training(
    write_experiment: Write,
    tmp_path: Path,
    load: Callable[..., ExperimentCode],
    build: Callable[..., Any],
) -> None:
    text = GOOD + (
        "    def on_batch_end(self, step, metrics):\n        self.own = (step, metrics)\n"
    )
    text = text.replace(
        '{"loss": 1 / epoch})', '{"loss": 1 / epoch}); self.on_batch_end(3, {"a": 1})'
    )
    trainer = build(load(write_experiment({"train.py": text})))
    trainer.train()  # without a batch listener the author's own method still runs
    assert trainer.own == (3, {"a": 1})
    heard: list[tuple[str, int, Mapping[str, float]]] = []
    trainer = build(
        load(tmp_path / "experiment"),
        on_epoch_end=lambda epoch, metrics: heard.append(("epoch", epoch, metrics)),
        on_batch_end=lambda step, metrics: heard.append(("batch", step, metrics)),
    )
    trainer.train()
    assert heard[:3] == [
        ("epoch", 1, {"loss": 1.0}),
        ("batch", 3, {"a": 1.0}),
        ("epoch", 2, {"loss": 0.5}),
    ]


def test_an_overridden_report_runs_before_the_listener(
    write_experiment: Write, load: Callable[..., ExperimentCode], build: Callable[..., Any]
) -> None:
    text = "from experiments_adapters.base import BaseTrainer\n" + GOOD.replace(
        "class Trainer:", "class Trainer(BaseTrainer):"
    )
    text += (
        "    def on_epoch_end(self, epoch, metrics):\n"
        "        ORDER.append('own')\n"
        "        super().on_epoch_end(epoch, metrics)\n"
        "ORDER = []\n"
    )
    code = load(write_experiment({"train.py": text}))
    order = sys.modules[code.loaded_class.__module__].ORDER  # type: ignore[attr-defined]
    build(code, on_epoch_end=lambda e, m: order.append("listener")).train()
    assert order == ["own", "listener", "own", "listener"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("self.on_epoch_end({'a': 1}, 1)", "epoch must be an integer of 0 or more"),
        ("self.on_epoch_end(1, {'loss': [1, 2], 'mAP50': 0.5})", "'loss' is [1, 2] (list)"),
    ],
)
def test_a_wrong_report_is_an_error_of_the_trainer(
    write_experiment: Write,
    call: str,
    words: str,
    load: Callable[..., ExperimentCode],
    build: Callable[..., Any],
) -> None:
    text = GOOD.replace('self.on_epoch_end(epoch, {"loss": 1 / epoch})', call)
    trainer = build(load(write_experiment({"train.py": text})))
    with pytest.raises(TrainerError) as caught:
        trainer.train()
    assert words in str(caught.value)


def test_a_constructor_that_raises_is_named_with_its_line(
    write_experiment: Write, load: Callable[..., ExperimentCode], build: Callable[..., Any]
) -> None:
    text = GOOD.replace("self.model_config = model_config", "raise ValueError('no such net')")
    code = load(write_experiment({"train.py": text}))
    with pytest.raises(TrainerError, match="raised ValueError: no such net") as caught:
        build(code)
    assert "raise ValueError('no such net')" in str(caught.value)
    assert isinstance(caught.value.__cause__, ValueError)


def test_what_train_raises_passes_but_an_exit_does_not(
    write_experiment: Write, load: Callable[..., ExperimentCode], build: Callable[..., Any]
) -> None:
    for statement, expected in (
        ("raise KeyError('a')", KeyError),
        ("raise KeyboardInterrupt", KeyboardInterrupt),
        ("raise SystemExit(0)", TrainerError),
    ):
        text = GOOD.replace("for epoch in (1, 2):", f"{statement}\n        for epoch in ():")
        trainer = build(load(write_experiment({"train.py": text})))
        with pytest.raises(expected):
            trainer.train()


def test_resuming_needs_a_constructor_that_can(
    write_experiment: Write,
    tmp_path: Path,
    load: Callable[..., ExperimentCode],
    build: Callable[..., Any],
) -> None:
    code = load(write_experiment({"train.py": GOOD}))
    with pytest.raises(ExperimentCodeError, match="does not name resume_from"):
        build(code, resume_from=tmp_path / "last.pt")


def test_objects_that_can_not_be_listened_to_are_refused(
    write_experiment: Write, load: Callable[..., ExperimentCode], build: Callable[..., Any]
) -> None:
    text = GOOD.replace("class Trainer:", "class Trainer:\n    __slots__ = ('model_config',)")
    code = load(write_experiment({"train.py": text}))
    with pytest.raises(ExperimentCodeError, match="Remove __slots__"):
        build(code)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("None", "must return the path of the trained weights but returned None"),
        ("''", "but returned ''"),
        ("'nowhere/best.pt'", "which does not exist"),
        ("EMPTY", "which is an empty file"),
        ("1 / 0", "raised ZeroDivisionError"),
    ],
)
def test_a_result_that_is_not_there_is_refused(
    write_experiment: Write,
    tmp_path: Path,
    answer: str,
    words: str,
    load: Callable[..., ExperimentCode],
    build: Callable[..., Any],
) -> None:
    (tmp_path / "empty.pt").touch()
    text = GOOD.replace("return __file__", f"return {answer}")
    text += f"EMPTY = {str(tmp_path / 'empty.pt')!r}\n"
    trainer = build(load(write_experiment({"train.py": text})))
    with pytest.raises(TrainerError) as caught:
        check_result(trainer)
    assert words in str(caught.value)


def test_a_result_may_be_a_path_object_or_a_directory(
    write_experiment: Write, load: Callable[..., ExperimentCode], build: Callable[..., Any]
) -> None:
    text = "from pathlib import Path\n" + GOOD.replace("__file__", "Path(__file__).parent")
    directory = write_experiment({"train.py": text})
    assert check_result(build(load(directory))) == directory
