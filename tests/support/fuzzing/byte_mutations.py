"""Mutations that know nothing of the format: bits, lengths, runs and parts of a file."""

from collections.abc import Callable
from random import Random

HEAD = 128  # bytes at the beginning that are hit more often, because they decide how the others are read
EXTREMES = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\x01")


def mutated(rng: Random, data: bytes) -> tuple[bytes, str]:
    """The data after one or two mutations, and their names."""
    names = []
    for _ in range(1 + (rng.random() < 0.3)):
        name = rng.choice([*MUTATIONS])
        data = MUTATIONS[name](rng, data) if data else data
        names.append(name)
    return data, " and ".join(names)


def _place(rng: Random, data: bytes) -> int:
    return rng.randrange(min(len(data), HEAD) if rng.random() < 0.4 else len(data))


def _flip_bits(rng: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        changed[_place(rng, data)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut_off(rng: Random, data: bytes) -> bytes:
    return data[: _place(rng, data)]


def _cut_out(rng: Random, data: bytes) -> bytes:
    begin = _place(rng, data)
    return data[:begin] + data[begin + rng.choice((1, 2, 4, 16, 256)) :]


def _repeat(rng: Random, data: bytes) -> bytes:
    begin = _place(rng, data)
    part = data[begin : begin + rng.choice((1, 4, 16, 256))]
    return data[:begin] + part * rng.choice((2, 3, 20)) + data[begin + len(part) :]


def _insert(rng: Random, data: bytes) -> bytes:
    begin = _place(rng, data)
    return data[:begin] + rng.randbytes(rng.choice((1, 2, 4, 64))) + data[begin:]


def _swap(rng: Random, data: bytes) -> bytes:
    """Two parts of one length change places."""
    one, other = sorted((_place(rng, data), _place(rng, data)))
    size = min(rng.choice((1, 4, 30)), other - one, len(data) - other)
    first, second = data[one : one + size], data[other : other + size]
    return data[:one] + second + data[one + size : other] + first + data[other + size :]


def _extreme(rng: Random, data: bytes) -> bytes:
    """A number of 1 to 8 bytes becomes as small or as large as it can be."""
    begin, size = _place(rng, data), rng.choice((1, 2, 4, 8))
    return data[:begin] + rng.choice(EXTREMES) * size + data[begin + size :]


def _other_head(rng: Random, data: bytes) -> bytes:
    """The beginning of another kind of file."""
    head = rng.choice(HEADS)
    return head + data[rng.choice((0, len(head))) :]


HEADS = (
    *(b"PK\x03\x04", b"\x1f\x8b\x08", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"II*\x00", b"MM\x00*"),
    *(b"RIFF\xff\xff\xff\xffWEBP", b"BM", b"P5\n9 9\n65535\n", b"P2\n", b"P6\n8 8\n1\n", b"\x80\x02}", b"\x80\x04\x95"),
    *(b'{"weight_map": {', b"\x10\x00\x00\x00\x00\x00\x00\x00{", b"<html>", b"version https://git-lfs", b"", b"\x00"),
)
MUTATIONS: dict[str, Callable[[Random, bytes], bytes]] = {
    "bits flipped": _flip_bits,
    "cut off": _cut_off,
    "a part cut out": _cut_out,
    "a part repeated": _repeat,
    "bytes inserted": _insert,
    "parts swapped": _swap,
    "an extreme number": _extreme,
    "another head": _other_head,
}
