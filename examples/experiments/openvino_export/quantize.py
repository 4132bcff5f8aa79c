"""An exporter of one's own: OpenVINO with NNCF, the head's arithmetic kept float.

Boxes are pixels and scores lie in 0…1: under one 8-bit scale the scores would be lost. So in the
head only the convolutions are quantised.
"""

import os
from pathlib import Path

os.environ.setdefault("NNCF_CI", "1")  # else NNCF reports its use over the network

import nncf
import openvino
import torch
from ultralytics import YOLO

from experiments_adapters.base import BaseQuantizer

ARITHMETIC = "(?!.*(_convolution|conv2d)).*"


class Quantizer(BaseQuantizer):
    makes = ("openvino_int8", "openvino_fp16")

    def quantize(self, weights, calibration_images, out_dir):
        side = self.model_config.input_size
        network = YOLO(weights).model.float().eval().fuse(verbose=False)
        head = network.model[-1]
        head.export, head.dynamic = True, True  # one tensor N×(4+classes)×anchors
        shape = [-1, 3, side, side]
        with torch.no_grad():
            model = openvino.convert_model(
                network, example_input=torch.zeros(2, 3, side, side), input=shape
            )
        if self.quantization_config.precision == "int8":
            model = self._int8(model, f"model.{len(network.model) - 1}", calibration_images)
        openvino.save_model(model, Path(out_dir) / "model.xml", compress_to_fp16=True)
        return Path(out_dir) / "model.xml"

    def _int8(self, model, head, images):
        def as_input(image):  # uint8 S×S×3 RGB, letterboxed, of the train split
            return image.transpose(2, 0, 1)[None].astype("float32") / 255

        return nncf.quantize(
            model,
            nncf.Dataset(images, as_input),
            subset_size=len(images),
            preset=nncf.QuantizationPreset.MIXED,
            ignored_scope=nncf.IgnoredScope(
                patterns=[rf"__module\.{head}{ARITHMETIC}"], validate=False
            ),
        )
