"""Verifies the checksums of a PNG. Pillow reads the pixels without them, and so may read damaged ones."""

import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CRITICAL = (b"IHDR", b"PLTE", b"IDAT")  # the parts that decide the pixels
FRAME = 12  # bytes of a part besides its content: length, name and checksum


def png_fault(content: bytes) -> str:
    """What is wrong with a PNG, or "". Other files have nothing wrong."""
    if not content.startswith(SIGNATURE):
        return ""
    place, bytes_of = len(SIGNATURE), memoryview(content)
    while place + FRAME <= len(content):
        end = place + FRAME + int.from_bytes(bytes_of[place : place + 4], "big")
        name = bytes(bytes_of[place + 4 : place + 8])
        if name in CRITICAL and zlib.crc32(bytes_of[place + 4 : end - 4]) != _number(bytes_of[end - 4 : end]):
            return f"damaged or cut off: the checksum of its {name.decode()} part is wrong"
        place = end
    return ""


def _number(field: memoryview) -> int:
    """A number of 4 bytes; -1 if the file ends before."""
    return int.from_bytes(field, "big") if len(field) == 4 else -1
