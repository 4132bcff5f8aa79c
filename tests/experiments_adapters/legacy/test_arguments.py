"""The command line and the environment that a script gets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments_adapters.legacy.arguments import fill_template, parse_given, script_options
from experiments_adapters.legacy.environment import find_python, script_environment
from experiments_adapters.legacy.registry_schema import EntryPoint
from guardianflow.contracts.errors import ConfigurationError


def entry(template: str, **defaults: object) -> EntryPoint:
    return EntryPoint.model_validate({"args_template": template, "defaults": defaults})


def test_values_fill_the_template_and_stay_one_argument(tmp_path: Path) -> None:
    words, values = fill_template(
        entry("--epochs {epochs} --name='{name} v1' --safe", epochs=100, name="x"),
        {"name": "안전모; rm -rf /"},
        script=tmp_path / "train.py",
        name="site",
    )
    assert words == ["--epochs", "100", "--name=안전모; rm -rf / v1", "--safe"]
    assert values == {"epochs": "100", "name": "안전모; rm -rf /"}


def test_everything_that_does_not_fit_is_named_at_once_with_the_scripts_options(
    tmp_path: Path,
) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import argparse\np = argparse.ArgumentParser()\n"
        "p.add_argument('-e', '--epochs')\np.add_argument('--imgsz')\np.add_argument('data')\n"
    )
    with pytest.raises(ConfigurationError) as caught:
        fill_template(
            entry("--epochs {epochs} {batch}"), {"epoch": "1", "x": "2"}, script=script, name="a"
        )
    text = str(caught.value)
    for part in ("{epochs}", "{batch}", "-p epoch ", "-p x ", "--epochs, --imgsz"):
        assert part in text


def test_another_version_takes_the_options_of_its_own_code(tmp_path: Path) -> None:
    of_v2 = EntryPoint.model_validate(
        {"default": "train_v2.py", "args_template": "--epochs {epochs}", "defaults": {"epochs": 9}}
    )

    def words(name: str, text: str) -> list[str]:
        (tmp_path / name).write_text(text)
        return fill_template(of_v2, {}, script=tmp_path / name, name="site")[0]

    reads = "import argparse\np = argparse.ArgumentParser()\n"
    assert words("train_v2.py", "") == ["--epochs", "9"]
    assert words("train_v1.py", reads + "p.add_argument('--n', type=int, default=3)") == [
        "--n",
        "3",
    ]
    assert words("train_1214.py", "epochs = 30\n") == [], "it reads no options"
    several = reads + "s = p.add_subparsers()\ns.add_parser('a').add_argument('--x')\n"
    for text in ("import sys\nepochs = sys.argv[2]\n", several):
        assert words("train_old.py", text) == ["--epochs", "9"], "its code does not tell"
    with pytest.raises(ConfigurationError, match="none that can be read from its code"):
        fill_template(of_v2, {"epochs": "5"}, script=tmp_path / "train_1214.py", name="site")


@pytest.mark.parametrize("text", ["print 'python 2'", "<<<<<<< HEAD\n", "\0"])
def test_options_of_code_that_cannot_be_read_are_none(tmp_path: Path, text: str) -> None:
    script = tmp_path / "old.py"
    script.write_text(text)
    assert script_options(script) == ()
    assert script_options(tmp_path / "none.py") == ()


def test_pairs_are_checked_all_at_once() -> None:
    assert parse_given(["epochs=5", "name=a=b"]) == {"epochs": "5", "name": "a=b"}
    # --batch-size is batch_size in the script; both are known.
    assert parse_given(["batch-size=8", "--lr=1"]) == {"batch_size": "8", "lr": "1"}
    with pytest.raises(ConfigurationError) as caught:
        parse_given(["epochs", "a=1", "a=2", "x.y=3"])
    assert len(caught.value.problems) == 3


def test_the_interpreter_is_found_or_it_is_said_where_it_was_looked_for(tmp_path: Path) -> None:
    assert find_python(None, tmp_path) == Path(sys.executable)
    venv = tmp_path / "내 venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").symlink_to(sys.executable)
    assert find_python("내 venv", tmp_path) == venv / "bin/python"
    with pytest.raises(ConfigurationError, match=r"but got 'old/python'.*/old/python"):
        find_python("old/python", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match="bin/python"):
        find_python("empty", tmp_path)


def test_the_script_sees_its_own_variables_and_none_of_ours(tmp_path: Path) -> None:
    user = {"MLFLOW_RUN_ID": "r", "MLFLOW_EXPERIMENT_ID": "1", "PYTHONPATH": "/mine", "HOME": "/h"}
    made = script_environment(user, Path(sys.executable), {"CUDA_VISIBLE_DEVICES": "0"}, tmp_path)
    assert made == {
        "HOME": "/h",
        "CUDA_VISIBLE_DEVICES": "0",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": f"{tmp_path}{os.pathsep}/mine",
    }


def test_a_venvs_own_tools_come_first(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "pyvenv.cfg").touch()
    user = {"PATH": "/usr/bin", "VIRTUAL_ENV": "/ours", "PYTHONHOME": "/x"}
    made = script_environment(user, venv / "bin/python", {}, tmp_path)
    assert made["PATH"] == f"{venv / 'bin'}:/usr/bin"
    assert made["VIRTUAL_ENV"] == str(venv)
    assert "PYTHONHOME" not in made


def test_ultralytics_own_mlflow_callbacks_are_emptied_and_the_users_hook_still_runs(
    tmp_path: Path,
) -> None:
    """With a package of that name, so that the test takes no second for the real one."""
    package = tmp_path / "site/ultralytics/utils/callbacks"
    package.mkdir(parents=True)
    for folder in (package, package.parent, package.parent.parent):
        (folder / "__init__.py").touch()
    for name in ("mlflow", "tensorboard"):
        (package / f"{name}.py").write_text("callbacks = {'on_train_start': print}\n")
    (tmp_path / "site/sitecustomize.py").write_text("import sys\nsys.own_hook = True\n")
    hook = tmp_path / "hook"
    hook.mkdir()
    user = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    environment = script_environment(user, Path(sys.executable), {}, hook)
    code = (
        "import sys; from ultralytics.utils.callbacks import tensorboard; "
        "from ultralytics.utils.callbacks.mlflow import callbacks; "
        "print(callbacks, len(tensorboard.callbacks), sys.own_hook)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.strip() == "{} 1 True"
    assert done.stderr == ""
