"""Image files of every form: the same mAP as the plain set, what the trainer sees, or an error."""

from __future__ import annotations

import io
import struct
import unicodedata
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from recalling_detector import recalling_detector
from spelled_pictures import FORMS, Writer, by_opencv, by_pillow, exif, saved, stored, upright

from guardianflow.contracts.errors import DatasetError
from guardianflow.contracts.results import DetectorPackage, LocalDataset
from guardianflow.detector import Detector
from guardianflow.evaluation.accuracy.detection import collect_predictions, evaluate_detections
from guardianflow.site_data.datasets import read_labelled_images, resolve_dataset
from guardianflow.site_data.image_files import examined, image_size

NAMES = ("helmet", "head")
COUNT = 8  # one image for each way to be turned


def rows_of(number: int) -> str:
    chance = np.random.default_rng(number)
    centres, sides = chance.uniform(0.3, 0.7, (3, 2)), chance.uniform(0.1, 0.5, (3, 2))
    return "".join(
        f"{chance.integers(2)} {x:.4f} {y:.4f} {w:.4f} {h:.4f}\n"
        for (x, y), (w, h) in zip(centres, sides, strict=True)
    )


def write_set(root: Path, suffix: str, write: Writer, turned: bool, stem: str = "img") -> Path:
    """Image n is turned as EXIF's orientation n + 1 says, where its form can be turned."""
    for split, first in (("train", 100), ("val", 0)):
        for kind in ("images", "labels"):
            (root / kind / split).mkdir(parents=True)
        for number in range(first, first + COUNT):
            content = write(upright(number), number % 8 + 1 if turned else 1)
            name = f"{stem}{number:03d}"
            (root / "images" / split / f"{name}{suffix}").write_bytes(content)
            (root / "labels" / split / f"{name}.txt").write_text(rows_of(number))
    (root / "data.yaml").write_text(
        f"train: images/train\nval: images/val\nnames: [{', '.join(NAMES)}]\n"
    )
    return root


def resolve(root: Path) -> LocalDataset:
    return resolve_dataset(str(root / "data.yaml"), cache_dir=root.parent / "cache")


def judge(package: DetectorPackage, dataset: LocalDataset) -> dict[str, float]:
    images = read_labelled_images(dataset, "val")
    with Detector.open(package) as detector:
        found = collect_predictions(detector, images)
    return dict(evaluate_detections(found, images, NAMES).as_metrics())


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[DetectorPackage, float]:
    """A detector that knows the upright images and misses some boxes, and its mAP on them."""
    folder = tmp_path_factory.mktemp("plain")
    dataset = resolve(write_set(folder / "set", ".png", by_opencv(".png"), turned=False))
    images = read_labelled_images(dataset, "val")
    package = recalling_detector(folder / "model", images, NAMES, missed=0.4, seed=3)
    return package, judge(package, dataset)["det.mAP50_95"]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_accuracy_of_the_plain_set(
    form: str, reference: tuple[DetectorPackage, float], tmp_path: Path
) -> None:
    package, expected = reference
    assert 0.2 < expected < 0.9  # a number that can change
    dataset = resolve(write_set(tmp_path / "set", *FORMS[form]))
    images = read_labelled_images(dataset, "val")
    assert {(image.width, image.height) for image in images} == {(96, 64)}
    assert judge(package, dataset)["det.mAP50_95"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("unicode_form", ["NFC", "NFD"])
def test_hangul_names_are_read(
    unicode_form: str, reference: tuple[DetectorPackage, float], tmp_path: Path
) -> None:
    package, expected = reference
    stem = unicodedata.normalize(unicode_form, "안전모 ")  # type: ignore[arg-type]
    root = write_set(tmp_path / "set", *FORMS["TIFF"], stem=stem)
    assert judge(package, resolve(root))["det.mAP50_95"] == pytest.approx(expected, abs=1e-6)


def test_what_is_trained_on_is_what_is_judged(tmp_path: Path) -> None:
    """Ultralytics' own loader: its images have the size and the pixels that ours have."""
    from ultralytics.data.utils import verify_image_label
    from ultralytics.utils.patches import imread

    from guardianflow.evaluation.images.preprocessing import load_image

    for place, form in enumerate(FORMS):
        dataset = resolve(write_set(tmp_path / str(place), *FORMS[form]))
        for split, files in dataset.splits.items():
            for image, file in zip(read_labelled_images(dataset, split), files, strict=True):
                pixels = imread(str(file))
                assert pixels is not None
                assert pixels.shape[1::-1] == (image.width, image.height), form
                np.testing.assert_array_equal(pixels[..., ::-1], load_image(file))
                label = str(file).replace("/images/", "/labels/").rpartition(".")[0] + ".txt"
                answer = verify_image_label((str(file), label, "", False, 2, 0, 0, False))
                assert answer[0] is not None, (form, answer[-1])  # not left out
                assert len(answer[1]) == len(image.boxes_xyxy)


# --- what is refused, before any run is made ------------------------------------------------------

PIXELS = upright(0)
JPEG = by_pillow("JPEG", quality=95)
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"/>'


def jpeg_with_a_hole(pixels: np.ndarray, _: int) -> bytes:
    large = cv2.resize(pixels, (480, 320), interpolation=cv2.INTER_CUBIC)
    noisy = large.astype(int) + np.random.default_rng(0).normal(0, 9, large.shape)
    content = saved(Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)), "JPEG", quality=90)
    half = len(content) // 2
    return content[:half] + bytes(512) + content[half + 512 :]


def deflate_with_a_hole(pixels: np.ndarray, _: int) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    content = saved(Image.fromarray(noise), "TIFF", compression="tiff_adobe_deflate")
    return content[:9000] + bytes(512) + content[9512:]


