"""Everything that a model consists of, changed one at a time: refused at every door, or harmless.

    changed   each field of detector.json, each file of the package and of the model's code, each
              tag of the version and of the logged model, each file of the bundle on the box
    doors     fetch (models:/, runs:/), load (mlflow), promote, pull, check, run on the box

A change that a door lets through must be harmless: what comes out is, byte for byte, the model that
was registered, and the verdict that lets it be promoted is the one that the release really gave.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from promotions import NAME, log_release, verdict
from small_detectors import small_package

from guardianflow.contracts.detector_package import DetectorPackage
from guardianflow.contracts.errors import GuardianFlowError
from guardianflow.contracts.releases import CANDIDATE, CHAMPION, EVIDENCE_TAG, REPORT_TAG, ROLLBACK
from guardianflow.contracts.results import RunRequest
from guardianflow.release.bundle.check import check_directory
from pipelines import ModelRegistry
from pipelines.registered_models.pull import pull_model
from pipelines.wiring import Ports, connect

DOTTED = NAME.replace("/", ".")
IMAGE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Site:
    """v1 is champion, v2 its candidate and passed, v3 failed; `package` is v2's."""

    root: Path
    ports: Ports
    package: DetectorPackage
    run_id: str
    model: Path
    evidence: dict[str, str]

    @property
    def stored(self) -> Path:
        return self.model / "artifacts" / "detector"

    def put_back(self) -> None:
        for alias, version in ((CHAMPION, "1"), (CANDIDATE, "2")):
            self.ports.aliases.set_alias(NAME, alias, version)
        self.ports.aliases.delete_alias(NAME, ROLLBACK)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("site")
    uri = f"sqlite:///{root / 'mlflow.db'}"
    ports = connect(uri)
    champion, evidence = "", {}
    for version, outcome in (("1", "pass"), ("2", "pass"), ("3", "fail")):
        run_id = ports.store.start_run(RunRequest(NAME.rpartition("/")[0], "ppe-quant"))
        package = small_package(root / version, "onnx", int(version))
        package = package.with_lineage({"export_versions": "onnxruntime==1.0", "run_id": run_id})
        ports.registry.register(run_id, package, NAME)
        ports.store.end_run(run_id)
        evidence[version] = log_release(ports, package, version, champion, outcome)
        judgement = {EVIDENCE_TAG: evidence[version], REPORT_TAG: "runs:/x"}
        ports.registry.tag_version(NAME, version, judgement | verdict(outcome, champion))
        champion = "1"
        if version == "2":
            judged, judged_run = package, run_id
    mlflow.set_tracking_uri(uri)
    number = ports.registry.describe(f"models:/{NAME}/2").tags["logged_model_id"]
    (model,) = root.rglob(f"{number}/artifacts")
    made = Site(root, ports, judged, judged_run, model, evidence)
    made.put_back()
    yield made
    mlflow.set_tracking_uri(None)


# --- doors ---------------------------------------------------------------------------------------


def fetch(site: Site, folder: Path, reference: str = f"models:/{NAME}/2") -> str:
    return site.ports.registry.fetch(reference, folder / "fetched").digest


def fetch_of_run(site: Site, folder: Path) -> str:
    return fetch(site, folder, f"runs:/{site.run_id}")


def load(site: Site, _: Path) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = mlflow.pyfunc.load_model(f"models:/{DOTTED}/2")
    found = model.predict(IMAGE, params={"confidence": 0.0})
    return found.to_csv()


def promote(site: Site, _: Path) -> str:
    entry = ModelRegistry(ports=site.ports, tell=lambda _: None).promote(NAME, "2")
    site.put_back()
    return f"{entry.after[CHAMPION]} by {entry.evidence_run_id}"


def pull(site: Site, folder: Path) -> str:
    pull_model(f"{NAME}/2", folder / "box", site.ports)
    found = check_directory(folder / "box")
    assert found.intact
    return found.sha256


Door = Callable[[Site, Path], str]
DOORS: dict[str, Door] = {
    "fetch": fetch,
    "fetch of the run": fetch_of_run,
    "load": load,
    "promote": promote,
    "pull": pull,
}


def outcome(site: Site, door: str, folder: Path) -> str:
    """What a door gives; '' where it refuses. Anything but a refusal of ours is a failure."""
    try:
        return DOORS[door](site, folder)
    except (GuardianFlowError, mlflow.exceptions.MlflowException):
        return ""
    finally:
        shutil.rmtree(folder / "fetched", ignore_errors=True)
        shutil.rmtree(folder / "box", ignore_errors=True)


