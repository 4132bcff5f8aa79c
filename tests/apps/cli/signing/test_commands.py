"""A box takes only what the team has signed: keys, `sign`, `pull --verify-key`, on a real store."""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from small_detectors import runtime_with, small_package

from apps.cli.main import cli
from guardianflow.contracts.results import RunRequest
from guardianflow.release.bundle import build
from guardianflow.release.bundle.check import SIGNATURE_FILE, STATEMENT_FILE, SUMS_FILE
from guardianflow.release.signing.minisign import read_public_key
from guardianflow.release.signing.releases import kept_release, release_tags
from guardianflow.run_tracking.mlflow_store import MlflowStore
from guardianflow.run_tracking.registry import MlflowRegistry

NAME = "동화/부산-1공장/용접/ppe__onnx_fp32"
OTHER = "동화/부산-1공장/용접/fire__onnx_fp32"


@dataclass
class Team:
    """A store with two versions of a model and one of another; the team's keys and a stranger's."""

    registry: MlflowRegistry
    keys: Path
    box: Path


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.chdir(tmp_path)
    store, registry = MlflowStore(uri), MlflowRegistry(uri, runtime_with("numpy"))
    for seed, name in enumerate((NAME, NAME, OTHER)):
        package = small_package(tmp_path / f"package-{seed}", "onnx", seed)
        run_id = store.start_run(RunRequest("동화/부산-1공장/용접", f"ppe-quant-v{seed}"))
        registry.register(run_id, package, name, alias="champion")
    for who in ("team", "stranger"):
        assert called("keys", "make", "--to", "keys", "--name", who)["status"] == "FINISHED"
    return Team(registry, tmp_path / "keys", tmp_path / "box")


def call(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli, [*map(str, words)])
    assert not isinstance(result.exception, (OSError, ValueError, TypeError)), result.exception
    return result.exit_code, result.stdout, result.stderr


def called(*words: object) -> dict[str, Any]:
    code, shown, errors = call(*words, "--json")
    assert code == 0, errors
    answer: dict[str, Any] = json.loads(shown.splitlines()[-1])
    return answer


def signed(team: Team, model: str = NAME, who: str = "team") -> dict[str, Any]:
    return called("sign", model, "--key", team.keys / f"{who}.key")


def pull(team: Team, model: str = NAME) -> tuple[int, str, str]:
    return call("pull", model, "--to", team.box, "--verify-key", team.keys / "team.pub")


def check(team: Team, who: str = "team") -> tuple[int, str, str]:
    return call("pull", "--check", team.box, "--verify-key", team.keys / f"{who}.pub")


