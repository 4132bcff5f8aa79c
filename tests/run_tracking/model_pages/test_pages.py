"""What MLflow's page of a model shows: what it is, its verdict with the report, its numbers."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from small_detectors import runtime_with, small_package

from guardianflow.contracts.errors import TrackingError
from guardianflow.contracts.releases import COMPARED_TAG, EVIDENCE_TAG, OUTCOME_TAG
from guardianflow.contracts.results import DataInput, DetectorPackage, RunRequest
from guardianflow.run_tracking.mlflow_store import MlflowStore
from guardianflow.run_tracking.model_pages.descriptions import LIMIT, MARK, with_ours
from guardianflow.run_tracking.registry import MlflowRegistry

NAME = "donghwa/busan-plant1/welding/ppe"
DOTTED = NAME.replace("/", ".")
DATA = DataInput("site", "f" * 64, "test", "data.yaml")


class Site:
    """A store, its registry, and one registered detector."""

    def __init__(self, uri: str, package: DetectorPackage) -> None:
        self.store = MlflowStore(uri)
        self.registry = MlflowRegistry(None, runtime_with("numpy"), store=self.store)
        self.client = self.store.connection.client
        self.package = package
        self.train_run = self.run("train")
        self.registry.register(self.train_run, package, NAME, tags={"task": "ppe"})

    def run(self, name: str) -> str:
        return self.store.start_run(RunRequest("donghwa/busan-plant1/welding", name))

    def numbers_of_the_model(self) -> dict[str, Any]:
        model_id = self.client.get_model_version(DOTTED, "1").tags["logged_model_id"]
        found = self.client.get_logged_model(model_id).metrics or []
        return {each.key: (each.value, each.dataset_name, each.dataset_digest) for each in found}


@pytest.fixture(params=["sqlite", pytest.param("server", marks=pytest.mark.slow)])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    server = request.param == "server"
    uri = request.getfixturevalue("server" if server else "sqlite_uri")
    return Site(uri.url if server else uri, small_package(tmp_path / "detector", "onnx"))


@pytest.mark.parametrize("named_by", ["run", "alias"])
def test_what_was_measured_of_a_model_stands_on_its_page_with_the_data(
    site: Site, named_by: str
) -> None:
    judged = site.run("infer")
    site.store.log_data(judged, DATA)
    measured = {"det.mAP50": 0.75, "sys.fps": 40.0, "bench.bs1.latency_p50_ms": 25.0}
    others = {"det.original.mAP50": 0.9, "train.lr": 0.1}
    site.store.log_metrics(judged, {**measured, **others})
    reference = f"runs:/{site.train_run}" if named_by == "run" else f"models:/{NAME}@candidate"
    for _ in range(2):
        assert site.registry.show_metrics(judged, reference, site.package, DATA) == len(measured)
    assert site.numbers_of_the_model() == {
        key: (value, "site", "f" * 32) for key, value in measured.items()
    }
    (of_run,) = site.client.get_run(judged).inputs.dataset_inputs
    assert (of_run.dataset.name, of_run.dataset.digest) == ("site", "f" * 32), "the same data set"
    assert site.store.get_run(judged).metrics == {**measured, **others}
    history = site.client.get_metric_history(judged, "det.mAP50")
    assert {point.value for point in history} == {0.75}


def test_numbers_of_one_model_are_never_shown_with_another(site: Site, tmp_path: Path) -> None:
    other = small_package(tmp_path / "other", "onnx", seed=5)
    judged = site.run("infer")
    site.store.log_metrics(judged, {"det.mAP50": 0.75})
    with pytest.raises(TrackingError, match="another detector by now"):
        site.registry.show_metrics(judged, f"models:/{NAME}@candidate", other, DATA)
    assert site.registry.show_metrics(judged, f"runs:/{judged}", other, DATA) == 0
    assert site.numbers_of_the_model() == {}


def test_a_version_says_what_it_is_and_links_to_the_report_that_judged_it(site: Site) -> None:
    version = site.client.get_model_version(DOTTED, "1")
    assert "small, onnx, fp32, 64 px, task ppe" in version.description
    assert f"Weights from run `{site.train_run}`" in version.description
    assert "Release" not in version.description
    assert NAME in site.client.get_registered_model(DOTTED).description
    judged = site.run("release")
    site.client.update_model_version(DOTTED, "1", "Kim: for gate 2.\n\n" + version.description)
    tags = {EVIDENCE_TAG: judged, COMPARED_TAG: "4", OUTCOME_TAG: "fail"}
    site.registry.tag_version(NAME, "1", tags)
    site.registry.tag_version(NAME, "1", tags | {OUTCOME_TAG: "pass"})
    text = site.client.get_model_version(DOTTED, "1").description
    experiment = site.client.get_run(judged).info.experiment_id
    page = f"#/experiments/{experiment}/runs/{judged}/artifacts/report/release.html"
    assert text.startswith("Kim: for gate 2.\n\n")
    assert f"**pass**, against version 4. [Release report]({page})" in text
    assert (text.count(MARK), text.count("**")) == (1, 2), "the older verdict is gone"
    assert page in site.client.get_registered_model(DOTTED).description


def test_a_description_that_is_refused_takes_no_verdict_back(
    site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(site.client), "update_model_version", _refusing)
    with caplog.at_level(logging.WARNING):
        site.registry.tag_version(NAME, "1", {OUTCOME_TAG: "pass"})
    assert "not up to date" in caplog.text
    assert site.registry.describe(f"models:/{NAME}/1").tags[OUTCOME_TAG] == "pass"


def _refusing(*_: object, **__: object) -> None:
    raise OSError("no permission")


def test_a_person_s_long_description_is_never_cut() -> None:
    assert with_ours("theirs", "ours") == f"theirs\n\n{MARK}\nours"
    assert with_ours(f"theirs\n\n{MARK}\nold", "ours") == f"theirs\n\n{MARK}\nours"
    assert with_ours("x" * LIMIT, "ours") == ""


def test_a_detector_is_fetched_without_the_code_inside_its_model(
    site: Site, tmp_path: Path
) -> None:
    """So that a machine where mlflow may run no model's code takes detectors all the same."""
    place = Path(site.client.get_model_version(DOTTED, "1").source.removeprefix("file://"))
    code = [each for each in place.rglob("*.py") if each.is_file()]
    if not code and not place.exists():
        pytest.skip("the model's files lie behind a server")
    assert code
    for each in code:
        each.unlink()
    fetched = site.registry.fetch(f"models:/{NAME}@candidate", tmp_path / "fetched")
    assert fetched.digest == site.package.digest