class Count:
    """How many changes were tried and what became of them, printed at the end of a test."""

    def __init__(self) -> None:
        self.refused = self.harmless = 0
        self.let_through: list[str] = []

    def add(self, what: str, got: str, wanted: str) -> None:
        if not got:
            self.refused += 1
        elif got == wanted:
            self.harmless += 1
        else:
            self.let_through.append(f"{what}: {got}")

    def tell(self, what: str, capsys: pytest.CaptureFixture[str]) -> None:
        with capsys.disabled():
            print(
                f"\ntampering with {what}: {self.refused + self.harmless + len(self.let_through)} "
                f"tried, {self.refused} refused, {self.harmless} harmless, "
                f"{len(self.let_through)} let through"
            )
        assert not self.let_through


@pytest.fixture(scope="module")
def usual(site: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What every door gives when nothing was changed."""
    folder = tmp_path_factory.mktemp("usual")
    given = {door: outcome(site, door, folder) for door in DOORS}
    assert all(given.values()), given
    return given


# --- detector.json and files ---------------------------------------------------------------------


def changed_descriptions(spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each field: another value, an unlikely one, another type, gone; and one too many."""
    other: dict[str, list[Any]] = {
        "backend": ["openvino", "", 3],
        "precision": ["int8", "fp64", None],
        "architecture": ["yolo11x", 1],
        "class_names": [spec["class_names"][::-1], spec["class_names"][:2], [], "vest", [1, 2, 3]],
        "input_size": [32, 128, 0, -64, 64.0, "64", True],
        "output": ["end_to_end", "none", None],
        "weights": ["other.onnx", "../model.onnx", "/etc/hostname", "detector.json", "", 1],
        "files": [{}, {**spec["files"], "more.bin": "0" * 64}, {"model.onnx": "0" * 64}, [], None],
        "conf_threshold": [0.99, 0.2500001, 0.0, 1.5, -1, float("nan"), "0.25", True],
        "iou_threshold": [0.9, 0.45000001, float("inf"), None],
        "lineage": [{}, {"export_versions": "onnxruntime==0.1"}, {"n": 1}, [], None],
    }
    assert set(other) == set(spec), "a field without changes is a field without a test"
    for field, values in other.items():
        for value in values:
            yield f"{field} = {value!r}", {**spec, field: value}
        without = copy.deepcopy(spec)
        del without[field]
        yield f"without {field}", without
    yield "one more field", {**spec, "more": 1}


@contextmanager
def put(file: Path, content: bytes | None) -> Iterator[None]:
    """Other content, or none, until the block ends."""
    before = file.read_bytes() if file.exists() else None
    file.unlink(missing_ok=True)
    if content is not None:
        file.write_bytes(content)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
        if before is not None:
            file.write_bytes(before)


def test_each_field_of_the_description(
    site: Site, usual: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, count = site.stored / "detector.json", Count()
    for what, spec in changed_descriptions(json.loads(file.read_text("utf-8"))):
        with put(file, json.dumps(spec).encode()):
            for door in DOORS:
                count.add(f"{door}: {what}", outcome(site, door, tmp_path), usual[door])
    count.tell("detector.json", capsys)


def test_the_same_description_written_otherwise_is_the_same_model(
    site: Site, usual: dict[str, str], tmp_path: Path
) -> None:
    file = site.stored / "detector.json"
    spec = json.loads(file.read_text("utf-8"))
    with put(file, json.dumps(dict(reversed(spec.items()))).encode()):
        assert {door: outcome(site, door, tmp_path) for door in DOORS} == usual


def test_each_file_of_the_package_and_its_code(
    site: Site, usual: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    count = Count()
    for file in sorted(path for path in site.stored.rglob("*") if path.is_file()):
        good = file.read_bytes()
        for what, content in (
            ("another byte", good[:-9] + bytes([good[-9] ^ 1]) + good[-8:]),
            ("cut off", good[: len(good) // 2]),
            ("empty", b""),
            ("gone", None),
        ):
            with put(file, content):
                for door in DOORS:
                    count.add(f"{door}: {file.name} {what}", outcome(site, door, tmp_path), "")
    with put(site.stored / "more.bin", b"more"):
        for door in DOORS:
            count.add(f"{door}: a file more", outcome(site, door, tmp_path), "")
    weights, aside = site.stored / "model.onnx", site.root / "aside.onnx"
    weights.rename(aside)
    weights.symlink_to(aside)
    try:
        for door in ("load",):  # a download follows links: what comes out of it is a plain file
            count.add(f"{door}: a link", outcome(site, door, tmp_path), "")
    finally:
        weights.unlink()
        aside.rename(weights)
    for file in sorted((site.model / "code").rglob("*.py")):
        with put(file, file.read_bytes() + b"\n# changed\n"):
            count.add(f"load: {file.name}", outcome(site, "load", tmp_path), "")
    count.tell("the model's files", capsys)


# --- tags ----------------------------------------------------------------------------------------


def test_each_tag_of_the_version_and_of_its_logged_model(
    site: Site, usual: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client, count = mlflow.MlflowClient(), Count()
    tags = dict(client.get_model_version(DOTTED, "2").tags)
    others = {v: client.get_model_version(DOTTED, v).tags for v in ("1", "3")}
    for key, good in tags.items():
        values = {"", "x", good + "x", *(other.get(key, "") for other in others.values())} - {good}
        for value in (*sorted(values), None):
            if value is None:
                client.delete_model_version_tag(DOTTED, "2", key)
            else:
                client.set_model_version_tag(DOTTED, "2", key, value)
            for door in ("promote", "pull"):  # both fetch
                got = outcome(site, door, tmp_path)
                count.add(f"{door}: {key} = {value!r}", got, usual[door])
            client.set_model_version_tag(DOTTED, "2", key, good)
    number = tags["logged_model_id"]
    for key, good in dict(client.get_logged_model(number).tags).items():
        if key.startswith("mlflow."):
            continue
        client.set_logged_model_tags(number, {key: "x"})
        for door in ("fetch", "fetch of the run", "promote", "pull"):
            count.add(f"{door}: logged {key}", outcome(site, door, tmp_path), usual[door])
        client.set_logged_model_tags(number, {key: good})
    count.tell("tags", capsys)


def test_no_forged_verdict_promotes_what_failed(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """v3 failed. Its tags say whatever an attacker likes; the runs say what was judged."""
    registry, client, count = ModelRegistry(ports=site.ports), mlflow.MlflowClient(), Count()
    failed = log_release(site.ports, site.package, "3", "1")  # of other files than v3's
    running = log_release(site.ports, DetectorPackage.load(site.root / "3"), "3", "1")
    client.update_run(running, "RUNNING")
    train = site.ports.store.start_run(RunRequest(NAME.rpartition("/")[0], "ppe-train"))
    site.ports.store.end_run(train)
    runs = ["", "0" * 32, site.run_id, train, *site.evidence.values(), failed, running]
    for run_id in runs:
        for champion in ("1", ""):
            tags = {**verdict("pass", champion), EVIDENCE_TAG: run_id}
            site.ports.registry.tag_version(NAME, "3", tags)
            try:
                got = f"champion {registry.promote(NAME, '3').after[CHAMPION]}"
                site.put_back()
            except GuardianFlowError:
                got = ""
            count.add(f"{run_id} {champion}", got, "")
    count.tell("verdicts", capsys)


# --- the box -------------------------------------------------------------------------------------


def run(box: Path) -> str:
    image = box.parent / "image.ppm"
    done = subprocess.run(
        [sys.executable, box / "current" / "run_detector.py", image, "--conf", "0", "--json"],
        env={**os.environ, "GUARDIANFLOW_RUN_DETECTOR_CHILD": "1"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout if done.returncode == 0 else ""


@pytest.fixture
def box(site: Site, tmp_path: Path) -> Path:
    """The model on a box, and an image beside it."""
    pull_model(f"{NAME}/2", tmp_path / "box", site.ports)
    (tmp_path / "image.ppm").write_bytes(b"P6 64 64 255\n" + IMAGE.tobytes())
    assert run(tmp_path / "box")
    return tmp_path / "box"


def try_box(count: Count, box: Path, what: str) -> None:
    count.add(f"check: {what}", "intact" * check_directory(box).intact, "")
    count.add(f"run: {what}", run(box), "")


def test_each_file_of_the_bundle(box: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, count = (box / "current").resolve(), Count()
    files = sorted(path for path in bundle.rglob("*") if path.is_file())
    for file in files:
        name = file.relative_to(bundle).as_posix()
        for what, content in (("changed", file.read_bytes() + b"#"), ("gone", None)):
            with put(file, content):
                if name == "run_detector.py":  # what compares the rest can't compare itself
                    count.add(f"check: {name}", "intact" * check_directory(box).intact, "")
                else:
                    try_box(count, box, f"{name} {what}")
    for extra in ("more.bin", "runtime/more.py"):
        with put(bundle / extra, b"more = 1\n"):
            try_box(count, box, extra)
    count.tell("the bundle", capsys)


def test_a_description_changed_together_with_its_checksum_is_found_on_the_box(
    box: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, count = (box / "current").resolve(), Count()
    file, sums = bundle / "detector.json", bundle / "SHA256SUMS"
    good = DetectorPackage.load(bundle).spec
    for field, value in (
        ("class_names", ("person", "vest", "안전모")),
        ("conf_threshold", 0.99),
        ("iou_threshold", 0.9),
        ("lineage", {}),
    ):
        changed = copy.copy(good)
        object.__setattr__(changed, field, value)
        text = changed.to_json().encode()
        old, new = (hashlib.sha256(each).hexdigest() for each in (file.read_bytes(), text))
        with put(file, text), put(sums, sums.read_bytes().replace(old.encode(), new.encode())):
            try_box(count, box, field)
    count.tell("the description and its checksum", capsys)
