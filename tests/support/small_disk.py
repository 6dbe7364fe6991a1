"""A file system of a few kilobytes, to fill it for real."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a tmpfs of `size`, such as 256k, on a folder, which is made. Skips the test without the right to mount."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextmanager
def full_disk(folder: Path) -> Iterator[Path]:
    """A file system that takes folders and empty files, but no byte of content."""
    with small_disk(folder, "64k"):
        with (folder / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
            while True:
                ballast.write(bytes(1024))
        yield folder
