"""SVHN and Tiny-ImageNet-200: small files in the official layouts are read, and all others are refused in one line."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from engine.config.errors import DataError
from engine.config.presets import build
from engine.data.dataset import open_dataset
from engine.data.memory.datasets import open_arrays
from engine.data.memory.facts import facts_from
from tests.support.own_data import WNIDS, write_svhn, write_tiny_imagenet

TINY = "tiny-imagenet-200"


def refused(dataset: str, folder: Path) -> str:
    """The message of the DataError, which must be one line."""
    with pytest.raises(DataError) as caught:
        open_arrays(dataset, str(folder))
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500 + len(str(folder))
    return message


# -- SVHN ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", [False, True])
def test_svhn_is_read_with_the_label_0_for_the_digit_0(tmp_path: Path, inside: bool) -> None:
    x, y, test_x, test_y = write_svhn(tmp_path / "svhn")
    arrays = open_arrays("svhn", str(tmp_path / "svhn" if inside else tmp_path))
    assert np.array_equal(arrays.train_images, x)
    assert np.array_equal(arrays.test_images, test_x)
    assert arrays.train_labels.tolist() == y.tolist()
    assert arrays.test_labels.tolist() == test_y.tolist()
    assert arrays.official is False


def test_the_facts_of_svhn_come_from_its_files(tmp_path: Path) -> None:
    x, *_ = write_svhn(tmp_path)
    facts = open_dataset(build("svhn", {"data_dir": str(tmp_path), "batch_size": 4})).facts
    assert (facts.channels, facts.height, facts.width, facts.classes, facts.flip) == (3, 32, 32, 10, False)
    assert facts.mean == pytest.approx((x / 255).mean((0, 1, 2)), abs=1e-4)


def _matlab(path: Path, **variables: Any) -> None:
    savemat(path, variables)


X, Y = np.zeros((32, 32, 3, 4), np.uint8), np.arange(1, 5)[:, None]
BROKEN_MAT: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (Path.unlink, "is missing"),
    "a pipe": (lambda path: (path.unlink(), os.mkfifo(path)), "is a named pipe, not a file"),
    "empty": (lambda path: path.write_bytes(b""), "is damaged or no .mat file"),
    "text": (lambda path: path.write_text("hello " * 100), "is damaged or no .mat file"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:200]), "is damaged or no .mat file"),
    "no X": (lambda path: _matlab(path, y=Y), "its X is not uint8 (32, 32, 3, N)"),
    "no y": (lambda path: _matlab(path, X=X), "its y is not (4, 1) numbers"),
    "floats": (lambda path: _matlab(path, X=X / 255, y=Y), "its X is not uint8"),
    "other sizes": (lambda path: _matlab(path, X=np.zeros((3, 32, 32, 4), np.uint8), y=Y), "its X is not uint8"),
    "one image": (lambda path: _matlab(path, X=X[..., 0], y=Y), "its X has the shape (32, 32, 3), not"),
    "a label short": (lambda path: _matlab(path, X=X, y=Y[:3]), "its y is not (4, 1) numbers"),
    "label 0": (lambda path: _matlab(path, X=X, y=Y - 1), "labels must be 1 to 10"),
    "label 11": (lambda path: _matlab(path, X=X, y=Y + 7), "labels must be 1 to 10"),
    "half a label": (lambda path: _matlab(path, X=X, y=Y + 0.5), "labels must be 1 to 10"),
    "words": (lambda path: _matlab(path, X=X, y=np.array([["a"]] * 4, object)), "its y is not (4, 1) numbers"),
}


@pytest.mark.parametrize("name", ["train_32x32.mat", "test_32x32.mat"])
@pytest.mark.parametrize("how", BROKEN_MAT)
def test_a_broken_svhn_file_is_refused_by_name(tmp_path: Path, how: str, name: str) -> None:
    write_svhn(tmp_path / "svhn")
    broken, message = BROKEN_MAT[how]
    broken(tmp_path / "svhn" / name)
    found = refused("svhn", tmp_path)
    assert str(tmp_path / "svhn" / name) in found
    assert message in found


def test_a_folder_without_svhn_says_where_the_files_belong(tmp_path: Path) -> None:
    assert f"no svhn in {tmp_path}; put svhn/*_32x32.mat there (official layout)" in refused("svhn", tmp_path)


# -- Tiny-ImageNet ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", [False, True])
def test_tiny_imagenet_is_read_in_the_order_of_classes_and_annotations(tmp_path: Path, inside: bool) -> None:
    levels = write_tiny_imagenet(tmp_path / TINY)
    arrays = open_arrays("tiny-imagenet", str(tmp_path / TINY if inside else tmp_path))
    assert arrays.train_images.shape == (9, 64, 64, 3)
    assert arrays.train_labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert arrays.test_labels.tolist() == [1, 2, 0, 1]
    names = [f"{wnid}_{n}.JPEG" for wnid in WNIDS for n in range(3)] + [f"val_{n}.JPEG" for n in range(4)]
    means = np.concatenate((arrays.train_images, arrays.test_images)).mean((1, 2, 3))
    assert means == pytest.approx([levels[name] for name in names], abs=1)
    assert arrays.official is None
    assert facts_from(arrays).classes == 3


def test_decoded_images_are_kept_until_a_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTADV_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    write_tiny_imagenet(tmp_path / TINY)
    first = open_arrays("tiny-imagenet", str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr("engine.data.memory.tiny_imagenet._pixels", None)  # decoding would raise
        second = open_arrays("tiny-imagenet", str(tmp_path))
    assert np.array_equal(first.train_images, second.train_images)
    assert np.array_equal(first.test_images, second.test_images)
    changed = tmp_path / TINY / "val" / "images" / "val_2.JPEG"
    Image.new("RGB", (64, 64), (1, 2, 3)).save(changed, "JPEG")
    assert open_arrays("tiny-imagenet", str(tmp_path)).test_images[2].mean() < 10
    (kept,) = (tmp_path / "home" / "cache").iterdir()
    kept.write_bytes(kept.read_bytes()[:-100])
    assert open_arrays("tiny-imagenet", str(tmp_path)).test_images[2].mean() < 10


def _annotations(root: Path) -> Path:
    return root / "val" / "val_annotations.txt"


def _restructured(root: Path) -> None:
    """Val as many scripts rearrange it: val/CLASS/images/FILE."""
    _annotations(root).unlink()
    (root / "val" / WNIDS[0]).mkdir()


FIRST = f"train/{WNIDS[0]}/images/{WNIDS[0]}_0.JPEG"
BROKEN_FOLDER: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no train": (lambda root: shutil.rmtree(root / "train"), "train is missing"),
    "no annotations": (lambda root: _annotations(root).unlink(), "val_annotations.txt is missing"),
    "restructured": (_restructured, "val_annotations.txt is missing"),
    "empty annotations": (lambda root: _annotations(root).write_text(""), "val_annotations.txt is empty"),
    "another class": (
        lambda root: _annotations(root).write_text("val_0.JPEG\tn99999999\t0\t0\t1\t1\n"),
        "val_annotations.txt, line 1: not FILE, a class of the training images and a box",
    ),
    "a path outside": (
        lambda root: _annotations(root).write_text(f"../../secret.JPEG\t{WNIDS[0]}\t0\t0\t1\t1\n"),
        "line 1: not FILE",
    ),
    "one word": (lambda root: _annotations(root).write_text("val_0.JPEG\n"), "line 1: not FILE"),
    "no image": (lambda root: (root / "val" / "images" / "val_1.JPEG").unlink(), "val_1.JPEG is missing"),
    "a class of nothing": (
        lambda root: [path.unlink() for path in (root / "train" / WNIDS[1] / "images").iterdir()],
        f"{WNIDS[1]}/images has no JPEG files",
    ),
    "one class": (
        lambda root: [shutil.rmtree(root / "train" / wnid) for wnid in WNIDS[1:]],
        "train has no folders CLASS/images",
    ),
    "cut": (lambda root: (root / FIRST).write_bytes((root / FIRST).read_bytes()[:300]), f"{FIRST} cannot be read"),
    "text": (lambda root: (root / FIRST).write_text("hello"), f"{FIRST} cannot be read as an image"),
    "another size": (lambda root: Image.new("L", (32, 64)).save(root / FIRST), "has 32 x 64 pixels, not 64 x 64"),
    "a pipe": (lambda root: ((root / FIRST).unlink(), os.mkfifo(root / FIRST)), f"{FIRST} cannot be read as an image"),
}


@pytest.mark.parametrize("how", BROKEN_FOLDER)
def test_another_layout_of_tiny_imagenet_is_refused_with_the_place(tmp_path: Path, how: str) -> None:
    write_tiny_imagenet(tmp_path / TINY)
    break_, message = BROKEN_FOLDER[how]
    break_(tmp_path / TINY)
    assert message in refused("tiny-imagenet", tmp_path)


def test_a_folder_without_tiny_imagenet_says_where_it_belongs(tmp_path: Path) -> None:
    assert f"put {TINY} there (official layout)" in refused("tiny-imagenet", tmp_path)