def test_a_signed_model_is_taken_and_can_be_checked_on_the_box_alone(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = signed(team)
    code, _, errors = pull(team)
    assert code == 0, errors
    assert f"signed: {answer['signed']}" in errors
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////nowhere/none.db")  # the box has none
    assert check(team)[0] == 0
    code, shown, _ = check(team, "stranger")
    assert code == 1
    assert f"key {answer['key_id']} signed it" in shown
    key = read_public_key("", team.keys / "team.pub")  # as the program minisign would
    bundle = team.box / "current"
    statement = (bundle / STATEMENT_FILE).read_bytes()
    assert key.check(statement, (bundle / SIGNATURE_FILE).read_text()) == answer["signed"]
    assert json.loads(statement)["sha256"] == answer["sha256"]


def test_an_unsigned_model_is_refused_and_nothing_is_made(team: Team) -> None:
    code, _, errors = pull(team)
    assert code == 1
    assert "is not signed" in errors
    assert f"guardianflow sign {NAME.replace('/', '.')}/2 --key FILE" in errors
    assert not team.box.exists()
    assert call("pull", NAME, "--to", team.box)[0] == 0  # without a key all models are taken


def test_what_a_stranger_signed_is_refused(team: Team) -> None:
    signed(team, who="stranger")
    code, _, errors = pull(team)
    assert code == 1
    assert "is not what key" in errors
    assert not team.box.exists()


@pytest.mark.parametrize(("model", "version"), [(NAME, "1"), (OTHER, "1")])
def test_a_signature_of_another_version_or_model_is_none(
    team: Team, model: str, version: str
) -> None:
    """Whoever may write tags could move the signature of a bad old version to a new one."""
    signed(team)
    champion = team.registry.describe(f"models:/{NAME}@champion")
    good = kept_release(champion.name, champion.version, champion.tags)
    assert good is not None
    team.registry.tag_version(model, version, release_tags(good))
    code, _, errors = pull(team, f"{model}/{version}")
    assert code == 1
    assert "is not signed" in errors
    there = team.registry.describe(f"models:/{model}/{version}")
    sha256 = there.tags["sha256"]
    forged = replace(good.release, model=there.name, version=version, sha256=sha256)
    team.registry.tag_version(model, version, release_tags(replace(good, release=forged)))
    code, _, errors = pull(team, f"{model}/{version}")
    assert code == 1
    assert "of something else" in errors
    assert not team.box.exists()


def test_a_store_that_serves_another_model_under_the_signed_identity_is_refused(
    team: Team,
) -> None:
    """The tag `sha256` may lie; the files that arrive are what counts."""
    signed(team)
    champion = team.registry.describe(f"models:/{NAME}@champion")
    first = team.registry.describe(f"models:/{NAME}/1")
    good = kept_release(champion.name, champion.version, champion.tags)
    assert good is not None
    tags = {"sha256": champion.tags["sha256"], **release_tags(good)}
    team.registry.tag_version(NAME, "1", tags)
    assert first.tags["sha256"] != champion.tags["sha256"]
    code, _, errors = pull(team, f"{NAME}/1")
    assert code in (1, 2)
    assert "error:" in errors
    assert not (team.box / "current").exists()


def test_a_bundle_whose_model_was_changed_with_its_sums_is_found(team: Team) -> None:
    """SHA256SUMS can be written anew by whoever changes a file; the signature can't."""
    signed(team)
    assert pull(team)[0] == 0
    bundle = (team.box / "current").resolve()
    model = next(bundle.glob("*.onnx"))
    model.write_bytes(model.read_bytes() + b"\0")
    spec = json.loads((bundle / "detector.json").read_text())
    spec["files"][model.name] = hashlib.sha256(model.read_bytes()).hexdigest()
    (bundle / "detector.json").write_text(json.dumps(spec))
    _sum_anew(bundle)
    code, shown, _ = check(team)
    assert code == 1
    assert "sha256" in shown


def test_a_signature_file_that_was_changed_with_its_sums_is_found(team: Team) -> None:
    signed(team)
    assert pull(team)[0] == 0
    bundle = (team.box / "current").resolve()
    told = json.loads((bundle / STATEMENT_FILE).read_text())
    (bundle / STATEMENT_FILE).write_text(json.dumps({**told, "version": "9"}))
    _sum_anew(bundle)
    code, shown, _ = check(team)
    assert code == 1
    assert STATEMENT_FILE in shown
    (bundle / STATEMENT_FILE).write_text("[]")
    _sum_anew(bundle)
    assert f"{STATEMENT_FILE} is not what" in check(team)[1]
    (bundle / STATEMENT_FILE).unlink()
    _sum_anew(bundle)
    assert check(team)[0] == 1


def _added(bundle: Path) -> str:
    (bundle / "runtime/sitecustomize.py").write_text("raise SystemExit")
    return "runtime/sitecustomize.py"


def _changed(bundle: Path) -> str:
    file = next(bundle.glob("runtime/*/detector.py"))
    file.write_text(f"{file.read_text()}\n# quietly\n")
    return file.relative_to(bundle).as_posix()


def _described_anew(bundle: Path) -> str:
    file = bundle / "model.yaml"
    file.write_text(file.read_text().replace("confidence:", "confidence: 0.99 #"))
    return file.name


def _removed(bundle: Path) -> str:
    file = next(bundle.glob("runtime/*/detector.py"))
    file.unlink()
    return file.relative_to(bundle).as_posix()


def _swapped_for_a_link(bundle: Path) -> str:
    file = bundle / "run_detector.py"
    elsewhere = bundle.parents[1].parent / "run_detector.py"
    elsewhere.write_bytes(file.read_bytes())  # the same content, today
    file.unlink()
    file.symlink_to(elsewhere)
    return file.name


@pytest.mark.parametrize(
    "tamper", [_added, _changed, _described_anew, _removed, _swapped_for_a_link]
)
def test_no_file_of_a_signed_bundle_can_be_another_one(
    team: Team, tamper: Callable[[Path], str]
) -> None:
    """SHA256SUMS written anew hides nothing; the next pull puts a whole bundle in place."""
    signed(team)
    assert pull(team)[0] == 0
    bundle = (team.box / "current").resolve()
    name = tamper(bundle)
    _sum_anew(bundle)
    code, shown, _ = check(team)
    assert code == 1
    assert re.search(rf"^(missing|changed|extra) +{re.escape(name)}$", shown, re.MULTILINE)
    assert pull(team)[0] == 0
    assert (team.box / "current").resolve().name == f"{bundle.name}-r2"
    assert check(team)[0] == 0


def test_a_bundle_of_another_guardianflow_than_the_signed_one_is_refused_by_its_files(
    team: Team, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where it is pulled, our modules are made anew: a changed installation can't bring others."""
    signed(team)
    script = tmp_path / "other.py"
    script.write_text("print('another one')")
    monkeypatch.setattr(build, "SCRIPT_SOURCE", script)
    code, _, errors = pull(team)
    assert code == 1
    assert "is not what was signed: run_detector.py. Nothing was taken" in errors
    assert not (team.box / "current").exists()
    code, _, errors = call("pull", NAME, "--to", team.box)  # nobody asks for a signature
    assert code == 0
    assert "its signature is left out" in errors
    assert check(team)[0] == 1


def _sum_anew(bundle: Path) -> None:
    files = [
        path
        for path in sorted(bundle.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.name != SUMS_FILE
    ]
    text = "".join(
        f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(bundle).as_posix()}\n"
        for p in files
    )
    (bundle / SUMS_FILE).write_text(text)


def test_a_model_that_was_signed_since_is_pulled_with_its_signature(team: Team) -> None:
    assert call("pull", NAME, "--to", team.box)[0] == 0
    assert check(team)[0] == 1
    signed(team)
    assert pull(team)[0] == 0
    assert check(team)[0] == 0
    code, shown, _ = pull(team)
    assert code == 0
    assert "is current already" in shown


def test_the_setting_stands_in_for_the_flag(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    line = (team.keys / "team.pub").read_text().splitlines()[1]
    for given in (line, team.keys / "team.pub"):
        monkeypatch.setenv("GUARDIANFLOW_VERIFY_KEY", str(given))
        code, _, errors = call("pull", NAME, "--to", team.box)
        assert code == 1
        assert "is not signed" in errors
    monkeypatch.setenv("GUARDIANFLOW_VERIFY_KEY", "none.pub")
    assert call("pull", NAME, "--to", team.box)[0] == 2


def test_keys_are_the_owner_s_alone_and_never_written_over(team: Team) -> None:
    secret = team.keys / "team.key"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    kept = secret.read_bytes()
    code, _, errors = call("keys", "make", "--to", team.keys)
    assert code == 2
    assert "must not be there yet" in errors
    assert secret.read_bytes() == kept
    assert call("keys", "make", "--name", "../x")[0] == 2


def test_sign_refuses_what_it_can_not_use(team: Team) -> None:
    assert call("sign", NAME, "--key", team.keys / "team.pub")[0] == 2
    assert call("sign", f"{NAME}/7", "--key", team.keys / "team.key")[0] == 2
