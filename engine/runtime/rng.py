"""Random numbers that depend on a key alone, and never on the numbers drawn before.

The keys of data order, augmentation and training noise are made of seed, epoch and step, so that a resumed run needs no
saved random state. The keys of the evaluation's noise are made of seed, image and restart, so that the noise does not
depend on the batch.
"""

import hashlib

import torch
from torch import Tensor

_GOLDEN = -7046029254386353131  # splitmix64's constants (Steele, Lea and Flood, 2014) as signed 64-bit numbers
_MIX = ((30, -4658895280553007687), (27, -7723592293110705685))


def generator(device: torch.device, *key: int | str) -> torch.Generator:
    """A random generator on `device`, seeded from `key`."""
    return torch.Generator(device).manual_seed(seed_of(*key))


def seed_layers(device: torch.device, seed: int) -> None:
    """Seed what random layers such as dropout draw from: the default generators of the CPU and of `device`.

    `torch.manual_seed` does so for all devices, and on a CPU it formats the call stack three times at each call.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


def seed_of(*key: int | str) -> int:
    """A seed of 63 bits, made from `key`."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def image_noise(seed: int, restart: int, images: Tensor, shape: torch.Size) -> Tensor:
    """Uniform noise in [-1, 1) for each image. The noise is the same on every device and in every batch.

    images: indices in the data set, int64, (B,); shape: the shape of one image. Returns float32, (B, *shape).
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
    """Shift right and fill with zeros, as the hash needs. The operator >> of int64 fills with the sign bit."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)
