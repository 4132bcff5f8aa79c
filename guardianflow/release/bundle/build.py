"""The edge bundle: everything a box at a site needs to run one registered detector.

    model.xml, model.bin, …   the model's files and detector.json, as registered
    labels.txt                class names, line number - 1 = class id
    model.yaml                what the model is, how to feed it, where it comes from
    run_detector.py           finds objects in an image file; needs the backend's library and numpy
    runtime/                  our modules that it uses, the ones inside every logged model
    __pycache__               an empty file beside modules, so that Python writes nothing there
    release.json, ….minisig   where the team has signed the model: what was signed, and by whom
    SHA256SUMS                as `sha256sum -c` reads it: every file but itself

Nothing here knows MLflow or a backend: the package is fetched and verified by the caller.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ruamel.yaml import YAML

from ...contracts.detector_package import (
    SPEC_FILE,
    DetectorPackage,
    DetectorSpec,
    is_inside,
    sha256_of,
)
from ...contracts.errors import BundleError
from ...support.secrets.redaction import redact_value
from .check import (
    DESCRIPTION_FILE,
    LABELS_FILE,
    RELEASE_FILES,
    RUN_SCRIPT,
    SHORT_DIGEST,
    SUMS_FILE,
    labels_text,
)

RUNTIME_FOLDER = "runtime"
NO_BYTECODE = "__pycache__"
SCRIPT_SOURCE = Path(__file__).with_name(RUN_SCRIPT)
# File systems allow 255 bytes a name; the version, the digest and what a repair appends need some.
_NAME_BYTES = 180
_OUTPUT_LAYOUTS = {
    "grid": "N x (4 + classes) x anchors: centre x, centre y, width, height in input pixels, "
    "then a score in 0..1 for each class; needs non-maximum suppression within each class",
    "end_to_end": "N x K x 6: x1, y1, x2, y2 in input pixels, score in 0..1, class id; "
    "needs no suppression",
}


@dataclass(frozen=True)
class Bundle:
    """The files of a bundle, not written yet.

    Args:
        name: of its directory.
        contents: relative file name → the content, or the file that holds it.
        sums: relative file name → sha256 (hex) that the written file must have.
        size_bytes: of all of them.
        signed: the two files of a release, where it is signed; they are among the contents.
    """

    name: str
    contents: Mapping[str, Path | bytes]
    sums: Mapping[str, str]
    size_bytes: int
    signed: Mapping[str, bytes] = field(default_factory=dict)


def bundle_name(model: str, version: str, digest: str) -> str:
    """'donghwa-entec.busan-plant1.welding.ppe-v3-1a2b3c4d5e6f7a8b'.

    A name too long for a file system is cut, and gets eight digits of its own sha256 instead.

    Args:
        model: registered name, with dots.
        version: of the registered model.
        digest: the model's sha256 (hex), DetectorPackage.digest.
    """
    encoded = model.encode()
    if len(encoded) > _NAME_BYTES:
        mark = hashlib.sha256(encoded).hexdigest()[:8]
        model = f"{encoded[:_NAME_BYTES].decode(errors='ignore')}~{mark}"
    return f"{model}-v{version}-{digest[:SHORT_DIGEST]}"


def make_bundle(
    package: DetectorPackage,
    *,
    model: str,
    version: str,
    facts: Mapping[str, Any],
    runtime: Path,
    description: str | None = None,
    signed: Mapping[str, bytes] = MappingProxyType({}),
) -> Bundle:
    """Gather a bundle's files; nothing is written.

    Args:
        package: fetched and verified; its files must stay until the bundle is installed.
        model: registered name, with dots.
        version: of the registered model.
        facts: what else model.yaml tells, as YAML can hold it: name, aliases, requirements,
            lineage, release …; its lineage is joined with the package's own.
        runtime: directory of a package of our modules that runs the detector, named as it is to
            be imported.
        description: model.yaml as it was signed; None makes it from the facts.
        signed: the two files of a release that is signed.

    Raises:
        BundleError: a file of the model has the name of another file of a bundle, or a class
            name can't stand in a line of labels.txt.
    """
    spec = package.spec
    _check_names(spec)
    ours: dict[str, Path | bytes] = {
        LABELS_FILE: _labels(spec),
        DESCRIPTION_FILE: _description(package, model, version, facts)
        if description is None
        else description.encode(),
        RUN_SCRIPT: SCRIPT_SOURCE,
        **signed,
    }
    for path in sorted(runtime.rglob("*.py")):
        name = f"{RUNTIME_FOLDER}/{runtime.name}/{path.relative_to(runtime).as_posix()}"
        ours[name] = path
    # Python would keep compiled copies in folders of this name: files that nobody pulled, and that
    # it would run without a look at the module. Where a file has the name it keeps none.
    folders = {name.rpartition("/")[0] for name in ours if name.endswith(".py")}
    ours |= {f"{folder}/{NO_BYTECODE}".removeprefix("/"): b"" for folder in sorted(folders)}
    contents = {name: package.directory / name for name in (*spec.files, SPEC_FILE)} | ours
    # A model's file is compared with what was registered, whatever happens on the way.
    sums = {name: spec.files.get(name) or _sha256(each) for name, each in contents.items()}
    contents[SUMS_FILE] = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode()
    return Bundle(
        name=bundle_name(model, version, package.digest),
        contents=contents,
        sums=sums,
        size_bytes=sum(
            len(each) if isinstance(each, bytes) else each.stat().st_size
            for each in contents.values()
        ),
        signed=signed,
    )


def _check_names(spec: DetectorSpec) -> None:
    reserved = {LABELS_FILE, DESCRIPTION_FILE, RUN_SCRIPT, SUMS_FILE, SPEC_FILE, NO_BYTECODE}
    reserved |= RELEASE_FILES
    taken = [
        name
        for name in spec.files
        if name in reserved or name.partition("/")[0] == RUNTIME_FOLDER or not is_inside(name)
    ]
    if taken:
        raise BundleError(
            f"the model has files that a bundle can't hold under these names: {', '.join(taken)}. "
            "Rename them and register the model anew"
        )


def _sha256(content: Path | bytes) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    return sha256_of(content)


def _labels(spec: DetectorSpec) -> bytes:
    broken = [name for name in spec.class_names if not name.strip() or re.search(r"[\r\n]", name)]
    if broken:
        raise BundleError(
            f"class names must fit a line of {LABELS_FILE} each, but {broken[0]!r} does not; "
            "correct the data set's names and train anew"
        )
    return labels_text(spec).encode()


def _description(
    package: DetectorPackage, model: str, version: str, facts: Mapping[str, Any]
) -> bytes:
    """model.yaml: all that somebody needs who feeds the files without our code.

    Facts come from runs of any age, whose tags may hold what must not get to a box.
    """
    spec = package.spec
    facts = redact_value("", {**facts, "lineage": {**facts.get("lineage", {}), **spec.lineage}})
    described = {
        "name": model.replace(".", "/"),
        "registered_name": model,
        "version": version,
        "backend": spec.backend,
        "precision": spec.precision,
        "architecture": spec.architecture,
        "weights": spec.weights,
        "files": list(spec.files),
        "size_bytes": package.size_bytes,
        "sha256": package.digest,
        "class_names": list(spec.class_names),
        "input": {
            "width": spec.input_size,
            "height": spec.input_size,
            "layout": "N x 3 x height x width, float32",
            "channel_order": "RGB",
            "normalisation": {"subtract": [0, 0, 0], "divide_by": [255, 255, 255]},
            "letterbox": {
                "resize": "bilinear, the longer side to the input size",
                "place": "centre",
                "fill": [114, 114, 114],
            },
        },
        "output": {"kind": spec.output, "layout": _OUTPUT_LAYOUTS[spec.output]},
        "thresholds": {"confidence": spec.conf_threshold, "iou": spec.iou_threshold},
        **facts,
    }
    writer = YAML(typ="safe")
    writer.default_flow_style = False
    writer.allow_unicode = True
    writer.width = 10_000  # whoever greps for a sha256 finds it behind its name
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    text = io.StringIO()
    writer.dump(described, text)
    return text.getvalue().encode()
