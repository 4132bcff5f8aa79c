"""The containers of pickles that PyTorch reads: zip archives, and tar archives of long ago."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile

LARGEST_PROGRAM = 32 << 20
"""Bytes of a zip archive's pickle, which holds no tensors; large detectors have 0.5 MB."""
ZIP_START = b"PK\x03\x04"


class UnreadablePickleError(Exception):
    """A file can't be looked into; says why, and whether it is a TorchScript archive."""

    def __init__(self, why: str, *, torchscript: bool = False) -> None:
        super().__init__(why)
        self.torchscript = torchscript


def is_tar(content: bytes) -> bool:
    """Whether PyTorch would take the file for its oldest format."""
    try:
        tarfile.open(fileobj=io.BytesIO(content), mode="r:").close()
    except tarfile.ReadError:
        return False
    except (
        Exception
    ):  # damaged so that Python's own reader stumbles: not known to be something else
        return True
    return True


def pickles_of_archive(content: bytes) -> dict[str, bytes]:
    """The pickles in a zip archive as torch.save writes it: name → program.

    PyTorch has a reader of its own, in C++. So whatever two readers could see differently is
    refused: two entries of one name, something before or after the archive, compression, entries
    in several folders.

    Raises:
        UnreadablePickleError: not an archive that torch.save writes.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_end(content)
            entries = archive.infolist()
            _check_entries(entries)
            pickles = [e for e in entries if e.filename.casefold().endswith(".pkl")]
            large = [e.filename for e in pickles if e.file_size > LARGEST_PROGRAM]
            if large:
                raise UnreadablePickleError(f"{large[0]} is larger than {LARGEST_PROGRAM} bytes")
            return {e.filename: archive.read(e) for e in pickles}
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, struct.error) as exc:
        raise UnreadablePickleError(f"it is a damaged zip archive: {exc}") from exc
    except (NotImplementedError, RuntimeError, OverflowError, MemoryError) as exc:
        raise UnreadablePickleError(f"it is an odd zip archive: {exc}") from exc


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.filename for entry in entries]
    folders = {name.partition("/")[0] for name in names}
    if any(name.endswith("/constants.pkl") for name in names):
        raise UnreadablePickleError("it is a TorchScript archive", torchscript=True)
    odd = [
        entry.filename
        for entry in entries
        if entry.orig_filename != entry.filename
        or not entry.filename.isascii()
        or "\\" in entry.filename
        or entry.compress_type != zipfile.ZIP_STORED
        or entry.compress_size != entry.file_size
        or entry.flag_bits & 0x41  # encrypted
    ]
    if odd:
        raise UnreadablePickleError(f"PyTorch does not write an entry like {odd[0]!r}")
    if len({name.casefold() for name in names}) != len(names):
        raise UnreadablePickleError("two entries of the archive have the same name")
    if len(folders) != 1 or f"{next(iter(folders))}/data.pkl" not in names:
        raise UnreadablePickleError("it is a zip archive that torch.save has not written")
    if min(entry.header_offset for entry in entries) != 0:
        raise UnreadablePickleError("something stands before the archive")


def _check_end(content: bytes) -> None:
    """The archive's table of contents must be the one that any reader finds."""
    end = len(content) - 22
    signature, *disks, _, size, start, comment = struct.unpack_from("<4s4H2LH", content, end)
    if signature != b"PK\x05\x06" or comment or disks[0] or disks[1]:
        raise UnreadablePickleError("something stands behind the archive")
    table_ends = end
    if end >= 76 and content[end - 20 : end - 16] == b"PK\x06\x07":
        table_ends = end - 76
        _, _, place, _ = struct.unpack_from("<4sLQL", content, end - 20)
        kind, length, *_, long_size, long_start = struct.unpack_from(
            "<4sQ2H2L4Q", content, table_ends
        )
        agree = size in (long_size, 0xFFFFFFFF) and start in (long_start, 0xFFFFFFFF)
        if kind != b"PK\x06\x06" or place != table_ends or length != 44 or not agree:
            raise UnreadablePickleError("its two tables of contents differ")
        size, start = long_size, long_start
    if start + size != table_ends:
        raise UnreadablePickleError("its table of contents is not where it says")
