"""Finished runs are found in the command's own process, and nothing is run to find them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from identified_site import Site

from guardianflow.site_data import datasets
from pipelines.reuse.lookup import ReuseLookup
from pipelines.settings import Settings

HEAVY = ("torch", "ultralytics", "openvino", "onnxruntime", "onnx", "nncf", "cv2", "matplotlib")


def lookup(site: Site, told: list[tuple[str, dict[str, Any]]] | None = None) -> ReuseLookup:
    said = [] if told is None else told
    return ReuseLookup(
        site.ports, Settings(work_dir=site.work), lambda title, event: said.append((title, event))
    )


@pytest.mark.parametrize("stage", ["train", "quant", "infer"])
def test_a_finished_run_stands_in_until_something_changes(site: Site, stage: str) -> None:
    assert lookup(site).find(site.request(stage)) is None
    run_id = site.finish(stage)
    found = lookup(site).find(site.request(stage))
    assert found is not None and found.reused and found.run_id == run_id
    (site.data / "labels/train/0.txt").write_text("1 0.5 0.5 0.2 0.2\n")
    assert lookup(site).find(site.request(stage)) is None


@pytest.mark.parametrize("values", [{"force": True}, {"check_only": True}])
def test_what_is_forced_or_only_checked_is_not_looked_for(
    site: Site, values: dict[str, bool]
) -> None:
    site.finish("train")
    site.given = dict(values)
    assert lookup(site).find(site.request("train")) is None


def test_the_data_are_read_once_for_all_stages_and_again_after_work(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stage in ("train", "quant", "infer"):
        site.finish(stage)
    reads: list[Path] = []
    read = datasets.read_layout
    monkeypatch.setattr(
        datasets, "read_layout", lambda *given: reads.append(given[0]) or read(*given)
    )
    one = lookup(site)
    assert all(one.find(site.request(stage)) for stage in ("train", "quant", "infer"))
    before = len(reads)
    assert before <= 1
    (site.data / "labels/train/0.txt").write_text("1 0.5 0.5 0.2 0.2\n")
    one.forget()  # as after a stage that took days
    assert one.find(site.request("infer")) is None
    assert len(reads) == before + 1


def test_broken_data_are_left_to_the_stage_which_tells_of_them(site: Site) -> None:
    site.finish("train")
    (site.data / "labels/train/0.txt").write_text("7 0.5 0.5 0.2 0.2\n")
    assert lookup(site).find(site.request("train")) is None


def test_what_a_reused_stage_has_to_say_is_told_and_what_another_has_is_not(site: Site) -> None:
    (site.data / "labels/train/3.txt").unlink()  # told of: it counts as background
    told: list[tuple[str, dict[str, Any]]] = []
    lookup(site, told).find(site.request("train"))
    assert told == []
    site.finish("train")
    lookup(site, told).find(site.request("train"))
    assert {event["kind"] for _, event in told} == {"notice"}


def test_looking_imports_no_library_that_works_with_models(site: Site, repository: Path) -> None:
    """The modules of the lookup and of every stage; what a look does is imported within it."""
    code = (
        "import sys, pipelines.reuse.lookup, pipelines.train.stage, pipelines.quant.stage;"
        "import pipelines.infer.stage, pipelines.release.stage, guardianflow.site_data.datasets;"
        "import experiments_adapters.code_path, guardianflow.backends.hardware;"
        f"print([each for each in {HEAVY} if each in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
