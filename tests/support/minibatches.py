"""Minibatches as pairs of images and labels, for tests that look at nothing else."""

from collections.abc import Iterable, Iterator

from torch import Tensor

from engine.data.minibatch import Minibatch


def pairs(batches: Iterable[Minibatch]) -> Iterator[tuple[Tensor, Tensor]]:
    return ((batch.x, batch.y) for batch in batches)
