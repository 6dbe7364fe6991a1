"""Helpers for the tests of `fastadv prepare`: the command, made-up images, data sets and tar files."""

import hashlib
import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from engine.protocol.requests import Prepared
from tests.support.shell import fastadv

CLASSES = ("n00000001", "n00000002")
SIZES = ("32", "64")


def prepare(source: Path, out: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return fastadv("prepare", "imagenet", str(source), "--out", str(out), *(words or ("--sizes", "32,64")))


def done_well(source: Path, out: Path, *words: str) -> Prepared:
    done = prepare(source, out, *words)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return msgspec.json.decode((out / "prepared.json").read_bytes(), type=Prepared)


def refused(done: "subprocess.CompletedProcess[str]", message: str) -> None:
    assert done.returncode == 2, done.stderr
    (text,) = done.stderr.splitlines()
    assert message in text


def picture(width: int = 100, height: int = 80, seed: int = 0, mode: str = "RGB") -> Image.Image:
    """A smooth made-up picture."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def encoded(image: Image.Image, format: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def image_folder(root: Path, train: int = 3, val: int = 2, width: int = 100, height: int = 80) -> Path:
    """An ImageFolder of two classes with so many images in each."""
    for number, label in enumerate(CLASSES):
        for split, count in (("train", train), ("val", val)):
            for index in range(count):
                content = encoded(picture(width, height, seed=100 * number + index), quality=95)
                put(root / split / label / f"{split}_{index}.JPEG", content)
    return root


def few_real_ones(root: Path, train: int = 40, val: int = 10) -> Path:
    """An ImageFolder of links to real photographs; skips the test where there are none."""
    data = Path(os.environ.get("FASTADV_TEST_DATA", "")) / "imagenet-sample"
    if not os.environ.get("FASTADV_TEST_DATA") or not data.is_dir():
        pytest.skip("needs the photographs of $FASTADV_TEST_DATA/imagenet-sample")
    for split, count in (("train", train), ("val", val)):
        for folder in sorted((data / split).iterdir())[:4]:
            (root / split / folder.name).mkdir(parents=True)
            for path in sorted(folder.iterdir())[:count]:
                (root / split / folder.name / path.name).symlink_to(path)
    return root


def tar(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def tree(root: Path, sizes: tuple[str, ...]) -> dict[str, str]:
    """A hash of every file below those folders, hidden ones too, by relative path."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for size in sizes
        for path in _files(root / size)
    }


def finished(root: Path, size: str = "160") -> int:
    """How many copies of a size have their final name."""
    return sum(not path.name.startswith(".") for path in _files(root / size))


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder, followlinks=True):
        for name in names:
            yield Path(place) / name
