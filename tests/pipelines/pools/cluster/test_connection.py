"""What a cluster can give, and what is said of one that can't be used. No cluster is started."""

from __future__ import annotations

import builtins
import importlib.util
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from guardianflow.contracts.errors import ConfigurationError, MissingDependencyError
from pipelines.console import SilentReporter
from pipelines.pools.cluster.connection import (
    PACKAGES,
    Node,
    copy_project,
    even_share,
    machine_for_times,
    reaches_one_machine_alone,
    too_much,
    usual_places,
)
from pipelines.pools.make import pool_for
from pipelines.pools.port import Needs
from pipelines.stage.executor import LocalExecutor

HERE = socket.gethostname()
NODES = [Node(HERE, 4, 0, 8000), Node("gpu-box", 16, 2, 64000)]


def test_a_cluster_is_shared_out_as_its_machines_can_give_it() -> None:
    assert usual_places(NODES) == 2
    assert usual_places(NODES[:1]) == 1
    assert even_share(NODES, 1) == 16
    assert even_share(NODES, 3) == 6
    assert even_share(NODES[:1], 8) == 0.5


def test_all_times_are_taken_on_one_machine() -> None:
    """Two of the same size are two machines all the same: one may be ten times as fast."""
    small, large, twin = (
        Node(name, cores, 0, 8000, name) for name, cores in (("s", 4), ("l", 16), ("t", 16))
    )
    for last, nodes, taken in (
        ("", [small, large], large),
        ("t", [small, large, twin], twin),
        ("s", [large, small], small),
        ("t", [small, large], large),
    ):
        assert machine_for_times(nodes, Needs(), last) is taken
    assert machine_for_times([small, large], Needs(cores=8), "s") is large
    assert machine_for_times([small], Needs(gpus=1), "s") is None


def test_one_machine_must_give_all_that_a_stage_needs() -> None:
    assert too_much(Needs(cores=16, gpus=2, memory_mb=60000), NODES) == []
    assert [str(each) for each in too_much(Needs(cores=20, gpus=4), NODES)] == [
        "a stage needs 20 cores but no machine of the cluster has more than 16",
        "a stage needs 4 GPUs but no machine of the cluster has more than 2",
    ]
    apart = [Node("a", 16, 0, 8000), Node("b", 2, 1, 8000)]
    (problem,) = too_much(Needs(cores=8, gpus=1), apart)
    assert "all at once" in str(problem)


@pytest.mark.parametrize(
    ("store", "is_told"),
    [
        ("sqlite:////home/a/mlflow.db", True),
        ("/home/a/store", True),
        ("http://mlflow:5000", False),
        ("postgresql://u@db/mlflow", False),
    ],
)
def test_a_store_in_a_file_serves_the_machines_that_have_it(store: str, is_told: bool) -> None:
    assert ("gpu-box" in reaches_one_machine_alone(store, NODES)) == is_told
    assert reaches_one_machine_alone(store, NODES[:1]) == ""


def test_our_own_code_is_shipped_whole(tmp_path: Path) -> None:
    copy_project(tmp_path)
    assert all((tmp_path / name / "__init__.py").is_file() for name in PACKAGES)
    assert (tmp_path / "guardianflow/release/report/templates").is_dir()
    assert not list(tmp_path.rglob("__pycache__"))


def test_ray_that_is_not_installed_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without_ray(name: str, *rest: Any) -> Any:
        if name == "ray":
            raise ImportError(name)
        return imported(name, *rest)

    monkeypatch.delitem(sys.modules, "ray", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_ray)
    with pytest.raises(MissingDependencyError, match=r"pip install 'guardianflow\[ray\]'"):
        pool_for("ray", 2, LocalExecutor(SilentReporter()))


def test_an_address_where_nobody_answers_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    told = r"127\.0\.0\.1:1 did not: .*refused"  # Ray alone says that it timed out, minutes later
    with pytest.raises(ConfigurationError, match=told):
        pool_for("ray", 2, LocalExecutor(SilentReporter()))


def test_an_address_of_rays_client_says_what_it_needs() -> None:
    pytest.importorskip("ray")
    has_client = importlib.util.find_spec("grpc") is not None
    told = "did not" if has_client else r"ray\[client\]"
    with pytest.raises(ConfigurationError, match=told):
        pool_for("ray://127.0.0.1:1", 2, LocalExecutor(SilentReporter()))
