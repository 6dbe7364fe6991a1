"""Minibatches of a data set that is stored on the device as uint8. The device crops, flips and casts them."""

import copy
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from engine.config.datasets import DatasetFacts
from engine.data.minibatch import Minibatch
from engine.runtime.rng import generator


def to_images(pixels: Tensor) -> Tensor:
    """Convert uint8, (B, H, W, C), to float32 in [0,1], (B, C, H, W), in channels_last memory."""
    return pixels.permute(0, 3, 1, 2).float().div_(255)


class TestImages:
    """The test split on the device. pixels: uint8, (N, H, W, C); labels: int64, (N,)."""

    __test__ = False  # pytest would take the class for a test because of its name
    unreadable: frozenset[str] = frozenset()
    remarks: tuple[str, ...] = ()

    def __init__(self, pixels: Tensor, labels: Tensor) -> None:
        self.pixels, self.labels = pixels, labels

    @classmethod
    def load(cls, images: NDArray[np.uint8], labels: NDArray[np.int64], device: torch.device) -> "TestImages":
        return cls(torch.from_numpy(np.ascontiguousarray(images)).to(device), torch.from_numpy(labels).to(device))

    def first(self, count: int) -> "TestImages":
        """The first `count` images, or all images if `count` is 0."""
        return TestImages(self.pixels[:count], self.labels[:count]) if count else self

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Images in [0,1], (B, C, H, W), and labels, (B,)."""
        return to_images(self.pixels[indices]), self.labels[indices]


class TrainBatches:
    """Shuffled and augmented minibatches. Each minibatch is a function of (seed, epoch, its number) alone."""

    unreadable: frozenset[str] = frozenset()
    remarks: tuple[str, ...] = ()

    def __init__(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.int64],
        facts: DatasetFacts,
        batch_size: int,
        seed: int,
        device: torch.device,
        reflect: bool = False,
    ) -> None:
        """reflect: whether the pixels around an image reflect the image. Else they are black."""
        self.facts, self.batch_size, self.seed, self.device = facts, batch_size, seed, device
        pad = facts.padding
        if pad and reflect:
            images = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")
        pixels = torch.from_numpy(np.ascontiguousarray(images)).to(device)
        self.pixels = F.pad(pixels, (0, 0, pad, pad, pad, pad)) if pad and not reflect else pixels
        self.labels = torch.from_numpy(labels).to(device)
        self.crop = facts.height

    def resized(self, batch_size: int, crop: int) -> "TrainBatches":
        """The same images in minibatches of another size. After augmentation, images are resized to `crop` pixels."""
        other = copy.copy(self)  # shares the pixels
        other.batch_size, other.crop = batch_size, crop
        return other

    def __len__(self) -> int:
        """The number of minibatches in an epoch. The last minibatch may be smaller."""
        return -(-len(self.labels) // self.batch_size)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Minibatch]:
        """The minibatches of an epoch, from number `first` on."""
        rng = generator(torch.device("cpu"), self.seed, "order", epoch)
        order = torch.randperm(len(self.labels), generator=rng).to(self.device)
        for number in range(first, len(self)):
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            yield Minibatch(self.augmented(chosen, epoch, number), self.labels[chosen], chosen)

    def batch(self, epoch: int, number: int) -> Minibatch:
        """Minibatch `number` of an epoch."""
        return next(self.epoch(epoch, number))

    def augmented(self, chosen: Tensor, epoch: int, number: int) -> Tensor:
        """The images of these indices in minibatch `number` of an epoch: in [0,1], (B, C, H, W)."""
        return self._in_size(self._images(chosen, epoch, number))

    def augmented_extra(self, pixels: Tensor, epoch: int, number: int) -> Tensor:
        """Other images of the same minibatch, augmented likewise. pixels: uint8, (B, H, W, C). Result: as above."""
        if pad := self.facts.padding:
            padded = F.pad(pixels, (0, 0, pad, pad, pad, pad))
            rows, columns = self._windows(len(pixels), generator(self.device, self.seed, "extra", epoch, number))
            image = torch.arange(len(pixels), device=self.device)
            pixels = padded[image[:, None, None], rows[:, :, None], columns[:, None, :]]
        return self._in_size(to_images(pixels))

    def _in_size(self, x: Tensor) -> Tensor:
        if self.crop == x.shape[2]:
            return x
        return F.interpolate(x, size=self.crop, mode="bilinear", antialias=True).clamp_(0, 1)

    def _images(self, chosen: Tensor, epoch: int, number: int) -> Tensor:
        if not self.facts.padding:
            return to_images(self.pixels[chosen])
        rng = generator(self.device, self.seed, "augment", epoch, number)
        rows, columns = self._windows(len(chosen), rng)
        return to_images(self.pixels[chosen[:, None, None], rows[:, :, None], columns[:, None, :]])

    def _windows(self, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rows (B, H) and columns (B, W) to cut from the padded images. Columns in reverse order flip an image."""

        def draw(high: int) -> Tensor:
            return torch.randint(high, (count, 1), generator=rng, device=self.device)

        facts, shifts = self.facts, 2 * self.facts.padding + 1
        rows = draw(shifts) + torch.arange(facts.height, device=self.device)
        across = torch.arange(facts.width, device=self.device)
        left = draw(shifts)
        if facts.flip:
            across = torch.where(draw(2).bool(), across.flip(0), across)
        return rows, left + across
