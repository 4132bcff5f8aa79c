"""Planted in every place that takes one, no secret is found anywhere that a command writes to.

One user's day: a server behind a password, code behind a Git login, a key in the options, tokens
in the environment, old scripts that print theirs. Every command of the tree is run, well and badly.
"""

from __future__ import annotations

import base64
import html
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from command_tree import leaves
from git_server import commit_all
from git_server import serving as serving_git
from mlflow_server import start_server
from workplace import Workplace, last_json

from apps.cli.main import cli
from guardianflow.support.secrets.redaction import MARK
from pipelines.train.unfinished import all_unfinished

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1800)]

TRACKING = "tr@ck-pa55/plant"
GIT = "g1t+t0ken-plant"
OPTION = "k3y-0ption+plant/ed=="
AWS = "aws/s3cret+plant/3d"
SERVICE = "s3rvice-t0ken-plant"
DOTENV = "d0tenv-t0ken-plant"
FLEET = "fl33t-key-plant"
ENTRY = "entry-v4riable-plant"
CODE = "hard-c0ded-plant"
CAMERA = "cam3ra-pw-plant"
REASON = "reas0n-t0ken-plant"
HOOK = "h00k-t0ken-plant"
SECRETS = (TRACKING, GIT, OPTION, AWS, SERVICE, DOTENV, FLEET, ENTRY, CODE, CAMERA, REASON, HOOK)

TELL = """
import logging, os, sys, warnings

def tell(trainer):
    key = trainer.training.options["api_key"]
    secrets = [key, os.environ["AWS_SECRET_ACCESS_KEY"], os.environ["MY_SERVICE_TOKEN"]]
    secrets += [os.environ[f"{each}_TRACKING_" + end] for each, end in
                (("MLFLOW", "TOKEN"), ("GUARDIANFLOW", "URI"))]
    for secret in secrets:
        print("using", secret)
        print("half", secret[:5], end="", flush=True)
        print(secret[5:], "whole", secret)
        logging.getLogger("author").warning("with %s", secret)
        os.write(2, f"native {secret}\\n".encode())
    print(trainer.training)
    folder = trainer.work_dir
    (folder / "notes.txt").write_text("\\n".join(secrets))
    (folder / "arguments.json").write_text(__import__("json").dumps({"api_key": key}))
    (folder / "arguments.yaml").write_text(f"training:\\n  api_key: {key}\\n")
    if trainer.training.options.get("fail"):
        raise RuntimeError(f"the service refused {key} of {secrets}")
"""
SCRIPT = f'''
import argparse, json, os, sys
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=1)
parser.add_argument("--api_key", default="{CODE}")
parser.add_argument("--source", default="rtsp://admin:{CAMERA}@10.0.0.1/live")
given = parser.parse_args()
print("given", given, dict(os.environ))
print(given.api_key, os.environ["SERVICE_API_KEY"], given.source, flush=True)
sys.stderr.write("half " + given.api_key[:4]); sys.stderr.flush()
sys.stderr.write(given.api_key[4:] + "\\n")
with open("metrics.json", "w") as file:
    json.dump({{"mAP50": 0.5, "api_key": given.api_key}}, file)
with open("train.log", "w") as file:
    file.write(f"{{given}} {{os.environ['SERVICE_API_KEY']}}\\n")
if given.epochs > 5:
    raise SystemExit(f"refused {{given.api_key}}")
'''
YOLO = (
    SCRIPT
    + """
from ultralytics import YOLO
YOLO("yolo11n.pt").train(data="data.yaml", epochs=given.epochs)
"""
)
REGISTRY = f"""
experiments:
  ppe:
    path: ../scripts
    site: {{customer: donghwa-entec, region: busan}}
    task: {{type: ppe}}
    env: {{variables: {{SERVICE_API_KEY: {ENTRY}}}}}
    entry_points:
      train:
        default: train.py
        args_template: "--epochs {{epochs}} --api_key {{api_key}}"
        defaults: {{epochs: 2}}
"""
RULES = """
rules:
  - {name: low, metric: mAP50, comparison: below, threshold: 0.99, window: 30d, cooldown: 48h,
     action: sweep, sweep: {parameters: {batch_size: [2]}, strategy: grid}}
"""
NAME = "demo-construction/seoul-plant1/full/ppe"


