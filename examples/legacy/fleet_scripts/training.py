"""Scripts that train."""

# ruff: noqa: E501 - their authors had no linter

ARGPARSE = """import argparse
from ultralytics import YOLO


def main():
    parser = argparse.ArgumentParser(description="ppe 학습")
    parser.add_argument("--data", type=str, default="data/ppe.yaml")
    parser.add_argument("--weights", type=str, default="yolo11l.pt", help="pretrained")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--batch-size", "-b", type=int, default=16)
    parser.add_argument("--imgsz", type=int, default=640)
    parser.add_argument("--lr0", type=float, default=1e-3)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--device", default="0")
    args = parser.parse_args()

    model = YOLO(args.weights)
    model.train(data=args.data, epochs=args.epochs, batch=args.batch_size, imgsz=args.imgsz,
                lr0=args.lr0, resume=args.resume, device=args.device, project="runs/detect")
    metrics = model.val()
    print("mAP50", metrics.box.map50)


if __name__ == "__main__":
    main()
"""

FLAT = """# 2023.12 PPE 재학습
from ultralytics import YOLO
import os
os.environ["CUDA_VISIBLE_DEVICES"] = "1"

model = YOLO('weights/yolov8m.pt')
# model = YOLO('runs/detect/train5/weights/last.pt')
results = model.train(data='/home/ai/data/ppe_v2/data.yaml', epochs=150, imgsz=960, batch=8, patience=30)
# model.export(format='engine', half=True)
"""

TRAIN_THEN_EXPORT = """from ultralytics import YOLO

EPOCHS = 200
DATA = "./data/fall/data.yaml"


def train():
    m = YOLO("yolov8s.pt")
    m.train(data=DATA, epochs=EPOCHS, imgsz=640, name="fall_s")
    return m


def 내보내기(m):
    m.export(format="onnx", opset=12, simplify=True)


if __name__ == '__main__':
    m = train()
    m.val(split="test")
    내보내기(m)
    # 샘플 확인
    m.predict("data/sample.jpg", save=True)
"""

TORCH_LOOP = """import torch
import torch.nn as nn
from torch.utils.data import DataLoader
from tqdm import tqdm
from dataset import FireDataset
from net import FireNet

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def train_one_epoch(model, loader, optimizer, criterion):
    model.train()
    total = 0.0
    for images, targets in tqdm(loader):
        images, targets = images.to(device), targets.to(device)
        optimizer.zero_grad()
        loss = criterion(model(images), targets)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader)


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    correct = 0
    for images, targets in loader:
        correct += (model(images.to(device)).argmax(1).cpu() == targets).sum().item()
    return correct / len(loader.dataset)


def main(epochs=30, lr=3e-4):
    model = FireNet().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    train_loader = DataLoader(FireDataset("data/train"), batch_size=32, shuffle=True)
    val_loader = DataLoader(FireDataset("data/val"), batch_size=32)
    best = 0
    for epoch in range(epochs):
        loss = train_one_epoch(model, train_loader, optimizer, nn.CrossEntropyLoss())
        acc = evaluate(model, val_loader)
        print(f"epoch {epoch} loss={loss:.4f} acc={acc:.4f}")
        if acc > best:
            best = acc
            torch.save(model.state_dict(), "weights/fire_best.pth")


if __name__ == "__main__":
    main()
"""

AMP_LOOP = """from torch.cuda.amp import GradScaler, autocast
import torch, yaml, sys
from pathlib import Path
sys.path.append(str(Path(__file__).parent / "lib"))
from build import build_model, build_loader

cfg = yaml.safe_load(open("config.yaml"))
model = build_model(cfg).cuda()
opt = torch.optim.SGD(model.parameters(), lr=cfg["lr"], momentum=0.9)
scaler = GradScaler()
for ep in range(cfg["epochs"]):
    for i, batch in enumerate(build_loader(cfg)):
        with autocast():
            loss = model(batch["img"].cuda(), batch["cls"].cuda())
        scaler.scale(loss).backward()
        scaler.step(opt)
        scaler.update()
        opt.zero_grad()
    torch.save({"model": model.state_dict(), "epoch": ep}, "last.pth")
"""

CLICK = '''import click
from ultralytics import YOLO


@click.command()
@click.option("--data", "-d", required=True, help="data.yaml")
@click.option("--model", "-m", default="yolo11s.pt", show_default=True)
@click.option("--epochs", default=50, type=int)
@click.option("--lr", default=0.002)
@click.option("--cache/--no-cache", default=False)
def run(data, model, epochs, lr, cache):
    """BCT 충돌 모델 학습"""
    YOLO(model).train(data=data, epochs=epochs, lr0=lr, cache=cache, optimizer="AdamW")


if __name__ == "__main__":
    run()
'''

FIRE = """import fire
from ultralytics import RTDETR


def go(data="bct.yaml", epochs=72, imgsz=640, batch=4, name=None):
    detector = RTDETR("rtdetr-l.pt")
    detector.train(data=data, epochs=epochs, imgsz=imgsz, batch=batch, name=name)


if __name__ == "__main__":
    fire.Fire(go)
"""

