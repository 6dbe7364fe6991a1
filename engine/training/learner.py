"""A model in training: forward passes, input gradients and weight updates, in the precision of the run.

Attacks run in train mode, as in the reference code, so that their forward passes update the running BatchNorm
statistics, too.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config.sections import OptimConfig
from engine.runtime.compile import compiled
from engine.runtime.eval_mode import frozen
from engine.runtime.precision import DTYPES
from engine.training.optim.build import averaged_weights, build_optimizer

AVERAGE_DECAY = 0.98  # of the moving averages in `figures`, over about the last 50 updates


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

    `figures` is the only method that synchronises with the device. In fp16, the end of a weight update does so, too.
    lr_at: gives the learning rate for the number of an update; compile_for: the minibatch sizes that the compiled
    network is used for. Minibatches of other sizes use the uncompiled network.
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
    ) -> None:
        self.model = model.to(device).to(memory_format=torch.channels_last).train()
        self.device, self._lr_at = device, lr_at
        self.dtype = DTYPES[precision]
        self.optimizer = build_optimizer(model, optim, fused=precision != "fp16")
        self._clip_norm = optim.clip_norm
        self.averaged = averaged_weights(self.model, optim.average)
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
        self.step = 0
        self.last_lr = 0.0
        self._part = MicroBatch()
        self._average = torch.zeros(3, device=device)
        self._seen = torch.zeros(3, device=device)
        self._compile_for = compile_for
        self._compiled = compiled(self.model, compile_or_fail) if compile_for else self.model

    @property
    def result(self) -> nn.Module:
        """The network to evaluate and to keep: the model, or the running average of its weights."""
        return self.model if self.averaged is None else self.averaged.module

    def logits(self, x: Tensor) -> Tensor:
        """Logits in float32, (B, classes), for images `x` in [0,1], (B, C, H, W)."""
        with torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype is not None):
            logits: Tensor = (self._compiled if len(x) in self._compile_for else self.model)(x)
        return logits.float()

    def input_grad(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The gradient of the loss with respect to the images, up to a positive factor, and each example's loss.

        No weight gradient is computed. x: images in [0,1], (B, C, H, W); y: labels, (B,). Returns tensors of the shapes
        of x and y.
        """
        with frozen(self.model):
            x = x.detach().requires_grad_()
            losses = F.cross_entropy(self.logits(x), y, reduction="none")
            # Unscaled fp16 gradients underflow to 0. A scaled sum would overflow, and BatchNorm would spread the NaN.
            loss = self.scaler.scale(losses.mean() if self.scaler.is_enabled() else losses.sum())
            return torch.autograd.grad(loss, x)[0], losses.detach()

    def update(self, x: Tensor, y: Tensor, before: Tensor | None = None, input_grad: bool = False) -> Tensor | None:
        """One weight update on (x, y) at the schedule's learning rate. Inside `part`, one part of a weight update.

        x: images in [0,1], (B, C, H, W); y: labels, (B,); before: each example's loss before the attack, (B,), for the
        overfitting signal; input_grad: whether to return the gradient with respect to x from the same backward pass.
        Free training attacks with this gradient, and so needs no extra pass.
        """
        x = x.detach().requires_grad_(input_grad)
        logits = self.logits(x)
        losses = F.cross_entropy(logits, y, reduction="none")
        part = self._part
        if part.first:
            self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self.scaler.scale(losses.mean() * part.fraction))
        self._observe(logits.detach(), losses.detach(), y, before)
        if part.last:
            self._step()
        return x.grad if input_grad else None

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

    def _step(self) -> None:
        self.last_lr = self._lr_at(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = self.last_lr
        if self._clip_norm:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self._clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.averaged is not None:
            self.averaged.update_parameters(self.model)
        self.step += 1
        self._average.lerp_(self._seen, 1 - AVERAGE_DECAY)
        self._seen.zero_()

    def figures(self) -> tuple[float, float, float]:
        """Moving averages of loss, accuracy (fraction in [0,1]) and overfitting signal. Waits for the device."""
        loss, accuracy, signal = (self._average / (1 - AVERAGE_DECAY**self.step)).tolist()
        return loss, accuracy, signal

    def finite(self) -> bool:
        """Whether the weights are finite. Waits for the device. A loss can be finite when the weights no longer are."""
        tensors = self.model.state_dict().values()
        return all(bool(tensor.isfinite().all()) for tensor in tensors if tensor.is_floating_point())

    def state_dict(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            **({"averaged": self.result.state_dict()} if self.averaged else {}),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": self._average,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        if self.averaged is not None:
            self.result.load_state_dict(state["averaged"])
            self.averaged.n_averaged.fill_(state["step"])
        self.optimizer.load_state_dict(state["optimizer"])
        if state["scaler"]:  # empty for a run that was not in fp16 so far
            self.scaler.load_state_dict(state["scaler"])
        self._average.copy_(state["average"])
        self.step = state["step"]

    def _observe(self, logits: Tensor, losses: Tensor, y: Tensor, before: Tensor | None) -> None:
        correct = (logits.argmax(1) == y).float().mean()
        fell = torch.zeros_like(correct) if before is None else (losses < before).float().mean()
        self._seen.add_(torch.stack((losses.mean(), correct, fell)), alpha=self._part.fraction)
