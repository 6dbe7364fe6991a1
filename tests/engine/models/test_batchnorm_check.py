"""Runs whose last minibatch is too small for BatchNorm are refused before they start."""

from itertools import product

import msgspec
import pytest
import torch

from engine.commands.check import check
from engine.config.datasets import DatasetFacts
from engine.config.errors import ConfigError
from engine.config.phases import Phase
from engine.config.presets import build as config_of
from engine.config.run import RunConfig
from engine.models.batchnorm_check import check_minibatches
from engine.models.build import build_network
from engine.plan.cost import smallest_part

SMALL = DatasetFacts(3, 32, 32, 10, 65, (0.5,) * 3, (0.5,) * 3)


def test_the_smallest_micro_batch_is_the_one_found_by_a_loop() -> None:
    for images, batch, micro in product(range(1, 14), range(1, 8), range(8)):
        minibatches = [min(batch, images - begin) for begin in range(0, images, batch)]
        parts = [min(micro or size, size - begin) for size in minibatches for begin in range(0, size, micro or size)]
        assert smallest_part(images, batch, micro) == min(parts), (images, batch, micro)


@pytest.mark.parametrize(("images", "batch", "micro", "said"), [(65, 64, 0, "batch_size"), (60, 60, 59, "micro_batch")])
def test_a_batch_of_one_image_is_refused_where_batchnorm_sees_a_single_value(
    images: int, batch: int, micro: int, said: str
) -> None:
    """ResNet-18 halves 32 pixels five times. Torch itself refuses a single value per channel."""
    config = config_of("cifar", {"model.name": "resnet18", "batch_size": batch, "micro_batch": micro})
    with pytest.raises(ValueError, match="more than 1 value"):
        build_network(config.model, SMALL).train()(torch.zeros(1, 3, 32, 32))
    with pytest.raises(ConfigError, match=f"{said}: .*leave a single image over.*choose another size"):
        check_minibatches(config, [Phase(0, 1, crop=32, batch_size=batch)], images, SMALL)


@pytest.mark.parametrize(
    "settings",
    [
        {"model.name": "resnet18", "batch_size": 63},  # two are left
        {"batch_size": 64},  # one is left, but the network ends with 4x4 values of each channel
        {"model.name": "resnet18", "batch_size": 64, "crop": 64},
    ],
)
def test_a_run_whose_batches_suffice_for_batchnorm_is_not_refused(settings: dict[str, int]) -> None:
    crop = settings.pop("crop", 32)
    config = config_of("cifar", settings)
    check_minibatches(config, [Phase(0, 1, crop=crop, batch_size=config.batch_size)], 65, SMALL)


def test_the_check_refuses_a_last_batch_too_small_for_batchnorm(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """1,437 training images in batches of four leave one image; 8 pixels are halved three times."""
    config: RunConfig = config_of("digits", {"model.name": "preact-resnet18", "model.width": 4, "batch_size": 4})
    assert check(msgspec.json.encode(config)) == 2
    assert b"1,437 images in minibatches of 4 leave a single image over" in capfdbinary.readouterr().out
    assert check(msgspec.json.encode(msgspec.structs.replace(config, batch_size=5))) == 0
