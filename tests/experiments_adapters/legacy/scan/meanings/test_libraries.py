"""Edge runtimes infer, their compilers quantise; what a script does by each of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments_adapters.legacy.scan import Script, scan_directories

TORCH_LOOP = """
import argparse, torch
p = argparse.ArgumentParser()
p.add_argument("--qat", action="store_true")
args = p.parse_args()
model, opt = make(), torch.optim.SGD(x, lr=0.1)
if args.qat:
    model.qconfig = torch.ao.quantization.get_default_qat_qconfig("fbgemm")
    model = torch.ao.quantization.prepare_qat(model)
for epoch in range(9):
    loss = model(x)
    loss.backward()
    opt.step()
"""
YOLO = "from ultralytics import YOLO\n"


def read(directory: Path, name: str, code: str) -> Script:
    (directory / name).write_text(code)
    return scan_directories(directory, single=True).directories[0].scripts[0]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        # TFLite, in each of its packages, and the Edge TPU
        ("infer", "import tensorflow as tf\ni = tf.lite.Interpreter(model_path='a')\ni.invoke()"),
        ("infer", "import tflite_runtime.interpreter as tflite\nt = tflite.Interpreter('a')"),
        ("infer", "from ai_edge_litert.interpreter import Interpreter as I\nI(model_path='a')"),
        ("infer", "try:\n    from tflite_runtime.interpreter import Interpreter\nexcept E:\n"
         "    from tensorflow.lite.python.interpreter import Interpreter\nrun(Interpreter('a'))"),
        ("infer", "from pycoral.utils.edgetpu import make_interpreter\nx = make_interpreter('a')"),
        ("quant", "import tensorflow as tf\nc = tf.lite.TFLiteConverter.from_saved_model('a')\n"
         "open('b', 'wb').write(c.convert())"),
        ("quant", "import os\nos.system('edgetpu_compiler -s model.tflite')"),
        # RKNN
        ("infer", "from rknnlite.api import RKNNLite\nr = RKNNLite()\nr.load_rknn('a')\n"
         "r.init_runtime()\nr.inference(inputs=[x])"),
        ("quant", "from rknn.api import RKNN\nrknn = RKNN(verbose=True)\nrknn.config()\n"
         "rknn.load_onnx(model='a')\nrknn.build(do_quantization=True)\nrknn.export_rknn('b')"),
        ("infer", "from rknn.api import RKNN\nr = RKNN()\nr.load_rknn('a')\nr.init_runtime()\n"
         "r.inference(inputs=[x])"),
        # built for the simulator only, and never written
        ("infer", "from rknn.api import RKNN\nr = RKNN()\nr.load_tflite(model='a')\n"
         "r.build(do_quantization=False)\nr.init_runtime()\no = r.inference([x])"),
        ("quant", "from rknn.api import RKNN\nr = RKNN()\nr.build(do_quantization=True)"),
        # Hailo
        ("infer", "from hailo_platform import HEF, VDevice\nwith VDevice() as v:\n"
         "    v.configure(HEF('a'))"),
        ("infer", "from picamera2.devices import Hailo\nwith Hailo('a.hef') as h:\n    h.run(x)"),
        ("quant", "from hailo_sdk_client import ClientRunner\nr = ClientRunner(hw_arch='hailo8')\n"
         "r.translate_onnx_model('a')\nr.optimize(d)\nhef = r.compile()"),
        ("infer", "import gi\nfrom gi.repository import Gst\nGst.init(None)\n"
         "p = Gst.parse_launch('v4l2src ! hailonet hef-path=a.hef ! fakesink')"),
        # DeepStream, ncnn, MNN, Core ML, TVM
        ("infer", "import pyds\nfrom gi.repository import Gst\n"
         "e = Gst.ElementFactory.make('nvinfer', 'primary')"),
        ("infer", "import ncnn\nnet = ncnn.Net()\nnet.load_param('a')\n"
         "ex = net.create_extractor()"),
        ("quant", "import subprocess\nsubprocess.run(['onnx2ncnn', 'a.onnx', 'a.param'])"),
        ("infer", "import MNN\ni = MNN.Interpreter('a')\ns = i.createSession()\ni.runSession(s)"),
        ("infer", "import coremltools as ct\nm = ct.models.MLModel('a')\nm.predict({'x': y})"),
        ("quant", "import coremltools as ct\nm = ct.convert(t)\nm.save('a.mlpackage')"),
        ("infer", "import tvm\nfrom tvm.contrib import graph_executor as g\nm = g.GraphModule(x)\n"
         "m.run()"),
        ("quant", "from tvm import relay\nlib = relay.build(mod, target='cuda')"),
        # DeepX, Axelera, Qualcomm, Mobilint, FuriosaAI, Horizon, Ascend, Sophgo
        ("infer", "from dx_engine import InferenceEngine\nie = InferenceEngine('a.dxnn')\n"
         "ie.run(x)"),
        ("quant", "import subprocess\nsubprocess.run('dxcom -m a.onnx -c a.json', shell=True)"),
        ("infer", "from axelera.app.stream import create_inference_stream\n"
         "s = create_inference_stream(network='y', sources=['a'])"),
        ("quant", "import qai_hub as hub\nj = hub.submit_compile_job(model=m)\n"
         "hub.submit_quantize_job(model=m)"),
        ("infer", "import qai_hub as hub\nj = hub.submit_inference_job(model=m)"),
        ("infer", "import os\nos.system('snpe-net-run --container a.dlc')"),
        ("quant", "import os\nos.system('snpe-onnx-to-dlc -i a.onnx')"),
        ("infer", "import maccel\na = maccel.Accelerator(0)\nm = maccel.Model('a.mxq')\n"
         "m.infer(x)"),
        ("quant", "from qubee import mxq_compile\nmxq_compile(model='a.onnx')"),
        ("infer", "from furiosa.runtime.sync import create_runner\nwith create_runner('a') as r:\n"
         "    r.run(x)"),
        ("infer", "from hobot_dnn import pyeasy_dnn as dnn\nm = dnn.load('a.bin')\n"
         "m[0].forward(x)"),
        ("infer", "import sophon.sail as sail\ne = sail.Engine('a', 0, 1)\ne.process(x)"),
        # OpenVINO's own, Jetson, OAK, MediaPipe, MMDetection, Detectron2, Paddle, Triton
        ("infer", "from openvino.tools.benchmark.main import main\nmain()"),
        ("infer", "import subprocess\nsubprocess.run(['benchmark_app', '-m', 'a.xml'])"),
        ("infer", "from openvino.inference_engine import IECore\nn = IECore().load_network(x)\n"
         "n.infer(y)"),
        ("infer", "import openvino as ov\nq = ov.AsyncInferQueue(m, 4)\nq.start_async(x)"),
        ("infer", "import jetson.inference\nn = jetson.inference.detectNet('ssd')\nn.Detect(i)"),
        ("infer", "from mmdet.apis import init_detector, inference_detector\n"
         "m = init_detector('a', 'b')\ninference_detector(m, 'c.jpg')"),
        ("infer", "from mmengine.runner import Runner\nr = Runner.from_cfg(c)\nr.test()"),
        ("infer", "from detectron2.engine import DefaultPredictor\np = DefaultPredictor(c)\np(i)"),
        ("infer", "import tritonclient.http as h\nc = h.InferenceServerClient(url='a')\n"
         "c.infer('m')"),
        # subclasses of detectors and of trainers
        ("train", f"{YOLO}class MyYOLO(YOLO):\n    pass\nMyYOLO('a.pt').train()"),
        ("train", f"{YOLO}class A(YOLO):\n    pass\nclass B(A):\n    def go(self):\n"
         "        self.train()\nB('a').go()"),
        ("train", f"{YOLO}class MyYOLO(YOLO):\n    def fit(self):\n        super().train()\n"
         "MyYOLO('a').fit()"),
        ("infer", f"{YOLO}class MyYOLO(YOLO):\n    pass\nm = MyYOLO('a.pt')\nm('a.jpg')"),
        ("train", "from ultralytics.models.yolo.detect import DetectionTrainer\n"
         "class Ours(DetectionTrainer):\n    def get_model(self, c):\n        return c\n"
         "t = Ours(overrides={})\nt.train()"),
        ("infer", "from ultralytics.models.yolo.detect import DetectionPredictor\n"
         "class P(DetectionPredictor):\n    pass\n"
         "DetectionPredictor(overrides={}).predict_cli()"),
        ("infer", "from ours import PpeYOLO\nm = PpeYOLO('a.pt')\nm.detect('a.jpg')"),
        # a training loop that can be quantisation-aware is a training
        ("train", TORCH_LOOP),
        # conversions of labels are none of networks
        ("other", "import fiftyone as fo\nd = fo.Dataset.from_dir('a')\nd.export(format='yolo')"),
        ("other", "from ultralytics.data.converter import convert_coco\nconvert_coco('a')"),
        ("other", "from pydub import AudioSegment\nsound = AudioSegment.from_wav('a')\n"
         "sound.export('b', format='mp3')"),
    ],
)  # fmt: skip
def test_what_a_call_of_a_library_means(tmp_path: Path, kind: str, code: str) -> None:
    found = read(tmp_path, "a.py", code)
    assert found.type == kind, found.why


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("convert.py", "import torch\nfrom ultralytics.data.converter import convert_coco\n"
         "convert_coco('a')"),
        ("convert_voc.py", "import torch, xml.etree.ElementTree as E\nE.parse('a')"),
        ("coco2yolo.py", "import json, torch\njson.load(open('a'))"),
        ("라벨_변환.py", "import torch\nopen('a').read()"),
        ("export_frames.py", "import cv2, torch\ncv2.VideoCapture('a').read()"),
    ],
)  # fmt: skip
def test_a_script_named_for_converting_labels_does_not_quantise(
    tmp_path: Path, name: str, code: str
) -> None:
    assert read(tmp_path, name, code).type == "other"


@pytest.mark.parametrize("name", ["convert.py", "convert_coco_model.py", "변환_onnx.py"])
def test_a_conversion_of_a_network_still_does(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, name, "import torch\nprepare(torch)").type == "quant"


def test_a_package_that_only_runs_networks_tells_by_its_import(tmp_path: Path) -> None:
    found = read(tmp_path, "worker.py", "import dx_engine, ours\nours.work(dx_engine, 'a')")
    assert (found.type, found.confidence) == ("infer", 0.5)


def test_training_that_is_called_quantising_is_quantising(tmp_path: Path) -> None:
    assert read(tmp_path, "qat_train.py", TORCH_LOOP).type == "quant"
