"""The part of our own code that a stage's result depends on, as a digest.

It is taken over the modules that the stage's module imports, one through another, and those that
the catalogue of backends finds by name. What a module says counts, not how it is written: comments,
docstrings and layout change nothing. (Another version of Python may read the same text as another
tree: then a stage is done anew.)
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Collection, Iterable
from functools import lru_cache
from importlib.util import find_spec, resolve_name
from pathlib import Path

from guardianflow.backends.catalogue import backend_info
from guardianflow.contracts.errors import ConfigurationError
from guardianflow.support.module_imports import imported_modules
from guardianflow.support.sealed_files import read_sealed, write_sealed

from ..settings import PROJECT_ROOT
from .kinds import KINDS, QUANT, TRAIN

OUR_PACKAGES = ("guardianflow", "scenario", "experiments_adapters", "pipelines")
# Modules whose change leaves every number and every model file as it is. When in doubt, a module
# is not here: a stage that runs once too often costs time, a stale result costs trust.
LEFT_OUT = (
    "guardianflow.contracts.errors",  # sentences
    "guardianflow.evaluation.pictures",  # drawn from numbers that are there already
    "guardianflow.contracts.run_metrics",
    "guardianflow.metrics_store",  # rows of runs that have ended
    "guardianflow.release.report",  # words and layout of a report
    "guardianflow.run_tracking",  # where results are kept; what a model is made of: ALWAYS
    "guardianflow.support",  # files, processes, output; what decides: COUNTED
    # The order of the work around a stage, and what is told of it.
    "pipelines.metrics",
    "pipelines.registered_models",
    "pipelines.reuse",
    "pipelines.runner",
    "pipelines.settings",
    "pipelines.stage.code_identity",
    "pipelines.stage.events",
    "pipelines.stage.execution",
    "pipelines.stage.kinds",
    "pipelines.stage.plan",
    "pipelines.stage.stage",
    "pipelines.stage.tracked_run",
    # How a training that was cut off is found again: a change there must not make it another one.
    "pipelines.train.curve",
    "pipelines.train.data_leaks",  # what is told of the data
    "pipelines.train.epoch_journal",
    "pipelines.train.resumption",
    "pipelines.train.snapshots",
    "pipelines.train.unfinished",
    "pipelines.wiring",
    # What a scenario says is in the identity as values: how it is read and named is not asked.
    "scenario",
)
COUNTED = ("guardianflow.support.pictures",)
"""Parts of what is left out that count where they are imported: pixels come from here."""
ALWAYS = (
    # With its backend it is what judges, and what travels inside a registered model.
    "guardianflow.detector",
    # What a registered model's files are.
    "guardianflow.run_tracking.detector_model",
    "guardianflow.run_tracking.model_files",
    "guardianflow.run_tracking.runtime_copy",
    # Reads data.yaml.
    "guardianflow.support.foreign_yaml",
    # Makes limits, settings of training and recipes of what is asked.
    "scenario.sections",
)
TRAINER = "experiments_adapters.yolo.train"
"""Found by its path, and by name by experiments of others that build on it."""


def code_digest(stage: str, backends: Collection[str], memory: Path | None = None) -> str:
    """sha256 over the code that a stage's result depends on.

    Args:
        stage: 'train', 'quant', 'infer' or 'release'.
        backends: those it makes or opens detectors of.
        memory: file that keeps digests of this very code, as making one takes half a second.
    """
    return digest_of_modules(entry_modules(stage, backends), memory)


def digest_of_modules(names: Iterable[str], memory: Path | None = None) -> str:
    """sha256 over what these modules do, and those that they import.

    Args:
        memory: as of code_digest.
    """
    entries = tuple(dict.fromkeys(names))
    if memory is None or any(entry.split(".")[0] not in OUR_PACKAGES for entry in entries):
        return _digest(entries)
    kept, text = read_sealed(memory), _text_of_all()
    known = dict(kept["digests"]) if kept and kept.get("text") == text else {}
    key = " ".join(entries)
    if key not in known:
        known[key] = _digest(entries)
        write_sealed(memory, {"text": text, "digests": known})
    return str(known[key])


def modules_of(backend: str) -> tuple[str, ...]:
    """The module that opens a backend's detectors, found by its name in the catalogue."""
    return (resolve_name(backend_info(backend).module, "guardianflow.backends"),)


def entry_modules(stage: str, backends: Collection[str]) -> list[str]:
    """The stage's module, and those that are found by names which no import shows."""
    entries = [KINDS[stage].module, *ALWAYS]
    if stage == TRAIN:
        entries.append(TRAINER)
    for info in sorted(map(backend_info, backends), key=lambda each: each.name):
        exporter = info.recipe_exporter[:1] if stage == QUANT else ()
        entries += [
            resolve_name(each, "guardianflow.backends") for each in (info.module, *exporter)
        ]
    return entries


def code_of(entries: Iterable[str], root: Path = PROJECT_ROOT) -> dict[str, str]:
    """The modules that a result depends on: dotted name → sha256 of what the module does."""
    outside = [entry for entry in entries if entry.split(".")[0] not in OUR_PACKAGES]
    kept = {_file_of(entry, root) for entry in entries if entry not in outside}

    def left_out(module: Path) -> bool:
        if module in kept:
            return False
        name = f"{_name_of(module, root)}."
        within = [tuple(f"{each}." for each in names) for names in (LEFT_OUT, COUNTED)]
        return name.startswith(within[0]) and not name.startswith(within[1])

    found = imported_modules(sorted(kept), root, OUR_PACKAGES, left_out)
    ours = {_name_of(module, root): meaning(tree) for module, tree in found}
    return ours | {entry: _meaning_outside(entry) for entry in outside}


@lru_cache
def _text_of_all() -> str:
    """sha256 over every module of ours as it is written, and over what reads them."""
    digest = hashlib.sha256(sys.version.encode())
    for package in OUR_PACKAGES:
        for path in sorted((PROJECT_ROOT / package).rglob("*.py")):
            digest.update(f"\n{path.relative_to(PROJECT_ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


@lru_cache
def _digest(entries: tuple[str, ...]) -> str:
    code = sorted(code_of(entries).items())
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()


def meaning(tree: ast.Module) -> str:
    """sha256 over what a module does: without places and without texts that do nothing."""
    _drop_texts(tree)
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _meaning_outside(name: str) -> str:
    """That of a backend's module from outside; what it imports counts by its version alone."""
    found = find_spec(name)
    if found is None or found.origin is None:
        raise ConfigurationError(f"the backend's module {name} must be installed")
    return meaning(ast.parse(Path(found.origin).read_bytes()))


def _drop_texts(node: ast.AST) -> None:
    """Drop docstrings: texts that are statements of their own."""
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        node.body = [each for each in node.body if not _is_text(each)]
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.expr):
            _drop_texts(child)


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _file_of(name: str, root: Path) -> Path:
    place = root.joinpath(*name.split("."))
    package = place / "__init__.py"
    return package if package.is_file() else place.with_suffix(".py")


def _name_of(module: Path, root: Path) -> str:
    return ".".join(module.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
