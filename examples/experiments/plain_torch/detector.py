"""A small anchor-free detector: one scale, a box and class scores for every 8×8 cell."""

import torch
from torch import nn
from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

STRIDE = 8


def block(c_in, c_out, stride=1, dilation=1):
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, stride, dilation, dilation, bias=False),
        nn.BatchNorm2d(c_out),
        nn.SiLU(inplace=True),
    )


class Detector(nn.Module):
    """images: float32, N×3×S×S, 0…1 → N×(4+C)×A: cx, cy, w, h in pixels, then class scores."""

    def __init__(self, classes: int, side: int, width: int = 48):
        super().__init__()
        self.stem = nn.Sequential(block(3, 16, 2), block(16, 32, 2), block(32, width, 2))
        # Dilation widens the view to a whole person without a smaller grid.
        self.body = nn.ModuleList(block(width, width, dilation=d) for d in (1, 2, 4, 1, 2))
        self.head = nn.Conv2d(width, 4 + classes, 1)
        nn.init.constant_(self.head.bias[4:], -4.0)  # most cells hold nothing
        cells = torch.arange(side // STRIDE) * float(STRIDE) + STRIDE / 2
        y, x = torch.meshgrid(cells, cells, indexing="ij")
        self.register_buffer("centres", torch.stack([x.flatten(), y.flatten()]), persistent=False)

    def raw(self, images):
        """Corner boxes (N×4×A, pixels) and class logits (N×C×A)."""
        x = self.stem(images)
        for layer in self.body:
            x = x + layer(x)
        x = self.head(x).flatten(2)
        reach = x[:, :4].clamp(max=6).exp() * STRIDE
        return torch.cat([self.centres - reach[:, :2], self.centres + reach[:, 2:]], 1), x[:, 4:]

    def forward(self, images):
        boxes, logits = self.raw(images)
        low, high = boxes[:, :2], boxes[:, 2:]
        found = torch.cat([(low + high) / 2, high - low, logits.sigmoid()], 1)
        # The sizes are known already; said once more, they stand in the exported file.
        return found.reshape(-1, self.head.out_channels, self.centres.shape[1])

    def losses(self, images, targets):
        """Box loss (GIoU) and class loss (focal), each per cell that holds an object."""
        boxes, logits = self.raw(images)
        wanted = torch.zeros_like(logits)
        found, true = [], []
        for n, target in enumerate(targets):
            cell, which = assign(self.centres, target[:, 1:])
            wanted[n, target[which, 0].long(), cell] = 1.0
            found.append(boxes[n, :, cell].T)
            true.append(target[which, 1:])
        found, true = torch.cat(found), torch.cat(true)
        count = max(len(found), 1)
        box_loss = generalized_box_iou_loss(found, true, reduction="sum") / count
        return box_loss, sigmoid_focal_loss(logits, wanted, reduction="sum") / count


def assign(centres, boxes):
    """Cells near the middle of a box learn it; where boxes compete, the smallest has the cell.

    Returns:
        Cell indices, and for each the index of its box.
    """
    if not len(boxes):
        return torch.zeros(2, 0, dtype=torch.long, device=boxes.device)
    middle, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    distance = (centres.T[:, None] - middle[None]).abs()  # A×K×2
    near = (distance <= torch.maximum(size / 6, size.new_tensor(STRIDE * 0.6))).all(2)
    area = torch.where(near, size.prod(1)[None], torch.inf)
    smallest, which = area.min(1)
    cell = torch.nonzero(smallest.isfinite()).flatten()
    return cell, which[cell]
