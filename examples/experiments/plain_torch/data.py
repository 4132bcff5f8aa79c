"""Images and boxes of a YOLO data.yaml as tensors; small sets fit into memory."""

from pathlib import Path

import cv2
import numpy as np
import torch
import yaml

GREY = 114  # what the borders are filled with, here and at the site


class Boxes(torch.utils.data.Dataset):
    """Letterboxed images (uint8, 3×S×S, RGB) with boxes (K×5: class, x1, y1, x2, y2 in pixels)."""

    def __init__(self, data_yaml: Path, split: str, side: int, augment: bool = False):
        self.augment = augment
        self.items = [self._load(path, side) for path in image_paths(data_yaml, split)]
        if not self.items:
            raise ValueError(f"{data_yaml} has no images for '{split}'")

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        image, boxes = self.items[index]
        image = image.float() / 255
        if self.augment:
            image = (image * (0.7 + 0.6 * torch.rand(1))).clamp(0, 1)
            if torch.rand(1) < 0.5:
                image, side = image.flip(2), image.shape[2]
                boxes = boxes.clone()
                boxes[:, [1, 3]] = side - boxes[:, [3, 1]]
        return image, boxes

    def _load(self, path: Path, side: int):
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR_RGB)
        height, width = image.shape[:2]
        scale = side / max(height, width)
        new_w, new_h = round(width * scale), round(height * scale)
        left, top = (side - new_w) // 2, (side - new_h) // 2
        canvas = np.full((side, side, 3), GREY, np.uint8)
        canvas[top : top + new_h, left : left + new_w] = cv2.resize(image, (new_w, new_h))
        label = Path(*("labels" if p == "images" else p for p in path.with_suffix(".txt").parts))
        text = label.read_text() if label.is_file() else ""  # no file: nothing in the picture
        rows = np.array([line.split() for line in text.splitlines()], np.float32).reshape(-1, 5)
        centre = rows[:, 1:3] * (new_w, new_h) + (left, top)
        half = rows[:, 3:5] * (new_w, new_h) / 2
        boxes = np.concatenate([rows[:, :1], centre - half, centre + half], 1)
        return torch.from_numpy(canvas).permute(2, 0, 1), torch.from_numpy(boxes).float()


def image_paths(data_yaml: Path, split: str) -> list[Path]:
    """A split is a directory of images or a text file that lists them."""
    content = yaml.safe_load(data_yaml.read_text(encoding="utf-8"))
    place = Path(content.get("path") or data_yaml.parent) / content[split]
    if place.is_dir():
        return sorted(p for p in place.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    return [place.parent / line for line in place.read_text(encoding="utf-8").split("\n") if line]


def class_names(data_yaml: Path) -> dict[int, str]:
    names = yaml.safe_load(data_yaml.read_text(encoding="utf-8"))["names"]
    return dict(names) if isinstance(names, dict) else dict(enumerate(names))


def collate(items):
    images, boxes = zip(*items, strict=True)
    return torch.stack(images), list(boxes)
