"""The resolved data set: a data.yaml of absolute paths, which reads the same to every trainer.

HOME/data.yaml, train.txt, val.txt   images where they lie, train images as often as named
HOME/images/…, HOME/labels/…         links and labels, only of images whose label Ultralytics
                                     would not find, or would not read as we do
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .data_yaml import Layout
from .labels import label_path_of
from .once import make_once


@dataclass(frozen=True)
class Resolved:
    """A resolved data set.

    Args:
        splits: split → images, those with a label of ours by their link.
        links: image → its link.
    """

    data_yaml: Path
    splits: Mapping[str, tuple[Path, ...]]
    links: Mapping[Path, Path] = field(default_factory=dict)

    def place_of(self, image: Path) -> Path:
        """Where an image is looked for."""
        return self.links.get(image, image)


def original_of(image: Path, home: Path) -> Path:
    """Where an image of a resolved set in `home` lies: what its link, if it is one, leads to."""
    return image.readlink() if image.is_relative_to(home) else image


def listings_of(layout: Layout) -> dict[str, tuple[Path, ...]]:
    """Split → images, those of train as often as they are named."""
    return {
        split: tuple(
            image
            for image in images
            for _ in range(layout.times.get(image, 1) if split == "train" else 1)
        )
        for split, images in layout.images.items()
    }


def write_resolved(
    layout: Layout, name: str, cache_dir: Path, rewritten: Mapping[Path, bytes]
) -> Resolved:
    """Write the set to a directory named after its content, or find it written.

    Args:
        name: of the set.
        rewritten: image → the label that it must have.
    """
    listings = listings_of(layout)
    names = "".join(
        f"  {i}: {json.dumps(class_name, ensure_ascii=False)}\n"
        for i, class_name in enumerate(layout.class_names)
    )
    texts = {split: "\n".join(map(str, images)) for split, images in listings.items()}
    labels = {str(image): text.hex() for image, text in sorted(rewritten.items())}
    content = [texts, names, labels] if labels else [texts, names]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
    slug = re.sub(r"[^\w-]", "_", name)
    home = cache_dir / "datasets" / f"{slug}-{digest}"
    links = _links(home, rewritten)

    def write(folder: Path) -> None:
        for image, link in links.items():
            place = folder / link.relative_to(home)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(image)
            label = folder / label_path_of(link).relative_to(home)
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_bytes(rewritten[image])
        for split, images in listings.items():
            listed = "".join(f"{links.get(image, image)}\n" for image in images)
            (folder / f"{split}.txt").write_text(listed, encoding="utf-8")
        text = "".join(
            f"{split}: {json.dumps(str(home / f'{split}.txt'), ensure_ascii=False)}\n"
            for split in listings
        )
        text = f"path: {json.dumps(str(home), ensure_ascii=False)}\n{text}names:\n{names}"
        (folder / "data.yaml").write_text(text, encoding="utf-8")

    make_once(home, write)
    splits = {
        split: tuple(links.get(image, image) for image in images)
        for split, images in layout.images.items()
    }
    return Resolved(home / "data.yaml", splits, links)


def _links(home: Path, images: Mapping[Path, bytes]) -> dict[Path, Path]:
    """Image → its link below HOME/images, under the path that it has below what holds them all."""
    if not images:
        return {}
    top = os.path.commonpath([str(image.parent) for image in images])
    return {image: home / "images" / image.relative_to(top) for image in images}
