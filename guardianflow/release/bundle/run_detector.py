#!/usr/bin/env python3
"""Find objects in an image with the detector in this directory.

    python run_detector.py IMAGE                 boxes, class names, scores
    python run_detector.py IMAGE --json          the same as one JSON object
    python run_detector.py IMAGE --conf 0.4      only boxes of at least this score

It needs Python 3.11 or later, numpy, and the one library that model.yaml names under
'requirements' (openvino, onnxruntime, tensorrt with torch, or ultralytics for .pt files). PNG, BMP
and PPM images are read without any other library; JPEG needs OpenCV or Pillow.

From a program of your own:

    sys.path.insert(0, "/opt/detector/current")
    from run_detector import open_detector, read_image
    detector = open_detector()
    (found,) = detector.predict([read_image("gate.png")])
    found.boxes_xyxy, found.scores, found.class_ids      pixels of the image, 0..1, labels.txt

Exit codes: 0 done (also when nothing is found), 1 failed at work, 2 the image, an option or the
installation can't be used.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import importlib
import json
import os
import re
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

try:
    import numpy as np
except ImportError:
    print("error: numpy is not installed. Install it with: pip install numpy", file=sys.stderr)
    sys.exit(2)

if TYPE_CHECKING:
    import numpy.typing as npt

    Image = npt.NDArray[np.uint8]

# `current` may move to another version while this runs; this stays in the version it began in.
HERE = Path(__file__).resolve().parent
PNG, BMP, JPEG = b"\x89PNG\r\n\x1a\n", b"BM", b"\xff\xd8\xff"
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # colour type -> bytes a pixel
# Some processors promise instructions on which they then kill the process (SIGILL).
ISA_VARIABLE = "ONEDNN_MAX_CPU_ISA"
ISA_CAPS = ("AVX512_CORE_FP16", "AVX512_CORE_BF16", "AVX512_CORE_VNNI", "AVX512_CORE", "AVX2")
CHILD_VARIABLE = "GUARDIANFLOW_RUN_DETECTOR_CHILD"


class InputError(Exception):
    """The image or the installation can't be used."""


# --- the detector ---------------------------------------------------------------------------------


def open_detector(device: str = "auto") -> Any:
    """The detector in this directory, once all of it is what was pulled.

    Args:
        device: 'auto', 'cpu', 'cuda', '0' ...
    """
    check_files()
    detector = _runtime_module("detector")
    results = _runtime_module("contracts.results")
    package = results.DetectorPackage.load(HERE)
    check_identity(package.digest)
    return detector.Detector.open(package, device=device)


def _runtime_module(name: str) -> Any:
    """A module of those beside this script; check_files() comes first."""
    if __package__:  # not in a bundle: the project itself, from a test of this module
        return importlib.import_module(f"...{name}", __package__)
    folders = [path.name for path in (HERE / "runtime").glob("*/") if path.is_dir()]
    if len(folders) != 1:
        raise InputError(f"{HERE / 'runtime'} must hold one folder but holds {folders}; pull again")
    if str(HERE / "runtime") not in sys.path:
        sys.path.insert(0, str(HERE / "runtime"))
    return importlib.import_module(f"{folders[0]}.{name}")


