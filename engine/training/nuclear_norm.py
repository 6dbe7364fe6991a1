"""The nuclear norm of a matrix, without a singular value decomposition, whose solver makes the host wait for a GPU."""

import math

import torch
from torch import Tensor

# Singular values below this fraction of the largest one are rounding errors of logits in float32.
SMALLEST = 1e-7


def nuclear_norm(matrix: Tensor) -> Tensor:
    """The sum of the singular values, a scalar with its gradient. matrix: (rows, columns), finite.

    It is the inner product of the matrix with its polar factor, which is also its gradient. Where the matrix is zero,
    so is the gradient.
    """
    norm: Tensor = (matrix * polar_factor(matrix.detach()).to(matrix.dtype)).sum()
    return norm


def polar_factor(matrix: Tensor) -> Tensor:
    """U V^T in float64, where U S V^T is the singular value decomposition of the matrix, (rows, columns).

    By the iteration of Nakatsukasa, Bai and Gygi (2010, equation 3.5), whose weights depend on SMALLEST alone.
    """
    wide = matrix.shape[0] < matrix.shape[1]
    x: Tensor = (matrix.T if wide else matrix).double()
    x = x / torch.linalg.vector_norm(x).clamp_min(1e-300)
    identity = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    for a, b, c in WEIGHTS:
        solved, _ = torch.linalg.solve_ex(torch.addmm(identity, x.T, x, alpha=c), x.T)  # symmetric
        x = (b / c) * x + (a - b / c) * solved.T
    return x.T if wide else x


def _weights() -> list[tuple[float, float, float]]:
    """The weights of each iteration, which brings all singular values from [low, 1] nearer to 1."""
    low, found = SMALLEST, []
    while low < 1 - 1e-15:
        d = (4 * (1 - low**2) / low**4) ** (1 / 3)
        a = math.sqrt(1 + d) + math.sqrt(8 - 4 * d + 8 * (2 - low**2) / (low**2 * math.sqrt(1 + d))) / 2
        b = (a - 1) ** 2 / 4
        c = a + b - 1
        found.append((a, b, c))
        low = min(low * (a + b * low**2) / (1 + c * low**2), 1.0)
    return found


WEIGHTS = _weights()
