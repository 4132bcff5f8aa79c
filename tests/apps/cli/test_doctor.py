"""`guardianflow doctor`: what runs here and what to do, whatever dies on the way."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from apps.cli import doctor
from apps.cli.main import cli
from guardianflow.backends.probe.probe import ISA_VARIABLE
from guardianflow.contracts.results import ProbeVerdict

# Dies by a real SIGILL when it is imported, unless the cap that cures it is set: then it steps
# aside for the real package.
DYING_OPENVINO = f"""
import os, signal, sys
if CURED_BY is None or os.environ.get({ISA_VARIABLE!r}) not in CURED_BY:
    os.kill(os.getpid(), signal.SIGILL)
sys.path.remove(HERE)
del sys.modules["openvino"]
import openvino
"""


def run_doctor(
    work_dir: Path, *words: str, python_path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in (ISA_VARIABLE, "PYTHONPATH")}
    environment |= {"GUARDIANFLOW_WORK_DIR": str(work_dir)}
    if python_path is not None:
        environment["PYTHONPATH"] = str(python_path)
    return subprocess.run(
        [sys.executable, "-m", "apps.cli.main", "doctor", *words],
        env=environment,
        cwd=work_dir.parent,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def found_in(done: subprocess.CompletedProcess[str]) -> dict[tuple[str, str], dict[str, Any]]:
    backends = json.loads(done.stdout.splitlines()[-1])["backends"]
    return {(one["backend"], one["precision"]): one for one in backends}


@pytest.fixture(scope="module")
def healthy(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A real run, and the work directory with its verdicts."""
    work_dir = tmp_path_factory.mktemp("doctor") / "work"
    return work_dir, run_doctor(work_dir, "--json")


def dying_openvino(root: Path, healthy_work: Path, cured_by: tuple[str, ...] | None) -> Path:
    """A fake openvino below `root`, and a work directory with the other backends' verdicts."""
    package = root / "fake" / "openvino"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        f"CURED_BY, HERE = {cured_by!r}, {str(package.parent)!r}\n{DYING_OPENVINO}", "utf-8"
    )
    probes = root / "work" / "probes"
    probes.mkdir(parents=True)
    for kept in (healthy_work / "probes").iterdir():
        if "openvino" not in kept.name:
            shutil.copy(kept, probes)
    return package.parent


