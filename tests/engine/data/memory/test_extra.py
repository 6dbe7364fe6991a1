"""Extra training images: what a file must hold, and which of them each minibatch has."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.config.datasets import DatasetFacts, datasets
from engine.config.errors import DataError
from engine.data.memory.batches import TrainBatches
from engine.data.memory.extra import open_extra
from engine.data.memory.mixed import MixedBatches
from tests.support.networks import CPU

FACTS = DatasetFacts(3, 4, 5, 10, 23, (0.0,), (1.0,))
OWN, EXTRA, BATCH = 23, 17, 10


def generated(count: int = EXTRA, first: int = 100) -> NDArray[np.uint8]:
    """Images whose pixels are all the number of the image, from `first` on."""
    numbers = np.arange(first, first + count, dtype=np.uint8)
    return np.broadcast_to(numbers[:, None, None, None], (count, 4, 5, 3)).copy()


def saved(path: Path, compressed: bool = False, **arrays: Any) -> Path:
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return saved(tmp_path / "extra.npz", image=generated(), label=np.arange(EXTRA) % 10)


def mixed(file: Path, fraction: float = 0.7, seed: int = 0, facts: DatasetFacts = FACTS) -> MixedBatches:
    own = TrainBatches(generated(OWN, 0), np.arange(OWN, dtype=np.int64) % 10, facts, BATCH, seed, CPU)
    return MixedBatches(own, open_extra(file, facts), fraction)


def numbers(x: torch.Tensor) -> list[int]:
    """The number of each image, from its pixels."""
    return [int(n) for n in (x[:, 0, 1, 2] * 255).round().tolist()]


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("first", [False, True])
def test_a_file_is_read_in_both_layouts_and_only_a_compressed_one_into_memory(
    tmp_path: Path, compressed: bool, first: bool
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (EXTRA, 4, 5, 3), dtype=np.uint8)
    stored = images.transpose(0, 3, 1, 2) if first else images
    path = saved(tmp_path / "extra.npz", compressed, image=stored, label=np.arange(EXTRA, dtype=np.uint8) % 10)
    extra = open_extra(path, FACTS)
    chosen = np.array([3, 0, 16, 3])
    assert np.array_equal(extra.pixels(chosen), images[chosen])
    assert isinstance(extra.images, np.memmap) is not compressed
    assert extra.labels.dtype == np.int64
    plain = saved(tmp_path / "plain.npz", image=stored, label=np.arange(EXTRA, dtype=np.uint8) % 10)
    assert extra.fingerprint == open_extra(plain, FACTS).fingerprint
    other = saved(tmp_path / "other.npz", image=stored, label=np.zeros(EXTRA, np.uint8))
    assert extra.fingerprint != open_extra(other, FACTS).fingerprint


LABELS = np.arange(EXTRA) % 10
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no image": ({"label": LABELS}, "has no array image"),
    "no label": ({"image": generated()}, "has no array label"),
    "other names": ({"images": generated(), "labels": LABELS}, "no array image and no array label"),
    "wrong shape": ({"image": generated()[:, :3], "label": LABELS}, r"uint8 \(17, 3, 5, 3\); it must be uint8 \(N, 4"),
    "floats": ({"image": generated() / 255, "label": LABELS}, "float64 .* must be uint8"),
    "objects": ({"image": np.array([object()] * EXTRA), "label": LABELS}, "cannot be read as npz"),
    "fewer labels": ({"image": generated(), "label": LABELS[1:]}, r"int64 \(16,\); it must be integers \(17,\)"),
    "real labels": ({"image": generated(), "label": LABELS / 1}, "float64"),
    "label 10": ({"image": generated(), "label": LABELS + 1}, "labels from 1 to 10; they must be from 0 to 9"),
    "label -1": ({"image": generated(), "label": LABELS - 1}, "labels from -1 to 8"),
    "no images": ({"image": generated()[:0], "label": LABELS[:0]}, r"\(0, 4, 5, 3\)"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_does_not_fit_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    arrays, said = BAD[name]
    path = saved(tmp_path / "extra.npz", **arrays)
    with pytest.raises(DataError, match=said) as caught:
        open_extra(path, FACTS)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_a_torn_and_another_kind_of_file_are_refused_in_one_line(file: Path, tmp_path: Path) -> None:
    for content in (b"", b"no npz", file.read_bytes()[:500], file.read_bytes()[:-30]):
        torn = tmp_path / "torn.npz"
        torn.write_bytes(content)
        with pytest.raises(DataError, match="cannot be read as npz"):
            open_extra(torn, FACTS)
    for path in (tmp_path / "none.npz", tmp_path):
        with pytest.raises(DataError, match="extra_data = "):
            open_extra(path, FACTS)


def test_each_minibatch_has_its_fraction_and_an_epoch_keeps_its_steps(file: Path) -> None:
    batches = mixed(file)
    found = list(batches.epoch(0))
    assert len(found) == len(batches) == 3  # 23 images in minibatches of 10
    assert [len(batch) for batch in found] == [10, 10, 3]
    assert [sum(n >= 100 for n in numbers(batch.x)) for batch in found] == [7, 7, 2]
    for batch in found:
        shown = numbers(batch.x)
        expected = [n - 100 + OWN if n >= 100 else n for n in shown]  # extra images follow in the index
        assert batch.index.tolist() == expected
        assert batch.y.tolist() == [(n - 100 if n >= 100 else n) % 10 for n in shown]


def test_images_are_drawn_without_replacement_until_all_were_drawn(file: Path) -> None:
    batches = mixed(file)
    drawn = [n for epoch in range(17) for batch in batches.epoch(epoch) for n in numbers(batch.x)]
    extra, own = [n for n in drawn if n >= 100], [n for n in drawn if n < 100]
    assert (len(extra), len(own)) == (17 * 16, 17 * 7)
    assert set(Counter(extra).values()) == {16}  # 16 extra images an epoch, of 17: after 17 epochs each 16 times
    assert set(Counter(own).values()) <= {5, 6}  # 119 drawings of 23 images


def test_a_minibatch_is_a_function_of_seed_epoch_and_number_alone(file: Path) -> None:
    augmented = DatasetFacts(3, 4, 5, 10, 23, (0.0,), (1.0,), padding=1, flip=True)
    whole = [batch for epoch in (0, 1, 2) for batch in mixed(file, facts=augmented).epoch(epoch)]
    fresh = mixed(file, facts=augmented)
    for place in (8, 4, 0, 7):
        epoch, number = divmod(place, 3)
        again, wanted = next(fresh.epoch(epoch, number)), whole[place]
        assert torch.equal(again.x, wanted.x)
        assert torch.equal(again.y, wanted.y)
        assert torch.equal(again.index, wanted.index)
    assert not torch.equal(mixed(file, seed=1, facts=augmented).batch(0, 0).x, whole[0].x)


def test_extra_images_are_augmented_like_the_others(tmp_path: Path) -> None:
    facts = datasets()["cifar10"].facts
    assert facts is not None
    pixels = np.random.default_rng(0).integers(1, 256, (6, 32, 32, 3), dtype=np.uint8)
    file = saved(tmp_path / "extra.npz", image=pixels, label=np.zeros(6, np.int64))
    own = TrainBatches(np.zeros((6, 32, 32, 3), np.uint8), np.zeros(6, np.int64), facts, 6, 0, CPU)
    batch = MixedBatches(own, open_extra(file, facts), 0.5).batch(0, 0)
    padded = np.pad(pixels, ((0, 0), (4, 4), (4, 4), (0, 0)))
    found = 0
    for x, index in zip(batch.x, batch.index.tolist(), strict=True):
        if index >= 6:
            shown = (x.permute(1, 2, 0) * 255).round().byte().numpy()
            windows = [padded[index - 6, top : top + 32, left : left + 32] for top in range(9) for left in range(9)]
            found += any(np.array_equal(shown, one) or np.array_equal(shown, one[:, ::-1]) for one in windows)
    assert found == 3
