"""The work of a run in floating-point operations: it compares recipes across machines."""

import math
from collections.abc import Mapping

from msgspec import Struct

from engine.config.phases import Phase
from engine.config.run import RunConfig


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


def training_flops(config: RunConfig, passes: Mapping[int, Passes], images: int) -> int:
    """The floating-point operations of a whole training, its attacks included and its evaluations not.

    passes: by the crop of each phase; images: of the training data.
    """
    return sum(
        (phase.end - phase.begin) * epoch_flops(config, phase, passes[phase.crop], images)
        for phase in config.phase_list
    )


def epoch_flops(config: RunConfig, phase: Phase, passes: Passes, images: int) -> int:
    """The floating-point operations of one epoch of a phase."""
    attack = passes.forward + passes.to_image
    update = passes.forward + passes.to_weights
    shared = passes.forward + passes.to_both
    cost = config.method.spec.cost(config.method_options)
    each = cost.attacks * attack + cost.updates * update + cost.shared * shared
    updates = config.updates_per_minibatch * math.ceil(images / phase.batch_size)
    optimizer = passes.muon * updates if config.optim.name == "muon" else 0
    return images * each + optimizer


def smallest_part(images: int, batch_size: int, micro_batch: int) -> int:
    """The fewest images of a training forward pass; micro_batch: images of a part, 0 for whole minibatches."""
    minibatches = {min(batch_size, images), images % batch_size or batch_size}
    parts = {part for size in minibatches for part in (min(micro_batch or size, size), size % (micro_batch or size))}
    return min(part for part in parts if part)
