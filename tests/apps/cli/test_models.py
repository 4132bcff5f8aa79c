"""The commands about registered models, on a real registry with real files."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from databases import copy_database
from promotions import (
    DOTTED,
    NAME,
    Interrupted,
    Stop,
    log_release,
    promoted,
    stop,
    verdict,
    without_withdrawal,
)

from apps.cli.main import cli
from guardianflow.contracts.errors import SourceError, TrackingError
from guardianflow.contracts.releases import EVIDENCE_TAG
from guardianflow.contracts.results import DetectorPackage, DetectorSpec, RunRequest
from guardianflow.run_tracking.fakes.aliases import InMemoryAliasStore
from guardianflow.run_tracking.upkeep.journal_mode import bring_in_log
from pipelines import ModelRegistry
from pipelines.wiring import Ports, connect, in_memory

Call = Callable[..., tuple[int, str, str]]


def write_package(directory: Path, content: bytes) -> DetectorPackage:
    directory.mkdir(parents=True)
    (directory / "model.onnx").write_bytes(content)
    spec = DetectorSpec(
        backend="onnx",
        precision="fp32",
        architecture="tiny",
        class_names=("안전모",),
        input_size=32,
        output="grid",
        weights="model.onnx",
        files={},
    )
    return DetectorPackage.create(directory, spec)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store where v1 passed as the first and v2 passed against v1; v1 is the candidate."""
    root = tmp_path_factory.mktemp("site")
    ports = connect(f"sqlite:///{root / 'mlflow.db'}")
    for number, champion in (("1", ""), ("2", "1")):
        run_id = ports.store.start_run(RunRequest("donghwa-entec/busan-plant1/welding", "ppe"))
        package = write_package(root / f"package{number}", b"weights " + number.encode())
        ports.registry.register(run_id, package, NAME)
        ports.store.end_run(run_id)
        judged = log_release(ports, package, number, champion)
        ports.registry.tag_version(
            NAME, number, {EVIDENCE_TAG: judged, **verdict("pass", champion)}
        )
    ports.aliases.set_alias(NAME, "candidate", "1")
    bring_in_log(root / "mlflow.db")  # a copy of the file is whole only then
    return root


