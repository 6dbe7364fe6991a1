"""Refuses a run whose smallest minibatch is too small for BatchNorm: a single value has no variance."""

from collections.abc import Sequence
from pathlib import Path

import torch

from engine.config.datasets import DatasetFacts
from engine.config.errors import ConfigError
from engine.config.phases import Phase
from engine.config.run import RunConfig
from engine.models.build import build_network
from engine.plan.cost import smallest_part


def check_minibatches(
    config: RunConfig, phases: Sequence[Phase], images: int, facts: DatasetFacts, folder: Path | None = None
) -> None:
    """Check that BatchNorm can train on the smallest minibatch, or part of a minibatch, of each phase.

    phases: with their sizes filled in; images: number of images in an epoch; folder: as for `build_network`.

    Raises: ConfigError, if a single image is left at the end of a minibatch or an epoch, and BatchNorm needs more.
    """
    for phase in phases:
        if smallest_part(images, phase.batch_size, config.micro_batch) > 1:
            continue
        model, side = build_network(config.model, facts, folder).train(), phase.crop or facts.height
        try:
            with torch.no_grad():
                model(torch.zeros(1, facts.channels, side, phase.crop or facts.width))
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            setting = "micro_batch" if config.micro_batch else "phases" if config.phases else "batch_size"
            parts = f", in parts of {config.micro_batch}," if config.micro_batch else ""
            raise ConfigError(
                f"{setting}: {images:,} images in minibatches of {phase.batch_size}{parts} leave a single image over, "
                "but BatchNorm needs more than one image; choose another size"
            ) from None
