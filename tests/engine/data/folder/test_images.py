"""Test images from files: the same in any batch, and the first ones kept as far as memory goes."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine.data.folder import images as module
from engine.data.folder.decode import eval_crop
from engine.data.folder.image_folder import ImageFolder
from engine.data.folder.images import FolderImages, kept_bytes
from tests.support.folders import tree
from tests.support.networks import CPU


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tree(tmp_path / "data", ("a", "b", "c"), count=5)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """A function that gives the number of files that were decoded since its last call."""
    paths: list[bytes] = []

    def counting(path: bytes, resize: int, crop: int) -> object:
        paths.append(path)
        return eval_crop(path, resize, crop)

    def since() -> int:
        count = len(paths)
        paths.clear()
        return count

    monkeypatch.setattr(module, "eval_crop", counting)
    return since


def test_test_images_are_the_same_in_any_batch_and_their_classes_are_mixed(folder: Path) -> None:
    images = FolderImages(*ImageFolder(folder).files("val", 0), 18, 16, CPU)
    everything, labels = images[torch.arange(15)]
    for index in (0, 7, 14):
        x, y = images[torch.tensor([index, 3])]
        assert torch.equal(x[0], everything[index])
        assert y[0] == labels[index]
    assert torch.equal(labels, images.labels)
    some = images.first(6)
    assert len(some) == 6
    assert torch.equal(some[torch.arange(6)][0], everything[:6])
    assert len(set(some.labels.tolist())) > 1
    assert len(images.first(0)) == 15


@pytest.mark.parametrize("kept", [0, 1, 6, 14, 15, 100])
def test_the_first_images_are_decoded_once_as_far_as_memory_goes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, decoded: Callable[[], int], kept: int
) -> None:
    files = ImageFolder(folder).files("val", 0)
    wanted, labels = FolderImages(*files, 18, 16, CPU)[torch.arange(15)]
    decoded()
    monkeypatch.setattr(module, "kept_bytes", lambda: kept * 3 * 16**2 + 5)
    images = FolderImages(*files, 18, 16, CPU)
    for turn in range(3):
        x, y = images[torch.arange(15)]
        assert torch.equal(x, wanted)
        assert torch.equal(y, labels)
        assert decoded() == (15 if not turn else 15 - min(kept, 15))
    x, y = images.first(8)[torch.tensor([7, 0, 3])]
    assert torch.equal(x, wanted[[7, 0, 3]])
    assert torch.equal(y, labels[[7, 0, 3]])
    assert decoded() == sum(index >= kept for index in (7, 0, 3))


def test_images_that_a_part_has_decoded_are_kept_for_all(folder: Path, decoded: Callable[[], int]) -> None:
    images = FolderImages(*ImageFolder(folder).files("val", 0), 18, 16, CPU)
    images.first(8)[torch.arange(8)]
    images.first(10)[torch.arange(10)]
    images[torch.arange(15)]
    assert decoded() == 15


def test_what_may_be_kept_is_a_part_of_the_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FASTADV_RUNS_ON_HOST", raising=False)
    monkeypatch.setattr(module, "free_memory", lambda: 128 * 10**9)
    assert kept_bytes() == 32 * 10**9
    monkeypatch.setenv("FASTADV_RUNS_ON_HOST", "4")
    assert kept_bytes() == 8 * 10**9
    monkeypatch.setattr(module, "free_memory", lambda: None)
    assert kept_bytes() == 2 * 10**9
