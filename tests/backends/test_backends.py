"""One suite for every backend that runs on a CPU: what `contracts.ports` promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from guardianflow.backends import catalogue
from guardianflow.contracts.errors import (
    BackendError,
    BackendUnavailableError,
    ConfigurationError,
    EvaluationError,
)
from guardianflow.contracts.results import DetectorPackage, ExportRequest

MakePackage = Callable[..., DetectorPackage]
BACKENDS = ("pytorch", "onnx", "openvino")
EXPORTERS = ("onnx", "openvino")
SIDE = 160
ANCHORS = 20 * 20 + 10 * 10 + 5 * 5


def relative_difference(output: np.ndarray, reference: np.ndarray) -> float:
    """Largest deviation of each row (box side, class) relative to that row's largest value."""
    scale = np.abs(reference).max(axis=(0, 2), keepdims=True)
    return float((np.abs(output - reference) / scale).max())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("architecture", ["yolo11n", "yolov8n"])
def test_a_grid_detector_gives_what_pytorch_gives(
    package: MakePackage, images: np.ndarray, backend: str, architecture: str
) -> None:
    with catalogue.open_session(package(architecture), batch_size=3) as session:
        reference = session.infer(images)
    assert reference[:, 4:].std() > 0.05, "a detector whose scores don't vary proves nothing"
    with catalogue.open_session(package(architecture, backend), batch_size=3) as session:
        output = session.infer(images)
    assert output.shape == (3, 8, ANCHORS)
    assert output.dtype == np.float32
    assert relative_difference(output, reference) < 1e-3


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_end_to_end_detector_gives_what_pytorch_gives(
    package: MakePackage, images: np.ndarray, backend: str
) -> None:
    made = package("yolo26n", backend)
    assert made.spec.output == "end_to_end"
    with catalogue.open_session(package("yolo26n"), batch_size=3) as session:
        reference = session.infer(images)
    with catalogue.open_session(made, batch_size=3) as session:
        output = session.infer(images)
    assert output.shape == (3, 300, 6)
    np.testing.assert_allclose(output[..., 4], reference[..., 4], rtol=1e-3)
    # Near-equal scores may change places, so boxes are compared where the score is unique.
    top = slice(0, 5)
    np.testing.assert_allclose(output[:, top, :4], reference[:, top, :4], rtol=1e-3, atol=0.05)
    np.testing.assert_array_equal(output[:, top, 5], reference[:, top, 5])


