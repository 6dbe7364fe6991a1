"""The work of a run in floating-point operations: it compares recipes across machines."""

import math

from msgspec import Struct

from engine.config import RunConfig


class Passes(Struct, frozen=True):
    """What one image costs a network, in floating-point operations (a multiplication and an addition are two).

    The backward passes are without the forward one before them: for the image alone, for the weights alone, both.
    `muon` is that optimizer's part of one update, whatever the minibatch.
    """

    forward: int
    to_image: int
    to_weights: int
    to_both: int
    muon: int = 0


class Counted(Struct, frozen=True):
    """The engine's answer to `--flops`: the network's cost of an image, and how many the data's release has."""

    passes: Passes
    train_images: int


def training_flops(config: RunConfig, passes: Passes, train_images: int) -> int:
    """The floating-point operations of a whole training, its attacks included and its evaluations not."""
    attack = passes.forward + passes.to_image
    update = passes.forward + passes.to_weights
    match config.method.name:
        case "standard":
            each = update
        case "fgsm":
            each = attack + update
        case "pgd":
            choosing = config.method.restarts if config.method.restarts > 1 else 0  # a look at each restart's losses
            each = (config.method.steps * config.method.restarts + choosing) * attack + update
        case "free":
            each = config.method.replays * (passes.forward + passes.to_both)
    updates = config.epochs * config.replays * math.ceil(train_images / config.batch_size)
    optimizer = passes.muon * updates if config.optim.name == "muon" else 0
    return round(config.epochs * train_images * each) + optimizer
