"""A minibatch of training images, as data sets give it and methods train on it."""

import dataclasses
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Minibatch:
    """x: images in [0,1], (B, C, H, W); y: labels, int64, (B,); index: the images' numbers in the training data, int64,
    (B,); delta: the perturbation that the step before returned for images in these places, (B, C, H, W) or fewer
    images, None at the start of training.
    """

    x: Tensor
    y: Tensor
    index: Tensor
    delta: Tensor | None = None

    def __len__(self) -> int:
        return len(self.y)

    def part(self, begin: int, end: int) -> "Minibatch":
        """Some of the images in a row."""
        delta = None if self.delta is None else self.delta[begin:end]
        return Minibatch(self.x[begin:end], self.y[begin:end], self.index[begin:end], delta)

    def carrying(self, delta: Tensor | None) -> "Minibatch":
        """The same images with the perturbation that the step before returned."""
        return dataclasses.replace(self, delta=delta)