class Day:
    """The workplace, and all that its commands have said."""

    def __init__(self, place: Workplace, git_address: str) -> None:
        self.place = place
        self.git = f"git+{git_address}/trainer"
        self.said = ""
        self.run_id = ""

    def do(self, *words: str, ends: tuple[int, ...] = (0,)) -> str:
        """Run a command; what it prints is kept to be looked through."""
        return self._kept(self.place.guardianflow(*words), words, ends)

    def module(self, *words: str, ends: tuple[int, ...] = (0,)) -> str:
        return self._kept(self.place.run(sys.executable, "-m", *words), words, ends)

    def _kept(self, done: object, words: tuple[str, ...], ends: tuple[int, ...]) -> str:
        out, err, code = done.stdout, done.stderr, done.returncode  # type: ignore[attr-defined]
        self.said += f"\n$ {words[0]}\n{out}{err}"
        assert code in ends, f"{words}: {code}\n{out}{err}"
        return str(out)


def train(day: Day) -> None:
    options = ["-p", "training.epochs=1", "-p", f"training.options.api_key={OPTION}"]
    words = ["train", "scenario.yaml", "-e", day.git, *options]
    day.do(*words, "--dry-run")
    day.run_id = last_json(day.do(*words, "--json"))["run_id"]
    day.do(*words, "--verbose", "-p", "training.options.fail=true", ends=(1,))
    day.module(
        *("pipelines.train", "--scenario", "scenario.yaml", "--code-path", day.git),
        *("--training.options.api_key", OPTION, "--training.options.fail", "true"),
        ends=(1,),
    )
    day.do("train", "scenario.yaml", "-e", day.git.replace("t0ken", "wr0ng"), ends=(2,))


def infer(day: Day) -> None:
    day.do("infer", "scenario.yaml", "-s", day.run_id)
    day.do("infer", "-m", f"https://kim:{quote(TRACKING)}@nowhere/x.pt", "-d", "x", ends=(2,))


def quant(day: Day) -> None:
    day.do("quant", "scenario.yaml", "-s", day.run_id, "--backend", "onnx", ends=(1, 2))


def pipeline(day: Day) -> None:
    """It fails in its first stage; the command that resumes it is printed."""
    day.do(
        *("pipeline", "scenario.yaml", "-e", day.git, "--backend", "onnx", "--force"),
        *("-p", f"training.options.api_key={OPTION}", "-p", "training.options.fail=true"),
        ends=(1,),
    )
    assert f"git+http://{MARK}@" in day.said
    assert f"{MARK} stands for a secret" in day.said


def resume(day: Day) -> None:
    day.do("resume", day.run_id, "--json")
    left = [state.run_id for _, state in all_unfinished(day.place.work_dir)]
    assert left
    for run_id in left:  # their code's address held a secret
        day.do("resume", run_id, "-p", f"training.options.api_key={OPTION}", ends=(2,))


def sync(day: Day) -> None:
    day.do("sync")
    day.do("sync", "--json", "--to", f"http://kim:{quote(TRACKING, safe='')}@127.0.0.1:9")


def reap(day: Day) -> None:
    day.do("reap", "--dry-run")
    day.do("reap", "--json")


def run_scenario(day: Day) -> None:
    """The file says that it is for train; its trainer fails with all it knows."""
    typed = day.place.root / "typed.yaml"
    text = (day.place.root / "scenario.yaml").read_text(encoding="utf-8")
    typed.write_text(f"{text}\nexperiment_type: train\n", encoding="utf-8")
    words = ["run-scenario", typed.name, "-e", day.git, "-p", f"training.options.api_key={OPTION}"]
    day.do(*words, "--dry-run")
    day.do(*words, "-p", "training.options.fail=true", ends=(1,))


def release(day: Day) -> None:
    day.do("release", "scenario.yaml", "--run", day.run_id, ends=(1, 2))


