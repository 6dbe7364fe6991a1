"""Whether a network can be trained on the smallest minibatch of a run: BatchNorm has no variance of a single value."""

from collections.abc import Sequence

import torch

from engine.config.datasets import DatasetFacts
from engine.config.errors import ConfigError
from engine.config.phases import Phase
from engine.config.run import RunConfig
from engine.models.build import build_network
from engine.plan.cost import smallest_part


def check_minibatches(config: RunConfig, phases: Sequence[Phase], images: int, facts: DatasetFacts) -> None:
    """phases: with their sizes filled in; images: of an epoch.

    Raises: ConfigError, if one image is left at the end of a minibatch or an epoch, and is too little.
    """
    for phase in phases:
        if smallest_part(images, phase.batch_size, config.micro_batch) > 1:
            continue
        model, side = build_network(config.model, facts).train(), phase.crop or facts.height
        try:
            with torch.no_grad():
                model(torch.zeros(1, facts.channels, side, phase.crop or facts.width))
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            setting = "micro_batch" if config.micro_batch else "phases" if config.phases else "batch_size"
            parts = f", in parts of {config.micro_batch}," if config.micro_batch else ""
            raise ConfigError(
                f"{setting}: of {images:,} images in minibatches of {phase.batch_size}{parts} one is left over, and "
                "BatchNorm needs more than one; choose another size"
            ) from None