@pytest.fixture
def site(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the store for one test; the files of the models are shared."""
    copy_database(made / "mlflow.db", tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("USER", "kim")
    monkeypatch.setenv("LOGNAME", "kim")
    return tmp_path


@pytest.fixture
def call(site: Path) -> Call:
    def calling(*words: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(cli, list(words))
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, result.stdout, result.stderr

    return calling


def json_of(call: Call, *words: str) -> Any:
    code, out, err = call(*words, "--json")
    assert code == 0, err
    return json.loads(out.splitlines()[-1])


def test_two_promotions_and_a_rollback_as_a_user_does_them(call: Call) -> None:
    assert json_of(call, "models")[0]["candidate"] == "1"
    code, out, _ = call("promote", NAME)
    assert code == 0
    assert f"{NAME}: v1 is @champion now, the first. Change 1" in out
    assert call("uri", NAME)[1] == f"models:/{DOTTED}/1\n"

    told = json_of(call, "promote", DOTTED, "--version", "2", "--reason", "재현율 향상")
    assert told["uri"] == f"models:/{DOTTED}@champion"
    assert told["entry"]["after"] == {"champion": "2", "rollback": "1"}
    assert told["entry"]["who"].startswith("kim@")
    assert call("uri", DOTTED)[1] == f"models:/{DOTTED}/2\n"
    assert json_of(call, "uri", NAME, "--alias", "rollback") == {
        "model": NAME,
        "alias": "rollback",
        "version": "1",
        "uri": f"models:/{DOTTED}@rollback",
        "resolved": f"models:/{DOTTED}/1",
    }

    code, out, _ = call("rollback", NAME, "--reason", "false alarms")
    assert code == 0
    assert "v1 is @champion now (before: v2)" in out
    assert "@candidate = v2" in out
    assert call("uri", NAME)[1] == f"models:/{DOTTED}/1\n"

    history = json_of(call, "history", NAME)
    assert [(each["action"], each["state"]) for each in history] == [
        ("promote", "done"),
        ("promote", "done"),
        ("rollback", "done"),
    ]
    shown = call("history", NAME)[1]
    for text in ("v1 → v2", "v2 → v1", "none → v1", "재현율 향상", "false alarms", "kim@"):
        assert text in shown
    versions = json_of(call, "versions", DOTTED)
    assert [(each["version"], each["aliases"]) for each in versions] == [
        ("2", ["candidate"]),
        ("1", ["champion"]),
    ]
    assert versions[0]["tags"]["release.outcome"] == "pass"
    shown = call("versions", NAME)[1]
    assert "no champion" in shown
    assert "@champion" in shown


def test_models_can_be_narrowed(call: Call) -> None:
    for words in (
        ("--name", "welding"),
        ("--name", "busan-plant1.welding"),
        ("--name", "*/ppe"),
        ("--customer", "donghwa-entec"),
    ):
        assert [each["model"] for each in json_of(call, "models", *words)] == [NAME]
        assert NAME in call("models", *words)[1]
    for words in (("--name", "fall"), ("--name", "*/fall"), ("--customer", "donghwa")):
        assert json_of(call, "models", *words) == []
        assert "there is no registered model" in call("models", *words)[1]


def test_a_refusal_is_1_and_bad_input_2_and_json_says_the_same(call: Call) -> None:
    call("promote", NAME)
    code, _, err = call("promote", NAME, "--version", "1")
    assert (code, "is @champion already" in err) == (2, True)
    call("promote", NAME, "--version", "2")
    code, _, err = call("promote", NAME, "--version", "1")
    assert code == 1
    assert "judged when there was no @champion (run " in err
    assert "v2 is @champion now" in err
    code, out, _ = call("promote", NAME, "--version", "1", "--json")
    assert code == 1
    error = json.loads(out)["error"]
    assert (error["type"], error["exit_code"]) == ("PromotionRefusedError", 1)
    code, _, err = call("promote", NAME, "--version", "1", "--force")
    assert (code, "must have a reason" in err) == (2, True)
    code, out, _ = call("promote", NAME, "--version", "1", "--force", "--reason", "field test")
    assert (code, ", forced." in out) == (0, True)
    assert "promote (forced)" in call("history", NAME)[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("promote", NAME + "x"), f"nearest: {NAME}"),
        (("rollback", NAME + "x"), f"nearest: {NAME}"),
        (("history", DOTTED[:-1]), f"nearest: {NAME}"),
        (("versions", "nothing/like/it"), "guardianflow list models"),
        (("uri", NAME[:-1]), f"nearest: {NAME}"),
        (("uri", NAME), "no alias 'champion'; it has: candidate"),
        (("rollback", NAME), "no @rollback to go back to; it has v1 (@candidate), v2"),
        (("promote", NAME, "--version", "9"), "no version 9"),
        (("promote", NAME, "--version", "best"), "must be a number such as 3 but got 'best'"),
        (("promote", "a/b.c"), "mixes slashes and dots"),
        (("history", "a%b"), "can't name a model"),
    ],
)
def test_bad_input_is_named_with_what_is_there(
    call: Call, words: tuple[str, ...], message: str
) -> None:
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert message in err.replace("\n", " ")


def test_a_tampered_file_is_never_promoted(call: Call, made: Path) -> None:
    (weights,) = [
        path
        for path in made.rglob("model.onnx")
        if "package" not in path.parts[-2] and path.read_bytes() == b"weights 1"
    ]
    weights.write_bytes(b"weights X")
    try:
        for words in ((), ("--force", "--reason", "now")):
            code, _, err = call("promote", NAME, *words)
            assert code == 2
            assert "different from the sha256" in err
    finally:
        weights.write_bytes(b"weights 1")
    assert json_of(call, "history", NAME) == []


@pytest.mark.parametrize("words", [("history",), ("versions",), ("uri",), ("rollback",)])
def test_whichever_command_comes_next_completes_what_was_interrupted_and_tells(
    call: Call, site: Path, words: tuple[str, ...]
) -> None:
    call("promote", NAME)
    store = connect().aliases
    with pytest.raises(Stop):
        promoted(without_withdrawal(Interrupted(store, 4, stop)), version="2")
    assert call("models")[2].startswith(f"note: a change of the aliases of {NAME} is under way")
    code, _, err = call(*words, NAME)
    assert code == 0
    assert "note: promote to v2" in err
    assert "interrupted; completed by kim@" in err
    assert json_of(call, "history", NAME)[1]["state"] == "done"
    wanted = "1" if words == ("rollback",) else "2"
    assert json_of(call, "uri", NAME)["version"] == wanted
    assert call("models")[2] == ""


def test_a_reader_goes_on_while_another_process_is_at_it(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim's holder is this process's parent, which lives."""
    import os
    import time
    from dataclasses import replace

    from guardianflow.release.promotion import claims
    from guardianflow.release.promotion.claims import Claim
    from guardianflow.support.process_identity import ProcessIdentity, _start

    monkeypatch.setattr(claims, "WAIT_S", 0.1)
    store = connect().aliases
    with pytest.raises(Stop):
        promoted(without_withdrawal(Interrupted(store, 2, stop)))
    mine = ProcessIdentity.of_this_process()
    parent = replace(mine, pid=os.getppid(), started=_start(os.getppid()))
    claim = Claim("ab" * 16, "lee@office", "promote", time.time() - 5, parent)
    store.set_model_tag(NAME, claim.tag, claim.to_json())
    code, out, err = call("history", NAME)
    assert (code, "begun" in out) == (0, True)
    assert "lee@office (promote" in err
    code, _, err = call("promote", NAME)
    assert (code, "lee@office (promote" in err) == (1, True)


# --- from Python ----------------------------------------------------------------------------------


@pytest.fixture
def ports() -> Ports:
    return in_memory()


def test_the_registry_from_python(ports: Ports, tmp_path: Path) -> None:
    registry = ModelRegistry(ports=ports)
    run_id = ports.store.start_run(RunRequest("donghwa-entec/busan-plant1/welding", "ppe"))
    package = write_package(tmp_path / "package", b"weights")
    tags = verdict() | {EVIDENCE_TAG: log_release(ports, package, "1")}
    model = registry.register(run_id, package.directory, NAME, tags=tags)
    assert (model.version, model.aliases) == ("1", ("candidate",))
    with pytest.raises(SourceError, match="no alias 'champion'"):
        registry.get_champion_uri(NAME)
    entry = registry.promote(NAME, 1, who="lee@office")
    assert entry.who == "lee@office"
    assert registry.get_champion_uri(NAME) == f"models:/{DOTTED}@champion"
    assert [each.aliases for each in registry.list_versions(NAME)] == [("champion",)]
    assert registry.history(NAME) == [entry]
    with pytest.raises(SourceError, match="only promote and rollback move"):
        registry.register(run_id, package, NAME, alias="champion")
    with pytest.raises(SourceError, match="no @rollback"):
        registry.rollback(NAME)


def test_a_reader_says_that_it_could_not_mend(ports: Ports) -> None:
    aliases = InMemoryAliasStore()
    aliases.add_version(NAME, verdict())
    aliases.set_alias(NAME, "candidate", "1")
    with pytest.raises(Stop):
        promoted(without_withdrawal(Interrupted(aliases, 2, stop)))

    def refuse() -> None:
        raise TrackingError("this server can only be read")

    said: list[str] = []
    only_read: Any = Interrupted(aliases, 1, refuse)
    registry = ModelRegistry(ports=Ports(ports.store, ports.registry, only_read), tell=said.append)
    assert [entry.state for entry in registry.history(NAME)] == ["begun"]
    assert said == ["an interrupted change could not be completed: this server can only be read"]


def test_the_commands_in_the_documentation_are_there(repository: Path) -> None:
    text = (repository / "docs" / "registry.md").read_text(encoding="utf-8")
    for command in ("models", "versions", "promote", "rollback", "history", "uri"):
        assert f"guardianflow {command}" in text
        code = CliRunner().invoke(cli, [command, "--help"])
        assert "Examples:" in code.output


def test_help_of_a_command_loads_nothing_heavy() -> None:
    import sys

    code = (
        "import sys, apps.cli.main as m\n"
        "from click.testing import CliRunner\n"
        "assert CliRunner().invoke(m.cli, ['promote', '--help']).exit_code == 0\n"
        "print(sorted({'mlflow', 'torch', 'pydantic', 'rich'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
