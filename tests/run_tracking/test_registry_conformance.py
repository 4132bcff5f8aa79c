"""Every promise of DetectorRegistry, kept by MLflow and by the fake alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_detectors import runtime_with

from guardianflow.contracts.errors import SourceError, TrackingError
from guardianflow.contracts.results import DetectorPackage, RunRequest
from guardianflow.run_tracking.fakes.store import InMemoryRegistry, InMemoryStore
from guardianflow.run_tracking.mlflow_store import MlflowStore
from guardianflow.run_tracking.registry import MlflowRegistry

NAME = "donghwa-entec/busan-plant1/welding/ppe"
DOTTED = "donghwa-entec.busan-plant1.welding.ppe"


class Kept:
    """A store with its registry, and a way to make finished runs."""

    def __init__(self, store: Any, registry: Any) -> None:
        self.store, self.registry = store, registry

    def run(self, name: str = "ppe-tiny-train-v1", **tags: str) -> str:
        run_id: str = self.store.start_run(
            RunRequest("donghwa-entec/busan-plant1/welding", name, tags)
        )
        return run_id


@pytest.fixture(params=["sqlite", "memory", pytest.param("server", marks=pytest.mark.slow)])
def kept(request: pytest.FixtureRequest) -> Kept:
    if request.param == "memory":
        store = InMemoryStore()
        return Kept(store, InMemoryRegistry(store))
    if request.param == "server":
        uri = request.getfixturevalue("server").url
    else:
        uri = request.getfixturevalue("sqlite_uri")
    return Kept(MlflowStore(uri), MlflowRegistry(uri, runtime_with("numpy")))


@pytest.fixture
def other_package(tmp_path: Path, package: DetectorPackage) -> DetectorPackage:
    """Other weights than `package`'s."""
    directory = tmp_path / "other"
    directory.mkdir()
    weights = (package.directory / "model.onnx").read_bytes()
    (directory / "model.onnx").write_bytes(weights + b"\x00")
    return DetectorPackage.create(directory, replace(package.spec, files={}))


def test_a_detector_is_registered_as_candidate_and_comes_back_as_it_was(
    kept: Kept, package: DetectorPackage, tmp_path: Path
) -> None:
    run_id = kept.run()
    model = kept.registry.register(run_id, package, NAME, tags={"task": "ppe"})
    assert (model.name, model.display_name, model.version) == (DOTTED, NAME, "1")
    assert model.aliases == ("candidate",)
    assert model.run_id == run_id
    assert model.uri == f"models:/{DOTTED}/1"
    assert model.created_ms > 0
    described = {
        "architecture": "tiny",
        "input_size": "32",
        "backend": "onnx",
        "precision": "fp32",
        "sha256": package.digest,
        "source_run_id": run_id,
        "task": "ppe",
    }
    assert described.items() <= model.tags.items()
    tags = kept.store.get_run(run_id).tags
    assert tags["registered_model_name"] == DOTTED
    assert tags["registered_model_version"] == "1"
    for number, reference in enumerate(
        [
            f"models:/{NAME}@candidate",
            f"models:/{DOTTED}@candidate",
            f"models:/{NAME}/1",
            f"models:/{DOTTED}",
            f"runs:/{run_id}",
        ]
    ):
        fetched = kept.registry.fetch(reference, tmp_path / "받은 것" / str(number))
        assert fetched.directory == tmp_path / "받은 것" / str(number)
        assert fetched.digest == package.digest
        assert fetched.spec == package.spec
        assert fetched.weights_path.read_bytes() == package.weights_path.read_bytes()
    assert len(list((tmp_path / "받은 것").iterdir())) == 5


def test_a_quantised_detector_keeps_the_run_it_was_made_from(
    kept: Kept, package: DetectorPackage
) -> None:
    made_from = package.with_lineage({"source_run_id": "trained"})
    model = kept.registry.register(kept.run(), made_from, NAME + "__onnx_fp32")
    assert model.tags["source_run_id"] == "trained"
    assert model.name == DOTTED + "__onnx_fp32"


