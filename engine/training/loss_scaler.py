"""The factor of the loss in fp16, which keeps small gradients from becoming 0."""

import torch
from torch import Tensor


class LossScaler(torch.amp.GradScaler):
    """torch's scaler, which also counts the updates that it skips, and sees input gradients that overflow.

    torch's scaler looks at the gradients of weights only. An attack whose gradient has overflowed trains on its start,
    because the sign of NaN is 0, and nothing else would tell. Not enabled, a scaler changes nothing. No method but
    `finish_update` and `skipped_updates` waits for the device.
    """

    def __init__(self, device: torch.device, enabled: bool, init_scale: float = 2.0**16) -> None:
        super().__init__(device.type, init_scale=init_scale, enabled=enabled)
        self.skipped = torch.zeros((), dtype=torch.int64, device=device)
        self._overflowed = torch.zeros((), dtype=torch.bool, device=device)  # an input gradient of this update

    def factor(self, device: torch.device) -> Tensor:
        """The factor of the loss, a scalar on a device; 1 if not enabled."""
        factor: Tensor = self.scale(torch.ones((), device=device))
        return factor

    def watch(self, gradient: Tensor) -> None:
        """Look for an overflow in an input gradient of the present update."""
        self._overflowed |= ~gradient.isfinite().all()

    def finish_update(self, optimizer: torch.optim.Optimizer) -> None:
        """Update the weights, or skip the update if their gradients have overflowed. Adapt the factor."""
        if not self.is_enabled():
            optimizer.step()
            return
        before = self.factor(self.skipped.device)
        self.step(optimizer)
        self.update()
        now = self.factor(self.skipped.device)
        skipped = now < before  # torch's scaler lowers the factor when it has skipped an update
        self.skipped += skipped
        self.update(torch.where(self._overflowed & ~skipped, now * self.get_backoff_factor(), now))
        self.forget_part()

    def forget_part(self) -> None:
        """Forget what `watch` has seen in the present update."""
        self._overflowed.zero_()

    def skipped_updates(self) -> int:
        """Number of weight updates that were skipped. A skipped update counts as a step all the same."""
        return int(self.skipped) if self.is_enabled() else 0