def compare(day: Day) -> None:
    variants = '[{"backend":"onnx","precision":"fp32"}]'
    day.do("compare", "scenario.yaml", "-s", day.run_id, "--quant-variants", variants, ends=(1, 2))


def listing(day: Day) -> None:
    for what in ("experiments", "runs", "models"):
        day.do("list", what, "--json")
    day.do("list", "runs", "--customer", "nobody")


def mot(day: Day) -> None:
    day.do("mot", "--gt", f"/nowhere/token={SERVICE}", "--results", "/nowhere", ends=(2,))


def data_groups(day: Day) -> None:
    day.do("data", "groups", "demo://ppe?images=20&size=96")
    day.do("data", "groups", f"/nowhere/token={SERVICE}", "--json", ends=(2,))


def data_check(day: Day) -> None:
    day.do("data", "check", "demo://ppe?images=20&size=96", ends=(0, 1))
    day.do("data", "check", f"/nowhere/token={SERVICE}", "--json", ends=(2,))


def alarms_score(day: Day) -> None:
    """The model's address and the recordings' path hold what must not be shown."""
    login = f"https://kim:{quote(TRACKING)}@nowhere/x.pt"
    day.do("alarms", "score", "scenario.yaml", "-m", login, ends=(2,))
    recordings = f"alarms.recordings.path=/nowhere/token={SERVICE}"
    day.do("alarms", "score", "scenario.yaml", "-s", day.run_id, "-p", recordings, ends=(2,))


def alarms_tune(day: Day) -> None:
    asked = ("--max-false-per-day", "2", "-p", f"training.options.api_key={OPTION}")
    day.do("alarms", "tune", "scenario.yaml", "-s", day.run_id, *asked)


def data_split(day: Day) -> None:
    day.do("data", "split", "demo://ppe", "--groups", f"token={SERVICE}", ends=(2,))


def doctor(day: Day) -> None:
    day.do("doctor")
    day.do("doctor", "--json")


def pull(day: Day) -> None:
    day.do("pull", NAME, "--to", "box", "--json")
    day.do("pull", "--check", "box")


def report(day: Day) -> None:
    day.do("report", day.run_id, ends=(2,))


def models(day: Day) -> None:
    day.do("models")


def versions(day: Day) -> None:
    day.do("versions", NAME, "--json")


def promote(day: Day) -> None:
    day.do("promote", NAME, "--force", "--reason", f"asked by token={REASON}")


def rollback(day: Day) -> None:
    day.do("rollback", NAME, "--reason", f"password: {REASON}", ends=(1, 2))


def history(day: Day) -> None:
    assert MARK in day.do("history", NAME, "--json")


def uri(day: Day) -> None:
    day.do("uri", NAME)


def run(day: Day) -> None:
    key = ["-p", f"api_key={FLEET}"]
    day.do("run", "ppe", *key, "--dry-run")
    day.do("run", "ppe", *key, "--dry-run", "--json")
    day.do("run", "ppe", *key)
    day.do("run", "ppe", *key, "-p", "epochs=9", ends=(1,))
    day.do("run", "--all", *key, "-p", "epochs=9", ends=(1,))
    (batch,) = (day.place.work_dir / "batches").iterdir()
    assert f"--resume {batch.name} -p api_key={MARK}" in day.said
    day.do("run", "--resume", batch.name, ends=(2,))
    day.do("run", "--resume", batch.name, *key, ends=(1,))


def wrap(day: Day) -> None:
    day.do("wrap", "ppe", "-p", f"api_key={FLEET}", "--json")


def status(day: Day) -> None:
    day.do("status", "--json")


def scan(day: Day) -> None:
    day.do("scan", "others", "--single", "-o", "scanned.yaml")
    assert "--epochs {epochs}" in (day.place.root / "scanned.yaml").read_text()


def migrate(day: Day) -> None:
    day.do("migrate", "ppe", "--to", "draft")
    assert MARK in (day.place.root / "draft/train.py").read_text()


