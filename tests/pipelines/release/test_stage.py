"""Releases of detectors of known quality: a better one passes, a worse one is refused by name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from contexts import RememberingSink, context_of
from machines import let_others_take
from recalling_detector import recalling_detector

from guardianflow.contracts.errors import (
    PromotionRefusedError,
    ScenarioError,
    SourceError,
    TrackingError,
)
from guardianflow.contracts.recordings.groups import GroupSource, ImageGroups, ImageOrigin
from guardianflow.contracts.releases import (
    CHAMPION,
    COMPARED_TAG,
    EVIDENCE_TAG,
    FAIL,
    OUTCOME_TAG,
    PASS,
    REPORT_TAG,
    UNDECIDED,
    CauseKind,
    GateCause,
    GateVerdict,
    ReleaseDecision,
    VariantDecision,
)
from guardianflow.contracts.results import (
    DetectorPackage,
    LabelledImage,
    LocalDataset,
    RunRequest,
    StageResult,
)
from guardianflow.release.explanation import as_dict, explain_decision
from guardianflow.release.models import ReleaseModel
from guardianflow.release.promotion.journal import history
from guardianflow.release.promotion.promotion import rollback
from guardianflow.site_data.datasets import read_labelled_images, resolve_dataset
from pipelines import ModelRegistry
from pipelines.measuring.accuracy import resamples_for
from pipelines.release.candidates import candidates_from_runs, runs_below
from pipelines.release.runner import ReleaseRunner, check_release
from pipelines.release.stage import ReleaseStage
from pipelines.release.text import decision_lines, refusal
from pipelines.settings import Settings
from pipelines.stage.execution.execute import execute
from pipelines.stage.inputs.data_sets import (
    load_dataset,
)
from pipelines.stage.plan import Planner, RunOptions
from pipelines.wiring import in_memory
from scenario import Scenario, build_scenario

DATA = "demo://ppe?images=120&size=96"
NAME = "demo/seoul-plant1/full/ppe"
EXPERIMENT = "demo/seoul-plant1/full"
GATES: dict[str, Any] = {
    "min_mAP50": 0.5,
    "min_recall": {"helmet": 0.3},
    "max_drop_vs_champion": {"mAP50": 0.02},
    "max_latency_p95_ms": 10_000,
    "max_size_mb": 50,
}
Make = Callable[..., DetectorPackage]


@pytest.fixture(scope="session")
def split(shared_work_dir: Path) -> tuple[LocalDataset, list[LabelledImage]]:
    dataset = resolve_dataset(DATA, cache_dir=shared_work_dir / "datasets", base_dir=Path.cwd())
    return dataset, read_labelled_images(dataset, "test")


@pytest.fixture(scope="session")
def make(
    split: tuple[LocalDataset, list[LabelledImage]], tmp_path_factory: pytest.TempPathFactory
) -> Make:
    """(missed share, class) → package, made once."""
    folder, (dataset, images) = tmp_path_factory.mktemp("detectors"), split
    made: dict[tuple[Any, ...], DetectorPackage] = {}

    def package(missed: float = 0.0, missed_class: str = "", names: Any = None) -> DetectorPackage:
        key = (missed, missed_class, names)
        if key not in made:
            made[key] = recalling_detector(
                folder / str(len(made)),
                images,
                names or dataset.class_names,
                missed=missed,
                missed_class=missed_class,
            )
        return made[key]

    return package


class Site:
    """A store and registry in memory, and releases on them as a pipeline orders them."""

    def __init__(self, folder: Path, work_dir: Path) -> None:
        self.ports = in_memory()
        self.store, self.registry = self.ports.store, self.ports.registry
        self.aliases = self.ports.aliases
        self.settings = Settings(work_dir=work_dir)
        self.said: list[str] = []
        self._folder, self._count = folder, 0

    def train(self, package: DetectorPackage, name: str = NAME, **tags: str) -> ReleaseModel:
        """A run as a train stage leaves it."""
        described = {"guardianflow.stage": "train", **tags}
        run = self.store.start_run(RunRequest(EXPERIMENT, "ppe-train", described))
        model = self.registry.register(run, package, name)
        self.store.end_run(run)
        variant = described.get("comparison.value", "pytorch_fp32")
        return ReleaseModel(variant, run, name, model.version)

    def scenario(self, gates: dict[str, Any], **sections: Any) -> Scenario:
        values: dict[str, Any] = {
            "name": "gate-house",
            "site": {"customer": "demo", "region": "seoul"},
            "task": {"type": "ppe"},
            "model": {"architecture": "yolo11n", "input_size": 96},
            "dataset": {"path": DATA, "version": "v1"},
            "environment": {"device": "cpu"},
            "benchmark": {"warmup_runs": 1, "benchmark_runs": 60},
            "release": gates,
        }
        return build_scenario(values | sections)

    def release(
        self,
        *candidates: ReleaseModel,
        gates: dict[str, Any] = GATES,
        recordings: int = 0,
        **sections: Any,
    ) -> StageResult:
        """Args: recordings: that the images are known to be of; 0: nobody knows."""
        scenario = self.scenario(gates, **sections)
        planner = Planner(scenario, self.settings, RunOptions(), "")
        parent = self.store.start_run(RunRequest(EXPERIMENT, "pipeline"))
        request = planner.release([each.to_dict() for each in candidates], parent_run_id=parent)
        self._count += 1
        scratch = self._folder / f"release{self._count}"
        scratch.mkdir()
        sink = RememberingSink(self.said)
        context = context_of(request, scenario.as_single(), scratch, self.ports, sink)
        if recordings:
            load_dataset(context)
            for key, dataset in context.datasets.items():
                context.datasets[key] = replace(dataset, groups=dealt_to(recordings, dataset))
        return execute(ReleaseStage(context), context)

    def version_tags(self, version: str, name: str = NAME) -> dict[str, str]:
        (found,) = [m for m in self.registry.list_models(name) if m.version == version]
        return dict(found.tags)

    def champion(self) -> str:
        return self.registry.describe(f"models:/{NAME}@{CHAMPION}").version

    def promote(self, **options: Any) -> Any:
        return ModelRegistry(ports=self.ports).promote(NAME, who="kim@plant", **options)

    def read(self, run_id: str, path: str) -> str:
        folder = self._folder / "read" / run_id
        return self.store.download(run_id, path, folder).read_text(encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path, shared_work_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    let_others_take(monkeypatch, 0.0)  # what gates on times come to is no matter of other tests
    return Site(tmp_path, shared_work_dir)


def dealt_to(recordings: int, dataset: LocalDataset) -> ImageGroups:
    """Every image is of one of so many recordings."""
    images = [path for split in dataset.splits.values() for path in split]
    named = {path: ImageOrigin("gate", f"r{i % recordings}") for i, path in enumerate(images)}
    return ImageGroups(GroupSource.FILE, named)


def decided(result: StageResult) -> ReleaseDecision:
    assert result.decision is not None
    return result.decision


def verdicts(result: StageResult, variant: int = 0) -> dict[str, str]:
    return {gate.gate: gate.outcome for gate in decided(result).variants[variant].gates}


def gate(result: StageResult, name: str) -> dict[str, Any]:
    """As results/release.json has it."""
    (found,) = [g for g in as_dict(decided(result))["variants"][0]["gates"] if g["gate"] == name]
    return dict(found)


@pytest.mark.slow
def test_a_better_model_is_promoted_a_worse_refused_an_undecided_one_asks_for_images(
    site: Site, make: Make
) -> None:
    # The first one: nothing to compare with, so absolute gates alone.
    first = site.train(make(missed=0.25))
    result = site.release(first)
    assert decided(result).outcome == PASS
    assert set(verdicts(result).values()) == {PASS}
    assert "max_drop_vs_champion.mAP50" not in verdicts(result)
    assert site.version_tags("1")[COMPARED_TAG] == ""
    site.promote()
    assert site.champion() == "1"

    # A better one, promoted by the release itself.
    second = site.train(make())
    better = site.release(second, gates={**GATES, "auto_promote": "on_pass"})
    assert decided(better).outcome == PASS
    assert decided(better).promoted == (NAME,)
    assert gate(better, "max_drop_vs_champion.mAP50")["measured"]["high"] < 0
    assert gate(better, "min_mAP50")["stored"] == pytest.approx(
        result.metrics["release.pytorch_fp32.mAP50"]
    )
    assert site.champion() == "2"

    # A worse one: refused, and the gate named.
    site.train(make(missed=0.4))
    third = ReleaseModel(
        "pytorch_fp32", site.registry.list_models(NAME)[-1].run_id or "", NAME, "3"
    )
    worse = site.release(third, gates={**GATES, "auto_promote": "on_pass"})
    assert decided(worse).outcome == FAIL
    assert verdicts(worse)["max_drop_vs_champion.mAP50"] == FAIL
    assert "pytorch_fp32 failed max_drop_vs_champion.mAP50" in explain_decision(decided(worse))
    assert site.champion() == "2"
    assert site.version_tags("3")[OUTCOME_TAG] == FAIL
    with pytest.raises(PromotionRefusedError, match="failed its release"):
        site.promote(version="3")

    # One that loses about what is allowed: how many more images it takes.
    fourth = site.train(make(missed=0.03))
    unsure = site.release(fourth, gates={**GATES, "max_drop_vs_champion": {"mAP50": 0.04}})
    assert decided(unsure).outcome == UNDECIDED
    drop = gate(unsure, "max_drop_vs_champion.mAP50")
    assert drop["outcome"] == UNDECIDED
    assert drop["measured"]["low"] <= 0.04 < drop["measured"]["high"]
    assert f"needs about {drop['cause']['more']} more test images" in drop["reason"]
    assert site.version_tags("4")[COMPARED_TAG] == "2"

    # Back to the first one, and it is all in the journal.
    rollback(site.aliases, NAME, who="lee@plant", reason="night shift saw false alarms")
    assert site.champion() == "1"
    entries = history(site.aliases, NAME)
    assert [(e.action, e.after[CHAMPION]) for e in entries] == [
        ("promote", "1"),
        ("promote", "2"),
        ("rollback", "1"),
    ]
    assert entries[1].evidence_run_id == better.run_id
    assert "auto_promote: on_pass" in entries[1].reason


@pytest.mark.slow
def test_a_release_leaves_its_evidence(site: Site, make: Make) -> None:
    champion = site.train(make(missed=0.3))
    site.release(champion)
    site.promote()
    result = site.release(site.train(make()))
    run = site.store.get_run(result.run_id)
    parent = run.parent_run_id or ""
    assert run.status == "FINISHED"
    assert run.tags[OUTCOME_TAG] == PASS
    assert run.tags["release.winner"] == "pytorch_fp32"
    assert run.metrics["release.pytorch_fp32.mAP50"] == 1.0
    assert run.metrics["release.pytorch_fp32.champion.mAP50"] < 0.9
    assert run.metrics["release.pytorch_fp32.drop.mAP50"] < 0
    table = json.loads(site.read(result.run_id, "results/release.json"))
    assert table["outcome"] == PASS
    assert table["champions"] == {"pytorch_fp32": f"{NAME} v1"}
    tags = site.version_tags("2")
    assert tags[EVIDENCE_TAG] == result.run_id
    assert tags[COMPARED_TAG] == "1"
    assert tags[REPORT_TAG] == f"runs:/{result.run_id}/report/release.html"
    for run_id in (result.run_id, parent):
        for name in ("release.html", "release.ko.html", "release.md", "release.ko.md"):
            assert "ppe" in site.read(run_id, f"report/{name}")
    latency = json.loads(site.read(result.run_id, "results/latency.json"))
    assert set(latency["latency"]) == {"pytorch_fp32", "pytorch_fp32 champion v1"}


@pytest.mark.slow
def test_a_release_counts_recordings_where_they_are_known(site: Site, make: Make) -> None:
    limits = {"min_mAP50": 0.97, "max_size_mb": 50}
    model = site.train(make(missed=0.1))
    by_images = site.release(model, gates=limits)
    of_eight = site.release(model, gates=limits, recordings=8)
    of_three = site.release(model, gates=limits, recordings=3)
    asked = site.release(model, gates=limits | {"unit": "image"}, recordings=8)
    for result, unit, groups in (
        (by_images, "image", "26"),
        (of_eight, "recording", "8"),
        (of_three, "recording", "3"),
        (asked, "image", "26"),
    ):
        tags = site.store.get_run(result.run_id).tags
        assert (tags["det.interval_unit"], tags["det.interval_groups"]) == (unit, groups)
        table = json.loads(site.read(result.run_id, "results/release.json"))
        assert table["evidence"]["unit"] == table["unit"] == unit
    measured = [decided(each).variants[0].gates[0].measured for each in (by_images, of_eight)]
    assert measured[0] is not None and measured[1] is not None
    assert measured[0].value == measured[1].value
    assert measured[0] != measured[1]
    # Three recordings that are in train too: told beside, and judged on its own.
    few, size = (g for g in decided(of_three).variants[0].gates if g.gate != "max_leak")
    assert (few.cause.kind, few.cause.more, size.outcome) == (CauseKind.FEW_GROUPS, 2, PASS)
    assert "(26 images of test in 3 recordings, 0.95" in decision_lines(decided(of_three))[0]
    for run, language, words in (
        (of_three, "", "26 images in 3 recordings"),
        (of_three, ".ko", "녹화 영상 3개"),
        (asked, "", "release.unit asked for images"),
        (asked, ".ko", "release.unit 설정"),
    ):
        assert words in site.read(run.run_id, f"report/release{language}.md")


@pytest.mark.slow
def test_the_winner_is_what_the_objective_prefers_among_those_that_pass(
    site: Site, make: Make
) -> None:
    good = site.train(make())
    also = site.train(
        make(missed=0.05),
        f"{NAME}__onnx_int8",
        **{"guardianflow.stage": "quant", "comparison.value": "onnx_int8"},
    )
    broken = site.train(
        make(missed=0.9),
        f"{NAME}__onnx_fp16",
        **{"guardianflow.stage": "quant", "comparison.value": "onnx_fp16"},
    )
    gates = {"min_mAP50": 0.6, "min_fps": 1, "objective": "throughput", "confidence": 0.9}
    result = site.release(good, also, broken, gates=gates)
    outcomes = {v.variant: v.outcome for v in decided(result).variants}
    assert outcomes == {"pytorch_fp32": PASS, "onnx_int8": PASS, "onnx_fp16": FAIL}
    fps = {v.variant: v.metrics["fps"] for v in decided(result).variants}
    assert decided(result).winner == max(("pytorch_fp32", "onnx_int8"), key=fps.__getitem__)
    assert decided(result).confidence == 0.9
    assert site.version_tags("1", f"{NAME}__onnx_fp16")[OUTCOME_TAG] == FAIL


@pytest.mark.slow
def test_a_busy_machine_decides_no_gate_on_times_and_loses_nothing_else(
    site: Site, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.train(make(missed=0.3))
    site.promote(version="1", force=True, reason="the first one")
    gates = {**GATES, "min_fps": 1, "min_cameras": 1}
    sections = {
        "benchmark": {
            "warmup_runs": 1,
            "benchmark_runs": 60,
            "cameras": {"fps": 5, "latency_budget_ms": 1000},
        }
    }
    let_others_take(monkeypatch, 1.4)
    result = site.release(
        site.train(make()), gates={**gates, "auto_promote": "on_pass"}, **sections
    )
    times = ("max_latency_p95_ms", "min_fps", "min_cameras")
    found = verdicts(result)
    assert {found.pop(name) for name in times} == {UNDECIDED}
    assert set(found.values()) == {PASS}
    assert decided(result).outcome == UNDECIDED and site.champion() == "1"
    for name in times:
        assert gate(result, name)["cause"]["kind"] == CauseKind.BUSY_MACHINE
        assert "measure again on a quiet machine" in gate(result, name)["reason"]
    run = site.store.get_run(result.run_id)
    assert run.metrics["release.pytorch_fp32.mAP50"] == 1.0
    absent = ("latency", "fps", "cameras")
    assert not [key for key in run.metrics if any(word in key for word in absent)]
    assert run.metrics["sys.busy"] == 1.0
    took = re.match(r"other processes took ([\d.]+) of ", run.tags["sys.busy"])
    assert took and float(took[1]) == pytest.approx(1.4, abs=0.05)
    again = "Run the same command again when the machine is quiet"
    assert any(again in each for each in result.notes)
    kept = json.loads(site.read(result.run_id, "results/latency.json"))
    assert kept["conditions"]["busy"] is True
    assert not {"latency", "throughput", "speedup"} & kept.keys()
    korean = site.read(result.run_id, "report/release.ko.md")
    assert "장비가 다른 작업으로 바빠 일부 시간을 측정하지 못했습니다" in korean

    # Two pass, and which is the faster is not known: that is no reason to promote the first.
    both = (
        site.train(make()),
        site.train(
            make(missed=0.05),
            f"{NAME}__onnx_int8",
            **{"guardianflow.stage": "quant", "comparison.value": "onnx_int8"},
        ),
    )
    unsure = site.release(*both, gates={"min_mAP50": 0.5, "auto_promote": "on_pass"})
    assert (decided(unsure).outcome, decided(unsure).promoted) == (PASS, ())
    assert any("nothing is promoted: onnx_int8 passed too" in text for text in site.said)
    assert site.champion() == "1"

    # The same on a quiet machine.
    let_others_take(monkeypatch, 0.1)
    again = site.release(site.train(make()), gates={**GATES, "min_fps": 1})
    assert decided(again).outcome == PASS
    assert again.metrics["release.pytorch_fp32.fps"] > 1
    assert "sys.busy" not in again.metrics
    assert not any("quiet" in each for each in again.notes)


@pytest.mark.slow
def test_the_same_files_lose_nothing_against_themselves(site: Site, make: Make) -> None:
    first = site.train(make(missed=0.25))
    gates = {**GATES, "auto_promote": "on_pass"}
    site.release(first, gates=gates)
    again = site.release(first, gates=gates)
    assert gate(again, "max_drop_vs_champion.mAP50")["measured"] == {
        "value": 0.0,
        "low": 0.0,
        "high": 0.0,
    }
    assert decided(again).outcome == PASS
    assert decided(again).promoted == ()
    assert any("is the champion already" in text for text in site.said)
    assert any("is the champion already" in text for text in decision_lines(decided(again)))


@pytest.mark.slow
def test_a_new_verdict_withdraws_an_old_one_before_its_evidence_changes(
    site: Site, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = site.train(make(missed=0.25))
    site.release(first)
    assert site.version_tags("1")[OUTCOME_TAG] == PASS
    write, calls = site.registry.tag_version, []

    def dies_after_one(name: str, version: str, tags: Any) -> None:
        calls.append(tags)
        if len(calls) > 1:
            raise TrackingError("the store went away")
        write(name, version, tags)

    monkeypatch.setattr(site.registry, "tag_version", dies_after_one)
    with pytest.raises(TrackingError, match="went away"):
        site.release(first)
    assert site.version_tags("1")[OUTCOME_TAG] == UNDECIDED
    with pytest.raises(PromotionRefusedError):
        site.promote()


@pytest.mark.slow
def test_a_champion_that_can_not_be_read_is_no_sign_of_there_being_none(
    site: Site, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.train(make(missed=0.25))
    site.promote(version="1", force=True, reason="the first one")
    second = site.train(make())
    fetch = site.registry.fetch

    def lost(reference: str, destination: Path) -> DetectorPackage:
        if reference.endswith("/1"):
            raise SourceError("the files have been deleted")
        return fetch(reference, destination)

    monkeypatch.setattr(site.registry, "fetch", lost)
    with pytest.raises(SourceError, match=r"champion demo/.* v1 can't be fetched.*deleted"):
        site.release(second)
    assert site.store.find_runs(tags={"guardianflow.stage": "release"}) == []


@pytest.mark.slow
def test_other_classes_than_the_champion_s_are_refused_by_name(
    site: Site, make: Make, split: tuple[LocalDataset, list[LabelledImage]]
) -> None:
    names = split[0].class_names
    site.train(make(names=(*names[:-1], "사람")))
    site.promote(version="1", force=True, reason="the first one")
    with pytest.raises(SourceError, match=r"same classes in the same order.*사람"):
        site.release(site.train(make()))


@pytest.mark.slow
def test_a_gate_on_a_class_that_the_data_does_not_have_is_told_first(
    site: Site, make: Make
) -> None:
    with pytest.raises(ScenarioError, match=r"names class 'helmt', but the data set .* has helmet"):
        site.release(site.train(make()), gates={"min_recall": {"helmt": 0.5}})


@pytest.mark.slow
def test_a_gate_on_a_slice_alone_refuses_a_model(site: Site, make: Make) -> None:
    site.train(make())
    site.promote(version="1", force=True, reason="the first one")
    second = site.train(make(missed=0.4))
    result = site.release(
        second, gates={"min_mAP50": 0.1, "min_recall_in": {"small": {"helmet": 0.95}}}
    )
    refused = gate(result, "min_recall_in.small.helmet")
    assert refused["outcome"] == FAIL
    assert refused["slice_name"] == "small"
    assert "recall of 'helmet' in slice 'small'" in refused["reason"]
    assert decided(result).outcome == FAIL
    assert result.metrics["release.pytorch_fp32.slice.size.small.recall"] < 0.8
    assert "pytorch_fp32,size,small,helmet" in site.read(result.run_id, "results/slices.csv")
    text = site.read(result.run_id, "report/release.html")
    assert "By slice" in text
    assert "Against the champion" in text


@pytest.mark.slow
def test_a_camera_that_nobody_names_is_told_before_a_run_is_made(site: Site, make: Make) -> None:
    candidate = site.train(make())
    with pytest.raises(ScenarioError, match=r"names slice 'camera\.gate', but nothing says"):
        site.release(candidate, gates={"min_recall_in": {"camera.gate": {"helmet": 0.5}}})
    assert site.store.find_runs(tags={"guardianflow.stage": "release"}) == []


@pytest.mark.slow
def test_what_is_judged_anew_is_found_below_its_pipeline(site: Site, make: Make) -> None:
    package = make()
    parent = site.store.start_run(RunRequest(EXPERIMENT, "pipeline", {"reused.quant-x": "later"}))
    other = {"guardianflow.stage": "quant", "comparison.value": "onnx_int8"}
    quant = site.train(package, f"{NAME}__onnx_int8", **other)
    site.store.annotate(parent, tags={"reused.quant-x": quant.run_id, "reused.infer-x": "no"})
    child = site.store.start_run(
        RunRequest(EXPERIMENT, "train", {"guardianflow.stage": "train"}, parent_run_id=parent)
    )
    site.registry.register(child, package, NAME)
    site.store.end_run(child)
    assert runs_below(site.ports, parent) == [child, quant.run_id]
    found = candidates_from_runs(site.ports, site.scenario(GATES), [quant.run_id, child])
    assert [(each.variant, each.name) for each in found] == [
        ("pytorch_fp32", NAME),
        ("onnx_int8", f"{NAME}__onnx_int8"),
    ]

    def runner(scenario: Scenario, **options: Any) -> ReleaseRunner:
        planner = Planner(scenario, site.settings, RunOptions(**options), "")
        return ReleaseRunner(planner, cast(Any, SimpleNamespace()), lambda _: site.ports)

    (request,) = runner(site.scenario(GATES), judged_run=parent).planned()
    assert [each["run_id"] for each in request.candidates] == [child, quant.run_id]
    assert (request.parent_run_id, request.force) == (parent, True)
    for options, message in (
        ({}, "name either a pipeline with --run"),
        ({"judged_run": parent, "judged_sources": (child,)}, "each once"),
        ({"judged_sources": (parent,)}, "must be a finished train or quant run"),
        ({"judged_sources": (child, child)}, "two runs made 'pytorch_fp32'"),
        ({"judged_sources": ("f" * 32,)}, "no run"),
    ):
        with pytest.raises((ScenarioError, SourceError), match=message):
            runner(site.scenario(GATES), **options).planned()
    elsewhere = site.scenario(GATES, site={"customer": "other", "region": "seoul"})
    with pytest.raises(SourceError, match=r"belongs to demo/.*the scenario is for other/"):
        runner(elsewhere, judged_run=parent).planned()


def test_options_that_contradict_the_section_are_told_before_anything_runs(site: Site) -> None:
    check_release(None)
    with pytest.raises(ScenarioError, match="--fail-on-gate needs a release section"):
        check_release(None, fail_on_gate=True)
    promoting = site.scenario({"min_mAP50": 0.1, "auto_promote": "on_pass"}).release
    with pytest.raises(ScenarioError, match="--no-register leaves nothing to promote"):
        check_release(promoting, register=False)


@pytest.mark.parametrize(("confidence", "draws"), [(0.5, 1000), (0.95, 1000), (0.99, 5000)])
def test_more_confidence_takes_more_draws(confidence: float, draws: int) -> None:
    assert resamples_for(confidence) == draws


def test_a_refusal_names_gate_and_reason() -> None:
    cause = GateCause(CauseKind.RECORDED, told="mAP50 is 0.3.")
    stopped = GateVerdict("min_mAP50", FAIL, 0.5, None, cause)
    variant = VariantDecision("onnx_int8", "", "", "", "", (stopped,))
    decision = ReleaseDecision(FAIL, "", "size", (variant,))
    assert refusal(decision) == (
        "the release did not pass, it is fail:\n  - onnx_int8: FAIL min_mAP50: mAP50 is 0.3."
    )
