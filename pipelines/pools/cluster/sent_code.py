"""An experiment's directory as one archive, so that a machine without it can work with it.

The same files are the same bytes: a machine that has the directory already is told so by them, and
works in place, where its repository tells which commit it is.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

from experiments_adapters.code_path import files_below, is_repository, locate
from guardianflow.contracts.errors import ConfigurationError

from ...settings import BUILTIN_EXPERIMENT, PROJECT_ROOT
from ...stage.stage import StageRequest

LARGEST_BYTES = 64 << 20
ALWAYS_AT = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class SentCode:
    """A directory's files.

    Args:
        place: its path where the command was given.
        archive: a zip file's bytes.
        file: the one that was named in it; '' where the directory was.
    """

    place: str
    archive: bytes
    file: str = ""

    def unpacked(self, folder: Path) -> Path:
        """The directory or file to work with: where it was, if it is there as it was, else here."""
        place = Path(self.place)
        try:
            there = place.is_dir() and packed(place) == self.archive
        except (OSError, ConfigurationError):
            there = False
        if not there:
            place = folder
            with zipfile.ZipFile(io.BytesIO(self.archive)) as archive:
                archive.extractall(folder)
        return place / self.file if self.file else place


def code_to_send(request: StageRequest) -> SentCode | None:
    """The experiment's code of a stage; None where every machine gets at it by itself.

    Raises:
        ExperimentCodeError: it is not there.
        ConfigurationError: its directory is too large to be sent.
    """
    reference = request.code_path
    if reference == BUILTIN_EXPERIMENT or is_repository(reference):
        return None
    path = locate(reference, [Path(request.base_dir), PROJECT_ROOT])
    folder, file = (path, "") if path.is_dir() else (path.parent, path.name)
    return SentCode(str(folder), packed(folder), file)


def with_code(request: StageRequest, code: SentCode | None, folder: Path) -> StageRequest:
    """The request as it is for this machine; `folder` is empty, and for this stage alone."""
    if code is None:
        return request
    return replace(request, code_path=str(code.unpacked(folder)))


def packed(folder: Path) -> bytes:
    """Raises ConfigurationError: it is larger than LARGEST_BYTES."""
    content, total = io.BytesIO(), 0
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files_below(folder):
            total += file.stat().st_size
            if total > LARGEST_BYTES:
                raise ConfigurationError(
                    f"the experiment's directory must have at most {LARGEST_BYTES >> 20} MB to be "
                    f"sent to other machines but {folder} has more; move data and weights out of "
                    "it, or name the code by a git+ URL"
                )
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), ALWAYS_AT)
            entry.external_attr = (file.stat().st_mode & 0o777) << 16
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)
    return content.getvalue()
