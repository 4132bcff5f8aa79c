"""A backend that kills its process is found out before the work, in a process of its own."""

from __future__ import annotations

import json
import os
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
from workplace import Workplace, last_json

from guardianflow.backends.probe.probe import ISA_VARIABLE
from guardianflow.contracts.errors import BackendUnavailableError, ScenarioError
from pipelines.stage.backend_check import require_backend, require_device, verdict_tags

DYING = "import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n"


def dying_package(root: Path, name: str) -> Path:
    """A package that a real SIGILL ends whoever imports it; returns what goes on PYTHONPATH."""
    (root / "fake" / name).mkdir(parents=True)
    (root / "fake" / name / "__init__.py").write_text(DYING, encoding="utf-8")
    return root / "fake"


def test_an_illegal_instruction_is_an_error_with_verdict_and_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ISA_VARIABLE, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(dying_package(tmp_path, "openvino")))
    with pytest.raises(BackendUnavailableError) as caught:
        require_backend("openvino", "int8", tmp_path / "probes")
    said = str(caught.value)
    assert "openvino int8 can't run on this machine (illegal-instruction: ended by SIGILL" in said
    assert "use another precision or backend, or another machine" in said
    assert ISA_VARIABLE not in os.environ
    (kept,) = (tmp_path / "probes").iterdir()
    assert json.loads(kept.read_text(encoding="utf-8"))["verdict"] == "illegal-instruction"


def test_a_backend_that_does_not_run_on_the_device_is_told_before_it_is_tried(
    tmp_path: Path,
) -> None:
    with pytest.raises(BackendUnavailableError, match="OpenVINO does not run on NVIDIA GPUs"):
        require_backend("openvino", "int8", tmp_path / "probes", "cuda")
    with pytest.raises(BackendUnavailableError, match="TensorRT runs on NVIDIA GPUs alone"):
        require_backend("tensorrt", "fp16", tmp_path / "probes", "cpu")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("device", ["openvino:GPU.7", "openvino:NPU.7"])
def test_a_device_of_openvino_that_is_not_there(tmp_path: Path, device: str) -> None:
    name = device.partition(":")[2]
    with pytest.raises(ScenarioError) as caught:
        require_device(device)
    assert caught.value.exit_code == 2
    assert f"environment.device: is '{device}': openvino fp32 can't run" in str(caught.value)
    assert f"(missing-device: OpenVINO finds no {name} here, only CPU" in str(caught.value)
    with pytest.raises(BackendUnavailableError, match=f"finds no {name} here"):
        require_backend("openvino", "int8", tmp_path / "probes", device)
    assert list(tmp_path.iterdir()) == []  # it may be there tomorrow
    with pytest.raises(BackendUnavailableError, match="but ONNX Runtime does not run there"):
        require_backend("onnx", "int8", tmp_path / "probes", device)


def test_devices_of_openvino_that_are_always_there(tmp_path: Path) -> None:
    for device in ("openvino:CPU", "openvino:AUTO", "openvino"):
        require_device(device)
        assert require_backend("openvino", "fp32", tmp_path / "probes", device).runs


def test_a_cap_that_cures_is_set_for_the_work_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = dying_package(tmp_path, "onnxruntime") / "onnxruntime" / "__init__.py"
    cured = (
        "import os, sys\n"
        f"if os.environ.get({ISA_VARIABLE!r}) == 'AVX2':\n"
        f"    sys.path.remove({str(package.parents[1])!r})\n"
        "    del sys.modules['onnxruntime']\n"
        "    import onnxruntime\n"
        "else:\n"
    )
    indented = "".join(f"    {line}\n" for line in DYING.splitlines())
    package.write_text(cured + indented, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(package.parents[1]))
    # set and unset once, so that what the call sets is taken back after the test
    monkeypatch.setenv(ISA_VARIABLE, "")
    monkeypatch.delenv(ISA_VARIABLE)
    verdict = require_backend("onnx", "fp32", tmp_path / "probes")
    assert os.environ[ISA_VARIABLE] == "AVX2"
    assert verdict_tags(verdict) == {
        "sys.backend_verdict": "ok-with-isa-cap",
        "sys.isa_cap": "AVX2",
    }


@pytest.mark.slow
@pytest.mark.parametrize("command", ["train", "pipeline"])
def test_a_gpu_that_is_not_there_is_told_before_a_run_is_made(
    workplace: Workplace, command: str
) -> None:
    code = workplace.write_trainer("quick")
    small = ("-p", "dataset.path=demo://ppe?images=14&size=96", "-p", "model.input_size=96")
    done = workplace.guardianflow(
        *(command, str(workplace.write_scenario()), "-e", str(code), *small),
        *("--device", "cuda:99", "--json"),
    )
    assert done.returncode == 2, done.stderr
    message = last_json(done.stdout)["error"]["message"]
    assert "environment.device: is 'cuda:99', but this machine has" in message
    assert workplace.store.find_runs() == []


@pytest.mark.slow
def test_infer_survives_a_backend_that_dies(workplace: Workplace) -> None:
    """The stage ends with a named error; it is not ended itself."""
    code = workplace.write_trainer("quick") / "train.py"
    make = runpy.run_path(str(code))
    model = SimpleNamespace(input_size=96, num_classes=len(make["NAMES"]))
    weights = make["Trainer"](model, None, None, work_dir=workplace.root).get_best_model_path()

    workplace.work_dir = workplace.root / "work"  # verdicts on the fake are for this test alone
    fake = dying_package(workplace.root, "onnxruntime")
    workplace.environment["PYTHONPATH"] = str(fake)
    small = ("-p", "dataset.path=demo://ppe?images=14&size=96", "-p", "model.input_size=96")
    done = workplace.guardianflow(
        "infer", str(workplace.write_scenario()), "-m", weights, *small, "--json"
    )
    assert done.returncode == 1, done.stderr
    message = last_json(done.stdout)["error"]["message"]
    assert "onnx fp32 can't run on this machine (illegal-instruction" in message
    assert "use another precision or backend" in message
    assert workplace.store.find_runs() == [], "found out before a run was made"
