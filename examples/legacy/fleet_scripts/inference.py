"""Scripts that judge or run a detector."""

# ruff: noqa: E501 - their authors had no linter

RTSP = """import cv2
import time
from ultralytics import YOLO

RTSP = "rtsp://admin:****@192.168.0.64:554/Streaming/Channels/101"
model = YOLO("weights/ppe_best.pt")
cap = cv2.VideoCapture(RTSP)
names = model.names

while True:
    ok, frame = cap.read()
    if not ok:
        time.sleep(1)
        cap = cv2.VideoCapture(RTSP)
        continue
    t = time.time()
    results = model(frame, conf=0.4, verbose=False)[0]
    for box in results.boxes:
        x1, y1, x2, y2 = map(int, box.xyxy[0])
        cv2.rectangle(frame, (x1, y1), (x2, y2), (0, 255, 0), 2)
        cv2.putText(frame, names[int(box.cls)], (x1, y1), 0, 0.6, (0, 0, 255), 2)
    print("fps %.1f" % (1 / (time.time() - t)))
    cv2.imshow("ppe", frame)
    if cv2.waitKey(1) == 27:
        break
"""

TRACK = """import argparse
from collections import defaultdict
from ultralytics import YOLO


def parse():
    ap = argparse.ArgumentParser()
    ap.add_argument("source")
    ap.add_argument("--weights", default="runs/detect/train7/weights/best.pt")
    ap.add_argument("--conf", type=float, default=0.25)
    ap.add_argument("--tracker", default="bytetrack.yaml")
    ap.add_argument("--show", action="store_true")
    return ap.parse_args()


if __name__ == "__main__":
    a = parse()
    seen = defaultdict(int)
    for r in YOLO(a.weights).track(a.source, conf=a.conf, tracker=a.tracker, stream=True, show=a.show):
        if r.boxes.id is not None:
            for i in r.boxes.id.int().tolist():
                seen[i] += 1
    print(len(seen), "objects")
"""

VAL = """from ultralytics import YOLO
import pandas as pd

rows = []
for w in ["train5", "train6", "train7"]:
    m = YOLO(f"runs/detect/{w}/weights/best.pt")
    r = m.val(data="data/ppe.yaml", split="test", conf=0.001)
    rows.append({"run": w, "mAP50": r.box.map50, "mAP50-95": r.box.map})
pd.DataFrame(rows).to_csv("비교.csv", index=False)
"""

ORT = """import numpy as np, cv2, onnxruntime as ort, glob, sys

sess = ort.InferenceSession("weights/fall.onnx", providers=["CUDAExecutionProvider"])
inp = sess.get_inputs()[0].name


def letterbox(im, s=640):
    h, w = im.shape[:2]
    r = s / max(h, w)
    canvas = np.full((s, s, 3), 114, np.uint8)
    small = cv2.resize(im, (int(w * r), int(h * r)))
    canvas[: small.shape[0], : small.shape[1]] = small
    return canvas


for f in glob.glob(sys.argv[1] + "/*.jpg"):
    x = letterbox(cv2.imread(f))[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32) / 255
    out = sess.run(None, {inp: x})[0]
    print(f, out.shape)
"""

TRT = """import tensorrt as trt
import pycuda.driver as cuda
import pycuda.autoinit
import numpy as np

LOGGER = trt.Logger(trt.Logger.WARNING)


class Engine:
    def __init__(self, path):
        with open(path, "rb") as f, trt.Runtime(LOGGER) as rt:
            self.engine = rt.deserialize_cuda_engine(f.read())
        self.ctx = self.engine.create_execution_context()

    def __call__(self, x):
        self.ctx.execute_v2(self.bindings)


if __name__ == "__main__":
    e = Engine("weights/bct_fp16.engine")
    for _ in range(100):
        e(np.zeros((1, 3, 640, 640), np.float32))
"""

OPENVINO = """from openvino.runtime import Core
import numpy as np
import time

core = Core()
model = core.read_model("weights/ppe_openvino/ppe.xml")
compiled = core.compile_model(model, "CPU")
out = compiled.output(0)
dummy = np.random.rand(1, 3, 640, 640).astype(np.float32)
ts = []
for i in range(200):
    s = time.perf_counter()
    compiled([dummy])[out]
    ts.append(time.perf_counter() - s)
print("p50", np.median(ts) * 1000, "ms")
"""

ENGINE_IF_MISSING = """import os
from ultralytics import YOLO

PT = "weights/fire.pt"
ENGINE = PT.replace(".pt", ".engine")
if not os.path.exists(ENGINE):
    YOLO(PT).export(format="engine", half=True)

model = YOLO(ENGINE)
for r in model.predict(source="rtsp://10.0.0.12/ch1", stream=True, conf=0.35):
    if len(r.boxes):
        r.save(filename="alarm.jpg")
"""

