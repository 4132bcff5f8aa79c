from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from guardianflow.backends import catalogue
from guardianflow.backends.probe import child as probe_child
from guardianflow.backends.probe.probe import (
    CHILD,
    ISA_CAPS,
    ISA_VARIABLE,
    environment_for,
    probe,
)
from guardianflow.contracts.errors import BackendUnavailableError, ConfigurationError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

ANSWER = 'print(json.dumps({"verdict": "ok", "reason": "ran"}))'


def child(code: str) -> list[str]:
    return [sys.executable, "-c", f"import json, os, signal, sys, time\n{code}"]


def killed_unless(*caps: str) -> list[str]:
    """A child that a real SIGILL ends unless one of these caps is set; counts its starts."""
    return child(
        "print('starting', file=sys.stderr)\n"
        f"if os.environ.get({ISA_VARIABLE!r}) not in {caps!r}:\n"
        f"    os.kill(os.getpid(), signal.SIGILL)\n{ANSWER}"
    )


@pytest.fixture(autouse=True)
def no_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ISA_VARIABLE, raising=False)


@pytest.mark.parametrize(
    ("backend", "precision"),
    [("openvino", "int8"), ("openvino", "fp32"), ("onnx", "int8"), ("pytorch", "fp32")],
)
def test_what_these_tests_run_on_runs(backend: str, precision: str) -> None:
    verdict = probe(backend, precision)
    assert verdict.runs, verdict
    assert verdict.verdict in ("ok", "ok-with-isa-cap")
    assert (verdict.verdict == "ok") == (environment_for(verdict) == {})
    assert verdict.version[0].isdigit()
    assert verdict.cure == ""


def test_a_child_that_sigill_ends_is_tried_under_caps_from_high_to_low() -> None:
    verdict = probe("openvino", "int8", _child=killed_unless("AVX512_CORE_VNNI", "AVX2"))
    assert verdict.runs
    assert verdict.verdict == "ok-with-isa-cap"
    assert verdict.isa_cap == "AVX512_CORE_VNNI", "the highest that survives, not the safest"
    assert environment_for(verdict) == {ISA_VARIABLE: "AVX512_CORE_VNNI"}


def test_a_child_that_no_cap_saves_is_an_illegal_instruction() -> None:
    verdict = probe("onnx", "int8", _child=killed_unless("NONE"))
    assert not verdict.runs
    assert verdict.verdict == "illegal-instruction"
    assert verdict.isa_cap is None
    assert environment_for(verdict) == {}
    assert "SIGILL" in verdict.reason
    assert "ONNX Runtime int8" in verdict.cure


def test_what_a_capped_child_says_is_the_verdict() -> None:
    code = (
        f"if not os.environ.get({ISA_VARIABLE!r}): os.kill(os.getpid(), signal.SIGILL)\n"
        'print(json.dumps({"verdict": "failed", "reason": "no such operator"}))'
    )
    verdict = probe("openvino", "int8", _child=child(code))
    assert (verdict.verdict, verdict.reason) == ("failed", "no such operator")
    assert verdict.isa_cap is None


@pytest.mark.parametrize(
    ("code", "word", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "crashed", "SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "crashed", "SIGKILL"),
        ("sys.exit('cannot allocate memory')", "crashed", "cannot allocate memory"),
        ("print('fine, but no answer')", "crashed", "no answer"),
        ("print('[1, 2]')", "crashed", "no answer"),
        ("time.sleep(60)", "timed-out", "within 1 s"),
    ],
)
def test_every_other_end_is_a_named_verdict_with_a_cure(code: str, word: str, reason: str) -> None:
    verdict = probe("openvino", "fp32", timeout_s=1, _child=child(code))
    assert not verdict.runs
    assert verdict.verdict == word
    assert reason in verdict.reason
    assert "\n" not in verdict.reason
    assert verdict.cure


def test_a_missing_library_is_named_with_its_command() -> None:
    verdict = probe("tensorrt", "fp16")
    assert verdict.verdict == "missing-library"
    assert "guardianflow[tensorrt]" in verdict.cure
    assert verdict.version == ""


def test_a_missing_device_is_named() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    verdict = probe("pytorch", "fp16")
    assert verdict.verdict == "missing-device"
    assert "CUDA" in verdict.reason
    assert "openvino" in verdict.cure


