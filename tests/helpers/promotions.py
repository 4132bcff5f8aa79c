"""Promotions for tests: models with verdicts, processes that die between two writes."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from guardianflow.contracts.detector_package import DetectorPackage, DetectorSpec
from guardianflow.contracts.errors import GuardianFlowError, TrackingError
from guardianflow.contracts.releases import (
    CANDIDATE,
    CHAMPION,
    COMPARED_TAG,
    OUTCOME_TAG,
    ROLLBACK,
    CauseKind,
    GateCause,
    GateVerdict,
    ReleaseDecision,
    VariantDecision,
)
from guardianflow.contracts.results import RunRequest
from guardianflow.release.explanation import as_dict
from guardianflow.release.promotion.evidence import ReleaseEvidence
from guardianflow.release.promotion.promotion import promote, recover, rollback
from guardianflow.run_tracking.fakes.aliases import InMemoryAliasStore

NAME = "donghwa-entec/busan-plant1/welding/ppe"
DOTTED = "donghwa-entec.busan-plant1.welding.ppe"
WHO = "kim@gate"
PACKAGE = DetectorPackage(
    Path("nowhere"),
    DetectorSpec("onnx", "fp32", "tiny", ("안전모",), 32, "grid", "m.onnx", {"m.onnx": "0" * 64}),
)
"""What every version holds where versions have no files."""
WRITES = ("set_alias", "delete_alias", "set_model_tag", "delete_model_tag")


def intact(name: str, version: str) -> DetectorPackage:
    """A verify for versions without files."""
    return PACKAGE


def verdict(outcome: str = "pass", champion: str = "") -> dict[str, str]:
    return {OUTCOME_TAG: outcome, COMPARED_TAG: champion}


class Interrupted:
    """An AliasStore where something happens after the n-th write has been made.

    Args:
        after: counts from 1; 0 is before the first.
        happens: called then; may raise or end the process.
    """

    def __init__(self, store: Any, after: int, happens: Callable[[], object]) -> None:
        self.store, self.after, self.happens, self.made = store, after, happens, 0

    def __getattr__(self, name: str) -> Any:
        whole = getattr(self.store, name)
        if name not in WRITES:
            return whole

        def write(*arguments: Any) -> None:
            if self.made == self.after == 0:
                self.happens()
            whole(*arguments)
            self.made += 1
            if self.made == self.after:
                self.happens()

        return write


class Gone:
    """From the n-th write on the registry answers nothing more, reads included."""

    def __init__(self, store: Any, after: int) -> None:
        self.store, self.after, self.made = store, after, 0

    def __getattr__(self, name: str) -> Any:
        whole = getattr(self.store, name)

        def call(*arguments: Any) -> Any:
            if self.made >= self.after:
                raise TrackingError("the MLflow server does not answer")
            self.made += name in WRITES
            return whole(*arguments)

        return call


def gate(outcome: str) -> GateVerdict:
    return GateVerdict("min_mAP50", outcome, 0.5, None, GateCause(CauseKind.RECORDED, told="told"))


def borne_out(store: Any, name: str = NAME) -> Callable[[str], ReleaseEvidence]:
    """Evidence that says of every version what its tags say, as a release leaves them."""

    def read(run_id: str) -> ReleaseEvidence:
        variants = tuple(
            VariantDecision(
                "onnx_fp32",
                name,
                each.version,
                "",
                each.tags[COMPARED_TAG],
                (gate(each.tags[OUTCOME_TAG]),),
                digest=PACKAGE.digest,
            )
            for each in store.versions(name)
            if COMPARED_TAG in each.tags
        )
        return ReleaseEvidence(run_id, "FINISHED", "release", variants)

    return read


def log_release(
    ports: Any, package: DetectorPackage, version: str, champion: str = "", outcome: str = "pass"
) -> str:
    """The run of a release that has judged a version of NAME; returns its id."""
    judged = VariantDecision(
        "onnx_fp32", NAME, version, "", champion, (gate(outcome),), digest=package.digest
    )
    decision = ReleaseDecision(outcome, "onnx_fp32", "size", (judged,))
    experiment = NAME.rpartition("/")[0]
    run_id: str = ports.store.start_run(
        RunRequest(experiment, "ppe-release", {"guardianflow.stage": "release"})
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "release.json"
        file.write_text(json.dumps(as_dict(decision)), encoding="utf-8")
        ports.store.log_files(run_id, file, "results")
    ports.store.end_run(run_id)
    return run_id


STEPS = 7
"""Writes of a promotion over a champion, and of a rollback: claim, entry, three aliases, end of the
entry, claim."""


def model(*versions: dict[str, str], **aliases: str) -> InMemoryAliasStore:
    store = InMemoryAliasStore()
    for tags in versions:
        store.add_version(NAME, tags)
    for alias, version in aliases.items():
        store.set_alias(NAME, alias, version)
    return store


def promoted(store: Any, **given: Any) -> Any:
    usual = {"who": WHO, "verify": intact, "evidence": borne_out(store)}
    return promote(store, NAME, **{**usual, **given})


class Stop(Exception):  # noqa: N818 - no error: the end of a process
    """The process ends here."""


def stop() -> None:
    raise Stop


ACTIONS: dict[str, Callable[[Any], object]] = {
    "promote": promoted,
    "rollback": lambda store: rollback(store, NAME, who=WHO),
}
OUTCOMES = {
    "promote": ({CHAMPION: "2", ROLLBACK: "1", CANDIDATE: "3"}, {CHAMPION: "3", ROLLBACK: "2"}),
    "rollback": ({CHAMPION: "2", ROLLBACK: "1", CANDIDATE: "3"}, {CHAMPION: "1", CANDIDATE: "2"}),
}


def third() -> InMemoryAliasStore:
    """v2 at the site, v1 before it, v3 passed against v2."""
    return model(
        verdict(), verdict(champion="1"), verdict(champion="2"),
        champion="2", rollback="1", candidate="3",
    )  # fmt: skip


def without_withdrawal(store: Any) -> Any:
    """A process that was killed takes no claim back."""

    class Dead:
        def __getattr__(self, name: str) -> Any:
            if name == "delete_model_tag" and store.made >= store.after:
                return lambda *_: None
            return getattr(store, name)

    return Dead()


# --- run in child processes, started clean with mlflow imported ----------------------------------


def build_model(uri: str, versions: list[dict[str, str]], aliases: dict[str, str]) -> None:
    """A registered model whose versions have these tags."""
    from guardianflow.run_tracking.connection import Connection

    client = Connection(uri).client
    client.create_registered_model(DOTTED)
    for number, tags in enumerate(versions):
        client.create_model_version(DOTTED, f"/nowhere/{number}", tags=tags)
    for alias, version in aliases.items():
        client.set_registered_model_alias(DOTTED, alias, version)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def act(uri: str, action: str, after: int | None, version: str | None = None) -> None:
    """Promote or roll back; killed after the n-th write. Exits 0, 1 or 2 as the command does."""
    from guardianflow.run_tracking.alias_store import MlflowAliasStore

    store: Any = MlflowAliasStore(uri)
    if after is not None:
        store = Interrupted(store, after, die)
    try:
        if action == "promote":
            promoted(store, who=f"{WHO}-{version}", version=version)
        elif action == "rollback":
            rollback(store, NAME, who=WHO)
        else:
            recover(store, NAME, who=WHO)
    except GuardianFlowError as exc:
        print(f"{type(exc).__name__}: {exc}", flush=True)
        raise SystemExit(exc.exit_code) from exc


def contend(uri: str, version: str, rounds: int, barrier: Any, results: Any) -> None:
    """Promote the version in each round, at the same moment as the others."""
    from guardianflow.run_tracking.alias_store import MlflowAliasStore

    store = MlflowAliasStore(uri)
    for number in range(rounds):
        barrier.wait(60)
        try:
            entry = promote(
                store,
                f"{NAME}{number}",
                who=f"{WHO}-{version}",
                version=version,
                force=True,
                reason="two at once",
                verify=intact,
                evidence=borne_out(store),
            )
            results.put((number, version, entry.number, ""))
        except GuardianFlowError as exc:
            results.put((number, version, exc.exit_code, f"{type(exc).__name__}: {exc}"))