FASTAPI = """from fastapi import FastAPI, UploadFile
from ultralytics import YOLO
import io
from PIL import Image

app = FastAPI()
model = YOLO("best.pt")


@app.post("/detect")
async def detect(file: UploadFile):
    img = Image.open(io.BytesIO(await file.read()))
    res = model.predict(img, conf=0.3)
    return res[0].tojson()


if __name__ == "__main__":
    import uvicorn
    uvicorn.run(app, host="0.0.0.0", port=8080)
"""

HUB = """import torch
model = torch.hub.load("ultralytics/yolov5", "custom", path="weights/yolov5_ppe.pt")
model.conf = 0.4
imgs = ["test/1.jpg", "test/2.jpg"]
results = model(imgs)
results.print()
results.save()
"""

SAHI = """from sahi import AutoDetectionModel
from sahi.predict import get_sliced_prediction

dm = AutoDetectionModel.from_pretrained(model_type="yolov8", model_path="best.pt", device="cuda:0")
r = get_sliced_prediction("data/big.jpg", dm, slice_height=640, slice_width=640)
r.export_visuals(export_dir="out/")
"""

TORCH_EVAL = """import torch
from torch.utils.data import DataLoader
from dataset import FireDataset
from net import FireNet

model = FireNet()
model.load_state_dict(torch.load("weights/fire_best.pth", map_location="cpu"))
model.eval()
hit = 0
ds = FireDataset("data/test")
with torch.no_grad():
    for x, y in DataLoader(ds, batch_size=32):
        hit += (model(x).argmax(1) == y).sum().item()
print("정확도", hit / len(ds))
"""

DETECT_PY = """# yolov5 detect.py 수정본
import argparse
import torch
from models.common import DetectMultiBackend
from utils.dataloaders import LoadStreams
from utils.general import non_max_suppression, scale_boxes


def run(weights="best.pt", source="0", imgsz=640, conf_thres=0.25, iou_thres=0.45):
    model = DetectMultiBackend(weights)
    for path, im, im0s, cap, s in LoadStreams(source, img_size=imgsz):
        pred = model(torch.from_numpy(im))
        pred = non_max_suppression(pred, conf_thres, iou_thres)
        for det in pred:
            if len(det):
                det[:, :4] = scale_boxes(im.shape[2:], det[:, :4], im0s.shape).round()


def parse_opt():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", nargs="+", type=str, default="yolov5s.pt")
    parser.add_argument("--source", type=str, default="streams.txt")
    parser.add_argument("--imgsz", "--img", type=int, default=640)
    parser.add_argument("--conf-thres", type=float, default=0.25)
    return parser.parse_args()


if __name__ == "__main__":
    run(**vars(parse_opt()))
"""

CLI = """import os
os.system("yolo predict model=weights/fall_best.pt source=data/test_videos conf=0.3 save=True")
"""

BENCH = """from ultralytics.utils.benchmarks import benchmark

benchmark(model="weights/best.pt", data="ppe.yaml", imgsz=640, half=False, device=0)
"""

OPENCV = """import cv2, sys
net = cv2.dnn.readNetFromDarknet("cfg/yolov4-fire.cfg", "weights/yolov4-fire.weights")
m = cv2.dnn_DetectionModel(net)
m.setInputParams(size=(416, 416), scale=1 / 255, swapRB=True)
cap = cv2.VideoCapture(sys.argv[1])
while cap.isOpened():
    ret, f = cap.read()
    if not ret:
        break
    classes, scores, boxes = m.detect(f, 0.5, 0.4)
    print(len(boxes))
"""

PYTHON_2 = """#!/usr/bin/env python
# coding: euc-kr
import cv2, time
net = cv2.dnn.readNet("old.weights", "old.cfg")
cap = cv2.VideoCapture(0)
while 1:
    ret, f = cap.read()
    if not ret: break
    net.setInput(cv2.dnn.blobFromImage(f, 1/255.0, (416, 416)))
    out = net.forward()
    print "검출", len(out), "개"
    print
"""

STREAMLIT = """import streamlit as st
import cv2, tempfile
from ultralytics import YOLO


@st.cache_resource
def get_detector(path):
    return YOLO(path)


def process(detector, video):
    cap = cv2.VideoCapture(video)
    slot = st.empty()
    while cap.isOpened():
        ok, frame = cap.read()
        if not ok:
            break
        out = detector(frame, conf=0.4)
        slot.image(out[0].plot(), channels="BGR")


st.title("안전모 검출 데모")
up = st.file_uploader("동영상", type=["mp4"])
if up:
    t = tempfile.NamedTemporaryFile(delete=False)
    t.write(up.read())
    process(get_detector("weights/best.pt"), t.name)
"""

NOTEBOOK = (
    "from ultralytics import YOLO\nimport cv2, glob",
    "model = YOLO('best.pt')\nfor p in glob.glob('test/*.jpg'):\n    r = model(p)\n    r[0].show()",
    "%%time\nres = model.val(data='ppe.yaml')",
)
