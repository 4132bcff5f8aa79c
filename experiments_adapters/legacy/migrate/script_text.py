"""train.py that runs a script as it is, with the scenario's values as its options.

For torch loops and everything else that is not one call of `YOLO(…).train(…)`: nothing is copied,
and what only a person can say (which file is the best model) must be filled in before it trains.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from ..registry_schema import EntryPoint, placeholders
from ..scan.results import is_todo
from .ultralytics_text import CONSTRUCTOR, in_docstring, one_line
from .values import OPTION_NAMES

TEXT = '''\
"""DRAFT, to be reviewed: runs a script as it is, as a GuardianFlow experiment.

Written by `guardianflow migrate` from
    @SCRIPT@
which stays as it is (sha256 @SHA@…).
@WHY@

To be filled in:
  1. BEST, below: without it this refuses to train.
  2. TODO in scenario.yaml.
  3. _read, below, where the script's lines are other than `epoch 3 … name=0.5`.
When that works, bring the loop itself into train(), so that the script is needed no more.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from experiments_adapters.base import BaseTrainer
from experiments_adapters.legacy.environment import script_environment

SCRIPT = Path(@SCRIPT_CODE@)
DIRECTORY = Path(@DIRECTORY@)
PYTHON = Path(@PYTHON@)
VARIABLES = @VARIABLES@
# TODO The best weights that the script leaves, below DIRECTORY: an Ultralytics .pt, or an .onnx as
# docs/experiments.md describes it. A state_dict (.pth) can't be opened elsewhere: export the .onnx.
@SAVED@\
BEST = ""

EPOCH = re.compile(r"epoch(?!s)\\D{0,3}(\\d+)", re.I)
NUMBER = re.compile(
    r"(?<![\\w/-])([A-Za-z][\\w/-]{0,80})\\s{0,8}[=:]\\s{0,8}(-?\\d{1,40}(?:\\.\\d{1,40})?(?:e[-+]?\\d{1,4})?)"
    r"(?![\\w./])",
    re.I,
)


@CONSTRUCTOR@\
        self._first, self._epoch, self._values = None, None, {}

    def options(self):
        """The script's command line."""
        training = self.training_config
        return [
@OPTIONS@\
        ]

    def train(self):
        began = time.time()
        with tempfile.TemporaryDirectory() as hook:
            # As a wrapped run: unbuffered, in its own venv, without runs of Ultralytics' own.
            self._run(script_environment(os.environ, PYTHON, VARIABLES, Path(hook)))
        self._report()
        best = DIRECTORY / BEST
        if not best.is_file() or best.stat().st_mtime < began - 2:
            raise RuntimeError(f"{SCRIPT.name} ended well but wrote no new {best}")
        shutil.copy2(best, self.get_best_model_path())

    def _run(self, environment):
        process = subprocess.Popen(
            [str(PYTHON), str(SCRIPT), *map(str, self.options())],
            cwd=DIRECTORY,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        try:
            for line in process.stdout:
                print(line, end="", flush=True)
                self._read(line)
            code = process.wait()
        finally:
            process.stdout.close()
            process.kill()  # Ctrl-C: it must not go on alone
            process.wait()
        if code:
            raise RuntimeError(f"{SCRIPT.name} ended with exit code {code}")

    def _read(self, line):
        """Numbers of printed lines, until the next epoch is named."""
        line = line[:2000]
        found = EPOCH.search(line)
        if found:
            epoch = int(found[1])
            if self._epoch is not None and epoch != self._epoch:
                self._report()
            self._epoch = epoch
            self._first = epoch if self._first is None else self._first
        if self._epoch is not None:
            numbers = {name: float(value) for name, value in NUMBER.findall(line)}
            numbers.pop("epoch", None)
            self._values |= numbers

    def _report(self):
        if self._epoch is not None and self._values:
            offset = 1 if self._first == 0 else 0  # epochs count from 1
            self.on_epoch_end(self._epoch + offset, self._values)
        self._values = {}

    def get_best_model_path(self):
        return str(self.work_dir / Path(BEST).name)
'''
CHECKS = """\
        if not BEST:
            raise ValueError(f"fill in BEST in {__file__}: the weights that {SCRIPT.name} leaves")
"""
FROM = {
    "epochs": "training.epochs",
    "batch_size": "training.batch_size",
    "learning_rate": "training.learning_rate",
    "input_size": "self.model_config.input_size",
    "path": "self.dataset_config.path",
    "weights_path": "self.model_config.weights_path",
    "device": "self.device",
    "seed": "self.seed",
}


def script_text(
    why: str,
    script: Path,
    sha256: str,
    directory: Path,
    entry: EntryPoint,
    python: str | None,
    variables: Mapping[str, str],
    saved: tuple[str, ...],
) -> str:
    """The file.

    Args:
        why: why the script itself is run, one sentence.
        directory: where it runs.
        entry: how the registry starts it.
        python: the interpreter of the registry's entry; None: GuardianFlow's own.
        saved: what the script's code gives to torch.save.
    """
    seen = "".join(f"# The script saves {one_line(each)}\n" for each in saved)
    text = TEXT.replace("@CONSTRUCTOR@", CONSTRUCTOR.replace("@CHECKS@", CHECKS))
    text = text.replace("@SCRIPT@", in_docstring(str(script))).replace("@SHA@", sha256[:12])
    text = text.replace("@WHY@", in_docstring(why)).replace("@SCRIPT_CODE@", repr(str(script)))
    text = text.replace("@DIRECTORY@", repr(str(directory)))
    text = text.replace("@PYTHON@", "sys.executable" if python is None else repr(python))
    text = text.replace("@VARIABLES@", repr(dict(variables))).replace("@SAVED@", seen)
    return text.replace("@OPTIONS@", _options(entry))


def _options(entry: EntryPoint) -> str:
    """The registry's template; what a scenario says comes from there, the rest stays as it is."""
    lines = []
    for word in shlex.split(entry.args_template):
        names = placeholders(word)
        fields = (field for field, called in OPTION_NAMES.items() if set(names) & set(called))
        field = next(fields, "")
        if len(names) == 1 and word == f"{{{names[0]}}}" and field:
            lines.append(f"            {FROM[field]},\n")
            continue
        filled = {name: entry.defaults.get(name, "TODO") for name in names}
        text = word.format(**{k: "TODO" if is_todo(v) else v for k, v in filled.items()})
        todo = f"  # TODO a value for {', '.join(names)}" if "TODO" in text else ""
        lines.append(f"            {text!r},{todo}\n")
    if not lines:
        lines = [
            "            # TODO The script takes no options that are known: its own values rule,\n"
            "            # and scenario.yaml must say the same, or the parameters are untrue.\n"
        ]
    return "".join(lines)
