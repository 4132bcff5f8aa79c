"""Reads from a script's name its version, its date, whether it was put aside, and its purpose.

People write `train_yolov11_v2.py`, `yolo_v11_train_1214.py`, `학습_최종_v3.py`,
`train_backup_old.py`, `infer (복사본).py`. The number behind `yolo` is the network's, not the
script's.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

_NETWORK = re.compile(r"(?:yolo|rtdetr|rt-detr)[-_ ]?v?\d{1,2}(?:[nslmxctbe](?![a-z]))?", re.I)
_VERSION = re.compile(
    r"(?<![a-z])(?:v|ver|version|버전)[-_. ]?(\d{1,3}(?:[._]\d{1,3})?)(?!\d)", re.I
)
_DATE = re.compile(r"(?<!\d)(20\d{6}|20\d{2}[-_.]\d{2}[-_.]\d{2}|\d{6}|\d{4})(?!\d)")
_FINAL = re.compile(r"(?<![a-z])(?:final|release)(?![a-z])|최종|완료", re.I)
_COUNTED_FINAL = re.compile(r"(?:(?<![a-z])final|최종)[-_ ]?(\d{1,2})(?!\d)", re.I)
_PUT_ASIDE = re.compile(
    r"(?<![a-z])(?:back[-_ ]?up|bak|bk|old|copy|tmp|temp|test|deprecated|unused|orig|original|"
    r"archive|debug|wip|draft|untitled|broken|trash)\d*(?![a-z])"
    r"|백업|복사본|사본|임시|테스트|구버전|예전|이전|옛날|안씀|미사용|실험중|원본|삭제|\(\d+\)",
    re.I,
)
_HINTS = {
    "train": re.compile(
        r"(?<![a-z])(?:re|pre)?(?:train|training|finetune|fine[-_ ]tune|fit)(?![a-z])"
        r"|학습|훈련",
        re.I,
    ),
    "infer": re.compile(
        r"(?<![a-z])(?:infer|inference|predict|prediction|detect|detection|val|valid|validate|"
        r"eval|evaluate|evaluation|benchmark|track|tracking|demo|stream|rtsp|webcam)(?![a-z])"
        r"|추론|검출|탐지|예측|평가|검증|추적|실시간|성능",
        re.I,
    ),
    "quant": re.compile(
        r"(?<![a-z])(?:quant|quantize|quantise|quantization|quantisation|int8|fp16|ptq|qat|export|"
        r"convert|converter|trt|tensorrt|openvino|onnx|engine|calib|calibrate|calibration|nncf)"
        r"(?![a-z])|양자화|변환|경량화|내보내기|엔진|캘리브",
        re.I,
    ),
}
_CONVERTS = re.compile(
    r"(?<![a-z])(?:convert|converter|conversion|export|exporter|to|2)(?![a-z])|[a-z]2[a-z]"
    r"|변환|내보내기",
    re.I,
)
_LABELS = re.compile(
    r"(?<![a-z])(?:labels?|labell?ing|labelme|labelimg|annos?|annotations?|voc|coco|json|xml|csv"
    r"|txt|cvat|kitti|bdd|visdrone|bbox|boxes|datasets?|masks?|polygons?|videos?|frames?|images?)"
    r"(?![a-z])|(?:voc|coco|json|xml|csv|labelme|label)2|2(?:voc|coco|json|xml|csv|txt|labels?)"
    r"|라벨|라벨링|주석|데이터|데이터셋|이미지|영상",
    re.I,
)
_OF_NETWORKS = re.compile(
    r"(?<![a-z])(?:quant\w*|int8|fp16|ptq|qat|onnx|trt|tensorrt|openvino|engine|tflite|rknn|hef|ncnn"
    r"|coreml|calib\w*|nncf|model|weights?|pth?|checkpoint)(?![a-z])"
    r"|양자화|경량화|엔진|캘리브|모델|가중치",
    re.I,
)


@dataclass(frozen=True)
class NameFacts:
    """The facts of a name.

    Args:
        version: (3,) of v3, (1, 2) of v1.2; () without one.
        day: (year, month, day); year 0 where only month and day are written; None without one.
        finals: how many 'final' or '최종' there are, and the number behind the last (최종2).
        put_aside: the word that says so ('backup', '사본'), '' without one.
        hints: the types it points to.
    """

    version: tuple[int, ...] = ()
    day: tuple[int, int, int] | None = None
    finals: tuple[int, int] = (0, 0)
    put_aside: str = ""
    hints: frozenset[str] = frozenset()

    @property
    def marks(self) -> str:
        """'v3, 최종' as words for a comment."""
        words = []
        if self.finals != (0, 0):
            count, number = self.finals
            words.append("최종/final" + (f" × {count}" if count > 1 else ""))
            if number:
                words[-1] += f" {number}"
        if self.version:
            words.append("v" + ".".join(map(str, self.version)))
        if self.day:
            year, month, day = self.day
            words.append(f"{year}-{month:02}-{day:02}" if year else f"{month:02}-{day:02}")
        return ", ".join(words)


@lru_cache(maxsize=4096)
def read_name(name: str) -> NameFacts:
    """Read a script's name, with or without its ending."""
    stem = unicodedata.normalize("NFC", name)
    stem = re.sub(r"\.(py|ipynb|sh|bash|bat)$", "", stem, flags=re.I)
    bare = _NETWORK.sub("yolo", stem)
    version = _VERSION.search(bare)
    finals = len(_FINAL.findall(bare))
    counted = _COUNTED_FINAL.findall(bare)
    aside = _PUT_ASIDE.search(bare)
    without_version = _VERSION.sub("", bare)
    days = [day for text in _DATE.findall(without_version) if (day := _as_day(text))]
    return NameFacts(
        version=tuple(int(n) for n in re.split(r"[._]", version[1])) if version else (),
        day=days[-1] if days else None,
        finals=(finals, int(counted[-1]) if counted else 0),
        put_aside=aside[0] if aside else "",
        hints=frozenset(
            kind
            for kind, words in _HINTS.items()
            if words.search(bare) and not (kind == "quant" and converts_labels(bare))
        ),
    )


def converts_labels(name: str) -> bool:
    """Whether a name speaks of converting labels or pictures, and not a network: 'coco2yolo'."""
    about = _LABELS.search(name) is not None and _OF_NETWORKS.search(name) is None
    return about and _CONVERTS.search(name) is not None


def same_version(asked: str, name: str) -> bool:
    """Whether a script's name carries the version asked for: 'v3', '3', '1214' or '최종'."""
    wanted, has = read_name(f"_{asked}"), read_name(name)
    if wanted.version:
        return has.version == wanted.version
    if wanted.day:
        (year, *rest), (its_year, *its_rest) = wanted.day, has.day or (0,)
        return its_rest == rest and year in (0, its_year)
    if asked.isdecimal():
        return has.version == (int(asked),)
    if wanted.finals[0]:
        return has.finals[0] >= 1 and wanted.finals[1] in (0, has.finals[1])
    plain = unicodedata.normalize("NFC", asked).casefold()
    return plain in unicodedata.normalize("NFC", name).casefold()


def _as_day(text: str) -> tuple[int, int, int] | None:
    """20241214, 2024-12-14, 241214 and 1214; None where it can't be a day."""
    digits = re.sub(r"\D", "", text)
    year, month, day = 0, int(digits[-4:-2]), int(digits[-2:])
    if len(digits) == 8:
        year = int(digits[:4])
    elif len(digits) == 6:
        year = 2000 + int(digits[:2])
    try:
        date(year or 2024, month, day)  # 2024 has a 29 February
    except ValueError:
        return None
    return year, month, day
