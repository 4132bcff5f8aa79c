"""The script in a bundle: what it reads, what it says, and that it needs nothing but the runtime.

Machines without this project are made as virtual environments that hold numpy and one inference
library, by links into this environment: no network, and no cv2, Pillow, mlflow or project.
"""

from __future__ import annotations

import ast
import base64
import importlib.util
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from small_detectors import NAMES, small_package

from guardianflow.backends.catalogue import backend_info
from guardianflow.detector import Detector
from guardianflow.evaluation.images.preprocessing import load_image
from guardianflow.release.bundle.build import make_bundle
from guardianflow.release.bundle.check import check_bundle
from guardianflow.release.bundle.install import BundleDirectory
from guardianflow.release.bundle.run_detector import InputError, read_image
from guardianflow.run_tracking.runtime_copy import copy_runtime

LIBRARIES = {"onnx": ("onnxruntime",), "openvino": ("openvino",)}
NUMPY = ("numpy", "numpy.libs")


def noise(width: int, height: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Smooth enough that every PNG filter is worth using somewhere."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (5, 7, channels), np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    rough = smooth.reshape(height, width, channels).astype(int)
    rough[: height // 2] += random.integers(-9, 10, rough[: height // 2].shape)
    return np.clip(rough, 0, 255).astype(np.uint8)


# --- images ---------------------------------------------------------------------------------------


def save(mode: str) -> Callable[[Path], None]:
    def write(file: Path) -> None:
        Image.fromarray(noise(53, 37, 4), "RGBA").convert(mode).save(file)

    return write


def turned_bmp(file: Path) -> None:
    """Rows from the top, which a negative height says."""
    pixels = noise(5, 3)
    rows = b"".join(row[:, ::-1].tobytes() + b"\0" for row in pixels)
    head = struct.pack("<IiiHHIIiiII", 40, 5, -3, 1, 24, 0, 0, 0, 0, 0, 0)
    file.write_bytes(b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) + head + rows)


PLAIN = {
    "rgb.png": save("RGB"),
    "alpha.png": save("RGBA"),
    "grey.png": save("L"),
    "grey alpha.png": save("LA"),
    "palette.png": save("P"),
    "rgb.bmp": save("RGB"),
    "upside down.bmp": turned_bmp,
    "rgb.ppm": save("RGB"),
    "grey.pgm": save("L"),
    "opencv.png": lambda file: file.write_bytes(cv2.imencode(".png", noise(64, 48))[1].tobytes()),
    "opencv 안전모.bmp": lambda file: file.write_bytes(
        cv2.imencode(".bmp", noise(31, 7))[1].tobytes()
    ),
    "commented.ppm": lambda file: file.write_bytes(
        b"P6\n# by a camera\n4 # wide\n2\n255\n" + noise(4, 2).tobytes()
    ),
}


def read_alone(file: Path) -> np.ndarray:
    """As where neither OpenCV nor Pillow can be imported."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("cv2", "PIL"):
            patch.setitem(sys.modules, name, None)
        return read_image(file)


@pytest.mark.parametrize("name", PLAIN)
def test_plain_files_are_read_without_a_library_as_opencv_reads_them(
    name: str, tmp_path: Path
) -> None:
    PLAIN[name](tmp_path / name)
    image = read_alone(tmp_path / name)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, load_image(tmp_path / name))


def filtered_png(pixels: np.ndarray, filters: list[int]) -> bytes:
    """A PNG whose rows use these filters, by the definitions in the PNG specification, 9.2."""
    height, width, channels = pixels.shape
    whole = np.zeros((height + 1, width + 1, channels), int)
    whole[1:, 1:] = pixels
    left, up, corner = whole[1:, :-1], whole[:-1, 1:], whole[:-1, :-1]
    estimate = left + up - corner
    distance = [abs(estimate - each) for each in (left, up, corner)]
    paeth = np.where(distance[1] <= distance[2], up, corner)
    paeth = np.where((distance[0] <= distance[1]) & (distance[0] <= distance[2]), left, paeth)
    guesses = [np.zeros_like(left), left, up, (left + up) // 2, paeth]
    lines = b"".join(
        bytes([kind]) + ((pixels[y] - guesses[kind][y]) % 256).astype(np.uint8).tobytes()
        for y, kind in enumerate(filters)
    )
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"tEXt", b"a\0b")]
    packed = zlib.compress(lines)
    chunks += [(b"IDAT", packed[:20]), (b"IDAT", packed[20:]), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


@given(
    width=st.integers(1, 12),
    filters=st.lists(st.integers(0, 4), min_size=1, max_size=12),
    channels=st.integers(1, 4),
    seed=st.integers(0, 9),
)
@settings(max_examples=120, deadline=None)
def test_every_png_filter_is_undone(
    width: int, filters: list[int], channels: int, seed: int, tmp_path_factory: Any
) -> None:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (len(filters), width, channels))
    file = tmp_path_factory.getbasetemp() / "filtered.png"
    file.write_bytes(filtered_png(pixels, filters))
    expected = pixels[:, :, :3] if channels > 2 else np.repeat(pixels[:, :, :1], 3, axis=2)
    np.testing.assert_array_equal(read_image(file), expected)
    np.testing.assert_array_equal(load_image(file), expected)


@pytest.mark.parametrize("ending", [".png", ".bmp", ".ppm"])
def test_a_file_cut_anywhere_is_refused(ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"image{ending}"
    Image.fromarray(noise(9, 7)).save(file)
    whole = file.read_bytes()
    for length in range(2, len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(InputError):
            read_alone(file)


def test_a_changed_bit_of_a_png_is_found(tmp_path: Path) -> None:
    file = tmp_path / "image.png"
    Image.fromarray(noise(9, 7)).save(file)
    content = bytearray(file.read_bytes())
    content[60] ^= 4
    file.write_bytes(content)
    with pytest.raises(InputError, match="checksum"):
        read_alone(file)


@pytest.mark.parametrize("name", ["photo.jpg", "16 bit.png", "interlaced.png", "text.png"])
def test_what_needs_a_library_names_the_cure(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    if name == "16 bit.png":
        Image.fromarray(noise(9, 7, 1)[:, :, 0].astype(np.uint16) * 257).save(file)
    elif name == "interlaced.png":  # an 8-bit PNG whose head says so
        png = bytearray(filtered_png(noise(3, 3), [0, 0, 0]))
        png[28] = 1
        png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
        file.write_bytes(png)
    elif name == "text.png":
        file.write_text("not an image")
    else:
        Image.fromarray(noise(9, 7)).save(file)
    with pytest.raises(InputError, match=r"pip install opencv-python-headless.*convert"):
        read_alone(file)


@pytest.mark.parametrize("library", ["cv2", "PIL"])
def test_a_jpeg_is_read_by_the_library_there_is(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter to the right to see it upright
    Image.fromarray(noise(48, 32)).save(tmp_path / "a.jpg", exif=exif, quality=95)
    if library == "PIL":
        monkeypatch.setitem(sys.modules, "cv2", None)
    image = read_image(tmp_path / "a.jpg")
    expected = load_image(tmp_path / "a.jpg")
    assert image.shape == expected.shape == (48, 32, 3)
    # Two builds of a JPEG decoder may differ by a step of rounding.
    assert np.abs(image.astype(int) - expected).max() <= (0 if library == "cv2" else 3)


@pytest.mark.parametrize("library", ["cv2", "PIL", ""])
def test_a_note_that_turns_a_png_is_followed_or_refused(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise(48, 32)).save(tmp_path / "a.png", exif=exif)
    if library == "":
        with pytest.raises(InputError, match="needs OpenCV or Pillow"):
            read_alone(tmp_path / "a.png")
        return
    if library == "PIL":
        monkeypatch.setitem(sys.modules, "cv2", None)
    expected = load_image(tmp_path / "a.png")
    assert expected.shape == (48, 32, 3)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), expected)


def test_an_avif_is_turned_as_its_container_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise(48, 32)).save(tmp_path / "a.avif", exif=exif)
    expected = load_image(tmp_path / "a.avif")
    assert expected.shape == (48, 32, 3)
    np.testing.assert_array_equal(read_image(tmp_path / "a.avif"), expected)


@pytest.mark.parametrize("library", ["cv2", "PIL"])
def test_a_jpeg_that_lost_a_block_is_refused(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.jpg"
    Image.fromarray(noise(480, 320)).save(file, quality=95)
    content = file.read_bytes()
    half = len(content) // 2
    file.write_bytes(content[:half] + bytes(512) + content[half + 512 :])
    if library == "PIL":
        monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(InputError, match=r"a\.jpg is damaged: at byte"):
        read_image(file)


# --- on a machine without this project ------------------------------------------------------------


@dataclass
class Machine:
    """A box: an interpreter that has the runtime alone, and a bundle."""

    python: Path
    box: Path
    work: Path

    @property
    def script(self) -> Path:
        return self.box / "current" / "run_detector.py"

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.python), *words],
            cwd=self.work,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )


@pytest.fixture(
    scope="module", params=[pytest.param(each, marks=pytest.mark.slow) for each in LIBRARIES]
)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def machine(backend: str, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    folder = tmp_path_factory.mktemp(f"현장 {backend}")
    package = small_package(folder / "package", backend)
    runtime = copy_runtime(backend_info(backend).module, folder)
    bundle = make_bundle(package, model="a.b.c.ppe", version="3", facts={}, runtime=runtime)
    with BundleDirectory.opened(folder / "box") as directory:
        directory.install(bundle)
    venv = [sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")]
    subprocess.run(venv, check=True)
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    for name in (*NUMPY, *LIBRARIES[backend]):
        place = importlib.util.find_spec(name.removesuffix(".libs"))
        assert place is not None
        assert place.origin is not None
        source = Path(place.origin).parents[1] / name
        if source.exists():  # numpy.libs is there on Linux
            (site / name).symlink_to(source)
    work = folder / "somewhere else"
    work.mkdir()
    cv2.imencode(".png", noise(150, 97))[1].tofile(work / "정문.png")
    cv2.imencode(".bmp", np.zeros((20, 30, 3), np.uint8))[1].tofile(work / "black.bmp")
    return Machine(folder / "venv" / "bin" / "python", folder / "box", work)


def test_the_machine_has_the_runtime_alone(machine: Machine) -> None:
    names = ["mlflow", "guardianflow", "cv2", "PIL", "torch", "onnx", "ruamel", "numpy"]
    code = (
        "import importlib.util as u, sys\n"
        f"print([name for name in {names} if u.find_spec(name)], sys.flags.no_user_site)"
    )
    assert machine.run("-c", code).stdout.split("]")[0] == "['numpy'"


def test_it_finds_what_the_detector_finds_where_it_was_judged(
    machine: Machine, backend: str
) -> None:
    done = machine.run(str(machine.script), "정문.png", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    package_folder = machine.box.parent / "package"
    from guardianflow.contracts.results import DetectorPackage

    with Detector.open(DetectorPackage.load(package_folder)) as detector:
        (expected,) = detector.predict([load_image(machine.work / "정문.png")])
    assert len(expected) >= 3
    found = result["detections"]
    boxes = [[each[key] for key in ("x1", "y1", "x2", "y2")] for each in found]
    np.testing.assert_array_equal(np.array(boxes, np.float32), expected.boxes_xyxy)
    np.testing.assert_array_equal([each["class_id"] for each in found], expected.class_ids)
    scores = np.array([each["confidence"] for each in found], np.float32)
    np.testing.assert_array_equal(scores, expected.scores)
    assert {each["class_name"] for each in found} <= set(NAMES)
    assert (result["width"], result["height"]) == (150, 97)
    assert result["backend"] == backend
    assert result["bundle"].startswith("a.b.c.ppe-v3-")


def test_people_read_a_table(machine: Machine) -> None:
    done = machine.run(str(machine.script), "정문.png", "--conf", "0.9")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("정문.png: 150x97, objects: ")
    assert int(lines[0].rpartition(" ")[2]) == len(lines) - 2
    assert "a.b.c.ppe-v3-" in lines[-1]


def test_nothing_found_is_no_failure(machine: Machine) -> None:
    done = machine.run(str(machine.script), "black.bmp", "--conf", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["detections"] == []


def test_running_leaves_the_bundle_as_it_was(machine: Machine) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(machine.box / 'current')!r})\n"
        "from run_detector import open_detector, read_image\n"
        "with open_detector() as detector:\n"
        "    print(len(detector.predict([read_image('정문.png')])))\n"
        "print([n for n in sys.modules if n.split('.')[0] in ('mlflow', 'guardianflow')])\n"
    )
    done = machine.run("-c", code, ONEDNN_MAX_CPU_ISA="AVX2")
    assert done.stdout == "1\n[]\n", done.stderr
    assert check_bundle((machine.box / "current").resolve()).intact


def test_no_module_in_the_bundle_names_mlflow_or_the_project(machine: Machine) -> None:
    modules = list((machine.box / "current/").rglob("*.py"))
    assert len(modules) > 10
    for module in modules:
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom) and node.level == 0
                else []
            )
            roots = {name.split(".")[0] for name in names}
            assert not roots & {"mlflow", "guardianflow", "pipelines", "scenario", "apps"}, module


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["missing.png"], 2, "missing.png can't be read: No such file"),
        (["."], 2, "can't be read: Is a directory"),
        (["정문.png", "--conf", "1.5"], 2, "must be from 0 to 1 but is 1.5"),
        (["정문.png", "--device", "cuda:7"], 1, "runs on: auto"),
        (["photo.jpg"], 2, "needs OpenCV or Pillow. Install one"),
        ([], 2, "the following arguments are required"),
    ],
)
def test_what_can_t_be_used_is_said(
    machine: Machine, words: list[str], code: int, message: str
) -> None:
    (machine.work / "photo.jpg").write_bytes(base64.b64decode("/9j/4AAQSkZJRg=="))
    done = machine.run(str(machine.script), *words)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_tampered_model_is_not_run(machine: Machine) -> None:
    (weights,) = (machine.box / "current/").glob("model.[ox][nm][nl]*")
    content = weights.read_bytes()
    weights.write_bytes(content + b" ")
    try:
        done = machine.run(str(machine.script), "정문.png")
    finally:
        weights.write_bytes(content)
    assert done.returncode == 2
    assert f"not what was pulled (changed, missing or added: {weights.name})" in done.stderr


def test_a_missing_library_names_the_command(machine: Machine, backend: str) -> None:
    (site,) = machine.python.parents[1].glob("lib/python*/site-packages")
    (library,) = LIBRARIES[backend]
    (site / library).rename(site / "away")
    try:
        done = machine.run(str(machine.script), "정문.png")
    finally:
        (site / "away").rename(site / library)
    assert done.returncode == 2
    assert f"needs {library}, which is not installed. Install it with: pip install" in done.stderr


KILLED_WITHOUT_CAP = """
import os, signal
if os.environ.get("GUARDIANFLOW_RUN_DETECTOR_CHILD"):
    if os.environ.get("ONEDNN_MAX_CPU_ISA") not in {survivors}:
        os.kill(os.getpid(), signal.{signal})
"""


@pytest.mark.parametrize(
    ("survivors", "ended_by", "code", "message"),
    [
        (
            ["AVX512_CORE_VNNI"],
            "SIGILL",
            0,
            "note: this processor needs ONEDNN_MAX_CPU_ISA=AVX512_",
        ),
        ([], "SIGILL", 1, "error: the detector was ended by SIGILL"),
        ([], "SIGKILL", 1, "error: the detector was ended by SIGKILL"),
    ],
)
def test_a_processor_that_kills_is_worked_around_or_named(
    machine: Machine, survivors: list[str], ended_by: str, code: int, message: str
) -> None:
    (site,) = machine.python.parents[1].glob("lib/python*/site-packages")
    killer = KILLED_WITHOUT_CAP.format(survivors=survivors, signal=ended_by)
    (site / "sitecustomize.py").write_text(killer)
    try:
        done = machine.run(str(machine.script), "정문.png")
    finally:
        (site / "sitecustomize.py").unlink()
    assert done.returncode == code
    assert message in done.stderr
    assert ("objects:" in done.stdout) == (code == 0)
