"""Every form of a picture comes out upright, as Ultralytics' trainer has it, or is refused."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from spelled_pictures import FORMS, TURNS, by_pillow, exif, saved, stored, upright

from guardianflow.support.pictures.decoding import decode, is_turned, size_of
from guardianflow.support.pictures.kinds import PictureError, kind_of

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    b'tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


def by_the_trainer(content: bytes, suffix: str, folder: Path) -> np.ndarray | None:
    from ultralytics.utils.patches import imread

    file = folder / f"a{suffix}"
    file.write_bytes(content)
    image = imread(str(file))
    return None if image is None else image[..., ::-1]


@pytest.mark.parametrize("form", FORMS)
def test_a_picture_is_upright_and_as_the_trainer_has_it(form: str, tmp_path: Path) -> None:
    suffix, write, is_turnable = FORMS[form]
    picture = upright(1)
    for turn in TURNS if is_turnable else (1,):
        content = write(picture, turn)
        found = decode(content)
        assert found.shape == picture.shape, turn
        assert found.dtype == np.uint8
        if "alpha" not in form:  # TIFF's is mixed in, by the trainer as well
            # Palettes have few colours, JPEG and AVIF round.
            assert np.abs(found.astype(int) - picture).mean() < (20 if "palette" in form else 4)
        assert size_of(content, counting=True) == (96, 64)
        assert is_turned(content) == (turn != 1)
        theirs = by_the_trainer(content, suffix, tmp_path)
        assert theirs is not None
        np.testing.assert_array_equal(found, theirs)


def test_grey_and_black_and_white_get_three_channels(tmp_path: Path) -> None:
    for form, mode, options in (
        ("PNG", "L", {}),
        ("PNG", "LA", {}),
        ("PNG", "1", {}),
        ("JPEG", "L", {"quality": 100}),
        ("TIFF", "L", {}),
        ("TIFF", "1", {}),
        ("TIFF", "1", {"compression": "group4"}),
    ):
        content = by_pillow(form, mode, **options)(upright(2), 6)
        found = decode(content)
        assert found.shape == (64, 96, 3)
        assert (found == found[..., :1]).all()
        grey = cv2.cvtColor(upright(2), cv2.COLOR_RGB2GRAY)
        if mode != "1":
            assert np.abs(found[..., 0].astype(int) - grey).max() <= 3
        suffix = {"PNG": ".png", "JPEG": ".jpg", "TIFF": ".tif"}[form]
        theirs = by_the_trainer(content, suffix, tmp_path)
        assert theirs is not None
        np.testing.assert_array_equal(found, np.broadcast_to(theirs, found.shape))


def test_a_note_of_another_type_turns_where_opencv_turns(tmp_path: Path) -> None:
    """EXIF says SHORT; some tools write LONG. Pillow passes over it, OpenCV does not."""
    content = bytearray(by_pillow("JPEG", quality=100)(upright(3), 6))
    place = content.find(struct.pack(">HHI", 274, 3, 1))
    content[place + 3] = 4
    found = decode(bytes(content))
    theirs = by_the_trainer(bytes(content), ".jpg", tmp_path)
    assert theirs is not None
    np.testing.assert_array_equal(found, theirs)
    assert size_of(bytes(content)) == found.shape[1::-1] == (96, 64)


@pytest.mark.parametrize("value", [0, 9])
def test_a_note_without_sense_turns_nothing(value: int) -> None:
    for form in ("JPEG", "PNG", "TIFF"):
        content = saved(Image.fromarray(upright(3)), form, exif=exif(value))
        assert size_of(content) == decode(content).shape[1::-1] == (96, 64)


def test_xmp_alone_turns_nothing_as_it_turns_nothing_for_the_trainer(tmp_path: Path) -> None:
    image = Image.fromarray(upright(4))
    note = PngInfo()
    note.add_itxt("XML:com.adobe.xmp", XMP.decode())
    raw = PngInfo()
    raw.add_text(
        "Raw profile type exif", f"\nexif\n{len(exif(6).tobytes()):8}\n{exif(6).tobytes().hex()}\n"
    )
    for suffix, content in (
        (".jpg", saved(image, "JPEG", quality=100, xmp=XMP)),
        (".webp", saved(image, "WEBP", lossless=True, xmp=XMP)),
        (".tif", saved(image, "TIFF", tiffinfo={700: XMP})),
        (".png", saved(image, "PNG", pnginfo=note)),
        (".png", saved(image, "PNG", pnginfo=raw)),
    ):
        found = decode(content)
        assert size_of(content) == found.shape[1::-1] == (96, 64)
        theirs = by_the_trainer(content, suffix, tmp_path)
        assert theirs is not None
        np.testing.assert_array_equal(found, theirs)


def test_a_png_is_turned_by_a_note_after_its_pixels_as_opencv_turns_it(tmp_path: Path) -> None:
    content = by_pillow("PNG")(upright(5), 6)
    place = content.find(b"eXIf") - 4
    (length,) = struct.unpack_from(">I", content, place)
    note = content[place : place + 12 + length]
    end = content.rfind(b"IEND") - 4
    moved = content[:place] + content[place + len(note) : end] + note + content[end:]
    found = decode(moved)
    assert size_of(moved) == found.shape[1::-1]
    theirs = by_the_trainer(moved, ".png", tmp_path)
    assert theirs is not None
    np.testing.assert_array_equal(found, theirs)


PIXELS = upright(6)
LARGE = struct.pack(">II", 400_000, 400_000)


def with_png_size(width: int, height: int) -> bytes:
    content = bytearray(saved(Image.fromarray(PIXELS), "PNG"))
    content[16:24] = struct.pack(">II", width, height)
    import zlib

    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4)
    return bytes(content)


def with_jpeg_size(width: int, height: int) -> bytes:
    content = bytearray(saved(Image.fromarray(PIXELS), "JPEG"))
    place = content.find(b"\xff\xc0")
    content[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def raw_photo() -> bytes:
    """A DNG's first directory: a small preview, marked as one."""
    return saved(Image.fromarray(PIXELS), "TIFF", tiffinfo={254: 1, 50706: (1, 4, 0, 0)})


