"""Minibatches that mix the images of a data set with extra images."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor

from engine.data.memory.batches import TrainBatches
from engine.data.memory.extra import ExtraImages
from engine.data.minibatch import Minibatch
from engine.runtime.rng import generator


class MixedBatches:
    """Minibatches of which a fraction are extra images. Each is a function of (seed, epoch, its number) alone.

    own: the minibatches of the data set, which give the sizes, the number of steps of an epoch and the augmentation.
    fraction: of extra images in a minibatch, in [0,1). Both kinds of images are drawn without replacement until all
    were drawn, then in a new order, across epochs. In `index`, extra images follow those of the data set.
    """

    unreadable: frozenset[str] = frozenset()
    remarks: tuple[str, ...] = ()

    def __init__(self, own: TrainBatches, extra: ExtraImages, fraction: float) -> None:
        self._own, self._extra, self._fraction = own, extra, fraction
        self._extra_labels = torch.from_numpy(extra.labels)
        seed = own.seed
        self._own_order, self._extra_order = (
            EndlessOrder(count, seed, name) for count, name in ((len(own.labels), "mixed order"), (len(extra), "extra"))
        )

    def resized(self, batch_size: int, crop: int) -> "MixedBatches":
        """The same images in minibatches of another size. After augmentation, images are resized to `crop` pixels."""
        other = copy.copy(self)
        other._own = self._own.resized(batch_size, crop)
        return other

    def __len__(self) -> int:
        """The number of minibatches in an epoch, as without extra images."""
        return len(self._own)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Minibatch]:
        """The minibatches of an epoch, from number `first` on."""
        for number in range(first, len(self)):
            yield self.batch(epoch, number)

    def batch(self, epoch: int, number: int) -> Minibatch:
        """Minibatch `number` of an epoch."""
        own_count, extra_count = self._counts(number)
        own = self._own_order.drawn(self._begin(epoch, number, own=True), own_count).to(self._own.device)
        extra = self._extra_order.drawn(self._begin(epoch, number, own=False), extra_count)
        pixels = torch.from_numpy(self._extra.pixels(extra.numpy()).copy()).to(self._own.device)
        images = torch.cat((self._own.augmented(own, epoch, number), self._own.augmented_extra(pixels, epoch, number)))
        labels = torch.cat((self._own.labels[own], self._extra_labels[extra].to(self._own.device)))
        index = torch.cat((own, extra.to(self._own.device) + len(self._own.labels)))
        rng = generator(torch.device("cpu"), self._own.seed, "mix", epoch, number)
        mixed = torch.randperm(len(labels), generator=rng).to(self._own.device)  # each micro-batch gets of both
        return Minibatch(images[mixed], labels[mixed], index[mixed])

    def _counts(self, number: int) -> tuple[int, int]:
        """The numbers of own and of extra images in a minibatch. The last one of an epoch may be smaller."""
        begin, total = number * self._own.batch_size, len(self._own.labels)
        size = min(self._own.batch_size, total - begin)
        extra = round(self._fraction * size)
        return size - extra, extra

    def _begin(self, epoch: int, number: int, own: bool) -> int:
        """The number of images of one kind that earlier minibatches have taken, with all epochs in this size."""
        place = 0 if own else 1
        full = self._counts(0)[place]
        of_an_epoch = full * (len(self) - 1) + self._counts(len(self) - 1)[place]
        return epoch * of_an_epoch + number * full


class EndlessOrder:
    """Indices below `count` in random order without end: one permutation after another."""

    def __init__(self, count: int, seed: int, name: str) -> None:
        self.count, self._seed, self._name = count, seed, name
        self._last: tuple[int, Tensor] | None = None  # number of the last permutation, and the permutation

    def drawn(self, begin: int, count: int) -> Tensor:
        """The indices from place `begin` on: int64, (count,)."""
        parts = []
        while count:
            permutation, place = divmod(begin, self.count)
            part = self._permutation(permutation)[place : place + count]
            parts.append(part)
            begin, count = begin + len(part), count - len(part)
        return torch.cat(parts) if parts else torch.empty(0, dtype=torch.int64)

    def _permutation(self, number: int) -> Tensor:
        if self._last is None or self._last[0] != number:
            rng = generator(torch.device("cpu"), self._seed, self._name, number)
            self._last = number, torch.randperm(self.count, generator=rng)
        return self._last[1]
