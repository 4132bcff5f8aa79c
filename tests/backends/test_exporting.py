from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from guardianflow.backends import exporting, hardware
from guardianflow.backends.quantisation.calibration import CalibrationImages
from guardianflow.contracts.errors import (
    BackendError,
    BackendUnavailableError,
    MissingDependencyError,
    SourceError,
)


def test_a_missing_library_and_a_broken_one_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "half_there.py").write_text("import not_there_at_all")
    (tmp_path / "broken_lib.py").write_text("raise ImportError('libfoo.so: wrong ELF class')")
    with pytest.raises(MissingDependencyError, match=r"x needs no_such_lib.*pip install it"):
        exporting.require("no_such_lib", "x", "pip install it")
    with pytest.raises(BackendUnavailableError, match="misses not_there_at_all"):
        exporting.require("half_there", "x", "pip install it")
    with pytest.raises(BackendUnavailableError, match="wrong ELF class"):
        exporting.require("broken_lib", "x", "pip install it")


def test_foreign_errors_become_ours_and_ours_stay() -> None:
    with (
        pytest.raises(BackendError, match="the export failed: ValueError") as caught,
        exporting.foreign_errors("the export"),
    ):
        raise ValueError
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(SourceError, match="as it is"), exporting.foreign_errors("the export"):
        raise SourceError("as it is")


def test_a_directory_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "deep" / "made"
    with pytest.raises(KeyboardInterrupt), exporting.complete_or_absent(place) as work:
        (work / "half").touch()
        assert not place.exists()
        raise KeyboardInterrupt
    assert list(place.parent.iterdir()) == []
    with exporting.complete_or_absent(place) as work:
        (work / "whole").touch()
    assert [p.name for p in place.iterdir()] == ["whole"]
    plain = tmp_path / "plain"
    plain.mkdir()
    assert place.stat().st_mode == plain.stat().st_mode, "others may read it, as the umask says"


def test_calibration_images_can_be_gone_through_again_and_again() -> None:
    images = CalibrationImages([np.full((8, 8, 3), 255, np.uint8)] * 2, 8)
    for _ in range(2):
        inputs = list(images)
        assert len(inputs) == len(images) == 2
        assert inputs[0].shape == (1, 3, 8, 8)
        assert inputs[0].dtype == np.float32
        assert inputs[0].max() == inputs[0].min() == 1.0


# --- the machine --------------------------------------------------------------------------------


def fake_cpu(root: Path, cpu: int, package: int, core: int) -> None:
    topology = root / f"cpu{cpu}" / "topology"
    topology.mkdir(parents=True)
    (topology / "physical_package_id").write_text(f"{package}\n")
    (topology / "core_id").write_text(f"{core}\n")


@pytest.mark.parametrize(
    ("allowed", "quota", "cores"),
    [
        ([0, 1, 2, 3], None, 2),  # two cores with two threads each
        ([0, 2], None, 1),  # both threads of one core
        ([0, 1], "max 100000", 2),
        ([0, 1, 2, 3], "100000 100000", 1),  # a container that may use one CPU
        ([0, 1, 2, 3], "50000 100000", 1),
        ([0, 1, 8], None, 3),  # one that /sys says nothing about
    ],
)
def test_physical_cores(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    allowed: list[int],
    quota: str | None,
    cores: int,
) -> None:
    for cpu in range(4):
        fake_cpu(tmp_path, cpu, package=0, core=cpu % 2)
    if quota is not None:
        (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(hardware, "CPU_TOPOLOGY", tmp_path)
    monkeypatch.setattr(hardware, "CPU_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(hardware, "_allowed_cpus", lambda: allowed)
    assert hardware.physical_cores() == cores


def test_this_machine_has_a_core_and_an_identity() -> None:
    assert 1 <= hardware.physical_cores() <= (os.cpu_count() or 1)
    assert hardware.cpu_identity()


def test_without_proc_the_identity_is_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "CPU_INFO", Path("/nonexistent"))
    assert hardware.cpu_flags() == frozenset()
    assert hardware.cpu_identity().strip(" |")


@pytest.mark.parametrize(
    ("device", "index"),
    [("cuda", 0), ("cuda:1", 1), ("0", 0), (" CUDA:2 ", 2), ("cpu", None), ("cuda:x", None)],
)
def test_names_of_cuda_devices(device: str, index: int | None) -> None:
    assert hardware.cuda_index(device) == index
