"""The weight updates of a run: noise, micro-batches, and steps that are captured in a CUDA graph."""

import torch
from torch import Tensor

from engine.attacks.threat import Threat
from engine.config.method_section import MethodConfig
from engine.config.phases import Phase
from engine.data.minibatch import Minibatch
from engine.runtime.convolutions import fastest_convolutions
from engine.runtime.gpu_memory import explaining_full_memory, smaller_part
from engine.runtime.rng import seed_layers, seed_of
from engine.training.captured_step import CapturedSteps
from engine.training.learner import MicroBatch
from engine.training.rollback import MethodInForce
from engine.training.setup import Setup


class Updates:
    """Updates the weights with one minibatch after another. delta: the perturbation that the last update returned."""

    def __init__(self, setup: Setup, method: MethodInForce) -> None:
        self._config, self._learner, self._timeline = setup.config, setup.learner, setup.timeline
        self._method, self._threat = method, Threat(setup.config.eps, setup.config.norm)
        self._rng = torch.Generator(setup.device)
        must = setup.config.capture == "on"
        self._captured = setup.graphs and CapturedSteps(setup.learner, setup.graphs, self._rng, must)
        self.delta: Tensor | None = None
        self._kind: tuple[MethodConfig, Phase] | None = None

    @property
    def remarks(self) -> list[str]:
        """Notes for the user on how the updates are made."""
        return [self._captured.remark] if self._captured and self._captured.remark else []

    def restart(self, delta: Tensor | None) -> None:
        """Go on from a checkpoint that was loaded. delta: the perturbation of its last update."""
        self.delta = delta
        if self._captured:
            self._captured.forget()

    def begin_epoch(self, epoch: int) -> bool:
        """Take the method and the phase of an epoch, counted from 0.

        Returns whether the method or the phase is another than in the epoch before, or this is the first epoch.
        """
        before, phase = self._kind, self._timeline.of_epoch(epoch).phase
        self._step, self._name, self._full_size = (
            self._method.step(epoch),
            self._method.of_epoch(epoch),
            phase.batch_size,
        )
        self._kind = self._name, phase
        return self._kind != before

    def update(self, batch: Minibatch) -> None:
        """One weight update by the method of the epoch, in micro-batches if the run has them.

        Raises: GpuMemoryError; CaptureError, if the run must be captured.
        """
        config, step, full = self._config, self._learner.step, len(batch) == self._full_size
        seed_layers(self._learner.device, seed_of(config.seed, "network", step))
        self._rng.manual_seed(seed_of(config.seed, "noise", step))
        if self.delta is not None and self.delta.shape[2:] != batch.x.shape[2:]:
            self.delta = None  # from the previous phase, whose images had another size
        batch, part = batch.with_delta(self.delta), min(config.micro_batch or len(batch), len(batch))
        with explaining_full_memory(smaller_part(part)), fastest_convolutions(self._learner.device, full):
            if self._captured and full:
                self.delta = self._captured.run(self._whole, self._name, batch)
            else:
                self.delta = self._in_parts(batch, part)
        self._learner.advance()

    def _whole(self, batch: Minibatch) -> Tensor | None:
        return self._step(self._learner, batch, self._threat, self._rng)

    def _in_parts(self, batch: Minibatch, size: int) -> Tensor | None:
        """The step in micro-batches of at most `size` images. Returns the perturbation of the whole minibatch."""
        made: list[Tensor] = []
        for begin in range(0, len(batch), size):
            part = batch.part(begin, begin + size)
            micro_batch = MicroBatch(len(part) / len(batch), first=not begin, last=begin + size >= len(batch))
            with self._learner.part(micro_batch):
                delta = self._whole(part)
            made += [] if delta is None else [delta]
        return torch.cat(made) if made else None
