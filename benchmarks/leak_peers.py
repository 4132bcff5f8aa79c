"""Hashes of pictures by imagehash and imagededup, for `benchmarks.leaks`.

    python leak_peers.py FOLDER     JSON: {"imagehash phash": {file: hex, …}, …} of each *.jpg below

Uses nothing of ours: a Python that has them runs it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path


def methods() -> dict[str, Callable[[Path], str]]:
    """Those that can be imported here."""
    found: dict[str, Callable[[Path], str]] = {}
    try:
        import imagehash
        from PIL import Image
    except ImportError as exc:
        print(f"imagehash: {exc}", file=sys.stderr)
    else:
        for name in ("average_hash", "phash", "dhash", "whash"):
            found[f"imagehash {name}"] = _hashed(getattr(imagehash, name), Image.open)
    try:
        from imagededup.methods import AHash, DHash, PHash, WHash
    except ImportError as exc:
        print(f"imagededup: {exc}", file=sys.stderr)
    else:
        for method in (PHash, DHash, AHash, WHash):
            encoder = method(verbose=False)
            found[f"imagededup {method.__name__}"] = _encoded(encoder)
    return found


def _hashed(hasher: Callable, load: Callable) -> Callable[[Path], str]:
    return lambda file: str(hasher(load(file)))


def _encoded(encoder: object) -> Callable[[Path], str]:
    return lambda file: str(encoder.encode_image(image_file=str(file)))


def main(folder: Path) -> None:
    files = sorted(folder.rglob("*.jpg"))
    found = {
        name: {file.relative_to(folder).as_posix(): hashed(file) for file in files}
        for name, hashed in methods().items()
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
