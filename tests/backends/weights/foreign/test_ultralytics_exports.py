"""What Ultralytics itself exports: each kind finds what the plain export finds, or is named."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from once_per_run import OncePerRun

from guardianflow.backends.weights import ultralytics_models, weight_files, weight_notes
from guardianflow.backends.weights.foreign import trial_run
from guardianflow.backends.weights.packages import package_from_weights
from guardianflow.contracts.errors import SourceError
from guardianflow.contracts.results import DetectorPackage
from guardianflow.detector import Detector

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SIDE = 160

Export = Callable[..., Path]


@pytest.fixture(scope="module")
def export(once_per_run: OncePerRun, weights: Callable[[str], Path]) -> Export:
    """(architecture, format, Ultralytics' options) → the exported file, made once."""

    def make(architecture: str, form: str = "onnx", **options: Any) -> Path:
        words = "-".join(f"{key}{value}" for key, value in options.items())

        def fill(folder: Path) -> None:
            from ultralytics import YOLO

            name = f"{architecture}.pt"
            if architecture.count("-"):  # of another task: from its description
                YOLO(f"{architecture}.yaml").save(folder / name)
            else:
                shutil.copyfile(weights(architecture), folder / name)
            with warnings.catch_warnings():  # Ultralytics' own, on every export
                warnings.simplefilter("ignore")
                YOLO(folder / name).export(format=form, imgsz=SIDE, verbose=False, **options)

        ultralytics_models.import_ultralytics()
        folder = once_per_run.made(f"exported-{architecture}-{form}-{words}", fill)
        return folder / (
            f"{architecture}.onnx" if form == "onnx" else f"{architecture}_openvino_model"
        )

    return make


def packaged(file: Path, folder: Path, images: np.ndarray) -> DetectorPackage:
    package = package_from_weights(file, folder, input_size=None)
    trial_run.require_usual_values(package, str(file), images, "cpu")
    return package


def boxes_of(package: DetectorPackage, images: np.ndarray, confidence: float) -> list[np.ndarray]:
    with Detector.open(package, device="cpu") as detector:
        found = detector.predict(list(images), confidence=confidence, iou=0.7)
    return [np.column_stack([f.boxes_xyxy, f.class_ids, f.scores]) for f in found]


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("onnx", {}),
        ("onnx", {"half": True}),
        ("onnx", {"dynamic": True}),
        ("onnx", {"batch": 2}),
        ("openvino", {}),
        ("openvino", {"half": True}),
        ("openvino", {"dynamic": True}),
    ],
)
def test_each_export_of_a_network_finds_what_the_checkpoint_finds(
    export: Export,
    weights: Callable[[str], Path],
    images: np.ndarray,
    tmp_path: Path,
    form: str,
    options: dict[str, Any],
) -> None:
    source = package_from_weights(weights("yolo11n"), tmp_path / "source", input_size=SIDE)
    made = packaged(export("yolo11n", form, **options), tmp_path / "made", images)
    assert (made.spec.output, made.spec.input_size) == ("grid", SIDE)
    assert made.spec.class_names == source.spec.class_names
    assert weight_notes.notes_of(made.spec) == ()
    tolerance = 1.5 if "half" in options else 0.05  # float16 counts hundreds in eighths
    with (
        Detector.open(source, device="cpu") as reference,
        Detector.open(made, device="cpu") as detector,
    ):
        expected, raw = reference.infer(images[:1]), detector.infer(images[:1])
    assert np.abs(raw[:, :4] - expected[:, :4]).max() < tolerance
    assert np.abs(raw[:, 4:] - expected[:, 4:]).max() < 0.02


def test_an_export_with_nms_says_where_it_cuts(
    export: Export, weights: Callable[[str], Path], images: np.ndarray, tmp_path: Path
) -> None:
    for form in ("onnx", "openvino"):
        file = export("yolo11n", form, nms=True)
        made = packaged(file, tmp_path / form, images)
        assert made.spec.output == "end_to_end"
        assert weight_notes.tags_of(made.spec)["weights.nms_confidence"] == "0.25"
        (note,) = weight_notes.notes_of(made.spec)
        assert "drops boxes below confidence 0.25 by an NMS of its own" in note
        found = boxes_of(made, images, 0.001)
        plain = boxes_of(
            package_from_weights(weights("yolo11n"), tmp_path / f"plain-{form}", input_size=SIDE),
            images,
            0.25,
        )
        assert sum(len(each) for each in plain) > 100
        for ours, theirs in zip(found, plain, strict=True):
            apart = np.abs(ours[:, None, :5] - theirs[None, :, :5]).max(axis=2)
            # a box that overlaps by just the limit may go either way
            assert abs(len(ours) - len(theirs)) <= 2
            assert (apart.min(axis=0) < 0.1).mean() > 0.98


@pytest.mark.parametrize("architecture", ["yolo26n", "yolov10n"])
def test_end_to_end_exports_are_end_to_end(
    export: Export, images: np.ndarray, tmp_path: Path, architecture: str
) -> None:
    made = packaged(export(architecture, nms=False), tmp_path / "made", images)
    assert made.spec.output == "end_to_end"
    assert weight_notes.notes_of(made.spec) == ()


@pytest.mark.parametrize(
    ("architecture", "task"),
    [("yolo11n-pose", "pose"), ("yolo11n-obb", "obb"), ("yolo11n-seg", "segment")],
)
def test_other_tasks_are_named_with_and_without_metadata(
    export: Export, tmp_path: Path, architecture: str, task: str
) -> None:
    import onnx

    file = export(architecture)
    with pytest.raises(SourceError, match=f"is a model for the task '{task}'"):
        weight_files.read(file)
    model = onnx.load(str(file))
    names = next(each for each in model.metadata_props if each.key == "names")
    del model.metadata_props[:]
    model.metadata_props.append(names)
    onnx.save(model, str(tmp_path / "bare.onnx"))
    with pytest.raises(SourceError, match=r"(pose|OBB|segmentation) model"):
        weight_files.read(tmp_path / "bare.onnx")


def test_a_checkpoint_says_the_size_it_was_trained_with(
    weights: Callable[[str], Path], tmp_path: Path
) -> None:
    import torch

    content = torch.load(weights("yolo11n"), weights_only=False)
    torch.save({**content, "train_args": {"imgsz": 96}}, tmp_path / "small.pt")
    cache = tmp_path / "cache"
    for place in ("first", "again"):  # read, then known
        made = package_from_weights(
            tmp_path / "small.pt", tmp_path / place, input_size=None, cache_dir=cache
        )
        assert made.spec.input_size == 96
        assert int(made.spec.lineage["flops"]) > 0
    other = package_from_weights(tmp_path / "small.pt", tmp_path / "other", input_size=160)
    assert weight_notes.tags_of(other.spec)["weights.made_for_size"] == "96"
    with pytest.raises(SourceError, match=r"does not say the size of its input.*--imgsz"):
        package_from_weights(weights("yolo11n"), tmp_path / "silent", input_size=None)
