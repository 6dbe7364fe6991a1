"""Learning rates at their corners."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import OptimConfig
from engine.schedules import cyclic, learning_rate, piecewise


@pytest.mark.parametrize(
    ("step", "peak", "share"),
    [
        (0, 0.5, 0),
        (25, 0.5, 0.5),
        (50, 0.5, 1),
        (75, 0.5, 0.5),
        (100, 0.5, 0),
        (20, 0.4, 0.5),
        (40, 0.4, 1),
        (70, 0.4, 0.5),
    ],
)
def test_the_triangle(step: int, peak: float, share: float) -> None:
    assert cyclic(step, 100, peak) == pytest.approx(share)


def test_the_triangle_with_its_peak_at_an_end() -> None:
    assert [cyclic(step, 4, 0.0) for step in range(5)] == pytest.approx([1, 0.75, 0.5, 0.25, 0])
    assert [cyclic(step, 4, 1.0) for step in range(5)] == pytest.approx([0, 0.25, 0.5, 0.75, 1])


@given(st.floats(0, 100), st.floats(0.01, 0.99))
def test_the_triangle_is_numpys_interpolation(step: float, peak: float) -> None:
    assert cyclic(step, 100, peak) == pytest.approx(np.interp(step, [0, 100 * peak, 100], [0, 1, 0]), abs=1e-9)


def test_the_paper_s_first_epochs() -> None:
    """15 epochs of 391 steps to 0.2: after one epoch the rate is 0.2 / 7.5."""
    assert learning_rate(OptimConfig(lr=0.2), 391, 15 * 391) == pytest.approx(0.2 / 7.5)


def test_piecewise_drops_at_its_milestones() -> None:
    rates = [piecewise(step, 100, (0.5, 0.75), 0.1) for step in (0, 49, 50, 74, 75, 100)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    assert learning_rate(OptimConfig(schedule="piecewise", lr=0.1), 60, 100) == pytest.approx(0.01)


def test_constant() -> None:
    assert {learning_rate(OptimConfig(schedule="constant", lr=0.3), step, 9) for step in range(10)} == {0.3}
