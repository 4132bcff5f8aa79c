"""A checkpoint that was read is not opened again, and says the same."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from guardianflow.backends.weights import known_checkpoints, ultralytics_models
from guardianflow.backends.weights.packages import package_from_weights
from guardianflow.contracts.detector_package import sha256_of
from guardianflow.contracts.errors import SourceError
from guardianflow.contracts.results import DetectorPackage

MakeWeights = Callable[[str], Path]


def make(file: Path, place: Path, cache: Path, **more: bool) -> DetectorPackage:
    return package_from_weights(file, place, input_size=160, cache_dir=cache, **more)


@pytest.mark.parametrize("architecture", ["yolo11n", "yolo26n"])
def test_the_second_time_says_the_same_and_opens_nothing(
    weights: MakeWeights, tmp_path: Path, architecture: str
) -> None:
    file, cache = weights(architecture), tmp_path / "cache"
    uncached = package_from_weights(file, tmp_path / "uncached", input_size=160)
    first = make(file, tmp_path / "first", cache)
    code = (
        "import sys; from pathlib import Path\n"
        "from guardianflow.backends.weights.packages import package_from_weights\n"
        f"made = package_from_weights(Path({str(file)!r}), Path({str(tmp_path / 'again')!r}), "
        f"input_size=160, cache_dir=Path({str(cache)!r}))\n"
        "print(made.digest, *{'torch', 'ultralytics'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == [first.digest], done.stderr
    assert first.spec == uncached.spec
    assert "flops" in first.spec.lineage


def test_another_size_or_file_is_another_answer(weights: MakeWeights, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    small = make(weights("yolo11n"), tmp_path / "small", cache)
    large = package_from_weights(
        weights("yolo11n"), tmp_path / "large", input_size=320, cache_dir=cache
    )
    other = make(weights("yolov8n"), tmp_path / "other", cache)
    assert len(list(cache.iterdir())) == 3
    assert len({each.spec.lineage["flops"] for each in (small, large, other)}) == 3


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"figures": {}}', '{"figures": 3}'])
def test_a_damaged_answer_is_made_anew(
    weights: MakeWeights, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    cache = tmp_path / "cache"
    first = make(weights("yolo11n"), tmp_path / "first", cache)
    (place,) = cache.iterdir()
    whole = place.read_text(encoding="utf-8")
    place.write_text(damage, encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        again = make(weights("yolo11n"), tmp_path / "again", cache)
    assert "is damaged" in caplog.text
    assert again.spec == first.spec
    assert place.read_text(encoding="utf-8") == whole


def test_what_may_not_be_opened_is_refused_although_it_was_read_before(tmp_path: Path) -> None:
    """Trust is not kept: who vouched once vouches for that once."""
    import torch
    from ultralytics.nn.tasks import DetectionModel

    ultralytics_models.import_ultralytics()
    model = DetectionModel("yolo11n.yaml", nc=2, verbose=False)
    model.names, model.helper = {0: "helmet", 1: "head"}, subprocess.CompletedProcess([], 0)
    torch.save({"model": model, "train_args": {}}, tmp_path / "foreign.pt")
    cache = tmp_path / "cache"
    make(tmp_path / "foreign.pt", tmp_path / "made", cache, trusted=True)
    assert len(list(cache.iterdir())) == 1
    with pytest.raises(SourceError, match=r"would run 'subprocess\.CompletedProcess'"):
        make(tmp_path / "foreign.pt", tmp_path / "again", cache)


def test_a_cache_that_can_t_be_written_costs_nothing_but_time(
    weights: MakeWeights, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("a file, not a directory", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        made = make(weights("yolo11n"), tmp_path / "made", tmp_path / "cache")
    assert "can't be kept" in caplog.text
    assert "flops" in made.spec.lineage


@pytest.mark.parametrize("changed", ["weight_files", "model_figures", "product_counter"])
def test_a_module_that_reads_otherwise_by_now_is_asked_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    before = known_checkpoints._place(tmp_path, b"content", 96)
    assert before is not None
    assert before == known_checkpoints._place(tmp_path, b"content", 96)

    def digest(file: Path) -> str:
        return "another" if file.stem == changed else sha256_of(file)

    monkeypatch.setattr(known_checkpoints, "sha256_of", digest)
    assert known_checkpoints._place(tmp_path, b"content", 96) != before
