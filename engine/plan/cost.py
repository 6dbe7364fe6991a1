"""The training cost of a run in floating-point operations (FLOPs), and the smallest forward pass of a training.

FLOPs compare recipes across machines.
"""

import math
from collections.abc import Mapping

from msgspec import Struct

from engine.config.phases import Phase
from engine.config.run import RunConfig


class Passes(Struct, frozen=True):
    """The cost of one image in a network, in floating-point operations. A multiplication and an addition are two.

    forward: the forward pass. to_image, to_weights, to_both: the backward pass alone, for gradients of the image only,
    of the weights only, or of both. muon: the work of Muon in one weight update, whatever the size of the minibatch.
    """

    forward: int
    to_image: int
    to_weights: int
    to_both: int
    muon: int = 0


def training_flops(config: RunConfig, passes: Mapping[int, Passes], images: int) -> int:
    """The floating-point operations of a whole training, with its attacks, without its evaluations.

    passes: by the `crop` of each phase. images: number of training images.
    """
    return sum(
        (phase.end - phase.begin) * epoch_flops(config, phase, passes[phase.crop], images)
        for phase in config.phase_list
    )


def epoch_flops(config: RunConfig, phase: Phase, passes: Passes, images: int) -> int:
    """The floating-point operations of one epoch of a phase. images: number of training images."""
    attack = passes.forward + passes.to_image
    update = passes.forward + passes.to_weights
    shared = passes.forward + passes.to_both
    cost = config.method.spec.cost(config.method_options)
    each = cost.attacks * attack + cost.updates * update + cost.shared * shared
    each += cost.forwards * passes.forward + cost.backwards * passes.to_weights
    updates = config.updates_per_minibatch * math.ceil(images / phase.batch_size)
    optimizer = passes.muon * updates if config.optim.name == "muon" else 0
    return images * each + optimizer


def smallest_part(images: int, batch_size: int, micro_batch: int) -> int:
    """The fewest images in any forward pass of training. micro_batch: images per pass, 0 for whole minibatches."""
    minibatches = {min(batch_size, images), images % batch_size or batch_size}
    parts = {part for size in minibatches for part in (min(micro_batch or size, size), size % (micro_batch or size))}
    return min(part for part in parts if part)
