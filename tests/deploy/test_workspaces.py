"""Workspaces of a real MLflow server, one per customer: nothing of one is seen in the other."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from listening import Hook, Taken, webhook
from team_servers import mlflow_server
from workplace import Workplace, last_json

from guardianflow.backends.catalogue import runtime_of
from guardianflow.contracts.results import RunRequest
from guardianflow.contracts.run_status import RunStatus
from guardianflow.run_tracking.alias_store import MlflowAliasStore
from guardianflow.run_tracking.mlflow_store import MlflowStore
from guardianflow.run_tracking.services.workspaces import in_workspace
from guardianflow.run_tracking.spool.journals.entries import End, Start
from guardianflow.run_tracking.spool.journals.own_journal import OwnJournal
from guardianflow.run_tracking.spool.sync import Sync

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

EXPERIMENT = "demo-construction/seoul-plant1/full"
NAME = f"{EXPERIMENT}/ppe"
SMALL = (
    *("-p", "dataset.path=demo://ppe?images=14&size=96", "-p", "model.input_size=96"),
    *("-p", "training.epochs=2"),
)
SECRET = "secret-of-the-gateway"
CUSTOMERS = ("donghwa", "hanbit")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with a workspace for each customer, that may call webhooks of this machine."""
    import mlflow
    from cryptography.fernet import Fernet

    folder = tmp_path_factory.mktemp("server")
    arguments = [
        *("--workers=1", "--enable-workspaces"),
        f"--backend-store-uri=sqlite:///{folder / 'mlflow.db'}",
        f"--artifacts-destination={folder / 'artifacts'}",
    ]
    settings = {
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "https,http",
        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "MLFLOW_WEBHOOK_CACHE_TTL": "0",
    }
    with mlflow_server(arguments, folder, settings) as url:
        client = mlflow.MlflowClient(url)
        for name in CUSTOMERS:
            client.create_workspace(name)
        yield url


@pytest.fixture
def office_of(server: str, tmp_path: Path, repository: Path) -> Callable[[str], Workplace]:
    """A customer's office; all are on one machine, with one work directory."""

    def made(customer: str) -> Workplace:
        office = Workplace(tmp_path, tmp_path / "work", repository)
        office.environment |= {"MLFLOW_TRACKING_URI": server, "MLFLOW_WORKSPACE": customer}
        return office

    return made


def answer(office: Workplace, *words: str) -> Any:
    done = office.guardianflow(*words, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    return last_json(done.stdout)


def make_hook(server: str, customer: str, hook: Hook) -> None:
    import mlflow

    with in_workspace(customer):
        mlflow.MlflowClient(server).create_webhook(
            "gateway", hook.url, ["model_version_alias.created"], secret=SECRET
        )


def is_signed(taken: Taken) -> bool:
    """As docs/registry.md tells a plant to check it."""
    headers = {name.lower(): value for name, value in taken.headers.items()}
    told = f"{headers['x-mlflow-delivery-id']}.{headers['x-mlflow-timestamp']}."
    digest = hmac.digest(SECRET.encode(), told.encode() + taken.body, hashlib.sha256)
    wanted = f"v1,{base64.b64encode(digest).decode()}"
    return hmac.compare_digest(headers["x-mlflow-signature"], wanted)


def calls_until(hook: Hook, alias: str) -> list[dict[str, Any]]:
    """What the webhook was sent, once a call about this alias is among it."""
    deadline = time.monotonic() + 120
    while True:
        told = [json.loads(each.body) for each in list(hook.taken)]
        if any(each["data"]["alias"] == alias for each in told):
            return told
        assert time.monotonic() < deadline, told
        time.sleep(0.1)


def test_customers_see_nothing_of_each_other(
    server: str, office_of: Callable[[str], Workplace]
) -> None:
    offices = {name: office_of(name) for name in CUSTOMERS}
    donghwa = offices["donghwa"]
    scenario = str(donghwa.write_scenario())
    code = str(donghwa.write_trainer("experiment"))
    with webhook(200) as of_donghwa, webhook(200) as of_hanbit:
        make_hook(server, "donghwa", of_donghwa)
        make_hook(server, "hanbit", of_hanbit)
        runs = {
            name: answer(office, "train", scenario, "--code-path", code, *SMALL, "--json")
            for name, office in offices.items()
        }
        # The second is no copy of the first, and its model is the first of that name.
        assert runs["donghwa"]["run_id"] != runs["hanbit"]["run_id"]
        assert [each["models"][0]["version"] for each in runs.values()] == ["1", "1"]

        promoted = donghwa.guardianflow("promote", NAME, "--version", "1", "--force",
                                        "--reason", "the test of this story")  # fmt: skip
        assert promoted.returncode == 0, promoted.stdout + promoted.stderr
        told = calls_until(of_donghwa, "champion")
        assert all(each["workspace"] == "donghwa" for each in told)
        moved = next(each for each in told if each["data"]["alias"] == "champion")
        assert (moved["entity"], moved["action"]) == ("model_version_alias", "created")
        assert (moved["data"]["name"], moved["data"]["version"]) == (NAME.replace("/", "."), "1")
        assert all(is_signed(each) for each in of_donghwa.taken)
        other = calls_until(of_hanbit, "candidate")
        assert {each["data"]["alias"] for each in other} == {"candidate"}

    for name, office in offices.items():
        (run,) = answer(office, "list", "runs", "--json")
        assert run["run_id"] == runs[name]["run_id"]
    with in_workspace("donghwa"):
        assert MlflowAliasStore(server).aliases(NAME)["champion"] == "1"
    with in_workspace("hanbit"):
        assert "champion" not in MlflowAliasStore(server).aliases(NAME)
        store = MlflowStore(server)
        with pytest.raises(Exception, match=runs["donghwa"]["run_id"]):
            store.get_run(runs["donghwa"]["run_id"])
    assert MlflowStore(server).find_runs(experiment_name=EXPERIMENT) == []


def test_what_waits_on_this_machine_goes_to_its_own_workspace(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "spool"
    for number, customer in enumerate(CUSTOMERS):
        journal = OwnJournal(root, server, pytest.fail, customer)
        request = RunRequest("waited/seoul-plant1/full", f"of-{customer}")
        journal.append(f"local-{number}", Start(str(number), request, 1_700_000_000_000))
        journal.append(f"local-{number}", End(RunStatus.FINISHED, 1_700_000_001_000))
        journal.close(remove=False)
    monkeypatch.setenv("MLFLOW_WORKSPACE", "hanbit")
    result = Sync(root, server, runtime_of, lambda _done, _all: None).run()
    assert (result.left, result.problems) == ([], [])
    for customer in CUSTOMERS:
        with in_workspace(customer):
            (run,) = MlflowStore(server).find_runs(experiment_name="waited/seoul-plant1/full")
        assert (run.run_name, run.status) == (f"of-{customer}", "FINISHED")


def test_a_workspace_that_is_not_there_is_told(office_of: Callable[[str], Workplace]) -> None:
    checked = office_of("nobody").guardianflow("config", "check")
    assert checked.returncode == 1
    assert "it has no workspace of the name in MLFLOW_WORKSPACE" in checked.stdout
    misspelt = office_of("Dong Hwa").guardianflow("config", "check")
    assert misspelt.returncode == 2
    assert "MLFLOW_WORKSPACE" in misspelt.stderr
