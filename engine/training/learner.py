"""A model in training: forward passes, input gradients and weight updates, in the precision of the run.

Attacks run in train mode, as in the reference code, so that their forward passes update the running BatchNorm
statistics, too.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config.sections import OptimConfig
from engine.runtime.compile import compiled, retaining_graphs
from engine.runtime.eval_mode import evaluating, frozen
from engine.runtime.precision import DTYPES
from engine.training.loss_scaler import LossScaler
from engine.training.observed import Observed
from engine.training.optim.averaged import AveragedWeights
from engine.training.optim.build import build_optimizer
from engine.training.optim.rate import Rate

KERNELS = ("fused", "foreach", "capturable")  # what the groups of an optimizer say about its kernels
Loss = Callable[[Tensor], Tensor]  # from logits in float32, (B, classes), to the mean loss of the images, a scalar


@dataclass(frozen=True)
class MicroBatch:
    """A part of a minibatch.

    fraction: of the minibatch's images, in [0,1]; first, last: whether the part is the first or the last one.
    """

    fraction: float = 1.0
    first: bool = True
    last: bool = True


class Learner:
    """Model, optimizer and precision of a run.

    `figures`, `alignment` and `finite` are the only methods that synchronise with the device. In fp16, the end of a
    weight update does so, too. lr_at: gives the learning rate for the number of an update; compile_for: the minibatch
    sizes that the compiled network is used for. Minibatches of other sizes use the uncompiled network. total_steps:
    weight updates of the whole training, 0 if unknown. capturable: whether CUDA graphs may hold the updates. All that
    an update changes on the device stays at its address, but for `memory`.

    `update` is the device's part of a step, `advance` the host's part. Whoever runs a step calls `advance` after it.

    memory: what a method remembers from one update to the next, by name. Checkpoints hold the memory. Tensors are on
    the device, and a method replaces them and never changes them in place.
    """

    def __init__(
        self,
        model: nn.Module,
        optim: OptimConfig,
        lr_at: Callable[[int], float],
        device: torch.device,
        precision: str,
        compile_for: Collection[int] = (),
        compile_or_fail: bool = False,
        total_steps: int = 0,
        capturable: bool = False,
    ) -> None:
        self.model = model.to(device).to(memory_format=torch.channels_last).train()
        self.device, self._lr_at = device, lr_at
        self.dtype = DTYPES[precision]
        self.optimizer = build_optimizer(model, optim, fused=precision != "fp16", capturable=capturable)
        self._clip_norm = optim.clip_norm
        self.averaged = AveragedWeights(self.model, optim.average) if optim.average else None
        self.scaler = LossScaler(device, enabled=precision == "fp16")
        self.step = 0
        self._rate, self.last_lr = Rate(self.optimizer, device, capturable), 0.0
        self._rate.set(lr_at(0))
        self.memory: dict[str, Tensor] = {}
        self._total_steps, self._label_smoothing = total_steps, optim.label_smoothing
        self._part = MicroBatch()
        self._observed = Observed(device)
        self._compile_for = compile_for
        self._compiled = compiled(self.model, compile_or_fail) if compile_for else self.model

    @property
    def compiled(self) -> bool:
        """Whether minibatches of some size go through the compiled network."""
        return bool(self._compile_for)

    def run_uncompiled(self) -> None:
        """Use the uncompiled network from now on."""
        self._compile_for, self._compiled = (), self.model

    @property
    def result(self) -> nn.Module:
        """The network to evaluate and to keep: the model, or the running average of its weights."""
        return self.model if self.averaged is None else self.averaged.network(self.model)

    @property
    def progress(self) -> float:
        """The fraction of the training that is done, in [0,1]: t/T of methods whose weights grow. 0 if unknown."""
        return min(self.step / self._total_steps, 1.0) if self._total_steps else 0.0

    @property
    def micro_batch(self) -> MicroBatch:
        """The part of the minibatch that is trained on, for methods that sum over a whole minibatch."""
        return self._part

    def logits(self, x: Tensor) -> Tensor:
        """Logits in float32, (B, classes), for images `x` in [0,1], (B, C, H, W).

        The logits have their graph, so that a loss of `update` can train the weights through them.
        """
        with torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype is not None):
            logits: Tensor = (self._compiled if len(x) in self._compile_for else self.model)(x)
        return logits.float()

    @torch.no_grad()
    def answers(self, x: Tensor) -> Tensor:
        """Logits without a graph, by the network in eval mode, in float32, (B, classes). x: images in [0,1]."""
        with evaluating(self.model):
            return self.logits(x)

    def training_loss(self, logits: Tensor, y: Tensor) -> Tensor:
        """The mean cross-entropy with the run's label smoothing, a scalar. logits: (B, classes); y: labels, (B,).

        Most attacks use the plain cross-entropy: smoothing does not change which answer is right.
        """
        return F.cross_entropy(logits, y, reduction="none", label_smoothing=self._label_smoothing).mean()

    def input_grad(
        self, x: Tensor, y: Tensor, loss: Loss | None = None, eval_mode: bool = False
    ) -> tuple[Tensor, Tensor]:
        """The gradient of each example's loss with respect to its image, and each example's cross-entropy.

        No weight gradient is computed. x: images in [0,1], (B, C, H, W); y: labels, (B,). loss: what the attack
        increases, in place of the mean cross-entropy. eval_mode: whether BatchNorm uses its running statistics and
        leaves them as they are. Returns tensors of the shapes of x and y.
        """
        with evaluating(self.model) if eval_mode else frozen(self.model):
            x = x.detach().requires_grad_()
            return self._input_grad(x, y, self.logits(x), loss)

    def traced_input_grad(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same as `input_grad`, and the logits at `x` with their graph, (B, classes).

        A loss of `update` can train the weights through these logits, without another forward pass.
        """
        x = x.detach().requires_grad_()
        with retaining_graphs() if self._compile_for else nullcontext():
            logits = self.logits(x)
            return *self._input_grad(x, y, logits, retain=True), logits

    def _input_grad(
        self, x: Tensor, y: Tensor, logits: Tensor, loss: Loss | None = None, retain: bool = False
    ) -> tuple[Tensor, Tensor]:
        losses = F.cross_entropy(logits, y, reduction="none")
        mean = losses.mean() if loss is None else loss(logits)
        if self.scaler.is_enabled():
            # Unscaled fp16 gradients underflow to 0. A scaled sum would overflow, and BatchNorm would spread the NaN.
            gradient = torch.autograd.grad(self.scaler.scale(mean), x, retain_graph=retain)[0]
            return self._of_each_example(gradient, len(x)), losses.detach()
        total = losses.sum() if loss is None else mean * len(x)
        return torch.autograd.grad(total, x, retain_graph=retain)[0], losses.detach()

    def update(
        self,
        x: Tensor,
        y: Tensor,
        before: Tensor | None = None,
        input_grad: bool = False,
        loss: Loss | None = None,
        gradient_before: Tensor | None = None,
    ) -> Tensor | None:
        """One weight update on (x, y) at the schedule's learning rate. Inside `part`, one part of a weight update.

        The update counts when `advance` is called.

        x: images in [0,1], (B, C, H, W); y: labels, (B,). before: each example's cross-entropy before the attack, (B,),
        for the overfitting signal. input_grad: whether to return the gradient of each example's loss with respect to
        its image from the same backward pass. Free training attacks with this gradient, and so needs no extra pass.

        loss: what the update minimises, given the logits at x, in place of the mean of `training_loss`. It may depend
        on further logits of the same images, from `logits` or `traced_input_grad`. Inside `part` it gets the images of
        the part. gradient_before: with `input_grad`, the input gradient before the attack, for `alignment`.
        """
        x = x.detach().requires_grad_(input_grad)
        logits = self.logits(x)
        mean = self.training_loss(logits, y) if loss is None else loss(logits)
        part = self._part
        if part.first:
            self.optimizer.zero_grad(set_to_none=True)
        # Further logits may depend on images with gradients of their own, which nobody needs.
        wanted = None if loss is None else [*self._weights(), *([x] if input_grad else [])]
        torch.autograd.backward(self.scaler.scale(mean * part.fraction), inputs=wanted)
        gradient = None if x.grad is None else self._of_each_example(x.grad, len(x) / part.fraction)
        self._observed.add(logits.detach(), mean.detach(), y, before, part.fraction)
        if gradient is not None and gradient_before is not None:
            self._observed.add_gradients(gradient_before, gradient, part.fraction)
        if part.last:
            self._step()
        return gradient

    def _weights(self) -> list[nn.Parameter]:
        return [p for p in self.model.parameters() if p.requires_grad]

    def _of_each_example(self, gradient: Tensor, count: float) -> Tensor:
        """The gradients of each example's loss, from the scaled gradient of the mean loss of `count` examples."""
        if self.scaler.is_enabled():
            self.scaler.watch(gradient)
            return gradient * (count / self.scaler.factor(gradient.device))
        return gradient * count

    @contextmanager
    def part(self, part: "MicroBatch") -> Iterator[None]:
        """Inside the block, `update` is one part of a weight update, whose parts add up their gradients.

        Parts are for minibatches that do not fit into memory at once.
        """
        self._part = part
        try:
            yield
        finally:
            self._part = MicroBatch()

    def forget_part(self) -> None:
        """Forget the parts of a weight update that is never finished: their gradients and what was observed."""
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.forget_part()
        self._observed.forget_update()

    def _step(self) -> None:
        if self._clip_norm:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self._clip_norm)
        self.scaler.finish_update(self.optimizer)
        if self.averaged is not None:
            self.averaged.update(self.model, first=self.step == 0)
        self._observed.finish_update()

    def advance(self) -> None:
        """Count a weight update, and set the learning rate of the next one. This is the host's part of a step."""
        self.last_lr = self._rate.value
        self.step += 1
        self._rate.set(self._lr_at(self.step))

    def figures(self) -> tuple[float, float, float]:
        """Moving averages of loss, accuracy (fraction in [0,1]) and overfitting signal. Waits for the device."""
        return self._observed.figures(self.step)

    def alignment(self) -> float | None:
        """Moving average of PertAlign, in [-1,1], over about the last 50 updates. Waits for the device.

        PertAlign is the mean cosine of an image's input gradients before and after the attack (SORA, arXiv 2606.00738).
        It is near 1 while the loss is locally linear, and falls with catastrophic overfitting. None if the last update
        had no gradients to compare.
        """
        return self._observed.alignment()

    def finite(self) -> bool:
        """Whether the weights are finite. Waits for the device. A loss can be finite when the weights no longer are."""
        tensors = self.model.state_dict().values()
        return all(bool(tensor.isfinite().all()) for tensor in tensors if tensor.is_floating_point())

    def state_dict(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            **({"averaged": self.result.state_dict()} if self.averaged else {}),
            "optimizer": self._rate.state_dict(),
            "scaler": self.scaler.state_dict(),
            **({"skipped": self.scaler.skipped} if self.scaler.is_enabled() else {}),
            **({"memory": dict(self.memory)} if self.memory else {}),
            **self._observed.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load a state of `state_dict`, whose tensors may be on another device, from a training in any precision."""
        self.model.load_state_dict(state["model"])
        if self.averaged is not None:
            self.result.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(self._with_own_kernels(state["optimizer"]))
        if state["scaler"]:  # empty for a run that was not in fp16 so far
            self.scaler.load_state_dict(state["scaler"])
        if "skipped" in state:
            self.scaler.skipped.copy_(state["skipped"])
        self._observed.load_state_dict(state)
        self.memory = {name: value.to(self.device) for name, value in state.get("memory", {}).items()}
        self.step = state["step"]
        self._rate.set(self._lr_at(self.step))

    def _with_own_kernels(self, saved: dict[str, Any]) -> dict[str, Any]:
        """The state of an optimizer with the kernels of this process in place of those of the process that saved it.

        fp16 has other kernels than the rest, and they want the counters of Adam on another device. torch places the
        counters by what the groups say.
        """
        groups = [
            {**group, **{name: own[name] for name in KERNELS if name in own}}
            for group, own in zip(saved["param_groups"], self.optimizer.param_groups, strict=True)
        ]
        return {**saved, "param_groups": groups}
