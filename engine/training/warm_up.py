"""Compiles the network of a training before its first update, so that a failure is met while nothing is lost."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from engine.attacks.threat import Threat
from engine.config.errors import UserError
from engine.protocol.stop import Stopped
from engine.runtime.compile import every_failure_raises, missing_for_compiling, why_not_compiled
from engine.runtime.gpu_memory import is_full
from engine.runtime.rng import generator
from engine.training.learner import Learner, MicroBatch
from engine.training.rollback import MethodInForce
from engine.training.setup import Setup


def warm_up(setup: Setup, method: MethodInForce, first_epoch: int, check_stop: Callable[[], None]) -> list[str]:
    """Do the forward and backward passes of an update in each phase from an epoch on, without the update.

    torch compiles a network at its first use: each size of image anew, and again for passes that need no gradients of
    the weights. A stop is not seen meanwhile, so `check_stop` is called after each phase. Weights, BatchNorm
    statistics and random numbers stay as they were. If the compilation fails, the training goes on uncompiled, and a
    note with the cause is returned.

    Raises: Stopped; CompileError, if the run must be compiled; DataError; torch's error of a full GPU.
    """
    try:
        with every_failure_raises(), _rehearsal(setup.learner):
            for stretch in setup.timeline.stretches:
                if stretch.phase.end > first_epoch:
                    _passes(setup, method, max(stretch.phase.begin, first_epoch))
                    check_stop()
    except (Stopped, UserError):
        raise
    except Exception as error:  # a compiler can raise nearly any exception
        if isinstance(error, RuntimeError) and is_full(error):
            raise
        setup.learner.run_uncompiled()
        missing = missing_for_compiling(setup.device)
        return [why_not_compiled(error, setup.config.compile == "on", missing)]
    return []


def _passes(setup: Setup, method: MethodInForce, epoch: int) -> None:
    """The passes of the epoch's first micro-batch, as the first part of an update that is never finished."""
    config, learner = setup.config, setup.learner
    batch = setup.batches_of(epoch).batch(epoch, 0)
    part = batch.part(0, config.micro_batch or len(batch))
    rng = generator(setup.device, config.seed, "warm-up")
    with learner.part(MicroBatch(len(part) / len(batch), first=True, last=False)):
        method.step(epoch)(learner, part, Threat(config.eps, config.norm), rng)


@contextmanager
def _rehearsal(learner: Learner) -> Iterator[None]:
    """After the block, the learner and the default random generators are as before. No update may end in the block."""
    buffers, memory = [value.clone() for value in learner.model.buffers()], dict(learner.memory)
    devices = [learner.device] if learner.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        with torch.no_grad():
            for value, before in zip(learner.model.buffers(), buffers, strict=True):
                value.copy_(before)
        learner.memory = memory
        learner.forget_part()
