"""Random numbers: noise agrees with splitmix64 in plain Python, and generators depend on their key."""

import hashlib

import pytest
import torch

from engine.runtime.rng import generator, image_noise, seed_layers
from tests.support.networks import CPU

SHAPE = torch.Size((3, 5, 7))


def splitmix64(state: int) -> int:
    """Steele, Lea and Flood (2014): the output for the state number `state`."""
    mask = 2**64 - 1
    z = state * 0x9E3779B97F4A7C15 & mask
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
    return z ^ z >> 31


def test_splitmix64_gives_the_published_numbers() -> None:
    assert [splitmix64(n) for n in (1, 2, 3)] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


@pytest.mark.parametrize(("seed", "restart"), [(0, 0), (7, 3), (2**63 - 1, 9)])
def test_noise_is_splitmix64_of_seed_restart_image_and_pixel(seed: int, restart: int) -> None:
    indices = [0, 1, 9_999]
    noise = image_noise(seed, restart, torch.tensor(indices), SHAPE)
    key = hashlib.blake2b(repr((seed, restart)).encode(), digest_size=8).digest()
    first, pixels = int.from_bytes(key, "little") >> 2, SHAPE.numel()
    for row, index in enumerate(indices):
        wanted = [(splitmix64(first + index * pixels + n) >> 40) / 2**23 - 1 for n in range(pixels)]
        assert noise[row].flatten().tolist() == wanted


def test_noise_does_not_depend_on_the_batch() -> None:
    together = image_noise(0, 0, torch.arange(20), SHAPE)
    assert torch.equal(together[[13, 4]], image_noise(0, 0, torch.tensor([13, 4]), SHAPE))
    assert torch.equal(together[7:8], image_noise(0, 0, torch.tensor([7]), SHAPE))


def test_noise_is_uniform_in_the_half_open_interval() -> None:
    noise = image_noise(0, 0, torch.arange(2000), SHAPE).flatten().double()
    n = len(noise)
    assert -1 <= noise.min() < -0.999
    assert 0.999 < noise.max() < 1
    empirical = torch.arange(1, n + 1) / n
    distance = (noise.sort().values.add(1).div(2) - empirical).abs().max()
    assert distance < 1.95 / n**0.5  # Kolmogorov and Smirnov, at 0.1%


def test_noise_of_different_images_restarts_seeds_and_pixels_is_uncorrelated() -> None:
    def flat(seed: int, restart: int) -> torch.Tensor:
        return image_noise(seed, restart, torch.arange(1000), SHAPE).flatten()

    noise = flat(0, 0)
    pairs = [
        (noise, flat(0, 1)),
        (noise, flat(1, 0)),
        (flat(1, 0), flat(0, 1)),
        (noise[:-1], noise[1:]),
        (noise[: -SHAPE.numel()], noise[SHAPE.numel() :]),
    ]
    for one, other in pairs:
        correlation = torch.corrcoef(torch.stack((one, other)))[0, 1].abs()
        assert correlation < 4 / len(one) ** 0.5


def test_a_random_generator_depends_on_its_key_alone() -> None:
    def draws(*key: int | str) -> list[int]:
        return torch.randint(2**60, (4,), generator=generator(CPU, *key)).tolist()

    keys: list[tuple[int | str, ...]] = [(0, "order", 1), (0, "noise", 1), (1, "order", 1), (0, "order", 11), (0,)]
    assert draws(*keys[0]) == draws(*keys[0])
    assert len({tuple(draws(*key)) for key in keys}) == len(keys)


def test_a_random_generator_of_a_key_leaves_the_global_one_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    torch.rand(5, generator=generator(CPU, 1, "x"))
    assert torch.equal(before, torch.get_rng_state())


def test_random_layers_draw_as_after_the_seed_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(7)
    wanted = torch.rand(5)
    monkeypatch.delattr(torch, "manual_seed")  # it formats the call stack at each call
    seed_layers(CPU, 7)
    assert torch.equal(torch.rand(5), wanted)
    seed_layers(CPU, 8)
    assert not torch.equal(torch.rand(5), wanted)