def check_files() -> None:
    """Compare every file here with SHA256SUMS, before any code of them is imported."""
    try:
        lines = (HERE / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise _damaged(f"SHA256SUMS can't be read: {exc}") from exc
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    found = {}
    for folder, folders, files in os.walk(HERE):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for path in (Path(folder, name) for name in (*files, *links)):
            plain = path.is_file() and not path.is_symlink()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if plain else "no plain file"
            found[path.relative_to(HERE).as_posix()] = content
    found.pop("SHA256SUMS")
    differing = sorted(n for n in sums.keys() | found.keys() if sums.get(n) != found.get(n))
    if differing:
        raise _damaged(f"changed, missing or added: {', '.join(differing[:10])}")


def check_identity(digest: str) -> None:
    """Compare the model's identity with the one that model.yaml and the directory's name have."""
    text = (HERE / "model.yaml").read_text(encoding="utf-8")
    described = re.search("^sha256: ([0-9a-f]{64})$", text, re.MULTILINE)
    named = re.search("-v[0-9]+-([0-9a-f]{16})(-r[0-9]+)?$", HERE.name)
    if described is None or described[1] != digest:
        raise _damaged("detector.json is not what model.yaml describes")
    if named is not None and not digest.startswith(named[1]):  # a copy may have any other name
        raise _damaged(f"detector.json is not the one of {HERE.name}")


def _damaged(how: str) -> InputError:
    return InputError(f"{HERE} is not what was pulled ({how}). Pull the model again")


def find(image_file: Path, confidence: float | None, iou: float | None, device: str) -> Any:
    """The object that --json prints."""
    image = read_image(image_file)
    with open_detector(device) as detector:
        (found,) = detector.predict([image], confidence=confidence, iou=iou)
        spec, info = detector.spec, detector.info
    return {
        "image": str(image_file),
        "width": image.shape[1],
        "height": image.shape[0],
        "bundle": HERE.name,
        "backend": spec.backend,
        "precision": spec.precision,
        "library": info.library,
        "device": info.device,
        "confidence": spec.conf_threshold if confidence is None else confidence,
        "iou": spec.iou_threshold if iou is None else iou,
        "detections": [
            {
                "class_id": int(class_id),
                "class_name": spec.class_names[int(class_id)],
                "confidence": float(score),
                **dict(zip(("x1", "y1", "x2", "y2"), map(float, box), strict=True)),
            }
            for box, score, class_id in zip(
                found.boxes_xyxy, found.scores, found.class_ids, strict=True
            )
        ],
    }


# --- images ---------------------------------------------------------------------------------------


def read_image(path: str | Path) -> Image:
    """Decode an image file: with OpenCV as where the detector was judged.

    Returns:
        uint8, height x width x 3, RGB, turned as it is to be shown. Grey becomes three equal
        channels, alpha is dropped.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as exc:
        raise InputError(f"{path} can't be read: {exc.strerror or exc}") from exc
    if _has_opencv():
        try:
            pixels: Image = _pictures().decode(content)
            return pixels
        except ValueError as exc:  # the message goes on from the file's name
            raise InputError(f"{path} {exc}") from exc
    try:
        image = _read_plainly(content)
    except (struct.error, zlib.error, ValueError, IndexError) as exc:
        raise InputError(f"{path} is damaged or cut off: {exc}") from exc
    return _read_by_pillow(content, path) if image is None else image


@functools.cache
def _pictures() -> Any:
    """What reads pictures where detectors are judged."""
    if not __package__:
        check_files()
    return _runtime_module("support.pictures.decoding")


def _has_opencv() -> bool:
    try:
        import cv2  # noqa: F401
    except ImportError:
        return False
    return True


def _read_plainly(content: bytes) -> Image | None:
    """PNG, BMP and PPM of 8 bits a channel; None for all that needs a library."""
    if content.startswith(PNG):
        return _read_png(content)
    if content.startswith(BMP):
        return _read_bmp(content)
    if content[:2] in (b"P5", b"P6"):
        return _read_ppm(content)
    return None


def _read_by_pillow(content: bytes, path: str | Path) -> Image:
    kind = "JPEG" if content.startswith(JPEG) else "of a kind that this script can't read alone"
    try:
        import io

        from PIL import Image as pillow  # noqa: N813
        from PIL import ImageOps
    except ImportError as exc:
        raise InputError(
            f"{path} is {kind}, which needs OpenCV or Pillow. Install one (pip install "
            "opencv-python-headless, or pip install pillow) or convert the image to PNG"
        ) from exc
    try:
        _pictures().refuse_damage(content)
    except ValueError as exc:
        raise InputError(f"{path} {exc}") from exc
    try:
        with pillow.open(io.BytesIO(content)) as opened:
            for note in ("xmp", "XML:com.adobe.xmp"):  # OpenCV does not turn by it
                opened.info.pop(note, None)
            upright = ImageOps.exif_transpose(opened)
            if upright.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
                raise InputError(f"{path} has pixels of mode {upright.mode}; convert it to RGB")
            return np.asarray(upright.convert("RGB"))
    except OSError as exc:
        raise InputError(f"{path} ({len(content)} bytes) is no image that can be read") from exc


def _read_png(content: bytes) -> Image | None:
    data, palette, header = b"", b"", b""
    for kind, body in _png_chunks(content):
        if kind == b"IHDR":
            header = body
        elif kind == b"PLTE":
            palette = body
        elif kind == b"IDAT":
            data += body
        elif kind == b"eXIf":  # it may turn the image
            return None
    width, height, bits, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if bits != 8 or interlaced or colour not in PNG_CHANNELS:
        return None
    channels = PNG_CHANNELS[colour]
    lines = np.frombuffer(zlib.decompress(data), np.uint8).reshape(height, 1 + width * channels)
    pixels = _unfilter(lines[:, 0], lines[:, 1:].reshape(height, width, channels))
    if colour == 3:
        return np.frombuffer(palette, np.uint8).reshape(-1, 3)[pixels[:, :, 0]]
    return pixels[:, :, :3] if channels > 2 else np.repeat(pixels[:, :, :1], 3, axis=2)


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place, kind = len(PNG), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", content, place)
        body = content[place + 8 : place + 8 + length]
        (expected,) = struct.unpack_from(">I", content, place + 8 + length)
        if zlib.crc32(kind + body) != expected:
            raise ValueError("a PNG chunk does not match its checksum")
        yield kind, body
        place += 12 + length


def _unfilter(filters: Image, lines: Image) -> Image:
    """Undo PNG's prediction of each byte from its left, upper and upper left neighbours.

    All pixels of one diagonal have their neighbours on the two diagonals before it, so a diagonal
    is done at once.
    """
    if filters.max() > 4:
        raise ValueError(f"PNG filter {filters.max()} does not exist")
    height, width, channels = lines.shape
    out = np.zeros((height + 1, width + 1, channels), np.int32)
    for diagonal in range(height + width - 1):
        y = np.arange(max(0, diagonal - width + 1), min(height, diagonal + 1))
        x = diagonal - y
        left, up, corner = out[y + 1, x], out[y, x + 1], out[y, x]
        to_left, to_up = np.abs(up - corner), np.abs(left - corner)
        to_corner = np.abs(left + up - 2 * corner)
        nearest = np.where(to_up <= to_corner, up, corner)
        nearest = np.where((to_left <= to_up) & (to_left <= to_corner), left, nearest)
        kind = filters[y, None]
        guess = np.select(
            [kind == 1, kind == 2, kind == 3, kind == 4], [left, up, (left + up) // 2, nearest]
        )
        out[y + 1, x + 1] = (lines[y, x] + guess) & 255
    return out[1:, 1:].astype(np.uint8)


def _read_bmp(content: bytes) -> Image | None:
    start, head = struct.unpack_from("<II", content, 10)
    if head < 40:  # a kind older than Windows 3
        return None
    width, height, _, bits, packed = struct.unpack_from("<iiHHI", content, 18)
    if bits not in (24, 32) or packed:
        return None
    if width < 1 or height == 0:
        raise ValueError(f"its head says {width}x{height} pixels")
    row = (width * bits // 8 + 3) // 4 * 4  # rows end at a multiple of four bytes
    lines = np.frombuffer(content, np.uint8, row * abs(height), start).reshape(abs(height), row)
    pixels = lines[:, : width * bits // 8].reshape(abs(height), width, bits // 8)
    upright = pixels[::-1] if height > 0 else pixels
    return np.ascontiguousarray(upright[:, :, 2::-1])  # stored as blue, green, red


def _read_ppm(content: bytes) -> Image | None:
    words: list[int] = []
    place = 2
    while len(words) < 3:
        if content[place : place + 1] == b"#":
            place = content.index(b"\n", place)
        elif content[place : place + 1].isdigit():
            end = place
            while content[end : end + 1].isdigit():
                end += 1
            words.append(int(content[place:end]))
            place = end
        elif content[place : place + 1].isspace():
            place += 1
        else:
            raise ValueError("its head is not that of a PPM")
    (width, height, largest), channels = words, 3 if content[1:2] == b"6" else 1
    if largest != 255:
        return None
    pixels = np.frombuffer(content, np.uint8, width * height * channels, place + 1)
    return np.repeat(pixels.reshape(height, width, channels), 3 // channels, axis=2)


# --- the command ----------------------------------------------------------------------------------


def main() -> int:
    """Read the command line, work, and give the exit code."""
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    parser = argparse.ArgumentParser(description="Find objects in an image.")
    parser.add_argument("image", type=Path, help="PNG, BMP or PPM; JPEG with OpenCV or Pillow")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--conf", type=_share, help="lowest score, 0..1 (default: the deployed)")
    parser.add_argument("--iou", type=_share, help="overlap above which boxes merge, 0..1")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or 0 (default: auto)")
    given = parser.parse_args()
    if sys.version_info < (3, 11):
        return _failed(f"Python must be 3.11 or later but is {sys.version.split()[0]}", 2)
    if CHILD_VARIABLE not in os.environ and ISA_VARIABLE not in os.environ:
        return _in_child()
    try:
        result = find(given.image, given.conf, given.iou, given.device)
    except InputError as exc:
        return _failed(str(exc), 2)
    except Exception as exc:
        if not hasattr(exc, "exit_code"):  # the errors that the modules in runtime/ mean
            raise
        return _failed(str(exc), exc.exit_code)
    if given.json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        _show(result)
    return 0


def _in_child() -> int:
    """Work in a process of its own, and again with fewer instructions when the processor kills it.

    An illegal instruction ends a process without a word.
    """
    environment = os.environ | {CHILD_VARIABLE: "1"}
    command = [sys.executable, str(Path(__file__).resolve()), *sys.argv[1:]]
    for cap in ("", *ISA_CAPS):
        code = subprocess.call(command, env=environment | ({ISA_VARIABLE: cap} if cap else {}))
        if code not in (-signal.SIGILL, 128 + signal.SIGILL):
            break
    if code < 0:
        return _failed(f"the detector was ended by {signal.Signals(-code).name}", 1)
    if code == 0 and cap:
        print(
            f"note: this processor needs {ISA_VARIABLE}={cap}; set it for programs of your own",
            file=sys.stderr,
        )
    return code


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be from 0 to 1 but is {text}")
    return value


def _failed(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code


def _show(result: Any) -> None:
    found = result["detections"]
    print(f"{result['image']}: {result['width']}x{result['height']}, objects: {len(found)}")
    for each in found:
        corners = "  ".join(f"{key} {each[key]:7.1f}" for key in ("x1", "y1", "x2", "y2"))
        print(f"  {each['confidence']:.3f}  {corners}  {each['class_name']}")
    print(f"{result['bundle']} with {result['library']} on {result['device']}")


if __name__ == "__main__":
    sys.exit(main())
