"""What is odd about the data is told where people look: console, tags, summary, report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from contexts import context_of, request_of
from release_reports import make_report
from workplace import Workplace, last_json

from guardianflow.contracts.data_warnings import DataWarning, DataWarningKind, as_tag
from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from guardianflow.release.report.page import render_report
from pipelines.console import PlainReporter, RichReporter, print_result, result_as_dict
from pipelines.full_pipeline.summary import Summary
from pipelines.stage.events import EventSink, Reporter
from pipelines.stage.inputs.data_sets import (
    dataset_tags,
    load_dataset,
)
from scenario import build_scenario

SHARED = DataWarning(
    DataWarningKind.SHARED_WITH_TRAIN, "val", {"shared": 3, "images": 12}, ("/data/a|b.jpg",)
)
TOLD = "val: 3 of 12 pictures are in train too"


class Noticing(EventSink):
    """Keeps the notices of a stage."""

    def __init__(self) -> None:
        super().__init__(None)
        self.notices: list[str] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)


def loaded(folder: Path, reference: str) -> tuple[Any, list[str]]:
    """The data set as a stage loads it, and what it says."""
    sections = {
        "name": "demo",
        "site": {"customer": "demo", "region": "seoul"},
        "task": {"type": "ppe"},
        "model": {"architecture": "yolo11n"},
        "dataset": {"path": reference},
    }
    events = Noticing()
    request = request_of("train", folder, folder / "work")
    context = context_of(request, build_scenario(sections), folder, events=events)
    return load_dataset(context), events.notices


def test_images_without_labels_are_always_counted(tmp_path: Path) -> None:
    whole, said = loaded(tmp_path, "demo://ppe?images=12&size=96")
    assert said == ["demo-ppe: images without a label file: train 0 of 8, val 0 of 1, test 0 of 3"]
    tags = dataset_tags(whole)
    assert {key: tags[key] for key in tags if "without_labels" in key} == {
        "data.images_without_labels.train": "0",
        "data.images_without_labels.val": "0",
        "data.images_without_labels.test": "0",
    }
    assert "data.warnings" not in tags


def test_what_is_odd_is_said_and_tagged(tmp_path: Path) -> None:
    drawn, _ = loaded(tmp_path, "demo://ppe?images=12&size=96")
    home = drawn.splits["train"][0].parents[2]
    file = tmp_path / "same.yaml"
    file.write_text(
        f"path: {home}\ntrain: images/train\nval: images/train\n"
        f"names: {json.dumps(drawn.class_names)}\n"
    )
    found, said = loaded(tmp_path, str(file))
    assert said[0] == "same: images without a label file: train 0 of 8, val 0 of 8"
    assert said[1].startswith("warning: val: 8 of 8 pictures are in train too; what is measured")
    (told,) = json.loads(dataset_tags(found)["data.warnings"])
    assert (told["cause"], told["split"]) == ("shared_with_train", "val")
    assert told["numbers"] == {"shared": 8, "images": 8}


@pytest.mark.parametrize("reporter", [PlainReporter, RichReporter])
def test_a_notice_stays_on_the_console_and_is_said_once(
    reporter: type[PlainReporter | RichReporter], capsys: pytest.CaptureFixture[str]
) -> None:
    shown: Reporter = reporter()
    done = StageResult("train", "abc", RunStatus.FINISHED, "demo", "run")
    for stage in ("train", "infer"):
        shown.started(stage, Path("stage.log"))
        shown.event(stage, {"kind": "notice", "text": f"warning: {TOLD}"})
        shown.event(stage, {"kind": "message", "text": "교정 이미지 64장"})
        shown.ended(stage, replace(done, stage=stage))
    assert capsys.readouterr().err.count(TOLD) == 1


def test_a_result_carries_them_to_table_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    done = StageResult("infer", "abc", RunStatus.FINISHED, "demo", "run", data_warnings=(SHARED,))
    assert StageResult.from_dict(json.loads(json.dumps(done.to_dict()))) == done
    print_result(done)
    assert TOLD in " ".join(capsys.readouterr().out.split())
    assert result_as_dict(done)["data_warnings"] == [SHARED.to_dict()]
    summary = Summary("demo", "v1", "demo/x", "abc", (), data_warnings=(SHARED,))
    assert f"Data: {TOLD}" in summary.to_markdown() and "a\\|b.jpg" in summary.to_markdown()
    assert summary.to_dict()["data_warnings"] == [SHARED.to_dict()]


@pytest.mark.parametrize(
    ("language", "said"), [("en", TOLD), ("ko", "val: 사진 12장 중 3장이 train에도 있습니다")]
)
@pytest.mark.parametrize("form", ["html", "md"])
def test_the_release_report_tells_them_in_both_languages(
    language: str, said: str, form: str
) -> None:
    content = make_report()
    assert said not in render_report(content, language, form)
    page = render_report(replace(content, data_warnings=(SHARED,)), language, form)
    assert said in page


def test_every_cause_has_its_numbers_in_words() -> None:
    """The keys that a cause is documented with are those that its words need."""
    lines = (DataWarningKind.__doc__ or "").splitlines()
    documented = {words[0]: words[1:] for line in lines if (words := line.split())}
    for cause in DataWarningKind:
        assert cause.name in documented


def test_a_tag_is_never_too_long() -> None:
    many = [replace(SHARED, examples=("x" * 150,) * 3) for _ in range(40)]
    assert len(as_tag(many)) < 5000
    assert len(json.loads(as_tag(many))) == 40
    assert DataWarning.from_dict(json.loads(as_tag([SHARED]))[0]) == SHARED


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_pipeline_on_what_trained_it_says_so_everywhere(workplace: Workplace) -> None:
    """Console, tags of every run, JSON, summary, and the release report in both languages."""
    drawn, _ = loaded(workplace.root, "demo://ppe?images=12&size=96")
    home = drawn.splits["train"][0].parents[2]
    data = workplace.root / "data.yaml"
    data.write_text(
        f"path: {home}\ntrain: images/train\nval: images/train\ntest: images/test\n"
        f"names: {json.dumps(drawn.class_names)}\n"
    )
    scenario = workplace.write_scenario()
    text = scenario.read_text(encoding="utf-8")
    one = "quantization: {variants: [{backend: onnx, precision: fp32}]}\n"
    scenario.write_text(text[: text.index("quantization:")] + one, encoding="utf-8")
    words = ("-p", f"dataset.path={data}", "-p", "model.input_size=96", "-p", "training.epochs=1")
    words += ("-p", "benchmark.benchmark_runs=20", "-p", "release.max_size_mb=50")
    done = workplace.guardianflow("pipeline", str(scenario), *words, "--json", timeout=500)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("warning: val: 8 of 8 pictures are in train too") == 1
    assert "images without a label file: train 0 of 8, val 0 of 8, test 0 of 3" in done.stderr

    result = last_json(done.stdout)
    assert {stage["stage"] for stage in result["stages"]} == {"train", "quant", "infer", "release"}
    for stage in result["stages"]:
        (told,) = stage["data_warnings"]
        assert (told["cause"], told["numbers"]) == ("shared_with_train", {"shared": 8, "images": 8})
        tags = workplace.store.get_run(stage["run_id"]).tags
        assert json.loads(tags["data.warnings"]) == [told]
        counts = [tags[f"data.images_without_labels.{split}"] for split in ("train", "val", "test")]
        assert counts == ["0", "0", "0"]
    said = {
        "report/summary.md": "val: 8 of 8 pictures are in train too",
        "report/release.html": "val: 8 of 8 pictures are in train too",
        "report/release.ko.html": "val: 사진 8장 중 8장이 train에도 있습니다",
    }
    for name, sentence in said.items():
        page = workplace.store.download(result["run_id"], name, workplace.root / "got")
        assert sentence in page.read_text(encoding="utf-8"), name