def lzw_with_a_hole(pixels: np.ndarray, _: int) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    content = saved(Image.fromarray(noise), "TIFF", compression="tiff_lzw")
    return content[:9000] + bytes(512) + content[9512:]


def half_of(write: Writer) -> Writer:
    return lambda pixels, turn: (content := write(pixels, turn))[: len(content) // 2]


def huge(pixels: np.ndarray, _: int) -> bytes:
    content = bytearray(saved(Image.fromarray(pixels), "BMP"))
    content[18:26] = struct.pack("<ii", 300_000, 300_000)
    return bytes(content)


REFUSED: dict[str, tuple[str, Callable[[np.ndarray, int], bytes], str]] = {
    "JPEG with a zeroed block": (".jpg", jpeg_with_a_hole, "is damaged: at byte .* fetch the file"),
    "JPEG cut short": (".jpg", half_of(JPEG), "is cut short"),
    "PNG cut short": (".png", half_of(by_pillow("PNG")), "is cut short"),
    "WebP cut short": (".webp", half_of(by_pillow("WEBP")), "can't be read as an image"),
    "TIFF cut short": (".tif", half_of(by_pillow("TIFF")), "can't be read as an image"),
    "AVIF cut short": (".avif", half_of(by_pillow("AVIF")), "can't be read as an image"),
    "TIFF, a deflated strip": (".tif", deflate_with_a_hole, "is damaged"),
    "TIFF, an LZW strip": (".tif", lzw_with_a_hole, "is damaged"),
    "empty": (".jpg", lambda *_: b"", "can't be read as an image: .* it is empty"),
    "a web page": (".jpg", lambda *_: b"<!DOCTYPE html><html></html>", "web page"),
    "an LFS pointer": (
        ".png",
        lambda *_: b"version https://git-lfs.github.com/spec/v1",
        "lfs pull",
    ),
    "GIF called .png": (".png", by_pillow("GIF"), "is GIF, which trainers don't read; convert"),
    "PPM called .png": (".png", by_opencv(".ppm"), "is PNM, which trainers don't read"),
    "PFM called .tif": (
        ".tif",
        lambda pixels, _: bytes(cv2.imencode(".pfm", np.float32(pixels / 255))[1]),
        "is PFM, which trainers don't read|holds numbers of type float32",
    ),
    "TIFF of floats": (
        ".tif",
        lambda pixels, _: bytes(cv2.imencode(".tif", np.float32(pixels / 255))[1]),
        "TIFF: damaged, or with numbers that are no 8 or 16 bits",
    ),
    "a raw photo": (
        ".dng",
        lambda pixels, _: saved(
            Image.fromarray(pixels), "TIFF", tiffinfo={254: 1, 50706: (1, 4, 0, 0)}
        ),
        r"is a raw photo \(DNG\), of which decoders read a preview; develop it",
    ),
    "AVIF called .jpg, turned": (
        ".jpg",
        lambda pixels, _: by_pillow("AVIF")(pixels, 6),
        "is AVIF called .jpg, .* rename it .avif",
    ),
    "JPEG called .tif, turned": (
        ".tif",
        lambda pixels, _: JPEG(pixels, 6),
        "is JPEG called .tif, .* rename it .jpg",
    ),
    "AVIF turned by XMP alone": (
        ".avif",
        lambda pixels, _: saved(Image.fromarray(pixels), "AVIF", xmp=XMP),
        "in its XMP alone .* store it upright",
    ),
    "300,000² px": (
        ".bmp",
        huge,
        "at most 178,956,970 px but its head says 300000×300000",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_trainer_reads_otherwise_or_is_damaged_is_an_error(
    name: str, tmp_path: Path
) -> None:
    suffix, write, said = REFUSED[name]
    root = write_set(tmp_path / "set", ".png", by_opencv(".png"), turned=False)
    bad = root / "images" / "val" / f"img003{suffix}"
    bad.with_suffix(".png").unlink()
    bad.write_bytes(write(PIXELS, 1))
    with pytest.raises(DatasetError, match=said) as caught:
        resolve(root)
    assert [problem.where for problem in caught.value.problems] == [str(bad)]


def test_a_wrong_suffix_is_no_matter_where_nothing_is_turned(tmp_path: Path) -> None:
    for suffix, write in ((".jpg", by_pillow("AVIF")), (".tif", JPEG), (".avif", by_pillow("PNG"))):
        assert examined(write(PIXELS, 1), Path(f"a{suffix}")) == (96, 64)


def test_heif_is_read_where_its_library_is_or_names_it(tmp_path: Path) -> None:
    file = tmp_path / "a.heic"
    file.write_bytes(b"\x00\x00\x00\x1cftypheic\x00\x00\x00\x00mif1heicmiaf" + bytes(100))
    try:
        import pillow_heif
    except ImportError:
        with pytest.raises(ValueError, match="needs pi-heif: pip install pi-heif"):
            image_size(file)
        return
    pytest.importorskip("pi_heif")
    stream = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(PIXELS)).save(stream)
    assert examined(stream.getvalue(), file) == (96, 64)
    with pytest.raises(ValueError, match=r"is HEIF called \.jpg, .* rename it \.heic"):
        examined(stream.getvalue(), Path("a.jpg"))


def test_an_image_has_the_size_it_is_shown_in(tmp_path: Path) -> None:
    file = tmp_path / "turned.jpg"
    stored(PIXELS, 6).save(file, exif=exif(6))
    with Image.open(file) as image:
        assert image.size == (64, 96)
    assert image_size(file) == (96, 64)


def test_what_is_no_image_is_refused_by_its_kind(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"not a picture")
    with pytest.raises(ValueError, match="can't be read as an image"):
        image_size(tmp_path / "a.jpg")
