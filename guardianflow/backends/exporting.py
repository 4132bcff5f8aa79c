"""Making files with foreign libraries: complete or absent, their errors and prints taken in."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..contracts.backends import SOURCE
from ..contracts.errors import (
    BackendError,
    BackendUnavailableError,
    ConfigurationError,
    GuardianFlowError,
    MissingDependencyError,
)
from ..contracts.results import DetectorPackage, DetectorSpec
from ..support.files import whole_directory
from ..support.foreign_libraries import environment as environment
from ..support.foreign_libraries import loggers_to_log as loggers_to_log
from ..support.foreign_libraries import prints_to_log as prints_to_log
from ..support.large_libraries import importing


def require(module: str, needed_for: str, install: str) -> Any:
    """Import an optional library.

    Raises:
        MissingDependencyError: it is not installed.
        BackendUnavailableError: it is, and can't be loaded.
    """
    try:
        with importing():
            return importlib.import_module(module)
    except ModuleNotFoundError as exc:
        if exc.name != module.partition(".")[0]:
            raise BackendUnavailableError(
                f"{module} is installed but misses {exc.name}; reinstall it with: {install}"
            ) from exc
        raise MissingDependencyError(module.partition(".")[0], needed_for, install) from exc
    except (ImportError, OSError) as exc:
        raise BackendUnavailableError(
            f"{module} is installed but can't be loaded here ({exc}); reinstall it with: {install}"
        ) from exc


@contextlib.contextmanager
def foreign_errors(doing: str) -> Iterator[None]:
    """Turn a library's own exceptions into BackendError; ours pass as they are."""
    try:
        yield
    except GuardianFlowError:
        raise
    except Exception as exc:
        text = str(exc).strip() or type(exc).__name__
        raise BackendError(f"{doing} failed: {text}") from exc


@contextlib.contextmanager
def complete_or_absent(destination: Path) -> Iterator[Path]:
    """A directory to work in that becomes `destination` when all went well, else vanishes.

    Raises:
        ConfigurationError: `destination` exists already.
    """
    if destination.exists():
        raise ConfigurationError(
            f"{destination} exists already; choose another directory or remove it first"
        )
    destination.parent.mkdir(parents=True, exist_ok=True)
    with whole_directory(destination) as work:
        yield work


def finished_package(
    work: Path, destination: Path, source: DetectorSpec, **changes: Any
) -> DetectorPackage:
    """Describe the files in `work`; the package returned names `destination`, its future place."""
    spec = DetectorPackage.create(work, replace(source, **changes)).spec
    return DetectorPackage(destination, spec)


def check_source(source: DetectorPackage) -> None:
    """Raises ConfigurationError unless `source` is a PyTorch fp32 package."""
    if source.spec.backend != SOURCE:
        raise ConfigurationError(
            f"an export starts from a PyTorch detector but got one of '{source.spec.backend}'; "
            "name the training run, or a .pt file"
        )


def lineage(
    source: DetectorPackage, libraries: Iterable[str], **facts: object
) -> Mapping[str, str]:
    """The source's lineage, what was done to it, and the versions of what did it."""
    versions = " ".join(f"{name}=={importlib.metadata.version(name)}" for name in libraries)
    done = {"source_digest": source.digest, "export_versions": versions}
    return {
        **source.spec.lineage,
        **done,
        **{name: str(value) for name, value in facts.items() if value is not None},
    }