@pytest.mark.parametrize("backend", BACKENDS)
def test_any_number_of_images_up_to_the_batch_size(
    package: MakePackage, images: np.ndarray, backend: str
) -> None:
    with catalogue.open_session(package(backend=backend), batch_size=3) as session:
        whole = session.infer(images)
        for count in (1, 2):
            np.testing.assert_allclose(session.infer(images[:count]), whole[:count], rtol=1e-3)
        # nothing of an earlier call is left, and an earlier result is not written over
        again = session.infer(images[::-1])
    np.testing.assert_allclose(again[::-1], whole, rtol=1e-3)
    with catalogue.open_session(package(backend=backend), batch_size=1) as single:
        np.testing.assert_allclose(single.infer(images[1:2]), whole[1:2], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_open_session_says_what_it_is(package: MakePackage, backend: str) -> None:
    with catalogue.open_session(package(backend=backend), batch_size=2, device="cpu") as session:
        info = session.info
    assert (info.backend, info.precision, info.execution_precision) == (backend, "fp32", "f32")
    assert (info.device, info.input_size, info.batch_size) == ("cpu", SIDE, 2)
    assert info.threads is not None and info.threads >= 1
    assert info.library.split()[1][0].isdigit()


@pytest.mark.parametrize("backend", BACKENDS)
def test_wrong_images_are_refused(package: MakePackage, images: np.ndarray, backend: str) -> None:
    with catalogue.open_session(package(backend=backend), batch_size=2) as session:
        with pytest.raises(EvaluationError, match="uint8, N×160×160×3 but got float32"):
            session.infer(images.astype(np.float32))  # type: ignore[arg-type]
        with pytest.raises(EvaluationError, match="3×80×160×3"):
            session.infer(images[:, ::2])
        with pytest.raises(EvaluationError, match="1 to 2 images a call but got 3"):
            session.infer(images)
        with pytest.raises(EvaluationError, match="but got 0"):
            session.infer(images[:0])
    with pytest.raises(EvaluationError, match="closed"):
        session.infer(images[:1])
    session.close()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_spec_that_does_not_fit_the_file_is_found_out(
    package: MakePackage, images: np.ndarray, backend: str
) -> None:
    made = package(backend=backend)
    wrong = DetectorPackage(made.directory, replace(made.spec, class_names=("a", "b")))
    with (
        catalogue.open_session(wrong) as session,
        pytest.raises(EvaluationError, match="1×6×N but came as float32, 1×8×525"),
    ):
        session.infer(images[:1])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_device_that_is_not_there_is_named_with_those_that_are(
    package: MakePackage, backend: str
) -> None:
    for device in ("cuda:7", "quantum"):
        with pytest.raises(BackendUnavailableError, match=rf"cpu.*'{device}'|'{device}'.*cpu"):
            catalogue.open_session(package(backend=backend), device=device)


@pytest.mark.parametrize("backend", BACKENDS)
def test_files_of_another_kind_are_refused(package: MakePackage, backend: str) -> None:
    other = package(backend=BACKENDS[BACKENDS.index(backend) - 1])
    with pytest.raises(BackendError, match=f"'{backend}' backend can't open"):
        catalogue.get_backend(backend).open(other)
    with pytest.raises(ConfigurationError, match="batch_size"):
        catalogue.open_session(package(backend=backend), batch_size=0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_damaged_file_is_a_backend_error(
    package: MakePackage, backend: str, tmp_path: Path
) -> None:
    made = package(backend=backend)
    (tmp_path / made.spec.weights).write_bytes(b"not a network")
    with pytest.raises((BackendError, ConfigurationError), match=r"not|open"):
        catalogue.open_session(DetectorPackage(tmp_path, made.spec))


@pytest.mark.parametrize("backend", EXPORTERS)
def test_an_export_is_a_complete_package(package: MakePackage, backend: str) -> None:
    source, made = package(), package(backend=backend)
    loaded = DetectorPackage.load(made.directory)
    assert loaded.spec == made.spec
    assert loaded.spec.class_names == source.spec.class_names
    assert loaded.spec.architecture == "yolo11n"
    assert loaded.spec.lineage["source_digest"] == source.digest
    assert f"{catalogue.CATALOGUE[backend].library}==" in loaded.spec.lineage["export_versions"]


@pytest.mark.parametrize("backend", EXPORTERS)
def test_a_failed_export_leaves_nothing(package: MakePackage, backend: str, tmp_path: Path) -> None:
    class Breaking(list[np.ndarray]):
        def __getitem__(self, index: object) -> np.ndarray:
            if index == 0:
                return np.zeros((SIDE, SIDE, 3), np.uint8)
            raise OSError("the disk went away")

    bad_images = [
        (None, ConfigurationError, "calibration images of the train split but got none"),
        ([], ConfigurationError, "calibration images of the train split but got none"),
        ([np.zeros((8, 8, 3), np.uint8)], ConfigurationError, "calibration image 0 must be"),
        (Breaking([np.zeros(1), np.zeros(1)]), BackendError, "the disk went away"),
    ]
    for calibration, error, words in bad_images:
        with pytest.raises(error, match=words):
            catalogue.get_backend(backend).export(
                package(), ExportRequest("int8"), tmp_path / "made", calibration
            )
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_requests_that_can_t_be_met_are_refused_before_any_work(
    package: MakePackage, backend: str, tmp_path: Path
) -> None:
    exporter = catalogue.get_backend(backend)
    with pytest.raises(BackendUnavailableError, match="qat"):
        exporter.export(package(), ExportRequest("int8", "qat"), tmp_path / "a", [])
    with pytest.raises(ConfigurationError, match="PyTorch detector but got one of 'onnx'"):
        exporter.export(package(backend="onnx"), ExportRequest("fp32"), tmp_path / "a")
    (tmp_path / "there").mkdir()
    with pytest.raises(ConfigurationError, match="exists already"):
        exporter.export(package(), ExportRequest("fp32"), tmp_path / "there")
    assert [p.name for p in tmp_path.iterdir()] == ["there"]


def test_nothing_is_written_beside_the_source_or_in_the_working_directory(
    package: MakePackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = package()
    before = sorted(source.directory.rglob("*"))
    catalogue.get_backend("openvino").export(
        source, ExportRequest("fp16"), tmp_path / "out" / "made"
    )
    assert sorted(source.directory.rglob("*")) == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["made"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_calls_side_by_side_give_what_one_at_a_time_gives(
    package: MakePackage, images: np.ndarray, backend: str
) -> None:
    made = package(backend=backend)
    with catalogue.open_session(made, device="cpu") as session:
        alone = [session.infer(images[i : i + 1]) for i in range(3)]
        with pytest.raises(EvaluationError, match="open it with mode='throughput'"):
            session.submit(images[:1])
    with catalogue.open_session(made, device="cpu", mode="throughput") as session:
        assert session.info.mode == "throughput"
        assert session.info.requests >= session.info.streams >= 1
        # more than can be under way at once, so that submit has to wait
        futures = [session.submit(images[i % 3 : i % 3 + 1]) for i in range(24)]
        for number, future in enumerate(futures):
            np.testing.assert_allclose(
                future.result(), alone[number % 3], rtol=1e-3, atol=1e-4, err_msg=str(number)
            )
        np.testing.assert_allclose(session.infer(images[:1]), alone[0], rtol=1e-3, atol=1e-4)
        with pytest.raises(EvaluationError, match="images must be uint8"):
            session.submit(images[:1, :32])


@pytest.mark.parametrize("backend", BACKENDS)
def test_closing_waits_for_calls_under_way(
    package: MakePackage, images: np.ndarray, backend: str
) -> None:
    made = package(backend=backend)
    session = catalogue.open_session(made, device="cpu", mode="throughput")
    futures = [session.submit(images[:1]) for _ in range(6)]
    session.close()
    assert all(future.result(timeout=0).shape == (1, 8, ANCHORS) for future in futures)
    with pytest.raises(EvaluationError, match="this session is closed"):
        session.submit(images[:1])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_mode_is_latency_or_throughput(package: MakePackage, backend: str) -> None:
    with pytest.raises(ConfigurationError, match="latency, throughput but got 'fast'"):
        catalogue.open_session(package(backend=backend), mode="fast")