def test_the_alias_moves_to_the_new_version(
    kept: Kept, package: DetectorPackage, other_package: DetectorPackage, tmp_path: Path
) -> None:
    kept.registry.register(kept.run(), package, NAME)
    kept.registry.register(kept.run(), package, NAME, alias="champion")
    second = kept.registry.register(kept.run(), other_package, NAME)
    assert (second.version, second.aliases) == ("3", ("candidate",))
    listed = kept.registry.list_models(NAME)
    assert [(m.version, m.aliases) for m in listed] == [
        ("1", ()),
        ("2", ("champion",)),
        ("3", ("candidate",)),
    ]
    latest = kept.registry.fetch(f"models:/{NAME}", tmp_path / "latest")
    assert latest.digest == other_package.digest
    champion = kept.registry.fetch(f"models:/{NAME}@champion", tmp_path / "champion")
    assert champion.digest == package.digest


def test_registering_again_makes_nothing_new(kept: Kept, package: DetectorPackage) -> None:
    run_id = kept.run()
    first = kept.registry.register(run_id, package, NAME)
    again = kept.registry.register(run_id, package, NAME, alias="champion")
    assert again.version == first.version
    assert again.aliases == ("candidate", "champion")
    assert len(kept.registry.list_models()) == 1


def test_one_run_logs_one_detector(
    kept: Kept, package: DetectorPackage, other_package: DetectorPackage, tmp_path: Path
) -> None:
    run_id = kept.run()
    kept.registry.register(run_id, package, NAME)
    with pytest.raises(TrackingError, match="another detector already"):
        kept.registry.register(run_id, other_package, NAME)
    assert kept.registry.fetch(f"runs:/{run_id}", tmp_path / "out").digest == package.digest
    assert len(kept.registry.list_models()) == 1


@pytest.mark.parametrize("name", ["a:b", "a%b", "a/b.c", ""])
def test_a_name_that_cannot_be_registered_registers_nothing(
    kept: Kept, package: DetectorPackage, name: str
) -> None:
    run_id = kept.run()
    with pytest.raises(SourceError, match="can't name a model"):
        kept.registry.register(run_id, package, name)
    with pytest.raises(SourceError, match="can't be an alias"):
        kept.registry.register(run_id, package, NAME, alias="v1")
    assert kept.registry.list_models() == []


def test_a_package_whose_files_changed_registers_nothing(
    kept: Kept, package: DetectorPackage
) -> None:
    package.weights_path.write_bytes(b"something else")
    with pytest.raises(SourceError, match="sha256"):
        kept.registry.register(kept.run(), package, NAME)
    assert kept.registry.list_models() == []


def test_an_unknown_run_registers_nothing(kept: Kept, package: DetectorPackage) -> None:
    with pytest.raises(SourceError, match="no run"):
        kept.registry.register("f" * 32, package, NAME)
    assert kept.registry.list_models() == []


