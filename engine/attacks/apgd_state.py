"""The state of Auto-PGD: iterates, best iterates and step sizes (Croce and Hein, 2020, section 3.1)."""

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from engine.attacks.objectives import Loss
from engine.attacks.threat import Threat

RHO = 0.75  # a period with fewer rises of the loss, as a share of its steps, halves the step size


@dataclass
class SearchState:
    """The search on each of B images. All tensors have B rows; step sizes have the shape (B, 1, 1, 1)."""

    rows: Tensor  # places of the images in the minibatch
    x: Tensor
    y: Tensor
    loss: Loss
    delta: Tensor  # the iterate, and the one before
    previous: Tensor
    values: Tensor
    gradient: Tensor
    best: Tensor  # the iterate with the highest loss
    best_values: Tensor
    best_gradient: Tensor
    step_size: Tensor
    rises: Tensor  # steps of this period that raised the loss
    halved: Tensor  # whether the last check has halved the step size
    checked_values: Tensor  # best value at the last check
    given_up: Tensor

    @classmethod
    def at_start(
        cls,
        rows: Tensor,
        x: Tensor,
        y: Tensor,
        start: Tensor,
        loss: Loss,
        values: Tensor,
        gradient: Tensor,
        step_size: float,
    ) -> "SearchState":
        """The state at the start perturbations. step_size: of the first step, a fraction in [0,1]."""
        return cls(
            rows=rows,
            x=x,
            y=y,
            loss=loss,
            delta=start,
            previous=start,
            values=values,
            gradient=gradient,
            best=start,
            best_values=values,
            best_gradient=gradient,
            step_size=torch.full((len(y), 1, 1, 1), step_size, device=x.device),
            rises=torch.zeros_like(y),
            halved=torch.ones_like(y, dtype=torch.bool),
            checked_values=values,
            given_up=torch.zeros_like(y, dtype=torch.bool),
        )

    def where(self, mask: Tensor) -> "SearchState":
        """The state of some of the images."""
        return replace(self, **{field.name: getattr(self, field.name)[mask] for field in fields(self)})

    def move(self, threat: Threat, weight: float) -> None:
        """The step of section 3.1, algorithm 1, lines 7 and 8."""
        stepped = threat.step(self.x, self.delta, self.gradient, self.step_size)
        moved = self.delta + weight * (stepped - self.delta) + (1 - weight) * (self.delta - self.previous)
        self.previous, self.delta = self.delta, threat.project(self.x, moved)

    def judge(self, values: Tensor, gradient: Tensor) -> None:
        """Compare the new iterate with the one before and with the best one."""
        self.rises = self.rises + (values > self.values)
        better = values > self.best_values
        wide = better.view(-1, 1, 1, 1)
        self.best = torch.where(wide, self.delta, self.best)
        self.best_gradient = torch.where(wide, gradient, self.best_gradient)
        self.best_values = torch.where(better, values, self.best_values)
        self.values, self.gradient = values, gradient

    def hopeless(self, give_up: float) -> Tensor:
        """Which searches to give up at a check: bool, (B,)."""
        rise = self.best_values - self.checked_values
        return (self.best_values < -give_up) & (self.best_values + rise < 0)

    def check_step_sizes(self, period: int) -> None:
        """Conditions 1 and 2 of section 3.1. Images that meet one halve the step size and go on from the best iterate.

        period: number of steps since the last check.
        """
        halve = self.rises <= RHO * period
        halve |= ~self.halved & (self.checked_values >= self.best_values)
        wide = halve.view(-1, 1, 1, 1)
        self.step_size = torch.where(wide, self.step_size / 2, self.step_size)
        self.delta = torch.where(wide, self.best, self.delta)
        self.gradient = torch.where(wide, self.best_gradient, self.gradient)
        self.halved, self.checked_values, self.rises = halve, self.best_values, torch.zeros_like(self.rises)
