"""The threat model: which perturbations of an image are allowed."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.config.norms import LINF, Norm
from engine.runtime.rng import image_noise


@dataclass(frozen=True)
class Threat:
    """The ball of radius `eps` in the norm `linf` or `l2`, intersected with the image box [0,1].

    eps: for linf a fraction in [0,1]; for l2 the Euclidean length of the perturbation of an image with pixels in [0,1],
    which may be above 1. All images, perturbations and gradients have the shape (B, C, H, W).
    """

    eps: float
    norm: Norm = LINF

    def project(self, x: Tensor, delta: Tensor) -> Tensor:
        """An allowed perturbation of `x` near `delta`: for linf the nearest one.

        For l2, `delta` is scaled into the ball and then clipped to the box. Clipping only shortens it, because `x` lies
        in the box, so the result is in both.
        """
        if self.norm == LINF:
            low, high = (-x).clamp_(min=-self.eps), (1 - x).clamp_(max=self.eps)
            return torch.maximum(torch.minimum(delta, high), low)
        return torch.maximum(torch.minimum(_shortened(delta, self.eps), 1 - x), -x)

    def uniform(self, x: Tensor, rng: torch.Generator, in_box: bool = True, scale: float = 1.0) -> Tensor:
        """Uniform noise in the ball of radius scale eps (for linf: Wong et al., 2020, algorithm 3).

        in_box: whether to clip the noise so that x + noise lies in the image box.
        """
        wide = Threat(scale * self.eps, self.norm)
        if self.norm == LINF:
            noise = torch.empty_like(x).uniform_(-wide.eps, wide.eps, generator=rng)
        else:
            normal = torch.empty_like(x).normal_(generator=rng)
            radius = torch.rand(len(x), 1, 1, 1, generator=rng, device=x.device, dtype=x.dtype)
            noise = _in_l2_ball(normal, radius, wide.eps)
        return wide.project(x, noise) if in_box else noise

    def image_start(self, x: Tensor, images: Tensor, seed: int, restart: int) -> Tensor:
        """A random start for evaluations, uniform in the ball and then clipped to the box.

        It depends on the seed, the restart and the image alone, and never on the batch. images: indices in the data
        set, int64, (B,).
        """
        if self.norm == LINF:
            return self.project(x, self.eps * image_noise(seed, restart, images, x.shape[1:]))
        pixels = x.shape[1:].numel()
        noise = image_noise(seed, restart, images, torch.Size([pixels + 1])).double()
        normal = as_normal(noise[:, :-1].view(x.shape))
        radius = (noise[:, -1] + 1).div(2).view(-1, 1, 1, 1)
        return self.project(x, _in_l2_ball(normal, radius, self.eps).to(x.dtype))

    def direction(self, gradient: Tensor) -> Tensor:
        """The direction of steepest ascent of length 1 in the norm: the signs for linf, the unit vector for l2.

        Both ignore a positive factor per image. A gradient of zero has the direction zero.
        """
        if self.norm == LINF:
            return gradient.sign()
        largest_number = torch.finfo(gradient.dtype).max
        gradient = gradient.clamp(-largest_number, largest_number)  # fp16 may overflow
        largest = gradient.abs().amax((1, 2, 3), keepdim=True)
        scaled = gradient / largest.masked_fill(largest == 0, 1)  # squares of tiny or huge values would not be numbers
        return scaled / _lengths(scaled).clamp_min(1)  # of a gradient that is not zero, the largest value is 1 by now

    def step(self, x: Tensor, delta: Tensor, gradient: Tensor, alpha: float | Tensor) -> Tensor:
        """One step of steepest ascent: project(delta + alpha direction(gradient)), for linf a sign step.

        alpha: step size, in the unit of eps; or one for each image, (B, 1, 1, 1).
        """
        return self.project(x, delta + alpha * self.direction(gradient))

    def carried(self, x: Tensor, delta: Tensor | None) -> Tensor:
        """The perturbation of the previous step, projected for the images `x`; zero for images that have none.

        The last minibatch of an epoch may be smaller than the minibatch before it, and smaller than the next minibatch.
        """
        carried = torch.zeros_like(x)
        if delta is not None:
            count = min(len(x), len(delta))
            carried[:count] = delta[:count]
        return self.project(x, carried)


def as_normal(noise: Tensor) -> Tensor:
    """Normal numbers in float64 from those of `image_noise`, which are uniform multiples of 2^-23 in [-1,1)."""
    return math.sqrt(2) * torch.erfinv(noise.double() + 2.0**-24)  # half a step on, because -1 would become infinite


def _lengths(delta: Tensor) -> Tensor:
    """The Euclidean length of each image's perturbation: (B, 1, 1, 1)."""
    lengths: Tensor = torch.linalg.vector_norm(delta, dim=(1, 2, 3), keepdim=True)
    return lengths


def _shortened(delta: Tensor, eps: float) -> Tensor:
    """Scale the perturbations that are longer than `eps` to this length."""
    return delta * (eps / _lengths(delta).clamp_min(1e-30)).clamp(max=1)


def _in_l2_ball(normal: Tensor, uniform: Tensor, eps: float) -> Tensor:
    """A uniform point of the ball: a uniform direction, and a radius eps u^(1/d), since volume grows as radius^d.

    normal: independent normal numbers, (B, C, H, W). uniform: u in [0,1), (B, 1, 1, 1). d: number of pixels.
    """
    return normal / _lengths(normal).clamp_min(1e-30) * (eps * uniform ** (1 / normal[0].numel()))
