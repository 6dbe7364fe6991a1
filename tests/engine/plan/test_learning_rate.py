"""Learning rate schedules have the right values at their corners, and agree with linear interpolation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.sections import OptimConfig
from engine.plan.learning_rate import cyclic, learning_rate, piecewise


@pytest.mark.parametrize(
    ("step", "peak", "value"),
    [
        (0, 0.5, 0.0),
        (25, 0.5, 0.5),
        (50, 0.5, 1.0),
        (75, 0.5, 0.5),
        (100, 0.5, 0.0),
        (40, 0.4, 1.0),
        (70, 0.4, 0.5),
        (0, 0.0, 1.0),
        (50, 0.0, 0.5),
        (100, 0.0, 0.0),
        (99, 1.0, 0.99),
        (100, 1.0, 1.0),
        (101, 0.5, 0.0),
    ],
)
def test_the_triangular_learning_rate_has_its_corners_where_they_belong(step: int, peak: float, value: float) -> None:
    assert cyclic(step, 100, peak) == pytest.approx(value)


@given(st.integers(1, 10_000), st.floats(0.01, 0.99), st.floats(0, 1))
def test_the_triangular_learning_rate_agrees_with_linear_interpolation_by_numpy(
    total: int, peak: float, where: float
) -> None:
    expected = np.interp(where * total, [0, peak * total, total], [0, 1, 0])
    assert cyclic(where * total, total, peak) == pytest.approx(expected, abs=1e-9)


@given(st.integers(1, 50), st.floats(0, 1))
def test_the_triangular_factor_of_a_run_of_any_length_is_in_0_to_1(total: int, peak: float) -> None:
    assert all(0 <= cyclic(step, total, peak) <= 1 for step in range(total + 1))


def test_the_piecewise_learning_rate_drops_at_its_milestones() -> None:
    rates = [piecewise(step, 100, (0.5, 0.75), 0.1) for step in (0, 49, 50, 74, 75, 99)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    assert piecewise(0, 100, (0.0,), 0.5) == 0.5
    assert piecewise(99, 100, (), 0.5) == 1


def test_the_learning_rate_of_a_step_is_the_factor_times_the_peak() -> None:
    assert learning_rate(OptimConfig(lr=0.2), 5, 20) == pytest.approx(0.1)
    assert learning_rate(OptimConfig(lr=0.2, peak=0.25), 5, 20) == pytest.approx(0.2)
    dropping = OptimConfig(lr=0.2, schedule="piecewise", milestones=(0.5,), gamma=0.2)
    assert [learning_rate(dropping, step, 20) for step in (9, 10)] == pytest.approx([0.2, 0.04])
    assert {learning_rate(OptimConfig(lr=0.2, schedule="constant"), step, 20) for step in range(21)} == {0.2}
