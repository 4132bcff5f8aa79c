"""Bundles of files that no network is in: for all that is about files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from guardianflow.contracts.results import DetectorPackage, DetectorSpec
from guardianflow.release.bundle.build import Bundle, make_bundle

MODEL = "동화.부산-1공장.용접.ppe"


def made_bundle(
    folder: Path, version: int = 1, size: int = 3000, facts: Mapping[str, Any] | None = None
) -> Bundle:
    """A bundle whose model's content depends on the version."""
    files = folder / f"package-{version}-{size}"
    if not files.exists():
        (files / "data").mkdir(parents=True)
        (files / "model.onnx").write_bytes(bytes([version % 256]) * size)
        (files / "data" / "tensors 1.bin").write_bytes(os.urandom(100))
        DetectorPackage.create(files, spec())
    runtime = folder / "runtime_0123456789ab"
    if not runtime.exists():
        (runtime / "contracts").mkdir(parents=True)
        (runtime / "__init__.py").write_text("")
        (runtime / "contracts" / "__init__.py").write_text("VALUE = 1\n")
    return make_bundle(
        DetectorPackage.load(files),
        model=MODEL,
        version=str(version),
        facts=facts or {"requirements": ["onnxruntime==1.0"], "lineage": {"run.commit": "abc"}},
        runtime=runtime,
    )


def spec(**more: object) -> DetectorSpec:
    values: dict[str, object] = {
        "backend": "onnx",
        "precision": "int8",
        "architecture": "yolo11n",
        "class_names": ("머리", "안전모"),
        "input_size": 640,
        "output": "grid",
        "weights": "model.onnx",
        "files": {},
        "lineage": {"run_id": "r" * 32, "data_fingerprint": "f" * 64},
    }
    return DetectorSpec(**(values | more))  # type: ignore[arg-type]


def tree(folder: Path) -> Iterator[tuple[str, str | bytes]]:
    """Every entry with its content, links as what they say."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            yield name, str(path.readlink())
        elif path.is_file():
            yield name, path.read_bytes()
