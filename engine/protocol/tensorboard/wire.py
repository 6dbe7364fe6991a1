"""The wire format of protocol buffers, as far as event files need it (protobuf.dev/programming-guides/encoding)."""

import struct
from collections.abc import Iterator

from engine.protocol.tensorboard.records import RecordError

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5  # the wire types
BITS = (1 << 64) - 1  # a negative number is written in 64 bits
MAX_VARINT = 10  # bytes
Value = int | bytes  # of a field as it is read; `as_double` and `as_float` read the fixed ones


def varint(number: int) -> bytes:
    number &= BITS
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def integer(field: int, number: int) -> bytes:
    return varint(field << 3 | VARINT) + varint(number)


def double(field: int, number: float) -> bytes:
    return varint(field << 3 | FIXED64) + struct.pack("<d", number)


def single(field: int, number: float) -> bytes:
    """A number in 32 bits; one that is too large for them is infinite."""
    try:
        packed = struct.pack("<f", number)
    except OverflowError:
        packed = struct.pack("<f", float("inf") if number > 0 else float("-inf"))
    return varint(field << 3 | FIXED32) + packed


def message(field: int, *parts: bytes) -> bytes:
    """A message inside a message, of the fields `parts`; or bytes as they are."""
    data = b"".join(parts)
    return varint(field << 3 | LENGTH_DELIMITED) + varint(len(data)) + data


def text(field: int, value: str) -> bytes:
    return message(field, value.encode("utf-8", "replace"))


def fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """The fields of a message in their order: number and value. Fixed numbers and messages are bytes.

    Raises: RecordError, if the bytes are no message.
    """
    place = 0
    while place < len(data):
        key, place = _read_varint(data, place)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, place = _read_varint(data, place)
            yield number, value
            continue
        if kind == LENGTH_DELIMITED:
            length, place = _read_varint(data, place)
        elif kind in (FIXED32, FIXED64):
            length = 4 if kind == FIXED32 else 8
        else:
            raise RecordError(f"a message has a field of the unknown kind {kind}")
        if length > len(data) - place:
            raise RecordError("a message ends within a field")
        yield number, data[place : place + length]
        place += length


def as_double(value: Value) -> float:
    """Raises: RecordError, unless the field is a number of 64 bits."""
    return _unpack("<d", value)


def as_single(value: Value) -> float:
    """Raises: RecordError, unless the field is a number of 32 bits."""
    return _unpack("<f", value)


def as_integer(value: Value) -> int:
    """A signed number of 64 bits. Raises: RecordError, if the field is none."""
    if not isinstance(value, int):
        raise RecordError("a message has another field in place of a whole number")
    return value - (1 << 64) if value >> 63 else value


def as_bytes(value: Value) -> bytes:
    """Raises: RecordError, if the field is a number."""
    if isinstance(value, int):
        raise RecordError("a message has a number in place of another field")
    return value


def as_text(value: Value) -> str:
    """Raises: RecordError, if the field is a number."""
    return as_bytes(value).decode("utf-8", "replace")


def _unpack(form: str, value: Value) -> float:
    try:
        number: float = struct.unpack(form, as_bytes(value))[0]
    except struct.error:
        raise RecordError("a message has a number of the wrong size") from None
    return number


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    """The number at a place, and the place behind it."""
    number = 0
    for shift in range(MAX_VARINT):
        if place >= len(data):
            raise RecordError("a message ends within a number")
        byte = data[place]
        number |= (byte & 0x7F) << 7 * shift
        place += 1
        if byte < 0x80:
            return number & BITS, place
    raise RecordError("a message has a number of more than 64 bits")
