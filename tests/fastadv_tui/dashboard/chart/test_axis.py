"""The ticks of the axes: round, evenly apart, on dots of their own, and labels that never touch."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastadv_tui.dashboard.chart.axis import Axis, log_axis, x_axis, y_axis
from fastadv_tui.dashboard.chart.scale import DOTS_HIGH, DOTS_WIDE, nice_step

LOWS, SPANS = st.floats(-1e4, 1e4), st.floats(1e-3, 1e6)


def is_round(step: float) -> bool:
    mantissa = step / 10 ** math.floor(math.log10(step) + 1e-6)
    return min(abs(mantissa - size) for size in (1, 2, 5, 10)) < 1e-3


def distances(axis: Axis) -> list[int]:
    return [axis.scale.dot(after) - axis.scale.dot(before) for before, after in pairwise(axis.ticks)]


@given(LOWS, SPANS, st.integers(4, 60))
def test_y_ticks_are_round_and_evenly_apart_and_the_axis_holds_all_values(low: float, span: float, rows: int) -> None:
    axis = y_axis(low, low + span, rows, percent=False)
    slack = 1e-6 * span
    assert axis.scale.low <= low + slack
    assert low + span <= axis.scale.high + slack
    assert len(set(distances(axis))) <= 1
    assert all(distance % DOTS_HIGH == 0 and distance >= 2 * DOTS_HIGH for distance in distances(axis))
    assert all(axis.scale.dot(tick) % DOTS_HIGH == 1 for tick in axis.ticks)
    if len(axis.ticks) > 1:
        assert is_round(axis.ticks[1] - axis.ticks[0])
    if rows >= 8:
        assert len(axis.ticks) >= 2
        assert (low + span - low) / (axis.scale.high - axis.scale.low) > 0.3  # most rows are of use


@given(st.floats(0, 1), st.floats(0, 1), st.integers(5, 60))
def test_a_percent_axis_has_ticks_from_0_to_100_only(one: float, two: float, rows: int) -> None:
    axis = y_axis(0.0, max(one, two), rows, percent=True)
    assert all(-1e-9 <= tick <= 1 + 1e-9 for tick in axis.ticks)
    assert axis.texts[0] == "0%" or float(axis.texts[0].rstrip("%")) == 0


@given(LOWS, SPANS, st.integers(20, 200), st.integers(0, 8))
def test_x_ticks_are_round_and_their_labels_do_not_touch(low: float, span: float, columns: int, gutter: int) -> None:
    axis = x_axis(low, low + span, columns, gutter, 1.0)
    assert axis.scale.low <= low + 1e-6 * span
    room = DOTS_WIDE * (columns - min(gutter, columns // 3))
    assert axis.scale.dot(low + span) < room + 1
    assert len(set(distances(axis))) <= 1
    assert all(len(text) < distance // DOTS_WIDE for text, distance in zip(axis.texts, distances(axis), strict=False))
    if len(axis.ticks) > 1:
        assert is_round(axis.ticks[1] - axis.ticks[0])


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [(0.0, 15.0, ["0", "2", "4", "6", "8", "10", "12", "14"]), (0.0, 30.0, ["0", "5", "10", "15", "20", "25", "30"])],
)
def test_x_ticks_of_known_ranges_are_the_expected_ones(low: float, high: float, wanted: list[str]) -> None:
    assert list(x_axis(low, high, 90, 0, 1.0).texts) == wanted


@given(st.floats(-6, 6), st.floats(1e-3, 12), st.integers(4, 60))
def test_log_ticks_are_round_and_a_row_is_free_between_their_labels(low: float, span: float, rows: int) -> None:
    axis = log_axis(low, low + span, rows, percent=False)
    rows_of = [axis.scale.dot(tick) // DOTS_HIGH for tick in axis.ticks]
    assert all(after - before > 1 for before, after in pairwise(rows_of))
    assert all(
        10**tick == pytest.approx(float(text), rel=1e-3) for tick, text in zip(axis.ticks, axis.texts, strict=True)
    )


def test_log_ticks_are_fine_if_there_is_room_and_decades_if_not() -> None:
    assert list(log_axis(-1, 0, 40, percent=False).texts) == [
        "0.1",
        "0.2",
        "0.3",
        "0.4",
        "0.5",
        "0.6",
        "0.7",
        "0.8",
        "0.9",
        "1",
    ]
    assert list(log_axis(-4, 2, 14, percent=False).texts) == ["0.0001", "0.001", "0.01", "0.1", "1", "10", "100"]


@given(LOWS, st.integers(1, 40))
def test_the_axis_of_a_flat_curve_holds_the_curve(value: float, rows: int) -> None:
    axis = y_axis(value, value, rows, percent=False)
    assert axis.scale.low < value < axis.scale.high


@given(st.floats(1e-300, 1e300))
def test_a_nice_step_is_round_and_not_smaller(minimum: float) -> None:
    step = nice_step(minimum)
    assert minimum * (1 - 1e-8) <= step <= 10.001 * minimum
    assert is_round(step)
