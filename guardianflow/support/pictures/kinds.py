"""A picture's kind by its first bytes: a suffix is only what somebody called it."""

from __future__ import annotations

import struct


class PictureError(ValueError):
    """A file that can't be read as a picture. The message goes on from the file's name: "is …"."""


class NoPictureError(PictureError):
    """What no decoder takes for a picture."""


class DamagedPictureError(PictureError):
    """A picture of which something is lost."""


_STARTS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"BM", "BMP"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"GIF8", "GIF"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"II\x2a\x00", "TIFF"),
    (b"MM\x00\x2a", "TIFF"),
    (b"II\x2b\x00", "TIFF"),
    (b"MM\x00\x2b", "TIFF"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"8BPS", "Photoshop file"),
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "ZIP archive"),
    (b"version https://git-lfs", "Git LFS pointer"),
)
_AVIF = (b"avif", b"avis")
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_NO_PICTURE = {
    "": "",
    "HTML": ": it is a web page; was an error or login page downloaded in its place?",
    "SVG": ": it is an SVG, a drawing without pixels",
    "Git LFS pointer": ": it is a Git LFS pointer; run git lfs pull",
    "video": ": it is a video",
    "PDF": ": it is a PDF",
    "ZIP archive": ": it is a ZIP archive",
    "JPEG XL": ": it is a JPEG XL; convert it to PNG or JPEG",
    "Photoshop file": ": it is a Photoshop file; convert it to PNG or JPEG",
    "zeros": ": it holds nothing but zeros",
}


def kind_of(content: bytes) -> str:
    """'JPEG', 'PNG', 'TIFF', 'WebP', 'AVIF', 'HEIF' …; '' for what is not known."""
    for start, kind in _STARTS:
        if content.startswith(start):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WebP"
    if content[4:8] == b"ftyp":
        return _of_container(content)
    if content[:1] == b"P" and content[1:2] in b"123456fF7" and content[2:3].isspace():
        return "PFM" if content[1:2] in b"fF" else "PNM"
    head = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "HTML"
    if head.startswith((b"<svg", b"<?xml")) and b"<svg" in head:
        return "SVG"
    if content and not any(content[:4096]):
        return "zeros"
    return ""


def _of_container(content: bytes) -> str:
    """By its major brand, else by those it says it is compatible with."""
    (length,) = struct.unpack_from(">I", content)
    brands = [content[i : i + 4] for i in (8, *range(16, min(length, 256), 4))]
    if any(brand in _AVIF for brand in brands):
        return "AVIF"
    return "HEIF" if any(brand in _HEIF for brand in brands) else "video"


def not_a_picture(content: bytes, kind: str) -> PictureError:
    """The error for what no decoder reads."""
    why = _NO_PICTURE.get(kind, f" ({kind})") if content else ": it is empty"
    return NoPictureError(f"is not an image OpenCV can decode{why}")


def is_decodable(content: bytes, kind: str) -> bool:
    """Whether it is worth a try."""
    return bool(content) and (kind == "" or kind not in _NO_PICTURE)
