"""The norms of the threat model: `linf` bounds each pixel of a perturbation, `l2` bounds its Euclidean length."""

from typing import Literal

Norm = Literal["linf", "l2"]
LINF: Norm = "linf"
L2: Norm = "l2"
BOTH: tuple[Norm, ...] = (LINF, L2)
