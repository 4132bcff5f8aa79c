"""Lost blocks of a JPEG are damage, and no sound file is taken for damaged."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFile

from guardianflow.support.pictures.decoding import decode, size_of
from guardianflow.support.pictures.jpeg import read_jpeg
from guardianflow.support.pictures.kinds import PictureError

WIDTH, HEIGHT = 512, 384
WAYS: dict[str, dict[str, object]] = {
    "standard tables": {},
    "optimised": {"optimize": True},
    "optimised 4:4:4": {"optimize": True, "subsampling": 0},
    "progressive": {"progressive": True},
    "restart markers": {"restart_marker_blocks": 5},
    "optimised, restart rows": {"optimize": True, "restart_marker_rows": 1},
    "progressive, restart rows": {"progressive": True, "restart_marker_rows": 2},
}
MODES = ("RGB", "L", "CMYK")
QUALITIES = (1, 10, 50, 75, 95, 100)


def plain(shade: int) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), shade, np.uint8)


def scene() -> np.ndarray:
    """Detail as photographs have it: smooth shapes, and noise that fades."""
    random = np.random.default_rng(3)
    coarse = random.integers(0, 256, (12, 16, 3), np.uint8)
    smooth = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).astype(int)
    return np.clip(smooth + random.normal(0, 9, smooth.shape), 0, 255).astype(np.uint8)


def pictures() -> dict[str, np.ndarray]:
    across = np.linspace(0, 255, WIDTH).astype(np.uint8)
    down = np.linspace(0, 255, HEIGHT).astype(np.uint8)
    y, x = np.indices((HEIGHT, WIDTH))
    letterboxed, stripes = plain(114), plain(0)
    letterboxed[80:300, 40:460] = scene()[80:300, 40:460]
    stripes[:, ::2] = 255
    return {
        "black": plain(0),
        "white": plain(255),
        "grey": plain(114),
        "red": plain(0) + np.array([255, 0, 0], np.uint8),
        "across": np.tile(across[None, :, None], (HEIGHT, 1, 3)),
        "down": np.tile(down[:, None, None], (1, WIDTH, 3)),
        "board": np.repeat(((x // 8 + y // 8) % 2 * 255).astype(np.uint8)[..., None], 3, 2),
        "dots": np.repeat(((x + y) % 2 * 255).astype(np.uint8)[..., None], 3, 2),
        "stripes": stripes,
        "letterboxed": letterboxed,
        "scene": scene(),
        "overexposed": np.clip(scene().astype(int) * 3, 0, 255).astype(np.uint8),
        "noise": np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8),
    }


def encoded(pixels: np.ndarray, quality: int, way: str, mode: str = "RGB") -> bytes:
    stream = io.BytesIO()
    ImageFile.MAXBLOCK = 4 << 20  # Pillow's encoder wants room for a whole noisy picture
    Image.fromarray(pixels).convert(mode).save(stream, "JPEG", quality=quality, **WAYS[way])
    return stream.getvalue()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", pictures())
def test_no_sound_file_is_refused(name: str, way: str) -> None:
    pixels = pictures()[name]
    for quality in QUALITIES:
        for mode in MODES if quality == 75 else ("RGB",):
            content = encoded(pixels, quality, way, mode)
            assert size_of(content, counting=True) == (WIDTH, HEIGHT), (quality, mode)


@pytest.mark.parametrize("way", WAYS)
def test_no_sound_file_of_an_odd_size_is_refused(way: str) -> None:
    random = np.random.default_rng(8)
    for _ in range(40):
        width, height = (int(side) for side in random.integers(1, 120, 2))
        pixels = plain(int(random.integers(256)))[:height, :width].copy()
        pixels[: height // 2] = scene()[: height // 2, :width]
        content = encoded(pixels, int(random.integers(1, 101)), way)
        assert size_of(content, counting=True) == (width, height)


def test_no_photograph_is_refused(shared_data: Path) -> None:
    files = list((shared_data / "coco128" / "images").rglob("*.jpg"))
    assert len(files) == 256
    for file in files:
        content = file.read_bytes()
        assert size_of(content, counting=True) == decode(content).shape[1::-1]


def spoilt(content: bytes, at: float, fill: bytes) -> bytes:
    """With `fill` in the place of as many bytes of the picture's data."""
    start = content.find(b"\xff\xda") + 20
    place = start + int((len(content) - start - len(fill) - 3) * at)
    return content[:place] + fill + content[place + len(fill) :]