def test_unknown_words_and_impossible_precisions_are_refused_without_a_child() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'openvino'"):
        probe("openvin", "int8")
    with pytest.raises(ConfigurationError, match="precision"):
        probe("openvino", "int2")
    with pytest.raises(BackendUnavailableError, match="can't make int8"):
        probe("pytorch", "int8")


def counting(place: Path, code: str) -> list[str]:
    return child(f"open({str(place)!r}, 'a').write('x')\n{code}")


def test_a_lasting_verdict_is_kept_until_something_it_depends_on_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, starts = tmp_path / "cache", tmp_path / "starts"
    command = counting(starts, ANSWER)
    first = probe("openvino", "int8", cache_dir=cache, _child=command)
    assert probe("openvino", "int8", cache_dir=cache, _child=command) == first
    assert starts.read_text() == "x"
    probe("openvino", "fp32", cache_dir=cache, _child=command)
    assert starts.read_text() == "xx"
    monkeypatch.setenv(ISA_VARIABLE, "AVX2")
    probe("openvino", "int8", cache_dir=cache, _child=command)
    assert starts.read_text() == "xxx"
    for file in cache.iterdir():
        file.write_text("{half")
    probe("openvino", "int8", cache_dir=cache, _child=command)
    assert starts.read_text() == "xxxx"


@pytest.mark.parametrize("kept", [[], {"runs": "yes"}, {"isa_cap": 5}, {"isa_cap": "../x"}, None])
def test_a_kept_verdict_that_is_not_as_we_write_it_is_tried_anew(
    kept: object, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    first = probe("openvino", "int8", cache_dir=cache, _child=child(ANSWER))
    (file,) = cache.iterdir()
    values = json.loads(file.read_text()) | kept if isinstance(kept, dict) else kept
    file.write_text(json.dumps(values))
    assert probe("openvino", "int8", cache_dir=cache, _child=child(ANSWER)) == first
    file.unlink()
    file.mkdir()  # what can't be kept still counts
    assert probe("openvino", "int8", cache_dir=cache, _child=child(ANSWER)) == first


def test_a_fresh_try_replaces_what_was_kept(tmp_path: Path) -> None:
    cache, starts = tmp_path / "cache", tmp_path / "starts"
    works = counting(starts, ANSWER)
    fails = counting(starts, 'print(json.dumps({"verdict": "failed", "reason": "?"}))')
    assert probe("openvino", "int8", cache_dir=cache, _child=works).runs
    assert probe("openvino", "int8", cache_dir=cache, fresh=True, _child=works).runs
    assert starts.read_text() == "xx"
    assert not probe("openvino", "int8", cache_dir=cache, fresh=True, _child=fails).runs
    assert list(cache.iterdir()) == [], "a kept verdict that was proved wrong is not kept"
    assert probe("openvino", "int8", cache_dir=cache, _child=works).runs
    assert starts.read_text() == "xxxx"


@pytest.mark.parametrize(
    "code",
    [
        'print(json.dumps({"verdict": "failed", "reason": "?"}))',
        "os.kill(os.getpid(), signal.SIGKILL)",
    ],
)
def test_a_passing_trouble_is_not_kept(tmp_path: Path, code: str) -> None:
    starts = tmp_path / "starts"
    for _ in range(2):
        probe("openvino", "int8", cache_dir=tmp_path / "cache", _child=counting(starts, code))
    assert starts.read_text() == "xx"


def test_the_caps_go_from_high_to_low_and_are_names_onednn_knows() -> None:
    assert ISA_CAPS[0] == "AVX512_CORE_FP16"
    assert ISA_CAPS[-1] == "AVX2"


@pytest.mark.parametrize(
    ("backend", "precision"),
    [
        (name, precision)
        for name, info in catalogue.CATALOGUE.items()
        for precision in info.precisions
    ],
)
def test_the_child_has_an_answer_for_everything_in_the_catalogue(
    backend: str, precision: str
) -> None:
    answer = probe_child.main(backend, precision)
    assert answer["verdict"] in ("ok", "missing-library", "missing-device"), answer


def test_the_child_needs_nothing_of_this_project(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", str(CHILD), "openvino", "fp32"],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1])["verdict"] == "ok"
    assert "guardianflow" not in CHILD.read_text().replace("this project", "")
