"""Scripts that quantise or convert."""

# ruff: noqa: E501 - their authors had no linter

NNCF = """import nncf
import openvino as ov
import numpy as np, cv2, glob

core = ov.Core()
model = core.read_model("weights/ppe_fp32.xml")


def transform(path):
    im = cv2.resize(cv2.imread(path), (640, 640))[:, :, ::-1]
    return np.ascontiguousarray(im.transpose(2, 0, 1)[None] / 255.0, dtype=np.float32)


files = glob.glob("data/calib/*.jpg")[:300]
q = nncf.quantize(model, nncf.Dataset(files, transform), preset=nncf.QuantizationPreset.MIXED)
ov.save_model(q, "weights/ppe_int8.xml")

# 확인
c = core.compile_model(q, "CPU")
print(c([transform(files[0])])[0].shape)
"""

TENSORRT = """import argparse
import tensorrt as trt
from calibrator import EntropyCalibrator

TRT_LOGGER = trt.Logger(trt.Logger.INFO)


def build(onnx, out, int8, calib_dir):
    builder = trt.Builder(TRT_LOGGER)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
    parser = trt.OnnxParser(network, TRT_LOGGER)
    with open(onnx, "rb") as f:
        assert parser.parse(f.read()), parser.get_error(0)
    config = builder.create_builder_config()
    config.max_workspace_size = 4 << 30
    if int8:
        config.set_flag(trt.BuilderFlag.INT8)
        config.int8_calibrator = EntropyCalibrator(calib_dir)
    engine = builder.build_serialized_network(network, config)
    open(out, "wb").write(engine)


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("--onnx", required=True)
    ap.add_argument("--out", default="model.engine")
    ap.add_argument("--int8", action="store_true")
    ap.add_argument("--calib", default="data/calib")
    a = ap.parse_args()
    build(a.onnx, a.out, a.int8, a.calib)
"""

CALIBRATOR = """import tensorrt as trt
import pycuda.driver as cuda
import os


class EntropyCalibrator(trt.IInt8EntropyCalibrator2):
    def __init__(self, folder, cache="calib.cache"):
        trt.IInt8EntropyCalibrator2.__init__(self)
        self.files = [os.path.join(folder, f) for f in os.listdir(folder)]
        self.cache = cache

    def get_batch_size(self):
        return 8

    def get_batch(self, names):
        return None

    def read_calibration_cache(self):
        if os.path.exists(self.cache):
            return open(self.cache, "rb").read()

    def write_calibration_cache(self, cache):
        open(self.cache, "wb").write(cache)
"""

YOLO_EXPORT = """from ultralytics import YOLO

model = YOLO("runs/detect/train7/weights/best.pt")
model.export(format="openvino", int8=True, data="data/ppe.yaml", imgsz=640)
model.export(format="engine", half=True, workspace=4)
"""

EXPORT_AND_CHECK = """from ultralytics import YOLO
import time

pt = YOLO("best.pt")
path = pt.export(format="onnx", dynamic=True, simplify=True)
onnx = YOLO(path)
for m in (pt, onnx):
    s = time.time()
    m.predict("bus.jpg")
    print(time.time() - s)
print(pt.val(data="ppe.yaml").box.map, onnx.val(data="ppe.yaml").box.map)
"""

ORT_STATIC = """from onnxruntime.quantization import quantize_static, CalibrationDataReader, QuantType
from onnxruntime.quantization.shape_inference import quant_pre_process
import numpy as np, cv2, os


class Reader(CalibrationDataReader):
    def __init__(self, d):
        self.it = iter([{"images": load(os.path.join(d, f))} for f in os.listdir(d)[:200]])

    def get_next(self):
        return next(self.it, None)


def load(p):
    im = cv2.resize(cv2.imread(p), (640, 640))
    return (im[:, :, ::-1].transpose(2, 0, 1)[None] / 255).astype(np.float32)


quant_pre_process("fall.onnx", "fall_pre.onnx")
quantize_static("fall_pre.onnx", "fall_int8.onnx", Reader("data/calib"), weight_type=QuantType.QInt8)
"""

TORCH_ONNX = """import torch
from net import FireNet

m = FireNet()
m.load_state_dict(torch.load("weights/fire_best.pth"))
m.eval()
torch.onnx.export(m, torch.zeros(1, 3, 224, 224), "weights/fire.onnx", opset_version=13,
                  input_names=["images"], output_names=["prob"])
"""

QAT = """import torch
import nncf
from nncf import NNCFConfig
from nncf.torch import create_compressed_model, register_default_init_args
from net import FireNet
from dataset import loaders

cfg = NNCFConfig.from_json("nncf.json")
model = FireNet()
model.load_state_dict(torch.load("weights/fire_best.pth"))
train, val = loaders()
cfg = register_default_init_args(cfg, train)
ctrl, model = create_compressed_model(model, cfg)
optimizer = torch.optim.Adam(model.parameters(), 1e-5)
for epoch in range(3):
    for x, y in train:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
ctrl.export_model("weights/fire_qat.onnx")
"""

TRTEXEC = """import subprocess
for p in ("fp16", "int8"):
    subprocess.check_call(f"trtexec --onnx=weights/bct.onnx --saveEngine=weights/bct_{p}.engine --{p}".split())
"""

OVC = """import openvino as ov
m = ov.convert_model("weights/stuck.onnx")
ov.save_model(m, "weights/stuck.xml", compress_to_fp16=True)
"""

YOLO_LOOP = """import sys
from pathlib import Path
from ultralytics import YOLO

# 모든 가중치를 onnx 로 변환
for pt in sorted(Path(sys.argv[1] if len(sys.argv) > 1 else "weights").glob("*.pt")):
    try:
        YOLO(str(pt)).export(format="onnx", opset=17)
    except Exception as e:
        print("실패", pt, e)
"""

DYNAMIC = """import torch
from torch.quantization import quantize_dynamic
model = torch.load("weights/cls.pth")
q = quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)
torch.save(q, "weights/cls_q.pth")
"""

NOTEBOOK = (
    "!pip install -q nncf openvino",
    "import nncf, openvino as ov\nmodel = ov.Core().read_model('fire.xml')",
    "q = nncf.quantize(model, nncf.Dataset(items, fn))\nov.save_model(q, 'fire_int8.xml')",
)