@pytest.mark.parametrize("at", [0.1, 0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("length", [64, 512, 4096])
def test_a_zeroed_block_is_damage_wherever_it_is(at: float, length: int) -> None:
    for quality in (60, 75, 95):
        for way in ("standard tables", "restart markers"):  # as nearly all cameras write
            content = spoilt(encoded(scene(), quality, way), at, bytes(length))
            for counting in (False, True):
                with pytest.raises(PictureError, match="is damaged: at byte"):
                    size_of(content, counting=counting)
            with pytest.raises(PictureError, match="is damaged: at byte"):
                decode(content)


@pytest.mark.parametrize("way", [way for way in WAYS if way != "standard tables"])
@pytest.mark.parametrize("name", ["scene", "letterboxed", "overexposed"])
def test_blocks_are_counted_where_zeros_may_be_data(name: str, way: str) -> None:
    for at in (0.2, 0.35, 0.5, 0.65, 0.8):
        content = spoilt(encoded(pictures()[name], 90, way), at, bytes(4096))
        with pytest.raises(PictureError, match=r"is damaged: at byte|is cut short"):
            size_of(content, counting=True)


def test_zeros_to_the_very_end_are_damage() -> None:
    """A file whose last blocks never reached the disk; its last bytes may be there or not."""
    for way in ("standard tables", "optimised"):
        content = encoded(scene(), 90, way)
        half = len(content) // 2
        with pytest.raises(PictureError, match="is damaged"):
            size_of(content[:half] + bytes(len(content) - half - 2) + b"\xff\xd9", counting=True)
        with pytest.raises(PictureError, match="is cut short"):
            size_of(content[:half] + bytes(len(content) - half))


def test_erased_flash_memory_is_damage() -> None:
    for way in WAYS:
        content = spoilt(encoded(scene(), 90, way), 0.5, b"\xff" * 512)
        with pytest.raises(PictureError, match=r"is damaged|is cut short"):
            decode(content)


def test_a_progressive_file_without_its_last_scans_is_cut_short() -> None:
    content = encoded(scene(), 90, "progressive")
    scans = read_jpeg(content).scans
    for scan in scans[:-1]:
        with pytest.raises(PictureError, match="without its last scans"):
            decode(content[: scan.end] + b"\xff\xd9")


def test_other_data_in_the_midst_are_damage() -> None:
    random = np.random.default_rng(0)
    found = 0
    for at in np.linspace(0.1, 0.8, 15):
        content = spoilt(encoded(scene(), 90, "standard tables"), at, random.bytes(4096))
        try:
            decode(content)
        except PictureError:
            found += 1
    assert found == 15  # 4096 bytes without a marker by chance: 1 of 8 million


def test_lost_intervals_are_damage() -> None:
    content = encoded(scene(), 90, "restart markers")
    picture = read_jpeg(content)
    ((one, *_, last),) = [picture.intervals_of(scan, content) for scan in picture.scans]
    middle = (one[1] + last[0]) // 2
    with pytest.raises(PictureError, match="is damaged"):
        decode(content[:middle] + content[middle + 9000 :])
    with pytest.raises(PictureError, match="intervals are missing"):
        decode(content[: one[1]] + b"\xff\xd9")


def test_padding_is_no_damage() -> None:
    """Some cameras fill up before or after the end marker."""
    for way in WAYS:
        content = encoded(scene(), 90, way)
        for padded in (
            content + bytes(4096),
            content[:-2] + b"\xff" * 64 + b"\xff\xd9",
            content[:-2] + bytes(5) + b"\xff\xd9",
        ):
            assert size_of(padded, counting=True) == (WIDTH, HEIGHT)
    for way in ("standard tables", "optimised"):
        content = encoded(scene(), 90, way)
        padded = content[:-2] + bytes(300) + b"\xff\xd9"
        assert size_of(padded, counting=True) == (WIDTH, HEIGHT)


def test_hostile_files_take_no_time() -> None:
    """Long runs of what begins a marker: quadratic in their length, they would take hours."""
    content = encoded(scene(), 90, "standard tables")
    head = content[: content.find(b"\xff\xda") + 14]
    for tail in (b"\xff" * 4_000_000, b"\xff\x00" * 2_000_000, b"\xff\xd0" * 2_000_000):
        with pytest.raises(PictureError):
            size_of(head + tail, counting=True)
    with pytest.raises(PictureError):
        size_of(content[:2] + b"\xff" * 4_000_000)
