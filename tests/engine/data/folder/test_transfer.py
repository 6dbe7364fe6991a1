"""Minibatches on a second way to the device: a stand-in copies as late as a GPU may, so that each order is tried."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.data.folder.transfer import PINNED, PinnedTransfer, PlainTransfer, Receive
from tests.support.folders import batches, tree
from tests.support.minibatches import pairs
from tests.support.networks import CPU


class Copying:
    """A copy that has not been made yet."""

    def __init__(self, source: Tensor, target: Tensor) -> None:
        self._source, self._target, self.over = source, target, False

    def finish(self) -> None:
        if not self.over:
            self._target.copy_(self._source)
            self.over = True


class LateLane:
    """Copies only when somebody has to wait, which shows what a GPU would read at that time."""

    def __init__(self) -> None:
        self.buffers: list[int] = []
        self.waits = 0

    def pinned(self, size: int) -> Tensor:
        self.buffers.append(size)
        return torch.zeros(size, dtype=torch.uint8)

    def send(self, content: Tensor) -> tuple[Tensor, Copying]:
        copy = torch.full_like(content, 255)
        return copy, Copying(content, copy)

    def wait(self, mark: Copying) -> None:
        self.waits += not mark.over
        mark.finish()

    def join(self, mark: Copying, copy: Tensor) -> None:
        mark.finish()


def send(transfer: PinnedTransfer | PlainTransfer, number: int, images: int) -> Receive:
    """Send a minibatch, and overwrite its arrays afterwards, as the next minibatch does."""
    pixels = np.full((images, 3, 3, 3), number, np.uint8)
    labels, indices = np.full(images, 10 + number), np.arange(images) + 100 * number
    receive = transfer.send(pixels, labels, indices)
    for array in (pixels, labels, indices):
        array[:] = 0
    return receive


def check(receive: Receive, number: int, images: int) -> None:
    pixels, labels, indices = receive()
    assert (pixels.dtype, labels.dtype, indices.dtype) == (torch.uint8, torch.int64, torch.int64)
    assert torch.equal(pixels, torch.full((images, 3, 3, 3), number, dtype=torch.uint8))
    assert labels.tolist() == [10 + number] * images
    assert indices.tolist() == [100 * number + image for image in range(images)]


TRANSFERS: list[Callable[[], PinnedTransfer | PlainTransfer]] = [
    lambda: PlainTransfer(CPU),
    lambda: PinnedTransfer(LateLane()),
]


@pytest.mark.parametrize("ahead", [0, 1, 2, 5])
@pytest.mark.parametrize("make", TRANSFERS)
def test_every_minibatch_arrives_as_it_was_sent(make: Callable[[], PinnedTransfer | PlainTransfer], ahead: int) -> None:
    transfer, sizes = make(), [4, 4, 4, 3, 4, 4, 5, 1, 5]
    on_their_way: list[tuple[Receive, int, int]] = []
    for number, images in enumerate(sizes):
        on_their_way.append((send(transfer, number, images), number, images))
        if len(on_their_way) > ahead:
            check(*on_their_way.pop(0))
    for rest in on_their_way:
        check(*rest)


def test_pinned_memory_is_bounded_and_a_copying_that_is_over_is_not_waited_for() -> None:
    lane = LateLane()
    transfer = PinnedTransfer(lane)
    for number in range(10):
        check(send(transfer, number, 4), number, 4)
    assert lane.buffers == [4 * (27 + 16)] * PINNED
    assert lane.waits == 0
    for number in range(10):
        send(transfer, number, 4)
    assert (len(lane.buffers), lane.waits) == (PINNED, 10 - PINNED)


@pytest.mark.parametrize("workers", [0, 1])
def test_epochs_are_the_same_on_a_second_way_to_the_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    folder = tree(tmp_path / "data", ("a", "b", "c"), count=5)
    wanted = [pair for epoch in (0, 1) for pair in pairs(batches(folder).epoch(epoch))]
    monkeypatch.setattr("engine.data.folder.batches.transfer_to", lambda device: PinnedTransfer(LateLane()))
    loader = batches(folder, workers, end=2)
    found = [pair for epoch in (0, 1) for pair in pairs(loader.epoch(epoch))]
    for (x, y), (other, labels) in zip(found, wanted, strict=True):
        assert torch.equal(x, other)
        assert torch.equal(y, labels)
    assert torch.equal(loader.batch(1, 2).x, wanted[6][0])
