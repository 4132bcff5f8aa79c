"""The draft that `guardianflow migrate` writes: train.py and scenario.yaml, both or none."""

from __future__ import annotations

import ast
import shlex
from dataclasses import dataclass
from pathlib import Path

from guardianflow.contracts.errors import ConfigurationError, Problems
from guardianflow.contracts.results import sha256_of
from guardianflow.support.files import whole_directory
from guardianflow.support.secrets.redaction import MARK, redact_text
from scenario import load_scenario

from ..environment import find_python
from ..registry import LegacyExperiment
from ..registry_schema import EntryPoint, placeholders
from ..scan.code_facts import read_facts
from ..scan.options import read_options
from ..scan.results import is_todo
from ..scan.source import read_source
from ..scan.syntax import UNKNOWN
from .scenario_text import scenario_text
from .script_text import script_text
from .train_calls import TrainCall, TrainCalls, read_training
from .ultralytics_text import ultralytics_text
from .values import fields_of_call, fields_of_script, network_that_is_no_detector

TRAIN, SCENARIO = "train.py", "scenario.yaml"


@dataclass(frozen=True)
class Draft:
    """Files to be written.

    Args:
        way: 'ultralytics': train.py makes the script's call itself; 'script': it runs the script.
        why: one sentence for people.
        files: name → text.
        todos: what somebody must look at, 'file:line: text'.
    """

    script: Path
    target: Path
    way: str
    why: str
    files: dict[str, str]
    todos: tuple[str, ...]


def make_draft(
    experiment: LegacyExperiment,
    target: Path,
    version: str | None = None,
    script: str | None = None,
) -> Draft:
    """Read a training script and put its draft together; nothing is written.

    Args:
        target: directory for the draft; must not be there, or be empty.
        version, script: which script; None takes the entry point's default.

    Raises:
        ConfigurationError: everything that is in the way: fields still TODO, no such script, a
            notebook, a target that holds files or lies in the experiment's own directory.
    """
    problems = Problems()
    site, task = problems.of(experiment.require_site), problems.of(experiment.require_task)
    problems.of(lambda: _check_target(experiment, target))
    chosen = problems.of(lambda: experiment.select_python("train", version, script))
    if problems or not (site and task and chosen):
        raise ConfigurationError(list(dict.fromkeys(problems)))
    entry = experiment.entry_points.train or EntryPoint()
    source = read_source(_content(chosen), chosen.name)
    values = _values(source.tree, entry)
    sha256, directory = sha256_of(chosen), experiment.run_directory
    reading = TrainCalls((), (), ())
    if source.tree:
        reading = read_training(source.tree, values, chosen, directory)
    call, why = _one_call(reading, source.tree, source.doubt)
    if call is not None:
        fields = fields_of_call(call, directory)
        code = ultralytics_text(experiment.name, chosen, sha256, reading, call, fields)
    else:
        facts = read_facts(source)
        fields = fields_of_script(values, facts.data, facts.weights, directory)
        python = experiment.env.python and str(
            find_python(experiment.env.python, experiment.directory)
        )
        code = script_text(
            why, chosen, sha256, directory, entry, python, experiment.env.variables, reading.saved
        )
    files = {
        TRAIN: _without_secrets(code, bare=False),
        SCENARIO: _without_secrets(
            scenario_text(experiment.name, site, task, fields, chosen, target), bare=True
        ),
    }
    way = "script" if call is None else "ultralytics"
    return Draft(chosen, target, way, why, files, tuple(_todos(files)))


def _without_secrets(text: str, *, bare: bool) -> str:
    """The script's secrets stay where they are; a draft says where one is needed."""
    clean = redact_text(text, bare=bare)
    if clean == text:
        return text
    return f"# TODO {MARK} stands for a secret that is not copied: read the environment\n{clean}"


def write_draft(draft: Draft) -> None:
    """Write all of it or nothing; what was written can be loaded, or it is not there.

    Raises:
        ConfigurationError: the target has come up meanwhile, or can't be written.
    """
    target = draft.target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_directory(target) as partial:
            for name, text in draft.files.items():
                (partial / name).write_text(text, encoding="utf-8")
            ast.parse(draft.files[TRAIN])
            load_scenario(partial / SCENARIO)
    except OSError as exc:
        raise ConfigurationError(
            f"--to {target} can't be written: {exc.strerror or exc}. Name another directory"
        ) from exc


def _check_target(experiment: LegacyExperiment, target: Path) -> None:
    if target.resolve().is_relative_to(experiment.directory.resolve()):
        raise ConfigurationError(
            f"--to must lie outside {experiment.directory}, which stays as it is, but got {target}"
        )
    if target.is_dir() and not any(target.iterdir()):
        return
    if target.exists() or target.is_symlink():
        raise ConfigurationError(
            f"--to must be a new or an empty directory but {target} is there; nothing is "
            "overwritten. Name another one, or move that one away"
        )


def _content(script: Path) -> bytes:
    try:
        return script.read_bytes()
    except OSError as exc:
        raise ConfigurationError(f"{script} can't be read: {exc.strerror or exc}") from exc


def _values(tree: ast.Module | None, entry: EntryPoint) -> dict[str, object]:
    """Option → what a run gives it: the registry's default, else the script's own."""
    options, _ = read_options(tree)
    found: dict[str, object] = {
        each.name: UNKNOWN if each.default is None else each.default for each in options
    }
    found |= {each.name: False for each in options if each.switch == "store_true"}
    by_flag = {each.flag: each.name for each in options if each.flag}
    flag = ""
    for word in shlex.split(entry.args_template):
        names = placeholders(word)
        for name in names:
            if name in entry.defaults and not is_todo(entry.defaults[name]):
                found[by_flag.get(flag, name)] = entry.defaults[name]
        flag = "" if names else word
    return found


def _one_call(
    reading: TrainCalls, tree: ast.Module | None, doubt: str
) -> tuple[TrainCall | None, str]:
    """The call to build on; None: the script itself is run, and why."""
    if tree is None:
        return None, f"Its code can't be read as Python 3 ({doubt}), so it is run as it is."
    calls = reading.calls
    if not calls:
        others = ", ".join(f"{name} in line {line}" for line, name in reading.strangers)
        but = f"; what it trains is {others}" if others else ""
        return None, f"It calls no YOLO(…).train(…) of Ultralytics, so it is run as it is{but}."
    if len(calls) > 1 or calls[0].often:
        lines = ", ".join(str(call.line) for call in calls)
        return None, f"It may train several times (line {lines}), so it is run as it is."
    if no_detector := network_that_is_no_detector(calls[0].weights.value):
        return None, (
            f"It trains {calls[0].weights.value} in line {calls[0].line}, {no_detector}, which a "
            "scenario has no words for, so it is run as it is."
        )
    beware = f" Beware: {doubt}." if doubt else ""
    return calls[0], f"It calls train of Ultralytics once, in line {calls[0].line}.{beware}"


def _todos(files: dict[str, str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip().lstrip('# ')}"
        for name, text in files.items()
        for number, line in enumerate(text.splitlines(), 1)
        if "# TODO" in line
    ]
