"""What Pillow and libtiff say about a damaged image does not reach the user, who is told its name anyway."""

import io
import os
import struct
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from PIL import Image

from engine.data.folder.decode import DecodeError, eval_crop
from engine.data.folder.quiet import no_messages_of_libtiff, no_warnings
from tests.support.processes import ROOT

SIDE = 24


def damaged_tiff() -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "TIFF", compression="tiff_adobe_deflate")
    content = bytearray(file.getvalue())
    content[20:60] = bytes(40)  # of the packed pixels
    return bytes(content)


def test_libtiff_prints_nothing_about_a_damaged_image(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.tif").write_bytes(damaged_tiff())
    with pytest.raises(DecodeError, match=r"x\.tif cannot be read as an image"):
        eval_crop(os.fsencode(tmp_path / "x.tif"), SIDE, SIDE)
    os.write(2, b"after")
    assert capfd.readouterr() == ("", "after")


def test_what_pillow_logs_is_not_printed(tmp_path: Path) -> None:
    """In a process of its own, because pytest handles logs."""
    file = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE)).save(file, "TIFF")
    one = struct.pack("<HHII", 277, 3, 1, 3)  # the tag of the samples per pixel
    assert one in file.getvalue()
    (tmp_path / "x.tif").write_bytes(file.getvalue().replace(one, one[:8] + struct.pack("<I", 64_000)))
    code = "import sys; from engine.data.folder.rgb import open_image; open_image(open(sys.argv[1], 'rb').read())"
    command = [sys.executable, "-c", code, str(tmp_path / "x.tif")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert "UnidentifiedImageError" in done.stderr
    assert "More samples per pixel" not in done.stderr


def test_threads_that_decode_at_once_restore_what_was_before(capfd: pytest.CaptureFixture[str]) -> None:
    together = Barrier(4, timeout=20)

    def inside(_: int) -> None:
        for _ in range(20):
            together.wait()
            with no_warnings, no_messages_of_libtiff:
                warnings.warn("of Pillow", stacklevel=1)  # an error in the tests, unless it is ignored
                os.write(2, b"of libtiff")

    filters = list(warnings.filters)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(inside, range(4)))
    os.write(2, b"after")
    assert warnings.filters == filters
    assert capfd.readouterr() == ("", "after")
