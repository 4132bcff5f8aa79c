"""Data, weights and other paths that a script asks for and that are not there.

Warnings, as a script may make what it reads, or look for it in places of its own; but for data and
weights that every start asks for by a path of another machine, which nobody makes here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from guardianflow.support.foreign_yaml import UnreadableYamlError, read_yaml

from ..scan.results import Option
from ..scan.syntax import last_name
from ..weights import PUBLISHED
from .course import Course, Place
from .findings import Cause, Finding

MOST_SHOWN = 3
_MODELS = re.compile(r"^(?:YOLO\w*|RTDETR|NAS|SAM|FastSAM)$")
_USES = ("train", "val", "tune", "export")
_FETCHES = {
    "torch.hub.load", "hub.load", "gdown.download", "urlretrieve", "hf_hub_download",
    "snapshot_download", "load_state_dict_from_url", "wget.download", "from_pretrained",
}  # fmt: skip
_CATCHES = {"Exception", "BaseException", "FileNotFoundError", "OSError", "RuntimeError"}
_OPTIONS = re.compile(r"^(?:args?|opts?|options?|flags|FLAGS|parsed|cfg|config|hparams|params)$")
_WEIGHTS = re.compile(r"\.(?:pt|pth|onnx|engine|torchscript|ckpt|tflite)$", re.I)
_YAML = re.compile(r"\.ya?ml$", re.I)
_WINDOWS = re.compile(r"^(?:[A-Za-z]:[\\/]|\\\\)\S")
_HOMES = frozenset(
    {"home", "Users", "mnt", "media", "data", "content", "kaggle", "workspace", "root", "nas"}
    | {"volume1", "storage", "srv", "hdd", "ssd", "disk1", "data1", "data2", "datasets"}
)


@dataclass(frozen=True)
class Given:
    """The values that the script's options will have: of the command line, else its defaults."""

    values: Mapping[str, str]

    @classmethod
    def of(cls, options: Sequence[Option], words: Sequence[str]) -> Given:
        """Read them off the command line that has been made."""
        values = {each.name: str(each.default) for each in options if isinstance(each.default, str)}
        for option in options:
            flags = {option.flag, *option.aliases} - {""}
            for word, following in zip(words, [*words[1:], ""], strict=False):
                flag, equals, value = word.partition("=")
                if flag in flags:
                    values[option.name] = value if equals else following
        return cls(values)

    def text(self, node: ast.expr | None, course: Course) -> str:
        """The text that an expression is, where that can be told; '' else."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        if isinstance(node, ast.Name):
            known = None if node.id in course.parameters else course.assigned.get(node.id)
            return known or self.values.get(node.id, "")
        if isinstance(node, ast.Attribute) and _OPTIONS.match(last_name(node.value)):
            return self.values.get(node.attr, "")
        return ""


def file_findings(
    course: Course, given: Given, directory: Path, ultralytics: Path | None
) -> Iterator[Finding]:
    """Warn of what it names and is not there.

    Args:
        directory: the working directory, where relative paths begin.
        ultralytics: the package's directory: it has data sets and models of its own.
    """
    moves = any(last_name(call.func) == "chdir" for call, _ in course.calls)
    seen, told = set[str](), set[str]()
    fixed = Given({})  # without options, which the script may change by itself
    for call, place in course.calls:
        written = _asked_for(call, fixed, course)
        sure = place.certain and not place.guarded & _CATCHES
        for text in filter(_from_elsewhere, written if sure else ()):
            seen.add(text)
            told.add(text)
            why = f"{place.text}: {text} is a path of another machine"
            yield Finding(Cause.OTHER_MACHINE, why, certain=True)
        data, weights = _asked_for(call, given, course)
        for text, cause in ((data, Cause.DATA), (weights, Cause.WEIGHTS)):
            if text and text not in seen and not (moves and not text.startswith("/")):
                seen.add(text)
                find = _data if cause is Cause.DATA else _weights
                yield from find(text, place, directory, ultralytics)
        name = ast.unparse(call.func)
        if (name in _FETCHES or last_name(call.func) in _FETCHES) and not _is_local(call):
            what = given.text(call.args[0] if call.args else None, course)
            yield Finding(
                Cause.DOWNLOAD,
                f"{place.text}: {name}({what!r}) fetches from the net, if it is not kept here"
                if what
                else f"{place.text}: {name}() fetches from the net, if it is not kept here",
            )
    yield from _other_machine(course, seen, told)


def _asked_for(call: ast.Call, given: Given, course: Course) -> tuple[str, str]:
    """(data, weights) that a call reads; '' where it reads none or nobody can tell."""
    name, keywords = last_name(call.func), {each.arg: each.value for each in call.keywords}
    first = call.args[0] if call.args else None
    data = weights = ""
    if name in _USES:
        data = given.text(keywords.get("data"), course)
        weights = given.text(keywords.get("pretrained"), course)
    elif _MODELS.match(name):
        weights = given.text(first or keywords.get("model"), course)
    elif ast.unparse(call.func) in ("torch.load", "torch.jit.load", "attempt_load"):
        weights = given.text(first or keywords.get("f"), course)
    return data, weights if _WEIGHTS.search(weights) else ""


def _is_local(call: ast.Call) -> bool:
    told = {each.arg: each.value for each in call.keywords}
    source, only = told.get("source"), told.get("local_files_only")
    return (isinstance(source, ast.Constant) and source.value == "local") or (
        isinstance(only, ast.Constant) and only.value is True
    )


def _data(text: str, place: Place, directory: Path, ultralytics: Path | None) -> Iterator[Finding]:
    if "://" in text:
        yield Finding(Cause.DOWNLOAD, f"{place.text}: data {text} would be fetched from the net")
        return
    file = directory / text
    if file.exists():
        if _YAML.search(text):
            yield from _inside(file, text)
        return
    if ultralytics is not None and "/" not in text and _is_own(ultralytics, "datasets", text):
        yield Finding(
            Cause.DOWNLOAD,
            f"{place.text}: data {text} is not in {directory}: Ultralytics' own of that name is "
            "taken, whose images are downloaded where they are missing",
        )
    elif not _from_elsewhere(text):
        yield Finding(Cause.DATA, f"{place.text}: data {text} is not there: no {file}")


def _inside(file: Path, text: str) -> Iterator[Finding]:
    """Absolute paths of a data.yaml that are nowhere here."""
    try:
        content = read_yaml(file)
    except UnreadableYamlError:
        return
    for key in ("path", "train", "val", "test") if isinstance(content, dict) else ():
        values = content.get(key)
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, str) and (
                _WINDOWS.match(value) or (value.startswith("/") and not Path(value).exists())
            ):
                yield Finding(Cause.DATA, f"{text}: {key}: {value} is not on this machine")


def _weights(
    text: str, place: Place, directory: Path, ultralytics: Path | None
) -> Iterator[Finding]:
    if "://" in text:
        yield Finding(Cause.DOWNLOAD, f"{place.text}: {text} would be fetched from the net")
    elif not (directory / text).exists() and not _from_elsewhere(text):
        if PUBLISHED.fullmatch(Path(text).name) and ultralytics is not None:
            yield Finding(
                Cause.DOWNLOAD,
                f"{place.text}: weights {text} are not in {directory}: they would be downloaded; "
                "put the file there, a plant may be offline",
            )
        else:
            yield Finding(
                Cause.WEIGHTS, f"{place.text}: weights {text} are not there: no {directory / text}"
            )


def _is_own(ultralytics: Path, kind: str, name: str) -> bool:
    return any((ultralytics / "cfg" / kind).rglob(name))


def _from_elsewhere(text: str) -> bool:
    """An absolute path whose beginning is not here: of another machine, or of another system."""
    if _WINDOWS.match(text):
        return True
    parts = Path(text).parts
    if not text.startswith("/") or len(parts) < 3 or parts[1] not in _HOMES:
        return False
    return not Path(*parts[:3]).exists()


def _other_machine(course: Course, seen: set[str], told: set[str]) -> Iterator[Finding]:
    """One finding for each beginning, `/home/kim`: a script may name a hundred below it."""
    found: dict[str, list[tuple[str, Place]]] = {}
    texts = [*course.texts, *((text, Place("the command line", 0, True)) for text in seen)]
    for text, place in texts:
        if text in told:
            continue
        text = text.partition("=")[2] if "=/" in text else text
        if "\n" not in text and len(text) < 300 and _from_elsewhere(text):
            start = text[:2] if _WINDOWS.match(text) else "/".join(text.split("/")[:3])
            found.setdefault(start, []).append((text, place))
    for start, places in found.items():
        different = list(dict(places))
        first = next((p for _, p in places if p.line), None)
        where = f"{first.text}: " if first else ""
        shown = ", ".join(different[:MOST_SHOWN])
        more = f" and {len(different) - MOST_SHOWN} more" if len(different) > MOST_SHOWN else ""
        yield Finding(
            Cause.OTHER_MACHINE,
            f"{where}paths of another machine: {shown}{more}; there is no {start} here",
        )
