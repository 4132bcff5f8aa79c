"""Scalars from TensorBoard event files as they grow, read without TensorBoard.

A file is a row of records (TensorFlow's TFRecord):

    length      uint64, little endian
    its CRC     uint32, masked CRC-32C
    data        `length` bytes: a protocol buffer of the message tensorflow.Event
    its CRC     uint32, masked CRC-32C

Only the fields of MESSAGES are read. Pictures, histograms and graphs are passed over.

Sources: tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto,
tensorflow/core/framework/{summary,tensor,types}.proto.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from .metric_keys import TABLE, Follower, Reading

HEADER = struct.Struct("<QI")
FOOTER_BYTES = 4
LARGEST_SCALAR_RECORD = 64_000
"""Bytes; a longer record holds a picture or a graph, and is passed over unread."""
BYTES_A_POLL = 4_000_000
MESSAGES = {
    "Event": "int64 step 2, Summary summary 5",
    "Summary": "repeated Value value 1",
    "Value": "bytes tag 1, float simple_value 2, TensorProto tensor 8",
    "TensorProto": "int32 dtype 1, bytes tensor_content 4, repeated float float_val 5, "
    "repeated double double_val 6",
}
"""Type, name and number of the fields that are read. In proto2 it is known which are there."""
# tensorflow.DataType → how its one value lies in tensor_content.
TENSOR_CONTENT = {1: "<f", 2: "<d", 3: "<i", 9: "<q"}


@functools.cache
def event_class() -> type[Any]:
    """The class of tensorflow.Event, made of MESSAGES."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="guardianflow_event.proto", syntax="proto2")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for words in map(str.split, fields.split(", ")):
            kind, field_name, number = words[-3:]
            field = message.field.add(name=field_name, number=int(number))
            field.label = kinds.LABEL_REPEATED if words[0] == "repeated" else kinds.LABEL_OPTIONAL
            if kind in MESSAGES:
                field.type, field.type_name = kinds.TYPE_MESSAGE, kind
            else:
                field.type = kinds.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    made: type[Any] = message_factory.GetMessageClass(pool.FindMessageTypeByName("Event"))
    return made


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


class EventFileFollower(Follower):
    """Reads the scalars that were appended since the last time.

    Args:
        start: byte to begin at: the size of a file that was there before the script.
        series: see Reading.
    """

    def __init__(self, path: Path, start: int = 0, series: str = "") -> None:
        super().__init__(path, series)
        self._ended = False
        self._offset = start

    def _new(self) -> Iterator[Reading]:
        """The new scalars; a record that is not complete yet waits for the next time."""
        if self._ended:
            return
        with self.path.open("rb") as stream:
            stream.seek(self._offset)
            for record in self._records(stream):
                yield from self._scalars(record)

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

    def _scalars(self, record: bytes) -> Iterator[Reading]:
        from google.protobuf.message import DecodeError

        try:
            event = event_class().FromString(record)
        except DecodeError:
            self.problem = "holds a record that is no event of TensorBoard"
            return
        for value in event.summary.value:
            number = value.simple_value if value.HasField("simple_value") else _tensor(value.tensor)
            if value.tag and number is not None:
                tag = value.tag.decode("utf-8", "replace")
                yield Reading(tag, number, event.step, TABLE, self.series)


def _tensor(tensor: Any) -> float | None:
    """The value of a tensor that holds one number; None for any other."""
    found = [*tensor.float_val, *tensor.double_val]
    if tensor.tensor_content:
        form = TENSOR_CONTENT.get(tensor.dtype)
        if form is None or len(tensor.tensor_content) != struct.calcsize(form):
            return None
        found += struct.unpack(form, tensor.tensor_content)
    return float(found[0]) if len(found) == 1 else None
