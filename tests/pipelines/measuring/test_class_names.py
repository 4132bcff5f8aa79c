"""A package that has its class names in decomposed letters is judged under the composed ones."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from contexts import context_of, request_of
from recalling_detector import recalling_detector

from guardianflow.contracts.errors import DatasetError
from guardianflow.contracts.results import DetectorPackage
from guardianflow.detector import Detector
from guardianflow.site_data.datasets import read_labelled_images, resolve_dataset
from pipelines.measuring.accuracy import evaluate_split
from pipelines.stage.inputs.sources import (
    check_classes,
)
from scenario import build_scenario

SECTIONS = {
    "name": "demo",
    "site": {"customer": "demo", "region": "seoul"},
    "task": {"type": "ppe"},
    "model": {"architecture": "yolo11n"},
    "dataset": {"path": "demo://ppe"},
}


def test_the_same_numbers_under_the_same_names(tmp_path: Path) -> None:
    drawn = resolve_dataset("demo://ppe?images=24&size=96", cache_dir=tmp_path / "cache")
    names = ("안전모", *drawn.class_names[1:])
    dataset = replace(drawn, class_names=names)
    images = read_labelled_images(drawn, "test")
    plain = recalling_detector(tmp_path / "plain", images, names, missed=0.3)
    decomposed = tuple(unicodedata.normalize("NFD", name) for name in names)
    files = {name: plain.directory / name for name in plain.spec.files}
    older = tmp_path / "older"
    older.mkdir()
    for name, file in files.items():
        (older / name).write_bytes(file.read_bytes())
    odd = DetectorPackage.create(older, replace(plain.spec, class_names=decomposed))
    assert odd.spec.class_names != names

    context = context_of(
        request_of("infer", tmp_path, tmp_path / "work"), build_scenario(SECTIONS), tmp_path
    )
    found = []
    for package in (plain, odd):
        check_classes(package, dataset)
        with Detector.open(package) as detector:
            judged = evaluate_split(context, detector, images, "judging")
        assert judged.class_names == names
        found.append(judged.metrics.as_metrics())
    assert found[0] == found[1]
    assert 0 < found[0]["det.recall.안전모"] <= 1
    with pytest.raises(DatasetError, match="name different classes"):
        check_classes(odd, replace(dataset, class_names=("안전화", *names[1:])))
