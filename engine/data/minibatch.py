"""A minibatch of training images, which data sets yield and training methods take."""

import dataclasses
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Minibatch:
    """Training images with their labels.

    x: images in [0,1], (B, C, H, W). y: labels, int64, (B,). index: indices into the training data, int64, (B,);
    extra images (setting extra_data) follow those of the data set.
    delta: what the previous step returned: (B, C, H, W), or fewer rows if that step had fewer images. Row i belongs to
    image i of the previous step, which usually had another minibatch than this one. None at the start of training.
    """

    x: Tensor
    y: Tensor
    index: Tensor
    delta: Tensor | None = None

    def __len__(self) -> int:
        return len(self.y)

    def part(self, begin: int, end: int) -> "Minibatch":
        """The images from `begin` up to `end`."""
        delta = None if self.delta is None else self.delta[begin:end]
        return Minibatch(self.x[begin:end], self.y[begin:end], self.index[begin:end], delta)

    def with_delta(self, delta: Tensor | None) -> "Minibatch":
        """The same images with the perturbation that the previous step returned."""
        return dataclasses.replace(self, delta=delta)
