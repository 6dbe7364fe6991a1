"""The arithmetic of charts agrees with brute force over all points and dots."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastadv_tui.dashboard.chart import scale
from fastadv_tui.dashboard.chart.scale import BRAILLE, LEFT, RIGHT, Scale

FINITE = st.floats(-1e6, 1e6)
VALUES = st.lists(FINITE | st.just(math.nan) | st.just(math.inf), min_size=1, max_size=200)


def dots_of(columns: dict[int, int]) -> set[tuple[int, int]]:
    return {(column, row) for column, bits in columns.items() for row in range(bits.bit_length()) if bits >> row & 1}


def drawn(xs: list[float], ys: list[float], width: int = 40, height: int = 20) -> dict[int, int]:
    finite = scale.finite_values(ys) or [0.0]
    x, y = Scale(xs[0], xs[-1], width), Scale(min(finite), max(finite), height)
    return scale.columns_of_dots(scale.decimate(xs, ys, x), y)


@given(VALUES)
def test_every_finite_point_has_a_dot_and_a_gap_has_none(ys: list[float]) -> None:
    xs = [float(index) for index in range(len(ys))]
    finite = scale.finite_values(ys) or [0.0]
    x, y = Scale(xs[0], xs[-1], 40), Scale(min(finite), max(finite), 20)
    dots = dots_of(drawn(xs, ys))
    wanted = {(x.dot(a), y.dot(b)) for a, b in zip(xs, ys, strict=True) if math.isfinite(b)}
    assert wanted <= dots
    if not wanted:
        assert dots == set()


@given(st.lists(FINITE, min_size=2, max_size=200))
def test_a_curve_without_gaps_is_one_connected_line(ys: list[float]) -> None:
    dots = dots_of(drawn([float(index) for index in range(len(ys))], ys))
    reached: set[tuple[int, int]] = set()
    waiting = [next(iter(dots))]
    while waiting:
        column, row = waiting.pop()
        near = {(column + a, row + b) for a in (-1, 0, 1) for b in (-1, 0, 1)} & dots - reached
        reached |= near
        waiting += near
    assert reached == dots


@given(st.lists(FINITE, min_size=1, max_size=100), st.data())
def test_decimation_keeps_the_extremes_and_the_ends_of_every_column(ys: list[float], data: st.DataObject) -> None:
    unsorted = data.draw(st.lists(st.floats(0, 100), min_size=len(ys), max_size=len(ys)))
    xs, x = sorted(unsorted), Scale(0, 100, 30)
    columns: dict[int, list[float]] = {}
    for a, b in zip(xs, ys, strict=True):
        columns.setdefault(math.floor(a / 100 * 29 + 0.5), []).append(b)
    (piece,) = scale.decimate(xs, ys, x)
    found = {span.column: (span.first, span.low, span.high, span.last) for span in piece}
    wanted = {column: (part[0], min(part), max(part), part[-1]) for column, part in columns.items()}
    assert {c: v for c, v in found.items() if v != wanted.get(c)} == {} or borders_only(xs)


def borders_only(xs: list[float]) -> bool:
    """Whether a point lies so near the border of two columns that rounding decides its column."""
    return any(abs((a / 100 * 29 + 0.5) % 1) < 1e-9 or (a / 100 * 29 + 0.5) % 1 > 1 - 1e-9 for a in xs)


def test_a_gap_splits_the_curve_in_two() -> None:
    dots = dots_of(drawn([0, 1, 2, 3, 4], [0, 0, math.nan, 5, 5], width=9, height=6))
    assert dots == {(0, 0), (1, 0), (2, 0), (6, 5), (7, 5), (8, 5)}


def test_points_outside_of_the_scale_are_not_drawn() -> None:
    (piece,) = scale.decimate([0.0, 1.0, 2.0, 3.0], [9.0, 1.0, 2.0, 9.0], Scale(1, 2, 2))
    assert [(span.column, span.first) for span in piece] == [(0, 1.0), (1, 2.0)]


@given(st.lists(FINITE | st.just(math.nan), min_size=1, max_size=50), st.lists(FINITE, min_size=50, max_size=50))
def test_x_values_out_of_order_do_not_raise(ys: list[float], xs: list[float]) -> None:
    drawn(xs[: len(ys)], ys)


def test_braille_dots_are_those_of_unicode() -> None:
    dot_numbers = {(0, 3): 1, (0, 2): 2, (0, 1): 3, (1, 3): 4, (1, 2): 5, (1, 1): 6, (0, 0): 7, (1, 0): 8}
    for (side, row), number in dot_numbers.items():
        assert (LEFT, RIGHT)[side][1 << row] == 1 << number - 1
    assert chr(BRAILLE + LEFT[15] + RIGHT[15]) == "⣿"


def test_smoothing_is_the_debiased_moving_average() -> None:
    ys = [3.0, 1.0, 4.0, 1.0]
    for index, smoothed in enumerate(scale.smooth(ys, 0.8)):
        weights = [0.8 ** (index - past) for past in range(index + 1)]
        by_hand = sum(w * y for w, y in zip(weights, ys, strict=False)) / sum(weights)
        assert smoothed == pytest.approx(by_hand)


def test_smoothing_keeps_a_constant_and_gives_gaps_no_weight() -> None:
    assert scale.smooth([2.0] * 5, 0.99) == pytest.approx([2.0] * 5)
    with_gap = scale.smooth([1.0, math.nan, 3.0], 0.5)
    assert math.isnan(with_gap[1])
    assert [with_gap[0], with_gap[2]] == scale.smooth([1.0, 3.0], 0.5)
    assert scale.smooth([1.0, 2.0], 0) == [1.0, 2.0]


def test_values_without_a_logarithm_become_gaps() -> None:
    logs = scale.log10([100.0, 0.0, -1.0, math.nan, 0.1])
    assert [logs[0], logs[-1]] == pytest.approx([2, -1])
    assert all(math.isnan(log) for log in logs[1:-1])


@pytest.mark.parametrize(
    ("values", "percent", "wanted"),
    [
        ([0, 0.2, 0.4], True, ["0%", "20%", "40%"]),
        ([0.05, 0.10], False, ["0.05", "0.10"]),
        ([0, 1e-5], False, ["0", "1e-05"]),
        ([0, 5, 10], False, ["0", "5", "10"]),
        ([0.001], False, ["0.001"]),
        ([0.0], True, ["0%"]),
        ([], False, []),
    ],
)
def test_tick_labels_have_the_decimals_that_they_need(values: list[float], percent: bool, wanted: list[str]) -> None:
    assert scale.labels(values, percent) == wanted


@pytest.mark.parametrize(("seconds", "unit"), [(90, "s"), (600, "min"), (36_000, "h"), (400_000, "d")])
def test_the_unit_of_a_time_axis_follows_its_length(seconds: float, unit: str) -> None:
    assert scale.time_unit(seconds)[1] == unit
