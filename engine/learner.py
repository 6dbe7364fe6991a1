"""A model in training: forward passes, input gradients and weight updates, in the precision of the run.

Attacks run in train mode, as in the reference code: their forward passes move the BatchNorm statistics, too.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from engine.compiling import compiled
from engine.config import OptimConfig
from engine.modes import frozen
from engine.muon import Muon
from engine.precision import DTYPES
from engine.schedules import learning_rate

AVERAGE_DECAY = 0.98  # of the figures shown while training: an average over about the last 50 updates


class Learner:
    """Model, optimizer and precision of a run. Nothing here waits for the device but `figures`.

    compile_for: the minibatch size that the network is compiled for; others, and 0, go without.
    """

    def __init__(
        self,
        model: nn.Module,
        optim: OptimConfig,
        total_steps: int,
        device: torch.device,
        precision: str,
        compile_for: int = 0,
        compile_or_fail: bool = False,
    ) -> None:
        self.model = model.to(device).to(memory_format=torch.channels_last).train()
        self.optim, self.total_steps, self.device = optim, total_steps, device
        self.dtype = DTYPES[precision]
        self.optimizer = _optimizer(model, optim, fused=precision != "fp16")
        self.averaged = _averaged(self.model, optim.average)
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
        self.step = 0
        self.last_lr = 0.0
        self._average = torch.zeros(3, device=device)
        self._compile_for = compile_for
        self._compiled = compiled(self.model, compile_or_fail) if compile_for else self.model

    @property
    def result(self) -> nn.Module:
        """What is evaluated and kept: the model, or the average of its weights over time."""
        return self.model if self.averaged is None else self.averaged.module

    def logits(self, x: Tensor) -> Tensor:
        """Logits in float32, (B, classes), of images in [0,1], (B, C, H, W)."""
        with torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype is not None):
            logits: Tensor = (self._compiled if len(x) == self._compile_for else self.model)(x)
        return logits.float()

    def input_grad(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The gradient of the loss with respect to the images, up to a positive factor, and each example's loss.

        The parameters are frozen meanwhile, so that no weight gradient is computed. x: (B, C, H, W) in [0,1];
        y: labels, (B,). Returns tensors of the shapes of x and y.
        """
        with frozen(self.model):
            x = x.detach().requires_grad_()
            losses = F.cross_entropy(self.logits(x), y, reduction="none")
            # Unscaled, fp16 gradients flush to sign 0; a scaled sum overflows, and BatchNorm spreads the NaN.
            loss = self.scaler.scale(losses.mean() if self.scaler.is_enabled() else losses.sum())
            return torch.autograd.grad(loss, x)[0], losses.detach()

    def update(self, x: Tensor, y: Tensor, before: Tensor | None = None, input_grad: bool = False) -> Tensor | None:
        """One weight update on (x, y), at the schedule's learning rate.

        before: each example's loss before it was attacked, (B,), for the overfitting signal. With `input_grad`,
        returns the gradient with respect to x of the same backward pass (what makes free training free).
        """
        self.last_lr = learning_rate(self.optim, self.step, self.total_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = self.last_lr
        x = x.detach().requires_grad_(input_grad)
        logits = self.logits(x)
        losses = F.cross_entropy(logits, y, reduction="none")
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self.scaler.scale(losses.mean()))
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.averaged is not None:
            self.averaged.update_parameters(self.model)
        self.step += 1
        self._observe(logits.detach(), losses.detach(), y, before)
        return x.grad if input_grad else None

    def figures(self) -> tuple[float, float, float]:
        """Moving averages of loss, accuracy in [0,1] and overfitting signal; waits for the device."""
        loss, accuracy, signal = (self._average / (1 - AVERAGE_DECAY**self.step)).tolist()
        return loss, accuracy, signal

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
        self.scaler.load_state_dict(state["scaler"])
        self._average.copy_(state["average"])
        self.step = state["step"]

    def _observe(self, logits: Tensor, losses: Tensor, y: Tensor, before: Tensor | None) -> None:
        correct = (logits.argmax(1) == y).float().mean()
        fell = torch.zeros_like(correct) if before is None else (losses < before).float().mean()
        self._average.lerp_(torch.stack((losses.mean(), correct, fell)), 1 - AVERAGE_DECAY)


def _optimizer(model: nn.Module, optim: OptimConfig, fused: bool) -> torch.optim.Optimizer:
    """Weight decay applies to every parameter, as in the reference code."""
    how: dict[str, Any] = {"fused": True} if fused else {"foreach": True}
    if optim.name == "muon":
        return Muon(model, optim.lr, optim.momentum, optim.weight_decay, optim.sgd_ratio)
    if optim.name == "adam":
        return torch.optim.Adam(model.parameters(), lr=optim.lr, weight_decay=optim.weight_decay, **how)
    how |= {"momentum": optim.momentum, "nesterov": optim.nesterov}
    return torch.optim.SGD(model.parameters(), lr=optim.lr, weight_decay=optim.weight_decay, **how)


def _averaged(model: nn.Module, decay: float) -> AveragedModel | None:
    """Exponential averages of weights and BatchNorm statistics."""
    if not decay:
        return None
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)  # type: ignore[no-untyped-call]
    return averaged.requires_grad_(False)
