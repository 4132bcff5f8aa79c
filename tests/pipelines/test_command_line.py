"""Flags in, exit codes out."""

from __future__ import annotations

import errno
import json
import re
import shlex
from dataclasses import replace

import pytest

from guardianflow.contracts.errors import (
    BackendError,
    ConfigurationError,
    ScenarioError,
    StageFailedError,
)
from guardianflow.contracts.releases import (
    FAIL,
    PASS,
    UNDECIDED,
    CauseKind,
    GateCause,
    GateVerdict,
    ReleaseDecision,
    VariantDecision,
)
from guardianflow.contracts.results import StageResult
from pipelines.command_line import (
    gate_code,
    invocation,
    main,
    parse_stage,
    run_guarded,
    where_to_look,
)
from pipelines.options import RunCommand, overrides_from
from pipelines.settings import load_settings
from pipelines.stage.plan import RunOptions


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ScenarioError("wrong"), 2),
        (BackendError("broke"), 1),
        (StageFailedError("train", "no data", exit_code=2), 2),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_code_tells_whose_fault_it_was(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> int:
        raise error

    assert run_guarded(work, as_json=True) == code
    shown = capsys.readouterr()
    assert json.loads(shown.out)["error"]["exit_code"] == code
    assert shown.err.startswith("error: ")


def test_a_disk_that_takes_nothing_is_a_clear_error_and_a_fault_of_ours_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full() -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "/work/wrap/x")

    assert run_guarded(full) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("error: [Errno 28] No space left on device: '/work/wrap/x'. Make room")

    def broken() -> int:
        raise OSError(errno.EINVAL, "our own mistake")

    with pytest.raises(OSError, match="our own mistake"):
        run_guarded(broken)


@pytest.mark.parametrize("given", ["abc", "-1", "nan", "inf", "86401", ""])
def test_a_wait_for_quiet_that_is_no_number_of_seconds_is_told(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("GUARDIANFLOW_QUIET_WAIT_S", given)
    said = (
        f"GUARDIANFLOW_QUIET_WAIT_S must be a number of seconds from 0 to 86400 but got '{given}'"
    )
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        load_settings()
    monkeypatch.setenv("GUARDIANFLOW_QUIET_WAIT_S", "0.5")
    assert load_settings().quiet_wait_s == 0.5
    monkeypatch.delenv("GUARDIANFLOW_QUIET_WAIT_S")
    assert load_settings().quiet_wait_s == 60


def test_a_missing_scenario_file_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("train", ["--scenario", "no-such.yaml"]) == 2
    assert "no-such.yaml" in capsys.readouterr().err


@pytest.mark.parametrize(("outcome", "code"), [(PASS, 0), (FAIL, 1), (UNDECIDED, 1)])
def test_a_release_that_does_not_pass_fails_only_who_asked_for_it(
    outcome: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    cause = GateCause(CauseKind.RECORDED, told="mAP50 is 0.3.")
    stopped = GateVerdict("min_mAP50", outcome, 0.5, None, cause)
    variant = VariantDecision("onnx_int8", "", "", "", "", (stopped,))
    decision = ReleaseDecision(outcome, "", "size", (variant,))
    result = StageResult("full_pipeline", "r", "FINISHED", "e", "n", decision=decision)
    assert gate_code(RunOptions(), result) == 0
    assert capsys.readouterr().err == ""
    assert gate_code(RunOptions(fail_on_gate=True), result) == code
    assert ("min_mAP50: mAP50 is 0.3." in capsys.readouterr().err) == bool(code)


def test_mlflow_s_parameter_for_the_gate_is_a_switch() -> None:
    asked, _ = parse_stage("full_pipeline", ["--scenario", "s.yaml", "--fail-on-gate", "true"])
    assert asked.fail_on_gate is True
    several, _ = parse_stage("release", ["--scenario", "s.yaml", "--source-run-id", "a", "b"])
    assert several.judged_sources == ("a", "b")


def asked_of(stage: str, words: list[str]) -> RunCommand:
    asked, rest = parse_stage(stage, words)
    return replace(asked, overrides=tuple(overrides_from(rest)))


ODD = "my file; rm -rf $HOME 'x'.yaml"


@pytest.mark.parametrize("stage", ["train", "compare"])
def test_the_command_to_write_again_can_be_pasted(
    stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    variants = '[{"backend": "onnx", "precision": "int8"}]'
    more = ["--quant-variants", variants] if stage == "compare" else []
    rest = ["--training.options.note", "a b;c", "--name=$(x)"]
    given = ["--scenario", ODD, *more, *rest]
    again = shlex.split(invocation(asked_of(stage, given)))
    assert again[:3] == ["python", "-m", f"pipelines.{stage}"]
    asked = asked_of(stage, again[3:])
    assert asked.scenario == ODD
    assert asked.overrides == ("training.options.note=a b;c", "name=$(x)")
    assert asked.quant_variants == (variants if stage == "compare" else "")
    monkeypatch.setenv("MLFLOW_RUN_ID", "r")
    words = shlex.split(invocation(asked_of(stage, given)))
    assert words[:5] == ["mlflow", "run", ".", "-e", stage]
    assert words[5:11] == [
        "--env-manager",
        "local",
        "-P",
        f"scenario_path={ODD}",
        "-P",
        "training.options.note=a b;c",
    ]


def test_the_command_to_write_again_has_the_code_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    given = ["--scenario", "s.yaml", "--code-path", "my code/x"]
    again = shlex.split(invocation(asked_of("full_pipeline", given)))
    assert asked_of("full_pipeline", again[3:]).code_path == "my code/x"
    builtin = asked_of("full_pipeline", ["--scenario", "s.yaml"])
    assert "--code-path" not in invocation(builtin)
    monkeypatch.setenv("MLFLOW_RUN_ID", "r")
    words = shlex.split(invocation(asked_of("full_pipeline", given)))
    assert "experiment_code_path=my code/x" in words
    assert "experiment_code_path" not in invocation(builtin)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("http://kim:tr4ck-pw@mlflow:5000", "Look at it: http://mlflow:5000"),
        (
            "postgresql://kim:tr4ck-pw@db/mlflow",
            "Look at it: make ui, or mlflow ui --backend-store-uri postgresql://REDACTED@db/mlflow"
            "  # REDACTED stands for a secret, fill it in",
        ),
    ],
)
def test_where_to_look_is_said_without_the_password(
    monkeypatch: pytest.MonkeyPatch, secrets_forgotten: None, uri: str, said: str
) -> None:
    monkeypatch.setenv("GUARDIANFLOW_TRACKING_URI", uri)
    assert where_to_look() == said


def test_a_failure_is_told_without_the_secrets_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, secrets_forgotten: None, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MY_SERVICE_TOKEN", "s3rvice-t0ken")

    def fail() -> int:
        raise BackendError("the service refused s3rvice-t0ken")

    assert run_guarded(fail, as_json=True) == 1
    told = capsys.readouterr()
    assert told.err == "error: the service refused REDACTED\n"
    assert json.loads(told.out)["error"]["message"] == "the service refused REDACTED"
