"""Copies of a library's repository inside an experiment: what is in them is not the owner's.

Told by the folder's name and by what lies in it: an owner's own folder `yolov8/` with two scripts
is no copy. Of a copy's top only the scripts that the library itself has there are left out, since
people put their own `train_ppe.py` beside them.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Library:
    """A library whose repository is copied.

    Args:
        folder: what the copy's folder is called, a version or branch behind it left out.
        marks: of these lie at least three in it.
        scripts: its own, at the top.
        folders: its own, at the top; none of them is searched.
    """

    name: str
    folder: re.Pattern[str]
    marks: frozenset[str]
    scripts: frozenset[str]
    folders: frozenset[str]

    def is_its_own(self, name: str, *, inside: bool) -> bool:
        """Whether a name at the top of a copy is the library's.

        Args:
            inside: the copy lies in an experiment. One that is the experiment itself is worked with
                by its owner: there the library's scripts are the ones that are run.
        """
        return name in self.folders or (inside and name in self.scripts)


def _library(name: str, folder: str, marks: str, scripts: str = "", folders: str = "") -> Library:
    return Library(
        name,
        re.compile(rf"(?:{folder})(?:[-_. ]?(?:v?\d[\w.]*|master|main|dev\w*|release))*", re.I),
        frozenset(marks.split()),
        frozenset(scripts.split()),
        frozenset((*folders.split(), *(each for each in marks.split() if "." not in each))),
    )


_OF_YOLOV5 = (
    "train.py detect.py val.py test.py export.py hubconf.py benchmarks.py setup.py train_aux.py "
    "segment.py val_dual.py val_triple.py train_dual.py train_triple.py detect_dual.py "
    "panoptic.py tuning.py webcam.py yolov5.py"
)
LIBRARIES = (
    _library(
        "YOLOv5",
        "yolov5|yolov3|yolo5",
        "models utils hubconf.py detect.py",
        _OF_YOLOV5,
        "data classify segment deploy tests weights",
    ),
    _library(
        "YOLOv7",
        "yolov7|yolor|yolov9|scaled[-_]?yolov4",
        "models utils cfg detect.py hubconf.py",
        _OF_YOLOV5,
        "data deploy tools scripts classify segment panoptic inference",
    ),
    _library("YOLOv6", "yolov6", "yolov6 tools deploy hubconf.py configs", "hubconf.py", "data"),
    _library(
        "Ultralytics",
        "ultralytics|yolov8|yolov10|yolo11|yolov11|yolov12|rt-?detr",
        "ultralytics docs examples tests docker mkdocs.yml",
        "setup.py",
        "runs",
    ),
    _library(
        "Ultralytics",
        "ultralytics",
        "cfg engine nn models utils data solutions",
        "__init__.py",
        "assets hub trackers optim",
    ),
    _library(
        "YOLOX", "yolox", "yolox exps tools demo", "setup.py hubconf.py", "tests docs datasets"
    ),
    _library(
        "YOLOX", "yolox", "core evaluators exp layers models utils", "__init__.py", "data tools"
    ),
    _library(
        "OpenMMLab",
        "mmdet(?:ection)?|mmyolo|mmcv|mmengine|mmdeploy|mmrotate|mmpose",
        "mmdet mmyolo mmcv mmengine mmdeploy mmrotate mmpose configs tools projects setup.py",
        "setup.py",
        "demo tests docs docker requirements",
    ),
    _library(
        "Detectron2",
        "detectron2?",
        "detectron2 projects configs tools dev setup.py",
        "setup.py",
        "demo tests docs datasets docker",
    ),
    _library(
        "Darknet",
        "darknet",
        "cfg src darknet.py Makefile python include",
        "darknet.py darknet_images.py darknet_video.py darknet_map.py",
        "scripts 3rdparty build data",
    ),
    _library(
        "PaddleDetection",
        "paddledetection|paddleyolo|paddleslim",
        "ppdet configs deploy tools static",
        "setup.py",
        "demo docs dataset",
    ),
    _library(
        "DETR",
        "detr|deformable-?detr|dn-?detr|dino",
        "models datasets engine.py hubconf.py d2",
        "main.py engine.py hubconf.py run_with_submitit.py test_all.py",
        "util tools d2",
    ),
    _library("SAHI", "sahi", "sahi tests demo docs", "setup.py", "scripts"),
    _library(
        "TensorRT samples",
        "tensorrtx|tensorrt[-_]samples",
        "yolov5 yolov8 tutorials lenet alexnet",
        "",
        "yolov3 yolov4 yolov7 yolo11",
    ),
    _library(
        "RKNN model zoo",
        "rknn[-_]model[-_]zoo|rknn[-_]toolkit2?(?:[-_]lite2?)?",
        "examples py_utils datasets asset 3rdparty rknn-toolkit2 rknpu2 doc packages",
        "",
        "utils",
    ),
    _library(
        "a tracker",
        "byte_?track|deep_?sort(?:_pytorch)?|bot-?sort|oc_?sort|strong_?sort|boxmot",
        "yolox deep_sort tracker trackers exps tools utils models boxmot datasets configs detector",
        "setup.py",
        "deploy",
    ),
)


_FOLDERS = re.compile("|".join(f"(?:{each.folder.pattern})" for each in LIBRARIES), re.I)
_WHOLE_REPOSITORY = LIBRARIES[3]


def copied_library(path: str, entries: Collection[str], *, inside: bool) -> Library | None:
    """The library whose copy a folder is; None where it is the owner's own.

    Args:
        path: of the folder.
        entries: names of what lies in it.
        inside: it lies in an experiment, else it is one: whatever it is called, a whole checkout of
            Ultralytics is told by what it holds.
    """
    if not inside:
        found = len(_WHOLE_REPOSITORY.marks.intersection(entries)) >= 4
        return _WHOLE_REPOSITORY if found else None
    folder = path.rpartition("/")[2]
    if _FOLDERS.fullmatch(folder) is None:
        return None
    for each in LIBRARIES:
        if each.folder.fullmatch(folder) and len(each.marks.intersection(entries)) >= 3:
            return each
    return None