def sweep(day: Day) -> None:
    words = ["sweep", "scenario.yaml", "-e", day.git, "-p", "batch_size=[2,4]"]
    words += ["-p", "training.epochs=1", "-p", f"training.options.api_key={OPTION}"]
    day.do(*words, "--json")
    day.do(*words, "-p", "training.options.fail=true", ends=(1,))


def ablation(day: Day) -> None:
    words = ["ablation", "scenario.yaml", "-e", day.git, "-p", "batch_size=[2,4]"]
    day.do(*words, "-p", "training.epochs=1", "-p", f"training.options.api_key={OPTION}")


def keys_make(day: Day) -> None:
    day.do("keys", "make", "--to", "keys", "--name", "team")


def sign(day: Day) -> None:
    day.do("sign", NAME, "--key", "keys/team.key")
    day.do("sign", NAME, "--key", f"/nowhere/token={SERVICE}", ends=(2,))


def copy(day: Day) -> None:
    other = f"http://kim:{quote(TRACKING, safe='')}@127.0.0.1:9"
    day.do("copy", NAME, "--to", other, ends=(1, 2))


def metrics(day: Day) -> None:
    day.do("metrics", "update")
    day.do("metrics", "rebuild", "--json")
    day.do("metrics", "summary", "--json")
    day.do("metrics", "trend", "--metric", "mAP50")
    day.do("metrics", "export", "--format", "csv", "--output", "exported")


def dashboard(day: Day) -> None:
    day.do("dashboard", "--host", "0.0.0.0", ends=(2,))
    day.do("dashboard", "--host", f"token={SERVICE}.invalid", "--token", DOTENV, ends=(1, 2))


def alerts(day: Day) -> None:
    (day.place.root / "rules.yaml").write_text(RULES)
    found = last_json(day.do("alerts", "list", "--rules", "rules.yaml", "--json"))["alerts"]
    words = ["--rules", "rules.yaml"]
    day.do("alerts", "ack", found[0]["alert_id"], "--note", f"asked by token={REASON}", *words)
    day.place.environment["GUARDIANFLOW_ALERTS_WEBHOOK"] = f"https://hooks.invalid/T/{HOOK}"
    day.do("alerts", "notify", *words, ends=(0, 1))


def optimize(day: Day) -> None:
    """What it starts is made of a scenario whose secrets are not there, and is refused."""
    words = ["--rules", "rules.yaml"]
    day.do("optimize", "check", *words)
    day.do("optimize", "run", *words, "--json", ends=(0, 1))
    day.do("optimize", "watch", *words, "--every", f"token={SERVICE}", ends=(2,))
    day.do("optimize", "resume", "nothing", *words, ends=(2,))
    day.do("optimize", "log", *words, "--json")


def config(day: Day) -> None:
    assert "********" in day.do("config", "show")
    day.do("config", "show", "--json")
    day.do("config", "check", ends=(0, 1))


def bundle_wheels(day: Day) -> None:
    lock = f"/nowhere/token={SERVICE}"
    day.do("bundle-wheels", "--to", "wheels", "--requirements", lock, ends=(2,))


# In the order of the day; a command that is not here fails the test below.
RECIPES: dict[str, Callable[[Day], None]] = {
    "train": train, "infer": infer, "quant": quant, "pipeline": pipeline, "resume": resume,
    "run-scenario": run_scenario, "sync": sync, "reap": reap, "release": release,
    "compare": compare, "list": listing, "mot": mot, "data groups": data_groups,
    "data split": data_split, "data check": data_check, "alarms score": alarms_score,
    "alarms tune": alarms_tune, "doctor": doctor, "promote": promote,
    "rollback": rollback, "history": history, "uri": uri, "models": models, "versions": versions,
    "sweep": sweep, "ablation": ablation, "keys make": keys_make, "sign": sign, "copy": copy,
    "pull": pull, "report": report, "run": run, "wrap": wrap, "status": status, "scan": scan,
    "migrate": migrate, "metrics": metrics, "dashboard": dashboard, "alerts": alerts,
    "optimize": optimize, "config": config, "bundle-wheels": bundle_wheels,
}  # fmt: skip
GROUPS = ("metrics", "alerts", "optimize", "config")
"""Of these one recipe runs every command."""


