"""The checksum of TensorBoard's records: CRC-32C (Castagnoli), rotated and shifted so that it may stand beside data.

RFC 3720, appendix B.4, has the polynomial and check values; the mask is that of TensorFlow's `core/lib/hash/crc32c.h`.
"""

from functools import cache

POLYNOMIAL = 0x82F63B78  # of Castagnoli, its bits reversed
MASK_DELTA = 0xA282EAD8


def crc32c(data: bytes) -> int:
    """The CRC-32C of some bytes, an unsigned number of 32 bits."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def masked_crc(data: bytes) -> int:
    """The checksum that a record holds."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + MASK_DELTA) & 0xFFFFFFFF


@cache
def _table() -> tuple[int, ...]:
    """The CRC of each byte."""
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (POLYNOMIAL if crc & 1 else 0)
        table.append(crc)
    return tuple(table)
