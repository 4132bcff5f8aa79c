"""Scripts that do something else, and files that only look like scripts."""

# ruff: noqa: E501 - their authors had no linter

LABELS = '''"""COCO json -> yolo txt 변환"""
import json, os, sys
from collections import defaultdict

src, dst = sys.argv[1:3]
coco = json.load(open(src))
sizes = {i["id"]: (i["width"], i["height"], i["file_name"]) for i in coco["images"]}
lines = defaultdict(list)
for a in coco["annotations"]:
    w, h, n = sizes[a["image_id"]]
    x, y, bw, bh = a["bbox"]
    lines[n].append(f"{a['category_id']} {(x + bw / 2) / w} {(y + bh / 2) / h} {bw / w} {bh / h}")
os.makedirs(dst, exist_ok=True)
for n, ls in lines.items():
    open(os.path.join(dst, os.path.splitext(n)[0] + ".txt"), "w").write("\\n".join(ls))
'''

SPLIT = """import random, shutil, glob, os
random.seed(0)
files = glob.glob("data/all/images/*.jpg")
random.shuffle(files)
n = int(len(files) * 0.9)
for part, fs in (("train", files[:n]), ("val", files[n:])):
    os.makedirs(f"data/{part}/images", exist_ok=True)
    for f in fs:
        shutil.copy(f, f"data/{part}/images")
"""

DATASET = """import os
import torch
from PIL import Image
from torch.utils.data import Dataset
from torchvision import transforms as T


class FireDataset(Dataset):
    def __init__(self, root, size=224):
        self.items = [(os.path.join(root, c, f), i) for i, c in enumerate(sorted(os.listdir(root)))
                      for f in os.listdir(os.path.join(root, c))]
        self.tf = T.Compose([T.Resize((size, size)), T.ToTensor()])

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        p, y = self.items[i]
        return self.tf(Image.open(p).convert("RGB")), torch.tensor(y)
"""

NET = """import torch.nn as nn


class FireNet(nn.Module):
    def __init__(self, n=2):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 16, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        self.head = nn.Linear(16, n)

    def forward(self, x):
        return self.head(self.body(x).flatten(1))
"""

DRAW = """import cv2


def draw_boxes(im, boxes, names, color=(0, 255, 0)):
    for x1, y1, x2, y2, s, c in boxes:
        cv2.rectangle(im, (int(x1), int(y1)), (int(x2), int(y2)), color, 2)
        cv2.putText(im, f"{names[int(c)]} {s:.2f}", (int(x1), int(y1) - 4), 0, 0.5, color, 1)
    return im
"""

FRAMES = """import cv2, sys, os
v, out, step = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 30
os.makedirs(out, exist_ok=True)
cap = cv2.VideoCapture(v)
i = 0
while True:
    ok, f = cap.read()
    if not ok:
        break
    if i % step == 0:
        cv2.imwrite(os.path.join(out, "%06d.jpg" % i), f)
    i += 1
"""

PLOT = """import pandas as pd, matplotlib.pyplot as plt, glob
for f in glob.glob("runs/detect/*/results.csv"):
    d = pd.read_csv(f)
    d.columns = d.columns.str.strip()
    plt.plot(d["epoch"], d["metrics/mAP50(B)"], label=f.split("/")[2])
plt.legend()
plt.savefig("학습곡선.png")
"""

CONFIG = """DATA = "data/ppe.yaml"
WEIGHTS = "weights/best.pt"
EPOCHS = 100
CLASSES = ["helmet", "head", "vest", "person"]
"""

PYTEST = """import pytest
from ultralytics import YOLO


@pytest.fixture
def model():
    return YOLO("yolov8n.pt")


def test_detects_person(model):
    r = model.predict("bus.jpg")
    assert len(r[0].boxes) > 0
"""

ALARM = """import requests, smtplib, json, time
URL = "http://10.10.1.5:9000/alarm"


def send(zone, kind, image):
    for n in range(3):
        try:
            return requests.post(URL, data={"zone": zone, "kind": kind}, files={"image": image}, timeout=3)
        except requests.RequestException:
            time.sleep(2 ** n)


if __name__ == "__main__":
    send("A동", "fall", open("sample.jpg", "rb"))
"""

SHELL = """#!/bin/bash
# 야간 학습
cd $(dirname $0)
source ~/venvs/yolo/bin/activate
nohup python train_yolov11_v2.py --epochs 300 > train.log 2>&1 &
"""

CHECK_CUDA = """import torch
print(torch.__version__, torch.cuda.is_available(), torch.cuda.device_count())
for i in range(torch.cuda.device_count()):
    print(torch.cuda.get_device_name(i))
"""

ANCHORS = """import numpy as np, glob
from sklearn.cluster import KMeans
wh = []
for f in glob.glob("data/labels/train/*.txt"):
    for l in open(f):
        wh.append([float(v) * 640 for v in l.split()[3:5]])
k = KMeans(9).fit(np.array(wh))
print(k.cluster_centers_.round(1))
"""

NOTEBOOK = (
    "import pandas as pd\nimport glob",
    "# 클래스별 개수\ncounts = {}\nfor f in glob.glob('labels/*.txt'):\n"
    "    for l in open(f):\n        counts[l.split()[0]] = counts.get(l.split()[0], 0) + 1\ncounts",
    "pd.Series(counts).plot.bar()",
)

BUILD = """import torch
import torchvision


def build_model(cfg):
    return torchvision.models.detection.ssdlite320_mobilenet_v3_large(num_classes=cfg["nc"])


def build_loader(cfg):
    data = torchvision.datasets.FakeData(100, transform=torchvision.transforms.ToTensor())
    return torch.utils.data.DataLoader(data, batch_size=cfg["batch"])
"""

DOWNLOAD = """import urllib.request, os
os.makedirs("weights", exist_ok=True)
BASE = "https://example.invalid/weights/"
for n in ("yolov8n.pt", "yolov8s.pt", "yolov8m.pt"):
    if not os.path.exists("weights/" + n):
        urllib.request.urlretrieve(BASE + n, "weights/" + n)
"""
