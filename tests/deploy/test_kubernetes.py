"""The job of `mlflow run -b kubernetes`: a template that MLflow's own code fills in; no cluster."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ruamel.yaml import YAML

FOLDER = Path("deploy/kubernetes")


@pytest.fixture
def kubernetes(monkeypatch: pytest.MonkeyPatch) -> Any:
    """mlflow's module, whose libraries only reach Docker and a cluster."""
    stubs = {name: ModuleType(name) for name in ("docker", "kubernetes", "kubernetes.config")}
    stubs["kubernetes.config.config_exception"] = errors = ModuleType("config_exception")
    errors.ConfigException = RuntimeError  # type: ignore[attr-defined]
    for name, module in stubs.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "mlflow.projects.kubernetes", raising=False)
    return importlib.import_module("mlflow.projects.kubernetes")


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    return found


def test_mlflow_takes_the_template_and_fills_it_in(
    kubernetes: Any, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.projects import _parse_kubernetes_config
    from mlflow.projects.utils import load_project

    monkeypatch.chdir(repository)
    backend = json.loads((FOLDER / "backend.json").read_text())
    template = _parse_kubernetes_config(backend)["kube-job-template"]
    project = load_project(str(FOLDER))
    command = project.get_entry_point("train").compute_command(
        {"scenario_path": "/scenarios/site.yaml", "training.epochs": "5"}, None
    )
    job = kubernetes._get_kubernetes_job_definition(
        project.name,
        project.docker_env["image"],
        "sha256:" + "0" * 64,
        kubernetes._get_run_command([command]),
        {"MLFLOW_RUN_ID": "abc", "MLFLOW_TRACKING_URI": "http://mlflow:5000"},
        template,
    )
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    assert job["metadata"]["name"].startswith("guardianflow-")
    assert len(job["metadata"]["name"]) <= 63
    assert job["metadata"]["namespace"] == "guardianflow"
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith(f"{backend['repository-uri']}:local@sha256:")
    assert container["command"] == [
        *("python", "-m", "pipelines.train", "--scenario", "/scenarios/site.yaml"),
        *("--code-path", "experiments_adapters/yolo", "--training.epochs", "5"),
    ]
    variables = {each["name"]: each["value"] for each in container["env"]}
    assert variables["MLFLOW_RUN_ID"] == "abc"
    assert variables["GUARDIANFLOW_WORK_DIR"] == "/work"
    assert not [name for name in variables if "PASSWORD" in name or "TOKEN" in name]


def test_a_pod_is_not_tried_again_by_itself_and_may_do_little(repository: Path) -> None:
    job = read(repository / FOLDER / "job.yaml")
    pod = job["spec"]["template"]["spec"]
    assert (job["spec"]["backoffLimit"], pod["restartPolicy"]) == (0, "Never")
    assert pod["securityContext"]["runAsNonRoot"]
    (container,) = pod["containers"]
    assert not container["securityContext"]["allowPrivilegeEscalation"]
    mounts = {each["name"] for each in container["volumeMounts"]}
    assert mounts == {each["name"] for each in pod["volumes"]}
    dockerfile = (repository / "deploy/guardianflow.Dockerfile").read_text()
    assert f"--uid {pod['securityContext']['runAsUser']} " in dockerfile


def test_the_entry_points_are_the_project_s_own(repository: Path) -> None:
    own, there = read(repository / "MLproject"), read(repository / FOLDER / "MLproject")
    assert there["entry_points"] == own["entry_points"]
    assert there["name"] == own["name"]
