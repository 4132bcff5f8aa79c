"""What Ultralytics does when nobody watches must not happen here. Each in a fresh process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from guardianflow.backends.weights import ultralytics_models
from guardianflow.contracts.errors import BackendError

MakeWeights = Callable[[str], Path]


def run(code: str, tmp_path: Path, **environment: str) -> str:
    home, work = tmp_path / "home", tmp_path / "work"
    for folder in (home, work):
        folder.mkdir(exist_ok=True)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("YOLO_", "XDG_", "OMP_"))}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=work,
        env={**kept, "HOME": str(home), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(work.iterdir()) == []
    return done.stdout


def test_loading_leaves_the_users_settings_environment_and_output_alone(
    weights: MakeWeights, tmp_path: Path
) -> None:
    code = f"""
import os
from pathlib import Path
from guardianflow.backends.weights import ultralytics_models
before = dict(os.environ)
ultralytics_models.load_detector(Path({str(weights("yolo11n"))!r}))
changed = {{k for k, _ in set(os.environ.items()) ^ set(before.items())}}
assert not changed - {{"LD_LIBRARY_PATH"}}, changed  # OpenCV's doing
"""
    assert run(code, tmp_path) == ""
    home = tmp_path / "home"
    assert not (home / ".config" / "Ultralytics").exists()
    written = [p.relative_to(home).parts[:2] for p in home.rglob("*") if p.is_file()]
    assert all(parts[0] == ".cache" for parts in written), written


def test_what_the_user_has_set_stays(tmp_path: Path) -> None:
    chosen = tmp_path / "chosen"
    code = """
from guardianflow.backends.weights import ultralytics_models
ultralytics_models.import_ultralytics()
from ultralytics.utils import USER_CONFIG_DIR
print(USER_CONFIG_DIR)
"""
    assert run(code, tmp_path, YOLO_CONFIG_DIR=str(chosen)).strip().startswith(str(chosen))


def test_a_head_that_is_not_there_can_t_be_chosen(weights: MakeWeights) -> None:
    model = ultralytics_models.load_detector(weights("yolo11n"))
    with pytest.raises(BackendError, match="one-to-one head"):
        ultralytics_models.prepare(model, "end_to_end", 96)


def test_either_head_of_a_model_with_two_can_be_chosen(weights: MakeWeights) -> None:
    import torch

    for output, shape in (("grid", (1, 8, 189)), ("end_to_end", (1, 189, 6))):
        model = ultralytics_models.load_detector(weights("yolo26n"))
        prepared = ultralytics_models.prepare(model, output, 96)
        with torch.inference_mode():
            assert tuple(prepared(torch.zeros(1, 3, 96, 96)).shape) == shape
