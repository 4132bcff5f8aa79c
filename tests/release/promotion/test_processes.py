"""Promotions by real processes on a real MLflow store: killed anywhere, two at once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from databases import copy_database
from promotions import (
    ACTIONS,
    DOTTED,
    NAME,
    OUTCOMES,
    STEPS,
    WHO,
    act,
    build_model,
    contend,
    verdict,
)

from guardianflow.contracts.releases import CANDIDATE, CHAMPION, ROLLBACK
from guardianflow.release.promotion.claims import CLAIM_PREFIX
from guardianflow.release.promotion.journal import history
from guardianflow.release.promotion.promotion import recover

# --- real processes on a real store --------------------------------------------------------------


@pytest.fixture(scope="module")
def start() -> Callable[..., Any]:
    """Starts a child that has mlflow imported and has opened nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            "promotions",
            "mlflow",
            "mlflow.store.model_registry.sqlalchemy_store",
            "mlflow.store.tracking.sqlalchemy_store",
        ]
    )

    def begin(target: Callable[..., None], *arguments: Any) -> Any:
        process = context.Process(target=target, args=arguments, daemon=True)
        process.start()
        return process

    begin.context = context  # type: ignore[attr-defined]
    return begin


def ended(process: Any) -> int:
    process.join(60)
    assert process.exitcode is not None, "the child does not end"
    return int(process.exitcode)


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory, start: Any) -> Path:
    path = tmp_path_factory.mktemp("registry") / "mlflow.db"
    versions = [verdict(), verdict(champion="1"), verdict(champion="2")]
    aliases = {CHAMPION: "2", ROLLBACK: "1", CANDIDATE: "3"}
    assert ended(start(build_model, f"sqlite:///{path}", versions, aliases)) == 0
    return path


@pytest.mark.slow
@pytest.mark.parametrize("action", ACTIONS)
def test_killed_after_any_write_on_mlflow_the_next_command_mends(
    action: str, empty_database: Path, tmp_path: Path, start: Any
) -> None:
    from guardianflow.run_tracking.alias_store import MlflowAliasStore

    old, new = OUTCOMES[action]
    seen = []
    for after in range(STEPS + 1):
        path = tmp_path / f"{after}.db"
        copy_database(empty_database, path)
        assert ended(start(act, f"sqlite:///{path}", action, after)) == -9
        store = MlflowAliasStore(f"sqlite:///{path}")
        seen.append(store.aliases(NAME)[CHAMPION])
        assert seen[-1] in (old[CHAMPION], new[CHAMPION])
        entries = history(store, NAME)
        settled = recover(store, NAME, who=WHO)
        assert (settled is not None) == any(entry.state == "begun" for entry in entries)
        assert store.aliases(NAME) == (new if entries else old)
        assert [entry.state for entry in history(store, NAME)] == ["done"] * len(entries)
    assert seen[0] == old[CHAMPION]
    assert seen[-1] == new[CHAMPION]
    assert ended(start(act, f"sqlite:///{path}", action, STEPS + 1)) != -9  # there are no more


@pytest.mark.slow
def test_of_two_processes_at_once_exactly_one_wins_each_time(
    empty_database: Path, tmp_path: Path, start: Any
) -> None:
    from guardianflow.run_tracking.alias_store import MlflowAliasStore
    from guardianflow.run_tracking.connection import Connection

    rounds = 25
    path = tmp_path / "mlflow.db"
    copy_database(empty_database, path)
    uri = f"sqlite:///{path}"
    client = Connection(uri).client
    for number in range(rounds):
        client.create_registered_model(f"{DOTTED}{number}")
        for source in "abc":
            client.create_model_version(f"{DOTTED}{number}", f"/nowhere/{source}")
        client.set_registered_model_alias(f"{DOTTED}{number}", CHAMPION, "1")
    barrier, results = start.context.Barrier(2), start.context.Queue()
    children = [start(contend, uri, version, rounds, barrier, results) for version in "23"]
    told = [results.get(timeout=60) for _ in range(2 * rounds)]
    assert [ended(child) for child in children] == [0, 0]
    store = MlflowAliasStore(uri)
    waited = 0
    for number in range(rounds):
        name = f"{NAME}{number}"
        won = [version for at, version, _, error in told if at == number and not error]
        lost = [(code, error) for at, _, code, error in told if at == number and error]
        assert len(won) == 1, told
        assert store.aliases(name) == {CHAMPION: won[0], ROLLBACK: "1"}
        (entry,) = history(store, name)
        assert (entry.state, entry.after) == ("done", dict(store.aliases(name)))
        assert not [tag for tag in store.model_tags(name) if tag.startswith(CLAIM_PREFIX)]
        ((code, error),) = lost
        assert code == 1
        assert error.startswith("ConcurrentChangeError")
        assert f"by {WHO}-{won[0]}" in error or f"{WHO}-{won[0]} (promote" in error
        waited += 1
    assert waited == rounds
