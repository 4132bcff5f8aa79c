"""The compose file and what belongs to it, as far as they can be tried without Docker."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

# Debian's package docker-compose, of which only the specification's schema is read.
SCHEMA = Path("/usr/lib/python3/dist-packages/compose/config/compose_spec.json")
ONE_SHOT = {"bucket", "worker", "worker-gpu", "backup"}
PUBLISHED = {"mlflow": 5000, "dashboard": 8000, "grafana": 3000}


@pytest.fixture(scope="module")
def deploy(repository: Path) -> Path:
    return repository / "deploy"


@pytest.fixture(scope="module")
def compose(deploy: Path) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load((deploy / "compose.yaml").read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return dict(compose["services"])


def test_it_fits_the_specification(compose: dict[str, Any], deploy: Path) -> None:
    docker = shutil.which("docker")
    if (
        docker
        and subprocess.run([docker, "compose", "version"], capture_output=True).returncode == 0
    ):
        env = dict.fromkeys(variables(compose), "x")
        subprocess.run(
            [docker, "compose", "-f", str(deploy / "compose.yaml"), "config", "--quiet"],
            env={"PATH": str(Path(docker).parent), **env}, check=True,
        )  # fmt: skip
        return
    if not SCHEMA.is_file():
        pytest.skip("neither `docker compose` nor Debian's docker-compose is installed")
    import jsonschema

    # That schema is of 2021 and does not know the project's name yet.
    own = {k: each for k, each in compose.items() if not k.startswith("x-") and k != "name"}
    jsonschema.Draft7Validator(json.loads(SCHEMA.read_text("utf-8"))).validate(own)


def variables(value: object) -> set[str]:
    return set(re.findall(r"\$\{(\w+)", json.dumps(value)))


def test_every_secret_is_made_by_init_secrets_and_none_stands_in_a_file(
    compose: dict[str, Any], deploy: Path
) -> None:
    text = json.dumps(compose)
    demanded = set(re.findall(r"\$\{(\w+):\?", text))
    names = re.search(r"NAMES = \((.*?)\)", (deploy / "init-secrets").read_text("utf-8"), re.S)
    assert names is not None
    made = set(re.findall(r'"(\w+)"', names[1]))
    assert demanded == made
    for file in deploy.rglob("*"):
        if file.is_file() and not file.is_relative_to(deploy / "secrets") and file.name != ".env":
            found = re.findall(r"(?i)(?:password|secret|token)\w*\s*[:=]\s*(\S+)", file.read_text())
            assert [each for each in found if re.fullmatch(r"[\w-]{12,}", each)] == [], file


def test_images_are_pinned_and_name_no_registry(services: dict[str, dict[str, Any]]) -> None:
    for name, each in services.items():
        image, _, tag = each["image"].partition(":")
        assert "." not in image.split("/")[0], name
        assert re.match(r"\d+\.\d+", tag) or (tag == "local" and "build" in each), name


def test_only_pages_are_published_and_on_loopback_by_default(
    services: dict[str, dict[str, Any]], compose: dict[str, Any]
) -> None:
    published = {name: each["ports"] for name, each in services.items() if "ports" in each}
    assert published == {
        name: [f"${{BIND_ADDRESS:-127.0.0.1}}:{port}:{port}"] for name, port in PUBLISHED.items()
    }
    assert compose["networks"]["back"] == {"internal": True}
    for name in ("postgres", "seaweed-master", "seaweed-volume", "seaweed-filer", "seaweed-s3"):
        assert services[name]["networks"] == ["back"]


def test_every_service_has_a_sign_of_health_or_ends(services: dict[str, dict[str, Any]]) -> None:
    for name, each in services.items():
        if name in ONE_SHOT:
            assert each["restart"] == "no", name
        else:
            assert each["restart"] == "unless-stopped", name
            assert each["healthcheck"]["test"][0] == "CMD", name
        for other, needed in each.get("depends_on", {}).items():
            ends = needed["condition"] == "service_completed_successfully"
            assert ends == (other in ONE_SHOT), (name, other)


def test_ports_are_those_that_everybody_knows(services: dict[str, dict[str, Any]]) -> None:
    ports = {"master": 9333, "volume": 8080, "filer": 8888, "s3": 8333}
    for name, port in ports.items():
        each = services[f"seaweed-{name}"]
        assert each["command"][0] == name
        assert f"-port={port}" in each["command"]
        assert f":{port}/" in each["healthcheck"]["test"][-1]


def test_what_is_mounted_and_copied_is_there(
    services: dict[str, dict[str, Any]], deploy: Path, repository: Path
) -> None:
    sources = {
        volume.split(":")[0]
        for each in services.values()
        for volume in each.get("volumes", [])
        if volume.startswith("./")
    }
    for source in sources:
        assert (deploy / source).exists(), source
    for each in services.values():
        if "build" in each:
            text = (repository / each["build"]["dockerfile"]).read_text("utf-8")
            copied = re.findall(r"^COPY (.+) \S+$", text, re.M)
            named = [name for line in copied for name in line.split()]
            named += re.findall(r"source=([\w./-]+)", text)
            for name in set(named) - {"wheels"}:
                assert (repository / name).exists(), name


def test_images_are_built_without_internet(deploy: Path) -> None:
    for file in deploy.glob("*.Dockerfile"):
        text = re.sub(r"^#.*$", "", file.read_text("utf-8"), flags=re.M)
        installs = re.findall(r"pip install [^&]*", text.replace("\\\n", " "))
        assert installs
        assert all("--no-index" in each and "--find-links=/wheels" in each for each in installs)
        assert re.search(r"apt|curl|wget|https?://|git clone", text) is None, file


def test_no_secret_gets_into_an_image_or_into_git(repository: Path) -> None:
    for name in (".dockerignore", ".gitignore"):
        lines = [line.strip("/") for line in (repository / name).read_text("utf-8").split()]
        assert {"deploy/.env", "deploy/secrets", "deploy/backups"} <= set(lines), name


def test_the_dashboard_s_command_is_one_of_ours(services: dict[str, dict[str, Any]]) -> None:
    from apps.cli.main import cli

    program, command, *options = services["dashboard"]["command"]
    assert program == "guardianflow"
    if command not in cli.commands:
        pytest.skip("there is no dashboard yet")
    known = {flag for each in cli.commands[command].params for flag in each.opts}
    assert {option.split("=")[0] for option in options} <= known


# --- units of systemd -----------------------------------------------------------------------------


def test_systemd_takes_the_units(deploy: Path, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not installed")
    for unit in (deploy / "systemd").iterdir():
        text = unit.read_text("utf-8")
        # Their programs are not on this machine; one that is stands for them.
        text = re.sub(r"^(ExecStart=)\S+", rf"\1{sys.executable}", text, flags=re.M)
        (tmp_path / unit.name).write_text(re.sub(r"^User=.*$", "User=root", text, flags=re.M))
    units = sorted(map(str, tmp_path.iterdir()))
    done = subprocess.run([program, "verify", "--man=no", *units], capture_output=True, text=True)
    told = [line for line in done.stderr.splitlines() if "guardianflow-" in line]
    assert (done.returncode, told) == (0, []), done.stderr


def test_units_start_what_the_compose_file_starts(
    services: dict[str, dict[str, Any]], deploy: Path
) -> None:
    """The same options; hosts are this machine's."""
    for name in ("mlflow", "dashboard", "seaweed-master", "seaweed-volume", "seaweed-filer",
                 "seaweed-s3"):  # fmt: skip
        text = (deploy / f"systemd/guardianflow-{name}.service").read_text("utf-8")
        line = re.search(r"^ExecStart=(.*)$", text.replace("\\\n", " "), re.M)
        assert line is not None
        started = [word.split("=")[0] for word in line[1].split()]
        wanted = [word.split("=")[0] for word in services[name]["command"]]
        assert started[-len(wanted) + (name in ("mlflow", "dashboard")) :] == [
            each for each in wanted if each not in ("mlflow", "guardianflow")
        ]


def test_the_dashboard_and_automation_judge_by_one_file_and_keep_one_ledger(deploy: Path) -> None:
    """Else a page calls a site good for which a retraining is started."""
    told = []
    for name in ("dashboard", "optimize"):
        text = (deploy / f"systemd/guardianflow-{name}.service").read_text("utf-8")
        told.append({
            key: re.search(pattern, text, re.M)
            for key, pattern in (("rules", r"--rules=(\S+)$"), ("user", r"^User=(\S+)$"),
                                 ("work", r"^Environment=GUARDIANFLOW_WORK_DIR=(\S+)$"))
        })  # fmt: skip
    dashboard, optimize = ({k: m and m[1] for k, m in each.items()} for each in told)
    assert dashboard == optimize
    assert None not in dashboard.values()
