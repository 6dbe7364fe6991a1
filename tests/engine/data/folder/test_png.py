"""A PNG carries checksums: a damaged one is never read as other pixels."""

import io
import os
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.data.folder.decode import DecodeError, eval_crop
from engine.data.folder.png import png_fault
from engine.data.prepare.resize import BrokenImageError, copies

SIDE = 32
PIXELS = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


def png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG")
    return file.getvalue()


def test_a_flipped_bit_never_gives_other_pixels(tmp_path: Path) -> None:
    whole, path, rng = png(), tmp_path / "x.png", random.Random(0)
    refused = 0
    for _ in range(100):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            found = eval_crop(os.fsencode(path), SIDE, SIDE)
        except DecodeError:
            refused += 1
            with pytest.raises(BrokenImageError):
                copies(bytes(damaged), [SIDE], 90)
        else:
            assert np.array_equal(found, PIXELS)
    assert refused > 50


def test_a_png_with_a_part_that_pillow_does_not_know_is_intact() -> None:
    whole, name, content = png(), b"teXt", b"anything"
    part = struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content) ^ 1)
    assert png_fault(whole) == ""
    assert png_fault(whole[:33] + part + whole[33:]) == ""  # no pixel depends on a part of this name


@pytest.mark.parametrize("size", range(8, 400, 13))
def test_a_png_that_is_cut_off_is_refused_by_its_checksum_or_by_pillow(size: int) -> None:
    with pytest.raises(BrokenImageError):
        copies(png()[:size], [SIDE], 90)


def test_other_files_have_no_checksums_to_verify() -> None:
    assert png_fault(b"\xff\xd8\xff\xe0") == png_fault(b"") == ""
