"""The nuclear norm and its gradient are those of the singular value decomposition, in double precision."""

import pytest
import torch
from torch import Tensor

from engine.training.nuclear_norm import nuclear_norm, polar_factor


def matrix(rows: int, columns: int, smallest: float = 1.0) -> Tensor:
    """A random matrix in float64, whose last singular value is `smallest` times the first one."""
    u, s, v = torch.linalg.svd(
        torch.randn(rows, columns, generator=torch.Generator().manual_seed(0)).double(), full_matrices=False
    )
    s[-1] = min(float(s[-1]), smallest * float(s[0]))
    return u * s @ v


@pytest.mark.parametrize("shape", [(128, 10), (5, 10), (10, 10), (1, 4), (64, 100)])
@pytest.mark.parametrize("smallest", [1.0, 1e-3, 1e-6])
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_the_norm_and_its_gradient_are_those_of_the_decomposition(
    shape: tuple[int, int], smallest: float, scale: float
) -> None:
    given = (scale * matrix(*shape, smallest)).requires_grad_()
    found = nuclear_norm(given)
    found.backward()
    u, s, v = torch.linalg.svd(given.detach(), full_matrices=False)
    torch.testing.assert_close(found, s.sum(), rtol=1e-9, atol=0)
    torch.testing.assert_close(given.grad, u @ v, rtol=0, atol=1e-6)


def test_directions_without_a_singular_value_change_nothing() -> None:
    given = torch.randn(12, 2) @ torch.randn(2, 10)
    torch.testing.assert_close(nuclear_norm(given), torch.linalg.svdvals(given.double()).sum().float())
    assert not polar_factor(torch.zeros(4, 3)).any()
    assert not nuclear_norm(torch.zeros(4, 3))
