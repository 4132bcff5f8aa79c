"""Small detectors built from scratch, in seconds and without training.

An untrained network's activations fade layer by layer until its output is a constant, which every
export reproduces. So the batch norms are set from a batch of images first, and the class biases
to zero: then outputs vary, and a wrong export shows.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from guardianflow.backends.weights import ultralytics_models

SIDE = 160
TINY_SIDE = 96
"""Of the detector that pipelines' tests share: the least that demo data is drawn in."""
NAMES = ("helmet", "vest", "person", "bare head")


def draw_images(count: int, side: int = SIDE, seed: int = 0) -> np.ndarray:
    """uint8, count×side×side×3: smooth blobs of colour with some noise."""
    import cv2

    random = np.random.default_rng(seed)
    images = []
    for _ in range(count):
        coarse = random.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        smooth = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.int16)
        noisy = smooth + random.integers(-12, 13, smooth.shape)
        images.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return np.stack(images)


def build_checkpoint(architecture: str, file: Path, names: tuple[str, ...] = NAMES) -> Path:
    """Write an Ultralytics checkpoint of an untrained model whose outputs vary."""
    ultralytics_models.import_ultralytics()
    import torch
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(0)
    model = DetectionModel(f"{architecture}.yaml", nc=len(names), verbose=False)
    model.names = dict(enumerate(names))
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    usual = norms[0].momentum
    for norm in norms:
        norm.momentum = 1.0
    batch = torch.from_numpy(draw_images(8, seed=1)).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        model.train()(batch)
    for norm in norms:
        norm.momentum = usual
    head = model.model[-1]
    for name in ("cv3", "one2one_cv3"):
        for branch in getattr(head, name, None) or ():
            torch.nn.init.zeros_(branch[-1].bias)
    torch.save({"model": model.eval().half(), "train_args": {}}, file)
    return file