@pytest.fixture
def day(tmp_path: Path, repository: Path) -> Iterator[Day]:
    root = tmp_path / "place"
    (root / "configs").mkdir(parents=True)
    place = Workplace(root, tmp_path / "work", repository)
    place.write_scenario()
    trainer = place.write_trainer("trainer", before="import tell; tell.tell(self)")
    (trainer / "tell.py").write_text(TELL)
    commit_all(trainer)
    served = tmp_path / "served"
    served.mkdir()
    trainer.rename(served / "trainer")
    (root / "scripts").mkdir()
    (root / "scripts/train.py").write_text(SCRIPT)
    (root / "others").mkdir()
    (root / "others/train.py").write_text(YOLO)
    (root / "configs/experiments.yaml").write_text(REGISTRY)
    (root / ".env").write_text(f"MLFLOW_TRACKING_TOKEN={DOTENV}\n")
    database = tmp_path / "server/mlflow.db"
    database.parent.mkdir()
    with (
        start_server(database, tmp_path / "server/artifacts") as (url, _),
        serving_git(served, "kim", GIT) as git_address,
    ):
        address = url.replace("://", f"://kim:{quote(TRACKING, safe='')}@")
        place.environment = {
            "MLFLOW_TRACKING_URI": address,
            "GUARDIANFLOW_TRACKING_URI": address,
            "AWS_SECRET_ACCESS_KEY": AWS,
            "MY_SERVICE_TOKEN": SERVICE,
        }
        yield Day(place, git_address)


def forms(secret: str) -> set[str]:
    """A secret as addresses, JSON, HTML and logins write it."""
    return {
        *(secret, quote(secret), quote(secret, safe=""), quote_plus(secret), html.escape(secret)),
        *(json.dumps(secret)[1:-1], repr(secret)[1:-1]),
        base64.b64encode(secret.encode()).decode().rstrip("="),
        base64.b64encode(f"kim:{secret}".encode()).decode().rstrip("="),
    }


def test_no_command_lets_a_secret_out(day: Day) -> None:
    names = {each.split()[0] if each.split()[0] in GROUPS else each for each in leaves(cli)}
    assert set(RECIPES) == names
    for recipe in RECIPES.values():
        recipe(day)
    place = day.place
    wanted = {form.encode(): secret for secret in SECRETS for form in forms(secret)}
    # What the user wrote, and what his script wrote beside itself, is his own.
    own = {
        place.root / "scripts",
        place.root / "others",
        place.root / "configs/experiments.yaml",
        place.root / ".env",
    }
    found, looked_at = [], 0
    for path in sorted(place.root.parent.rglob("*")):
        if not path.is_file() or path in own or own & set(path.parents):
            continue
        looked_at += 1
        content = path.read_bytes()
        found += [f"{path}: {secret}" for form, secret in wanted.items() if form in content]
    said = day.said.encode()
    found += [f"console: {secret}" for form, secret in wanted.items() if form in said]
    assert found == []
    # what was looked through is what matters: the store, the artifacts, what was kept, the bundle
    assert looked_at > 100
    artifacts = place.root.parent / "server/artifacts"
    for name in ("notes.txt", "stage.log", "scenario.yaml", "resolved.json", "command.json"):
        assert any(MARK in path.read_text("utf-8") for path in artifacts.rglob(name)), name
    stages = place.work_dir / "stages"
    for name in ("request.json", "stage.log", "notes.txt", "state.json"):
        assert any(MARK in path.read_text("utf-8") for path in place.work_dir.rglob(name)), name
    for folder in stages.iterdir():
        assert folder.stat().st_mode & 0o777 == 0o700
        for name in ("request.json", "stage.log"):
            assert (folder / name).stat().st_mode & 0o777 == 0o600
    lineage = (place.root / "box/current/model.yaml").read_text("utf-8")
    assert f"git+http://{MARK}@" in lineage or "git+http://127.0.0.1" in lineage
    shutil.rmtree(place.root.parent, ignore_errors=True)
