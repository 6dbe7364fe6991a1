"""A training step in a CUDA graph: forward and backward passes, attack, optimizer and averages in one launch.

A graph repeats what a step did when it was captured: on the same addresses, with the same numbers from the host. So
what changes from step to step lies in tensors that stay where they are: minibatch, learning rate, perturbation and the
memory of the method. The random generator gets a new seed before each step.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from engine.config.method_section import MethodConfig
from engine.config.run import WAY_OUT_OF_CAPTURE as WAY_OUT
from engine.data.minibatch import Minibatch
from engine.runtime.cuda_graph import CaptureError, Graphs, cause_in_words
from engine.training.learner import Learner

# Steps before a capture. The first one makes the state of the optimizer and starts the averages, and libraries choose
# their kernels. These are steps of the training like all others.
WARM_UP_STEPS = 3
NOT_CAPTURED = "the training step is not captured in a CUDA graph"
Work = Callable[[Minibatch], Tensor | None]  # a step on a minibatch; returns the perturbation


class CapturedSteps:
    """Steps on the full minibatches of a run: the first ones of a kind as they are, the others by a graph.

    rng: the generator of the steps' noise. must: whether the run fails if a step cannot be captured; else the run goes
    on without graphs, and `remark` says why.
    """

    def __init__(self, learner: Learner, graphs: Graphs, rng: torch.Generator, must: bool) -> None:
        self._learner, self._graphs, self._rng, self._must = learner, graphs, rng, must
        self._kind: tuple[MethodConfig, torch.Size] | None = None
        self._step: _CapturedStep | None = None
        self._warm = 0
        self.remark = ""

    def forget(self) -> None:
        """Forget the graph. Call this when tensors have been replaced, as by a checkpoint that is loaded."""
        self._kind = self._step = None

    def run(self, work: Work, method: MethodConfig, batch: Minibatch) -> Tensor | None:
        """One step on a minibatch. `work` may be another function each time, if it does the same for the same method.

        Returns the perturbation. The next step may overwrite it. Raises: CaptureError, if the run must be captured.
        """
        if self.remark:
            return work(batch)
        if self._kind != (method, batch.x.shape):
            self.forget()  # before the next capture, to have its memory
            self._kind, self._warm = (method, batch.x.shape), 0
        if self._step is None and self._warm < WARM_UP_STEPS:
            self._warm += 1
            with self._graphs.warming_up():
                return work(batch)
        if self._step is None:
            self._step = self._captured(work, batch)
        return work(batch) if self._step is None else self._step.run(batch)

    def _captured(self, work: Work, batch: Minibatch) -> "_CapturedStep | None":
        """The captured step, or None if it cannot be captured. The training is as before in both cases."""
        memory = self._learner.memory
        try:
            return _CapturedStep(self._learner, self._graphs, self._rng, work, batch)
        except Exception as error:  # torch and its libraries can raise nearly any exception
            cause = cause_in_words(error)
            if self._must:
                raise CaptureError(f"capture = on, but {cause}; {WAY_OUT}") from error
            self.remark = f"{NOT_CAPTURED}: {cause}"
        self._learner.memory = memory
        self._learner.forget_part()
        return None


class _CapturedStep:
    """A step in a graph, with the tensors that it reads and writes."""

    def __init__(self, learner: Learner, graphs: Graphs, rng: torch.Generator, work: Work, batch: Minibatch) -> None:
        self._learner = learner
        self._memory = {name: value.clone() for name, value in learner.memory.items()}
        delta = None if batch.delta is None else torch.zeros_like(batch.x)
        self._batch = Minibatch(batch.x.clone(), batch.y.clone(), batch.index.clone(), delta)
        self._replay = graphs.capture(lambda: self._record(work), rng)

    def run(self, batch: Minibatch) -> Tensor | None:
        """One step on a minibatch of the same shape. Returns the perturbation, which the next step overwrites."""
        self._load(batch)
        self._replay()
        return self._batch.delta

    def _record(self, work: Work) -> None:
        """What the graph does: the work, whose results go to where the next step reads them."""
        self._learner.memory = dict(self._memory)
        delta = work(self._batch)
        results, places = {"": delta} | self._learner.memory, {"": self._batch.delta} | self._memory
        if _shapes(results) != _shapes(places):
            raise CaptureError("the method does not leave the same tensors after each step")
        for name, value in results.items():
            place = places[name]
            if value is not None and place is not None and value is not place:
                place.copy_(value)
        self._learner.memory = dict(self._memory)  # what the work has left there is not computed until a replay

    def _load(self, batch: Minibatch) -> None:
        """Put a minibatch, its perturbation and the memory of the method where the graph reads them."""
        fixed, memory = self._batch, self._learner.memory
        fixed.x.copy_(batch.x)
        fixed.y.copy_(batch.y)
        fixed.index.copy_(batch.index)
        if fixed.delta is not None and batch.delta is not None and batch.delta is not fixed.delta:
            fixed.delta.zero_()  # the step before may have had fewer images
            fixed.delta[: len(batch.delta)].copy_(batch.delta)
        for name, value in self._memory.items():
            if memory[name] is not value:  # a smaller minibatch has been trained on since
                value.copy_(memory[name])
        self._learner.memory = dict(self._memory)


def _shapes(tensors: Mapping[str, Tensor | None]) -> dict[str, torch.Size | None]:
    return {name: None if value is None else value.shape for name, value in tensors.items()}