REFUSED = {
    "empty": (b"", "it is empty"),
    "text": (b"hello", "not an image OpenCV can decode"),
    "a page": (b"<!DOCTYPE html><html>Sign in", "web page"),
    "a page after spaces": (b"\n\n <HTML><head>", "web page"),
    "LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
    "zeros": (bytes(5000), "nothing but zeros"),
    "SVG": (b'<?xml version="1.0"?><svg xmlns="x"/>', "SVG"),
    "a video": (b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + bytes(50), "video"),
    "JPEG's head": (b"\xff\xd8\xff\xe0 cut off", "cut short in its head"),
    "JPEG without a picture": (b"\xff\xd8\xff\xd9", "without a picture"),
    "PNG of 400,000²": (with_png_size(400_000, 400_000), "at most 178,956,970 px but"),
    "JPEG of 65,000²": (with_jpeg_size(65_000, 65_000), "65000×65000"),
    "JPEG of no lines": (with_jpeg_size(96, 0), "96×0"),
    "a raw photo": (raw_photo(), "raw photo"),
    "float TIFF": (
        bytes(cv2.imencode(".tif", np.float32(PIXELS / 255))[1]),
        "not an image OpenCV can decode",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_picture_says_what_it_is(name: str) -> None:
    content, said = REFUSED[name]
    for read in (decode, size_of):
        with pytest.raises(PictureError, match=said):
            read(content)


@pytest.mark.parametrize("form", FORMS)
def test_a_file_cut_anywhere_is_refused(form: str) -> None:
    _, write, _ = FORMS[form]
    content = write(upright(7), 1)
    if form == "MPO":  # the first picture counts
        content = content[: content.find(b"\xff\xd9") + 2]
    if form in ("PNG, animated", "WebP, animated", "TIFF, pages"):
        lengths = [len(content) // 8, 40]
    else:
        lengths = [*range(0, len(content) - 1, max(1, len(content) // 40)), len(content) - 1]
    if form.startswith("BMP") or "16 bits" in form:  # rows may end with what no row needs
        lengths.pop()
    for length in lengths:
        with pytest.raises(PictureError):
            decode(content[:length])
        with pytest.raises(PictureError):
            size_of(content[:length], counting=True)


def test_a_changed_bit_of_a_png_is_found() -> None:
    content = bytearray(saved(Image.fromarray(PIXELS), "PNG"))
    content[len(content) // 2] ^= 4
    with pytest.raises(PictureError, match="checksum"):
        size_of(bytes(content))


def test_what_stands_after_a_picture_is_not_of_it() -> None:
    for form in ("JPEG", "PNG", "WEBP", "TIFF", "BMP"):
        content = saved(Image.fromarray(PIXELS), form) + bytes(300)
        assert decode(content).shape == (64, 96, 3)
        assert size_of(content) == (96, 64)


def test_heif_is_read_by_pi_heif_or_names_it() -> None:
    content = saved_heif()
    assert kind_of(content) == "HEIF"
    try:
        import pi_heif  # noqa: F401
    except ImportError:
        with pytest.raises(PictureError, match="HEIF, which needs pi-heif: pip install pi-heif"):
            decode(content)
    else:
        assert decode(content).shape == (64, 96, 3)


def saved_heif() -> bytes:
    """Only its head, where nothing here can write one."""
    try:
        import pillow_heif
    except ImportError:
        return b"\x00\x00\x00\x1cftypheic\x00\x00\x00\x00mif1heicmiaf" + bytes(100)
    stream = io.BytesIO()
    pillow_heif.from_pillow(stored(PIXELS, 1)).save(stream)
    return stream.getvalue()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.filterwarnings("ignore")
def test_changed_bytes_give_a_picture_or_a_clear_error(form: str) -> None:
    _, write, is_turnable = FORMS[form]
    content = write(upright(8), 6 if is_turnable else 1)
    random = np.random.default_rng(5)
    for _ in range(60):
        changed = bytearray(content)
        span = len(changed) if random.random() < 0.5 else min(400, len(changed))  # often the head
        for _ in range(random.integers(1, 6)):
            changed[random.integers(span)] = random.integers(256)
        for read in (decode, size_of):
            try:
                read(bytes(changed))
            except PictureError as exc:
                assert str(exc).startswith(("is ", "must ", "holds ", "can't ", "needs "))