@pytest.mark.slow
def test_a_real_machine_is_described_and_every_backend_tried(
    healthy: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    work_dir, done = healthy
    assert done.returncode == 0, done.stderr
    (only_line,) = done.stdout.splitlines()
    told = json.loads(only_line)
    assert told["machine"]["cpu"]
    assert told["machine"]["physical_cores"] >= 1
    assert told["machine"]["instruction_sets"].keys() == set(doctor.INSTRUCTION_SETS)
    assert told["store"]["reachable"]
    assert told["work_dir"] == {
        "path": str(work_dir),
        "free_gb": told["work_dir"]["free_gb"],
        "writable": True,
    }
    found = found_in(done)
    assert len(found) == 11
    assert found["openvino", "int8"]["runs"]
    assert found["tensorrt", "int8"]["cure"]
    assert "[11/11] TensorRT int8" in done.stderr
    assert not (work_dir.parent / "mlflow.db").exists(), "a look makes no store"


@pytest.mark.slow
def test_a_backend_that_dies_of_an_illegal_instruction_costs_its_rows_alone(
    tmp_path: Path, healthy: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    fake = dying_openvino(tmp_path, healthy[0], cured_by=None)
    done = run_doctor(tmp_path / "work", "--json", python_path=fake)
    assert done.returncode == 0, "the others run"
    found = found_in(done)
    for precision in ("fp32", "fp16", "int8"):
        verdict = found["openvino", precision]
        assert verdict["verdict"] == "illegal-instruction"
        assert "SIGILL" in verdict["reason"]
        assert "use another precision or backend" in verdict["cure"]
    assert found["onnx", "int8"]["runs"]


@pytest.mark.slow
def test_a_backend_that_a_cap_cures_runs_and_the_cap_is_named(
    tmp_path: Path, healthy: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    fake = dying_openvino(tmp_path, healthy[0], cured_by=("AVX512_CORE_VNNI", "AVX2"))
    done = run_doctor(tmp_path / "work", python_path=fake)
    assert done.returncode == 0, done.stderr
    assert "yes, with ISA cap AVX512_CORE_VNNI" in done.stdout
    assert f"GuardianFlow sets {ISA_VARIABLE}=AVX512_CORE_VNNI itself" in done.stdout
    assert "OpenVINO int8: ok-with-isa-cap" in done.stderr


# --- without a real probe ----------------------------------------------------------------------


def verdict_of(backend: str, precision: str, word: str = "ok", **facts: Any) -> ProbeVerdict:
    return ProbeVerdict(backend, precision, word.startswith("ok"), word, **facts)


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, ProbeVerdict]:
    """backend → what it answers; the rest is missing. A place of its own to look at."""
    answers: dict[str, ProbeVerdict] = {}

    def answer(backend: str, precision: str, **_: Any) -> ProbeVerdict:
        if backend in answers:
            given = answers[backend]
            return ProbeVerdict(**{**vars(given), "precision": precision})
        return verdict_of(backend, precision, "missing-library", cure=f"pip install {backend}")

    monkeypatch.setattr(doctor, "probe", answer)
    monkeypatch.setattr(doctor, "gpu_names", lambda: ())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDIANFLOW_WORK_DIR", str(tmp_path / "work"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("GUARDIANFLOW_TRACKING_URI", raising=False)
    return answers


def ask(*options: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["doctor", *options])
    return result.exit_code, result.stdout


def test_one_backend_that_runs_is_enough(words: dict[str, ProbeVerdict]) -> None:
    words["onnx"] = verdict_of("onnx", "", version="1.31")
    code, text = ask()
    assert code == 0
    assert "fp32, fp16, int8" in text, "precisions with one verdict share a row"
    assert "pip install openvino" in text
    assert "it is for machines with an NVIDIA GPU" in text, "no advice to install TensorRT here"


def test_none_that_runs_is_a_failure(words: dict[str, ProbeVerdict]) -> None:
    code, text = ask("--json")
    assert code == 1
    assert not any(one["runs"] for one in json.loads(text.splitlines()[-1])["backends"])


def test_what_a_library_said_is_shown_where_it_failed(words: dict[str, ProbeVerdict]) -> None:
    words["openvino"] = verdict_of(
        "openvino", "", "failed", cure="reinstall with: pip [x]", reason="no such operator"
    )
    _, text = ask()
    assert "no: failed" in text
    assert "reinstall with: pip [x] (no such operator)" in text, "brackets are no markup"


def test_a_gpu_without_tensorrt_gets_the_install_command(
    words: dict[str, ProbeVerdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "gpu_names", lambda: ("NVIDIA H200",))
    _, text = ask()
    assert "NVIDIA H200" in text
    assert "pip install tensorrt" in text


@pytest.fixture
def server() -> Iterator[str]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, format: str, *values: Any) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as listening:
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


def test_the_store_is_looked_at_and_left_alone(tmp_path: Path, server: str) -> None:
    there = doctor.store_state(server)
    assert (there.reachable, there.note) == (True, "reachable (answers 200)")
    assert doctor.store_state(f"{server}/elsewhere").reachable, "any answer will do"
    secret = doctor.store_state(server.replace("127", "me:secret@127", 1))
    assert secret.reachable
    assert "secret" not in secret.uri
    gone = doctor.store_state("http://127.0.0.1:9")
    assert gone.reachable is False
    assert "MLFLOW_TRACKING_URI" in gone.note
    assert doctor.store_state("postgresql://host/db").reachable is None

    new = doctor.store_state(f"sqlite:///{tmp_path}/deep/mlflow.db")
    assert (new.reachable, new.note) == (True, "not there yet: the first run makes it")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mlflow.db").write_text("this is no database, and it is long enough to tell")
    broken = doctor.store_state(f"sqlite:///{tmp_path}/mlflow.db")
    assert broken.reachable is False
    assert "not a database" in broken.note


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_work_directory_that_can_t_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert not doctor.disk_state(tmp_path / "deep" / "work").writable
    tmp_path.chmod(0o700)


def test_a_cap_that_the_user_has_set_is_shown(
    words: dict[str, ProbeVerdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ISA_VARIABLE, "AVX2")
    assert f"{ISA_VARIABLE}=AVX2 is set" in ask()[1]


def test_a_container_s_bound_on_memory_is_shown(
    tmp_path: Path, words: dict[str, ProbeVerdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    bound = tmp_path / "memory.max"
    monkeypatch.setattr(doctor, "MEMORY_BOUNDS", (bound,))
    assert "may take" not in ask()[1]
    bound.write_text("max\n")
    assert "may take" not in ask()[1]
    bound.write_text("500000000\n")
    assert "this container may take 0.5 GB" in ask()[1]


def test_nothing_heavy_is_loaded_to_find_out() -> None:
    code = (
        "import sys\n"
        "from apps.cli import doctor, options\n"
        "from guardianflow.contracts.results import ProbeVerdict\n"
        "doctor.probe = lambda b, p, **_: ProbeVerdict(b, p, True, 'ok')\n"
        "assert doctor.show_doctor(options.DoctorCommand()) == 0\n"
        "heavy = {'mlflow', 'torch', 'numpy', 'openvino', 'onnx', 'onnxruntime', 'ultralytics'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
