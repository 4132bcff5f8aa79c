"""The interpreter and the variables that a script runs with."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.given import given_path

from . import inside_script

# They would make mlflow inside the script write into our run, or into the launcher's.
OURS = (
    *("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"),
    *("MLFLOW_ACTIVE_MODEL_ID", "_MLFLOW_ACTIVE_MODEL_ID"),
)


def find_python(given: str | None, base: Path, where: str = "env.python") -> Path:
    """The interpreter: the one named, the one of the venv named, or ours.

    Args:
        given: an interpreter, or the directory of a venv; None: the one that runs us.
        base: where a relative path begins.
        where: what to name in messages.

    Raises:
        ConfigurationError: there is none; says where it was looked for.
    """
    if given is None:
        return Path(sys.executable)
    path = base / given_path(given)
    places = [path]
    if path.is_dir():
        places = [path / "bin/python", path / "bin/python3", path / "Scripts/python.exe"]
    elif not path.exists() and (found := shutil.which(given)) and os.sep not in given:
        return Path(found)  # 'python3.9', found as a shell would
    for each in places:
        if each.is_file() and os.access(each, os.X_OK):
            return Path(os.path.abspath(each))  # noqa: PTH100 - a venv's link must not be resolved
    looked = ", ".join(map(str, places))
    raise ConfigurationError(
        f"{where} must be an interpreter or the directory of a venv but got '{given}': nothing "
        f"that runs is at {looked}. Correct it in the experiment's entry"
    )


def script_environment(
    user: Mapping[str, str], python: Path, variables: Mapping[str, str], hook: Path
) -> dict[str, str]:
    """All variables of the script.

    Args:
        user: as they were before we read any settings: what the user had, and nothing of ours.
        variables: of the experiment's entry; they win.
        hook: an empty directory of ours; inside_script.py is put there, and notes there what is
            written.
    """
    environment = plain_environment(user, python, variables)
    shutil.copyfile(inside_script.__file__, hook / "sitecustomize.py")
    before = environment.get("PYTHONPATH", "")
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(hook), before)))
    return environment


def plain_environment(
    user: Mapping[str, str], python: Path, variables: Mapping[str, str]
) -> dict[str, str]:
    """As script_environment, without what is ours."""
    environment = {name: value for name, value in user.items() if name not in OURS}
    before = variables.get("PYTHONPATH") or environment.get("PYTHONPATH") or ""
    environment |= {"PYTHONUNBUFFERED": "1", **variables}
    if before:
        environment["PYTHONPATH"] = before
    if python != Path(sys.executable):
        for name in ("PYTHONHOME", "VIRTUAL_ENV"):
            if name not in variables:
                environment.pop(name, None)
        if (python.parent.parent / "pyvenv.cfg").is_file():
            environment["VIRTUAL_ENV"] = str(python.parent.parent)
            environment["PATH"] = f"{python.parent}{os.pathsep}{environment.get('PATH', '')}"
    return environment
