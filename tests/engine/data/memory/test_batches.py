"""Minibatches in memory: augmentation agrees with a slow loop, and every image occurs once per epoch."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.config.datasets import DatasetFacts, datasets
from engine.data.memory.batches import TestImages, TrainBatches, to_images
from tests.support.minibatches import pairs
from tests.support.networks import CPU

PLAIN = datasets()["digits"].facts
AUGMENTED = datasets()["cifar10"].facts
Padding = Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]
TINY = DatasetFacts(2, 5, 7, 3, 12, (0.0,), (1.0,), padding=2, flip=True)


def random_images(count: int, facts: DatasetFacts) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    images = rng.integers(1, 256, (count, facts.height, facts.width, facts.channels), dtype=np.uint8)
    return images, np.arange(count, dtype=np.int64)  # each image has its own label, which identifies it


def batches(count: int = 23, facts: DatasetFacts = PLAIN, batch_size: int = 5, seed: int = 0) -> TrainBatches:
    return TrainBatches(*random_images(count, facts), facts, batch_size, seed, CPU)


def zero_padded(image: NDArray[np.uint8], pad: int) -> NDArray[np.uint8]:
    return np.pad(image, ((pad, pad), (pad, pad), (0, 0)))


def reflected(image: NDArray[np.uint8], pad: int) -> NDArray[np.uint8]:
    """The image continued at its edges by its mirror image, pixel by pixel; the edge itself is not repeated."""

    def inside(place: int, size: int) -> int:
        return -place if place < 0 else 2 * (size - 1) - place if place >= size else place

    height, width, _ = image.shape
    rows = [inside(row, height) for row in range(-pad, height + pad)]
    columns = [inside(column, width) for column in range(-pad, width + pad)]
    return image[np.ix_(rows, columns)]


def variants(
    image: NDArray[np.uint8], facts: DatasetFacts, padding: Padding = zero_padded
) -> dict[bytes, tuple[int, int, bool]]:
    """The (top, left, flipped) of every crop and flip of the padded image, by the bytes of its pixels."""
    pad = facts.padding
    padded = padding(image, pad)
    found = {}
    for top in range(2 * pad + 1):
        for left in range(2 * pad + 1):
            crop = padded[top : top + facts.height, left : left + facts.width]
            found[crop.tobytes()] = (top, left, False)
            if facts.flip:
                found[crop[:, ::-1].tobytes()] = (top, left, True)
    return found


def test_pixels_become_images_channel_by_channel() -> None:
    pixels, _ = random_images(3, AUGMENTED)
    images = to_images(torch.from_numpy(pixels))
    assert images.shape == (3, 3, 32, 32)
    assert images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    for b, c, h, w in [(0, 0, 0, 0), (2, 1, 31, 4), (1, 2, 7, 30)]:
        assert float(images[b, c, h, w]) == pytest.approx(pixels[b, h, w, c] / 255, abs=1e-7)
    assert torch.equal((images.permute(0, 2, 3, 1) * 255).round().byte(), torch.from_numpy(pixels))


@pytest.mark.parametrize("padding", [zero_padded, reflected])
@pytest.mark.parametrize("facts", [AUGMENTED, TINY], ids=["cifar10", "tiny"])
def test_augmentation_gives_a_crop_of_the_padded_image_or_its_mirror_image(
    facts: DatasetFacts, padding: Padding
) -> None:
    images, _ = random_images(40, facts)
    loader = TrainBatches(*random_images(40, facts), facts, 7, 0, CPU, reflect=padding is reflected)
    for x, y in pairs(loader.epoch(0)):
        pixels = (x.permute(0, 2, 3, 1) * 255).round().byte().numpy()
        for row, label in zip(pixels, y.tolist(), strict=True):
            assert np.ascontiguousarray(row).tobytes() in variants(images[label], facts, padding)


def test_every_crop_and_flip_is_equally_likely() -> None:
    images, _ = random_images(1, TINY)
    known = variants(images[0], TINY)
    pixels = np.repeat(images, 100, axis=0)
    loader = TrainBatches(pixels, np.zeros(100, np.int64), TINY, 50, 0, CPU)
    drawn = [
        known[np.ascontiguousarray(row).tobytes()]
        for epoch in range(100)
        for x, _ in pairs(loader.epoch(epoch))
        for row in (x.permute(0, 2, 3, 1) * 255).round().byte().numpy()
    ]
    counts = np.array([drawn.count(place) for place in known.values()])
    expected = len(drawn) / (5 * 5 * 2)
    assert len(counts) == 50
    assert ((counts - expected) ** 2 / expected).sum() < 95  # chi-squared, 49 degrees, at 0.01%


def test_images_without_padding_are_not_augmented() -> None:
    images, _ = random_images(23, PLAIN)
    for x, y in pairs(batches().epoch(0)):
        assert torch.equal(x, to_images(torch.from_numpy(images[y.numpy()])))


@pytest.mark.parametrize(("count", "size"), [(23, 5), (20, 5), (1, 1), (4, 4)])
@pytest.mark.parametrize("facts", [PLAIN, TINY], ids=["plain", "augmented"])
def test_every_training_image_comes_exactly_once_an_epoch(count: int, size: int, facts: DatasetFacts) -> None:
    loader = batches(count, facts, size)
    for epoch in range(3):
        sizes = [len(y) for _, y in pairs(loader.epoch(epoch))]
        assert len(sizes) == len(loader)
        assert all(n == size for n in sizes[:-1])
        assert sorted(label for _, y in pairs(loader.epoch(epoch)) for label in y.tolist()) == list(range(count))


@cache
def epoch_of(seed: int, epoch: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return list(pairs(batches(facts=TINY, seed=seed).epoch(epoch)))


def test_the_same_seed_and_epoch_give_the_same_minibatches() -> None:
    again = list(pairs(batches(facts=TINY).epoch(3)))
    assert all(
        torch.equal(a, b)
        for one, two in zip(again, epoch_of(0, 3), strict=True)
        for a, b in zip(one, two, strict=False)
    )


def test_another_seed_or_epoch_gives_another_order() -> None:
    orders = {tuple(torch.cat([y for _, y in epoch_of(*key)]).tolist()) for key in [(0, 0), (0, 1), (1, 0), (1, 1)]}
    assert len(orders) == 4


@pytest.mark.parametrize("first", [0, 2, 4, 5])
def test_an_epoch_can_be_resumed_at_any_minibatch(first: int) -> None:
    later = list(pairs(batches(facts=TINY).epoch(1, first)))
    assert len(later) == 5 - first
    for (x, y), (wanted_x, wanted_y) in zip(later, epoch_of(0, 1)[first:], strict=True):
        assert torch.equal(x, wanted_x)
        assert torch.equal(y, wanted_y)


def test_test_images_are_selected_by_index() -> None:
    images, labels = random_images(9, PLAIN)
    test = TestImages.load(images, labels, CPU)
    x, y = test[torch.tensor([7, 2])]
    assert y.tolist() == [7, 2]
    assert torch.equal(x, to_images(torch.from_numpy(images[[7, 2]])))
    assert (len(test), len(test.first(4)), len(test.first(0)), len(test.first(100))) == (9, 4, 9, 9)
