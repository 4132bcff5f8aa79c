"""The part that all backends of ours share: checks, complete packages, translated errors."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..contracts.backends import BackendInfo
from ..contracts.errors import BackendError, ConfigurationError
from ..contracts.results import DetectorPackage, ExportRequest
from . import catalogue, exporting
from .quantisation.calibration import CalibrationImages
from .sessions import CheckedSession

if TYPE_CHECKING:
    from ..contracts.ports import ImageArray


MODES = ("latency", "throughput")


@dataclass(frozen=True)
class ExportJob:
    """An export under way; the request was checked.

    Args:
        images: to calibrate on; None unless int8 is made by method 'static'.
        target: the weights file to write.
        scratch: a directory for intermediate files.
    """

    source: DetectorPackage
    request: ExportRequest
    images: CalibrationImages | None
    target: Path
    scratch: Path


class BaseBackend(ABC):
    """The part of a `contracts.ports.Backend` that is alike for all; `_write` and `_open` are not.

    Attributes:
        weights: the file that it opens, in its packages.
        libraries: distributions that make its files, for the lineage.
        int8_libraries: those that come on top of them for int8.
    """

    name: str
    weights: str
    libraries: tuple[str, ...]
    int8_libraries: tuple[str, ...] = ()

    @property
    def info(self) -> BackendInfo:
        """This backend's entry in the catalogue."""
        return catalogue.CATALOGUE[self.name]

    def export(
        self,
        source: DetectorPackage,
        request: ExportRequest,
        destination: Path,
        calibration: Sequence[ImageArray] | None = None,
    ) -> DetectorPackage:
        """Make this backend's package; see `contracts.ports.Backend.export`.

        What its precisions and calibrations are, its `_write` says.
        """
        catalogue.check_request(self.info, request)
        exporting.check_source(source)
        self._check_able(request)
        with (
            exporting.complete_or_absent(destination) as work,
            tempfile.TemporaryDirectory(prefix=f"guardianflow-{self.name}-") as scratch,
        ):
            images, libraries = None, self.libraries
            if request.precision == "int8":
                libraries += self.int8_libraries
                if request.method == "static":
                    images = CalibrationImages(calibration, source.spec.input_size)
            job = ExportJob(source, request, images, work / self.weights, Path(scratch))
            facts = self._write(job)
            return exporting.finished_package(
                work,
                destination,
                source.spec,
                backend=self.name,
                precision=request.precision,
                weights=self.weights,
                lineage=exporting.lineage(source, libraries, **facts),
            )

    def open(
        self,
        package: DetectorPackage,
        *,
        batch_size: int = 1,
        device: str = "auto",
        mode: str = "latency",
    ) -> CheckedSession:
        """Open a package's files; see `contracts.ports.Backend.open`."""
        if package.spec.backend != self.name:
            raise BackendError(
                f"the '{self.name}' backend can't open a package of '{package.spec.backend}'; "
                "use guardianflow.backends.catalogue.open_session, which picks by the package"
            )
        if batch_size < 1:
            raise ConfigurationError(f"batch_size must be 1 or more but got {batch_size}")
        if mode not in MODES:
            raise ConfigurationError(f"mode must be one of {', '.join(MODES)} but got {mode!r}")
        with exporting.foreign_errors(f"opening {package.weights_path} with {self.info.label}"):
            return self._open(package, batch_size, device, mode)

    def _check_able(self, request: ExportRequest) -> None:  # noqa: B027 - most can make all
        """Raises BackendUnavailableError where this machine can't make what the backend could."""

    @abstractmethod
    def _write(self, job: ExportJob) -> dict[str, str]:
        """Write the target, and what belongs beside it; returns facts for the lineage."""

    @abstractmethod
    def _open(
        self, package: DetectorPackage, batch_size: int, device: str, mode: str
    ) -> CheckedSession:
        """A session; what was asked makes sense, and errors of libraries are translated."""
