"""`engine --flops`: what one image costs a network."""

import msgspec

from engine.config.facts import DATASETS
from engine.config.run import RunConfig
from engine.data.dataset import open_dataset
from engine.protocol.answers import answer
from engine.protocol.exit_code import ExitCode
from engine.protocol.requests import Counted


def flops(request: bytes) -> int:
    """What one image costs the network of a run. `request` is a RunConfig as JSON. Prints a Counted, returns 0."""
    from engine.models.flops import count_crops

    config = msgspec.json.decode(request, type=RunConfig)
    if config.in_folder:
        source = open_dataset(config)
        facts, images = source.facts, source.train_images
    else:
        facts = DATASETS[config.dataset]
        images = facts.train_images
    answer(msgspec.to_builtins(Counted(count_crops(config, facts), images), str_keys=True))
    return ExitCode.DONE