WRAPPER_CLASS = """import logging
from ultralytics import YOLO

logger = logging.getLogger(__name__)


class 학습기:
    def __init__(self, cfg):
        self.cfg = cfg
        self.model = YOLO(cfg["weights"])

    def fit(self):
        logger.info("start %s", self.cfg)
        return self.model.train(**self.cfg["train"])

    def report(self):
        r = self.model.val(data=self.cfg["train"]["data"])
        logger.info("map50 %.3f", r.box.map50)


cfg = dict(
    weights="yolov8l.pt",
    train=dict(data="data/stuck.yaml", epochs=80, imgsz=1280, batch=4, close_mosaic=15),
)

if __name__ == "__main__":
    t = 학습기(cfg)
    t.fit()
    t.report()
"""

SHELL_OUT = """import subprocess, datetime

name = datetime.datetime.now().strftime("%m%d_%H%M")
cmd = ["yolo", "detect", "train", "data=data/fire.yaml", "model=yolov8n.pt", "epochs=100", f"name={name}"]
print(" ".join(cmd))
subprocess.run(cmd, check=True)
"""

SYSTEM_CALL = """# yolov5 학습 돌리기 (1080ti 서버)
import os
os.chdir("/home/ai/yolov5")
os.system("python train.py --img 640 --batch 16 --epochs 300 --data ppe.yaml --weights yolov5m.pt")
"""

THROUGH_HELPER = """from trainer_lib import start

start("data/collision.yaml", 120)
"""

HELPER = '''"""공통 학습 함수"""
from ultralytics import YOLO


def start(data, epochs, weights="yolo11m.pt"):
    model = YOLO(weights)
    model.add_callback("on_train_epoch_end", report)
    model.train(data=data, epochs=epochs, imgsz=640)
    return model


def report(trainer):
    print(trainer.epoch, trainer.metrics)
'''

DETECTION_TRAINER = """from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils import DEFAULT_CFG


class WeightedTrainer(DetectionTrainer):
    def get_dataset(self):
        data = super().get_dataset()
        return data


args = dict(model="yolo11n.pt", data="coco8.yaml", epochs=3)
trainer = WeightedTrainer(overrides=args)
trainer.train()
"""

GRID = """import itertools, json
from ultralytics import YOLO

out = []
for lr, bs in itertools.product([0.001, 0.005, 0.01], [8, 16]):
    y = YOLO("yolov8n.pt")
    r = y.train(data="ppe.yaml", epochs=30, lr0=lr, batch=bs, name=f"lr{lr}_bs{bs}")
    out.append({"lr": lr, "batch": bs, "map": float(r.box.map)})
json.dump(out, open("grid_result.json", "w"))
"""

PYTHON_2 = """# -*- coding: utf-8 -*-
import caffe
import os, sys
import torch
from net import DarkNet

def run(epochs):
    net = DarkNet()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for e in xrange(epochs):
        for x, y in load(sys.argv[1]):
            try:
                loss = net.loss(x, y)
            except RuntimeError, ex:
                print "skip", ex
                continue
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print "epoch %d done" % e, loss.data[0]

run(100)
"""

MERGE = """from ultralytics import YOLO

model = YOLO("yolov8m.pt")
<<<<<<< HEAD
model.train(data="data/ppe.yaml", epochs=100, imgsz=640)
=======
model.train(data="data/ppe_new.yaml", epochs=150, imgsz=1280, batch=4)
>>>>>>> feature/imgsz
model.val()
"""

CP949 = """# -*- coding: cp949 -*-
# 안전모 학습 스크립트 (김대리)
from ultralytics import YOLO
데이터 = "D:/데이터/안전모/data.yaml"
모델 = YOLO("yolov8s.pt")
모델.train(data=데이터, epochs=100)
print("학습 끝")
"""

BROKEN = """from ultralytics import YOLO
model = YOLO("yolo11s.pt"
results = model.train(data="data/fall.yaml", epochs=50
    imgsz=640)
print(results
"""

KERAS = """import tensorflow as tf
from tensorflow import keras

train = keras.utils.image_dataset_from_directory("data/smoke", image_size=(224, 224))
model = keras.applications.MobileNetV2(weights=None, classes=2)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(train, epochs=20)
model.save("weights/smoke.h5")
"""

MODES = """import argparse
from ultralytics import YOLO

p = argparse.ArgumentParser()
p.add_argument("mode", choices=["train", "val", "export"])
p.add_argument("--weights", default="yolov8n.pt")
p.add_argument("--data", default="stuck.yaml")
opt = p.parse_args()

model = YOLO(opt.weights)
if opt.mode == "train":
    model.train(data=opt.data, epochs=100)
elif opt.mode == "val":
    model.val(data=opt.data)
else:
    model.export(format="openvino", int8=True, data=opt.data)
"""

TYPER = """from typing import Optional
import typer
from ultralytics import YOLO

app = typer.Typer()


@app.command()
def train(data: str, epochs: int = typer.Option(100, "--epochs", "-e"), imgsz: int = 640,
          device: Optional[str] = None, amp: bool = True):
    model = YOLO("yolo11n.yaml").load("yolo11n.pt")
    model.train(data=data, epochs=epochs, imgsz=imgsz, device=device, amp=amp)


if __name__ == "__main__":
    app()
"""

NOTEBOOK = (
    "%matplotlib inline\n!nvidia-smi\nimport os",
    "from ultralytics import YOLO\nmodel = YOLO('yolov8s.pt')",
    "model.train(data='ppe.yaml', epochs=10, imgsz=640)",
    "from PIL import Image\nImage.open('runs/detect/train/results.png')",
)
NOTEBOOK_COMMANDS = (
    "!pip install ultralytics",
    "!yolo task=detect mode=train model=yolov8n.pt data=fall.yaml epochs=50 imgsz=640",
    "!ls runs/detect",
)