def test_what_is_not_registered_is_named_with_what_is(
    kept: Kept, package: DetectorPackage, tmp_path: Path
) -> None:
    kept.registry.register(kept.run(), package, NAME)
    for reference, message in (
        ("models:/donghwa-entec/busan-plant1/welding/pp", f"no registered model.*nearest: {NAME}"),
        (f"models:/{NAME}@champion", "no alias 'champion'; it has: candidate"),
        (f"models:/{NAME}/7", "no version 7; it has: 1"),
        ("runs:/" + "f" * 32, "no run"),
        ("best.pt", "Expected"),
    ):
        with pytest.raises(SourceError, match=message):
            kept.registry.fetch(reference, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_run_that_failed_or_logged_none_says_what_it_is(
    kept: Kept, package: DetectorPackage, tmp_path: Path
) -> None:
    infer = kept.run("ppe-tiny-infer-v1", **{"exp.type": "infer"})
    with pytest.raises(SourceError, match="still RUNNING"):
        kept.registry.fetch(f"runs:/{infer}", tmp_path / "out")
    kept.store.end_run(infer)
    with pytest.raises(SourceError, match=r"ppe-tiny-infer-v1.*type is infer.*train or quant"):
        kept.registry.fetch(f"runs:/{infer}", tmp_path / "out")
    failed = kept.run()
    kept.registry.register(failed, package, NAME)
    kept.store.end_run(failed, "FAILED")
    with pytest.raises(SourceError, match="is FAILED"):
        kept.registry.fetch(f"runs:/{failed}", tmp_path / "out")


def test_files_are_not_mixed_with_what_lies_there(
    kept: Kept, package: DetectorPackage, tmp_path: Path
) -> None:
    kept.registry.register(kept.run(), package, NAME)
    (tmp_path / "empty").mkdir()
    kept.registry.fetch(f"models:/{NAME}", tmp_path / "empty")
    for place in (tmp_path / "empty", package.weights_path):
        with pytest.raises(SourceError, match="new or empty directory"):
            kept.registry.fetch(f"models:/{NAME}", place)


def test_models_are_listed_by_part_of_their_name(kept: Kept, package: DetectorPackage) -> None:
    kept.registry.register(kept.run(), package, "sampyo/jecheon-plant1/full/fire")
    kept.registry.register(kept.run(), package, NAME)

    def listed(pattern: str) -> list[str]:
        return [model.name for model in kept.registry.list_models(pattern)]

    assert listed("") == [DOTTED, "sampyo.jecheon-plant1.full.fire"]
    assert listed("donghwa-entec/busan") == [DOTTED]
    assert listed("plant1.full") == ["sampyo.jecheon-plant1.full.fire"]
    assert listed("nothing") == []


def test_a_reference_says_which_version_it_means(kept: Kept, package: DetectorPackage) -> None:
    run_id = kept.run()
    kept.registry.register(run_id, package, NAME)
    for reference in (f"models:/{NAME}@candidate", f"models:/{DOTTED}/1", f"models:/{NAME}"):
        model = kept.registry.describe(reference)
        assert (model.name, model.version, model.run_id) == (DOTTED, "1", run_id)
        assert model.aliases == ("candidate",)
    with pytest.raises(SourceError, match="champion"):
        kept.registry.describe(f"models:/{NAME}@champion")
    with pytest.raises(SourceError, match="is a run"):
        kept.registry.describe(f"runs:/{run_id}")


def test_a_version_s_tags_are_written_beside_those_it_has(
    kept: Kept, package: DetectorPackage
) -> None:
    kept.registry.register(kept.run(), package, NAME)
    kept.registry.register(kept.run(), package, NAME)
    kept.registry.tag_version(NAME, "1", {"release.outcome": "fail", "근거": "검증"})
    kept.registry.tag_version(DOTTED, "1", {"release.outcome": "pass", "release.champion": ""})
    first, second = kept.registry.list_models(NAME)
    assert first.tags["release.outcome"] == "pass"
    assert first.tags["release.champion"] == ""
    assert first.tags["근거"] == "검증"
    assert first.tags["sha256"] == package.digest
    assert "release.outcome" not in second.tags


def test_a_version_that_is_not_there_can_not_be_tagged(
    kept: Kept, package: DetectorPackage
) -> None:
    kept.registry.register(kept.run(), package, NAME)
    with pytest.raises(SourceError, match="no version 7; it has: 1"):
        kept.registry.tag_version(NAME, "7", {"a": "b"})
    with pytest.raises(SourceError, match="no registered model"):
        kept.registry.tag_version("donghwa-entec/busan-plant1/welding/pp", "1", {"a": "b"})


def test_no_secret_is_in_a_versions_tags(
    kept: Kept, package: DetectorPackage, secrets_forgotten: None
) -> None:
    tags = {"note": "from https://kim:pa55-w0rd@host/x", "api_key": "abc-123"}
    model = kept.registry.register(kept.run(), package, NAME, tags=tags)
    assert model.tags["note"] == "from https://REDACTED@host/x"
    assert model.tags["api_key"] == "REDACTED"
    kept.registry.tag_version(NAME, model.version, {"said": "password=abc-123"})
    assert kept.registry.describe(f"models:/{NAME}@candidate").tags["said"] == "password=REDACTED"
