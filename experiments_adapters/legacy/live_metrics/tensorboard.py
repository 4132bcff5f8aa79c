"""Scalars from TensorBoard event files as they grow, read without TensorBoard.

A file is a row of records (TensorFlow's TFRecord):

    length      uint64, little endian
    its CRC     uint32, masked CRC-32C
    data        `length` bytes: a protocol buffer of the message tensorflow.Event
    its CRC     uint32, masked CRC-32C

Of an Event only the fields step (2) and summary (5) are read, of a summary's values tag (1),
simple_value (2) and tensor (8). Pictures, histograms and graphs are passed over.

Sources: tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto,
tensorflow/core/framework/{summary,tensor,types}.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .metric_keys import TABLE, Reading

HEADER = struct.Struct("<QI")
FOOTER_BYTES = 4
LARGEST_SCALAR_RECORD = 64_000
"""Bytes; a longer record holds a picture or a graph, and is passed over unread."""
BYTES_A_POLL = 4_000_000
VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5
# tensorflow.DataType → how its one value lies in tensor_content.
TENSOR_CONTENT = {1: "<f", 2: "<d", 3: "<i", 9: "<q"}


def _table() -> tuple[int, ...]:
    polynomial = 0x82F63B78  # Castagnoli, reflected
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)
        table.append(value)
    return tuple(table)


_CRC_TABLE = _table()


def masked_crc(data: bytes) -> int:
    """CRC-32C of the data, rotated and offset as record_writer.h does it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


class EventFileFollower:
    """Reads the scalars that were appended since the last time.

    Args:
        start: byte to begin at: the size of a file that was there before the script.
        series: see Reading.
    """

    def __init__(self, path: Path, start: int = 0, series: str = "") -> None:
        self.path = path
        self.series = series
        self.problem = ""
        self._ended = False
        self._offset = start

    def poll(self) -> list[Reading]:
        """The new scalars; a record that is not complete yet waits for the next time."""
        if self._ended:
            return []
        found: list[Reading] = []
        try:
            with self.path.open("rb") as stream:
                stream.seek(self._offset)
                for record in self._records(stream):
                    found += self._scalars(record)
        except OSError as exc:
            self.problem = f"can't be read: {exc.strerror}"
        return found

    def _records(self, file: BinaryIO) -> Iterator[bytes]:
        size = self.path.stat().st_size
        end = self._offset + BYTES_A_POLL
        while self._offset < end:
            header = file.read(HEADER.size)
            if len(header) < HEADER.size:
                return
            length, crc = HEADER.unpack(header)
            if masked_crc(header[:8]) != crc:
                # Where the next record begins can't be known: what follows would be invented.
                self.problem = f"is damaged at byte {self._offset}; its scalars end there"
                self._ended = True
                return
            after = self._offset + HEADER.size + length + FOOTER_BYTES
            if after > size:
                return
            if length <= LARGEST_SCALAR_RECORD:
                data = file.read(length)
                (crc,) = struct.unpack("<I", file.read(FOOTER_BYTES))
                if masked_crc(data) == crc:
                    yield data
                else:
                    self.problem = f"has a damaged record at byte {self._offset}, left out"
            file.seek(after)
            self._offset = after

    def _scalars(self, event: bytes) -> Iterator[Reading]:
        try:
            step, values = 0, []
            for field, kind, value in _fields(event):
                if (field, kind) == (2, VARINT):
                    step = _signed(int(value))
                elif (field, kind) == (5, LENGTH_DELIMITED):
                    values += [v for f, k, v in _fields(_bytes(value)) if (f, k) == (1, 2)]
            for summary in values:
                tag, number = _scalar(_bytes(summary))
                if tag and number is not None:
                    yield Reading(tag, number, step, TABLE, self.series)
        except (ValueError, struct.error, IndexError):
            self.problem = "holds a record that is no event of TensorBoard"


def _scalar(value: bytes) -> tuple[str, float | None]:
    """Tag and number of a Summary.Value; None where it is no scalar."""
    tag, number = "", None
    for field, kind, content in _fields(value):
        if (field, kind) == (1, LENGTH_DELIMITED):
            tag = _bytes(content).decode("utf-8", "replace")
        elif (field, kind) == (2, FIXED32):
            (number,) = struct.unpack("<f", _bytes(content))
        elif (field, kind) == (8, LENGTH_DELIMITED):
            number = _tensor(_bytes(content))
    return tag, number


def _tensor(tensor: bytes) -> float | None:
    """The value of a tensor that holds one number; None for any other."""
    kind_of_data = 0
    found: list[float] = []
    for field, kind, content in _fields(tensor):
        if (field, kind) == (1, VARINT):
            kind_of_data = int(content)
        elif (field, kind) == (4, LENGTH_DELIMITED) and content:
            form = TENSOR_CONTENT.get(kind_of_data)
            data = _bytes(content)
            if form is None or len(data) != struct.calcsize(form):
                return None
            found += struct.unpack(form, data)
        elif field in (5, 6) and kind in (LENGTH_DELIMITED, FIXED32, FIXED64):
            form, width = ("f", 4) if field == 5 else ("d", 8)
            data = _bytes(content)
            found += struct.unpack(f"<{len(data) // width}{form}", data)
    return float(found[0]) if len(found) == 1 else None


def _fields(message: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """(field number, wire type, value) of each field of a protocol buffer.

    Raises:
        ValueError: it is none.
    """
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        field, kind = key >> 3, key & 7
        if kind == VARINT:
            value, position = _varint(message, position)
            yield field, kind, value
            continue
        if kind == LENGTH_DELIMITED:
            length, position = _varint(message, position)
        elif kind in (FIXED32, FIXED64):
            length = 4 if kind == FIXED32 else 8
        else:
            raise ValueError(f"wire type {kind}")
        if position + length > len(message):
            raise ValueError("a field exceeds its message")
        yield field, kind, message[position : position + length]
        position += length


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
    raise ValueError("a number of more than ten bytes")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where bytes were expected")
    return value
