"""What a training sees of its own updates: loss, accuracy, overfitting signal, and the alignment of gradients."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

AVERAGE_DECAY = 0.98  # of the moving averages, over about the last 50 updates
# A fall of a loss counts for the overfitting signal from here on. In a robust network whose losses were near 0, 40% of
# them fell by less (a residual network on digits); in networks that collapsed, nearly all falls were larger.
FALL = 0.01


class Observed:
    """Moving averages over about the last 50 weight updates. `figures` and `alignment` alone wait for the device.

    The tensors stay where they are, because a captured step writes to addresses.
    """

    def __init__(self, device: torch.device) -> None:
        self._average, self._seen = torch.zeros(3, device=device), torch.zeros(3, device=device)
        self._alignment, self._seen_alignment = torch.zeros((), device=device), torch.zeros((), device=device)
        self._aligns = False  # whether the last update had gradients to compare
        self._aligns_now = False  # whether the present update has had some so far

    def add(self, logits: Tensor, mean: Tensor, y: Tensor, before: Tensor | None, fraction: float) -> None:
        """Add a part of the present update. mean: the loss of its images; fraction: of the minibatch's, in [0,1].

        logits: (B, classes); y: labels, (B,); before: each image's cross-entropy before the attack, (B,).
        """
        correct = (logits.argmax(1) == y).float().mean()
        fell = torch.zeros_like(correct)
        if before is not None:
            fell = (F.cross_entropy(logits, y, reduction="none") < before - FALL).float().mean()
        self._seen.add_(torch.stack((mean, correct, fell)), alpha=fraction)

    def add_gradients(self, before: Tensor, after: Tensor, fraction: float) -> None:
        """Add the input gradients of a part before and after the attack, (B, C, H, W)."""
        cosine = F.cosine_similarity(before.flatten(1), after.flatten(1)).nan_to_num(0.0)  # fp16 may overflow
        self._seen_alignment.add_(cosine.mean() * fraction)
        self._aligns_now = True

    def finish_update(self) -> None:
        """Take what was added into the moving averages."""
        self._average.lerp_(self._seen, 1 - AVERAGE_DECAY)
        if self._aligns_now and self._aligns:
            self._alignment.lerp_(self._seen_alignment, 1 - AVERAGE_DECAY)
        elif self._aligns_now:
            self._alignment.copy_(self._seen_alignment)
        self._aligns = self._aligns_now
        self.forget_update()

    def forget_update(self) -> None:
        """Forget what was added to the present update."""
        self._seen.zero_()
        if self._aligns_now:
            self._seen_alignment.zero_()
        self._aligns_now = False

    def figures(self, updates: int) -> tuple[float, float, float]:
        """Loss, accuracy (fraction in [0,1]) and overfitting signal. updates: of the whole training. Waits."""
        loss, accuracy, signal = (self._average / (1 - AVERAGE_DECAY**updates)).tolist()
        return loss, accuracy, signal

    def alignment(self) -> float | None:
        """The moving average of PertAlign, or None if the last update had no gradients to compare. Waits."""
        return float(self._alignment) if self._aligns else None

    def state_dict(self) -> dict[str, Any]:
        return {"average": self._average, **({"alignment": self._alignment} if self._aligns else {})}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load the entries of `state_dict` from a larger state, whose tensors may be on another device."""
        self._average.copy_(state["average"])
        self._aligns = "alignment" in state
        if self._aligns:
            self._alignment.copy_(state["alignment"])
