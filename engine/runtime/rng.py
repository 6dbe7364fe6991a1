"""Randomness as a function of what it is for, never of what was drawn before.

Data order, augmentation and noise are keyed by seed, epoch and step, so a resumed run needs no saved random
state; the evaluation's noise is keyed by image and restart, so it cannot depend on the batch.
"""

import hashlib

import torch
from torch import Tensor

_GOLDEN = -7046029254386353131  # splitmix64's constants (Steele, Lea and Flood, 2014) as signed 64-bit numbers
_MIX = ((30, -4658895280553007687), (27, -7723592293110705685))


def generator(device: torch.device, *key: int | str) -> torch.Generator:
    """A random generator on `device`, seeded from `key`."""
    return torch.Generator(device).manual_seed(seed_of(*key))


def seed_of(*key: int | str) -> int:
    """A seed of 63 bits."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def image_noise(seed: int, restart: int, images: Tensor, shape: torch.Size) -> Tensor:
    """Uniform noise in [-1, 1) for single images: the same on every device and in every batch.

    images: indices, int64, shape (B,); shape: that of one image. Returns float32, shape (B, *shape).
    """
    pixels = shape.numel()
    start = int.from_bytes(hashlib.blake2b(repr((seed, restart)).encode(), digest_size=8).digest(), "little")
    counter = images.unsqueeze(1) * pixels + torch.arange(pixels, device=images.device)
    bits = _splitmix(counter + (start >> 2))
    return (_logical_shift(bits, 40).float() / 2**23 - 1).view(len(images), *shape)


def _splitmix(x: Tensor) -> Tensor:
    x = x * _GOLDEN
    for shift, factor in _MIX:
        x = (x ^ _logical_shift(x, shift)) * factor
    return x ^ _logical_shift(x, 31)


def _logical_shift(x: Tensor, bits: int) -> Tensor:
    """int64 >> keeps the sign; the hash wants zeros."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)
