"""The frames of an event file (TFRecord): length, its checksum, the data, their checksum, all little-endian."""

import struct
from collections.abc import Iterator
from typing import BinaryIO

from engine.config.errors import UserError
from engine.protocol.tensorboard.crc import masked_crc

LENGTH, CHECKSUM = struct.Struct("<Q"), struct.Struct("<I")
MAX_RECORD = 64 << 20  # bytes; the scalars and texts that are read here have some hundred


class RecordError(UserError):
    """A file is no event file, or it is damaged. The message says where."""


def framed(data: bytes) -> bytes:
    """The bytes that a record adds to a file."""
    length = LENGTH.pack(len(data))
    checksums = CHECKSUM.pack(masked_crc(length)), CHECKSUM.pack(masked_crc(data))
    return length + checksums[0] + data + checksums[1]


def read_records(file: BinaryIO) -> Iterator[bytes]:
    """The data of each record. A torn last record counts as not yet written.

    Raises: RecordError, for a wrong checksum or a record of more than MAX_RECORD bytes; OSError.
    """
    while True:
        place, head = file.tell(), file.read(LENGTH.size + CHECKSUM.size)
        if len(head) < LENGTH.size + CHECKSUM.size:
            return
        length = LENGTH.unpack_from(head)[0]
        if CHECKSUM.unpack_from(head, LENGTH.size)[0] != masked_crc(head[: LENGTH.size]):
            raise RecordError(f"no TensorBoard record begins at byte {place:,}: its checksum is wrong")
        if length > MAX_RECORD:
            raise RecordError(f"the record at byte {place:,} has {length:,} bytes, more than {MAX_RECORD:,}")
        body = file.read(length + CHECKSUM.size)
        if len(body) < length + CHECKSUM.size:
            return
        data = body[:length]
        if CHECKSUM.unpack_from(body, length)[0] != masked_crc(data):
            raise RecordError(f"the record at byte {place:,} is damaged: its checksum is wrong")
        yield data
