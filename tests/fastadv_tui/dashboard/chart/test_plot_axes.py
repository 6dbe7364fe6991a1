"""The axes of a chart: units, ticks, and where values stand."""

import random
from itertools import pairwise
from typing import Any

import pytest

from fastadv_tui.dashboard.chart.scale import DOTS_HIGH
from fastadv_tui.dashboard.chart.series import (
    GRID,
    THRESHOLD,
    Options,
    Series,
    Threshold,
)
from tests.support.drawings import UP, XS, dots, picture, place, text


def test_a_percent_axis_shows_fractions_as_percent() -> None:
    shown = text(picture(Series(name="clean", xs=XS, ys=[0.8 * y for y in UP]), options=Options(y="percent")))
    assert shown[0] == "━ clean 80.0"
    assert [row.split("┤")[0].strip() for row in shown if "┤" in row] == ["80%", "60%", "40%", "20%", "0%"]
    assert shown[-1].split() == ["0", "20", "40", "60", "80", "epoch"]


def test_a_percent_axis_of_zeros_has_no_negative_fractions() -> None:
    labels = "\n".join(text(picture(Series(name="a", xs=XS, ys=[0.0] * 100), options=Options(y="percent"))))
    assert "0%" in labels
    assert "-" not in labels.replace("──", "")


def test_a_time_axis_of_minutes_is_labelled_in_minutes() -> None:
    series = Series(name="a", xs=[0, 1800], ys=[0, 1])
    shown = text(picture(series, options=Options(x="time"), cursor=1800.0))
    assert shown[0].startswith("30 min")
    assert shown[-1].split() == ["0", "5", "10", "15", "20", "25", "30", "min"]


def test_a_log_axis_leaves_out_values_without_a_logarithm_and_the_cursor_reads_real_values() -> None:
    ys = [10 ** (-x / 33) for x in XS]
    ys[50] = 0.0
    shown = picture(Series(name="loss", xs=XS, ys=ys), options=Options(log_y=True), cursor=33.0)
    assert "loss 0.1" in text(shown)[0]
    assert [row.split("┤")[0].strip() for row in text(shown) if "┤" in row] == [
        "1",
        "0.3",
        "0.1",
        "0.03",
        "0.01",
        "0.003",
        "0.001",
    ]
    gap = picture(Series(name="loss", xs=XS, ys=ys), options=Options(log_y=True), cursor=50.0)
    assert text(gap)[0].endswith("loss -")


def test_a_threshold_above_the_data_is_within_the_axes() -> None:
    shown = picture(Series(name="a", xs=XS, ys=UP), options=Options(threshold=Threshold(y=5, label="far")))
    assert shown.y is not None
    assert {row for _, row in dots(shown, THRESHOLD)} == {shown.y.scale.dot(5)}


def test_an_axis_of_time_begins_at_0_and_the_legend_has_one_unit() -> None:
    long, short = Series(name="long", xs=[13.0, 407.0], ys=[0, 1]), Series(name="short", xs=[13.0, 107.4], ys=[0, 1])
    shown = text(picture(long, short, options=Options(x="time"), cursor=407.0))
    assert shown[-1].split()[0] == "0"
    assert shown[0].split()[:2] == ["6.783", "min"]
    assert "ended at 1.79 min" in shown[0]


UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "1/255": 1.0, "l2": 1.0, "GFLOP": 1e9, "TFLOP": 1e12,
         "PFLOP": 1e15}  # fmt: skip


@pytest.mark.parametrize("width", range(20, 101, 4))
@pytest.mark.parametrize(
    ("x", "ends"),
    [("time", (3, 7, 59, 110, 6500, 9e4)), ("work", (3e9, 9e11, 9.6e11, 9e14)), ("eps", (2, 8, 16)), ("l2", (0.2, 2))],
)
def test_every_axis_but_that_of_epochs_has_its_unit_and_ticks_in_it(
    x: Any, ends: tuple[float, ...], width: int
) -> None:
    for end in ends:
        line = Series(name="a", xs=[end * share / 99 for share in range(1, 100)], ys=UP[1:], glyph="▣")
        *ticks, unit = text(picture(line, options=Options(x=x, y="percent"), width=width, height=12))[-1].split()
        assert unit in UNITS
        assert 0.3 * end <= float(ticks[-1]) * UNITS[unit] <= 1.02 * end


# -- every value is where the axes say ----------------------------------------------------------------------------


def values_of(labels: list[str]) -> list[float]:
    """The values that the labels of an axis say, in the unit of the data."""
    return [float(label.rstrip("%")) / (100 if label.endswith("%") else 1) for label in labels]


@pytest.mark.parametrize("seed", range(200))
def test_ticks_grid_threshold_and_ends_stand_within_half_a_dot_of_their_values(seed: int) -> None:
    """The scale is read from the labels of two ticks alone; everything else must agree with it."""
    chance = random.Random(seed)
    width, height = chance.randint(30, 150), chance.randint(10, 50)
    percent = chance.random() < 0.4
    size = 1.0 if percent else 10 ** chance.uniform(-3, 4)
    low = 0.0 if percent else chance.choice([0.0, chance.uniform(-3, 3) * size])
    ys = [low + size * chance.random() for _ in XS]
    threshold = low + size * chance.random()
    options = Options(y="percent" if percent else "plain", threshold=Threshold(threshold, "line"))
    end = chance.uniform(3, 500)
    shown = picture(Series(name="a", xs=[x / 99 * end for x in XS], ys=ys), options=options, width=width, height=height)
    rows = text(shown)[shown.top : -2]
    labelled = [(len(rows) - 1 - number, row.split("┤")[0].strip()) for number, row in enumerate(rows) if "┤" in row]
    grid = sorted({row for _, row in dots(shown, GRID)})
    lines = {row // DOTS_HIGH: row for row in grid}
    labels = values_of([label for _, label in labelled])
    known = [(lines[row], value) for (row, _), value in zip(labelled, labels, strict=True) if row in lines]
    assert len(known) >= 2
    assert [row for row, _ in known] == sorted({row for row, _ in known}, reverse=True)
    (top, high_value), (bottom, low_value) = known[0], known[-1]

    def dot_of(value: float) -> float:
        return bottom + place(value, low_value, high_value, top - bottom + 1)

    assert all(abs(dot_of(value) - row) <= 0.5 for row, value in known)
    assert {row % DOTS_HIGH for row, _ in known} == {1}  # beside the stroke of the tick, which is in the middle
    assert len({before - after for (before, _), (after, _) in pairwise(known)}) <= 2  # if one is hidden
    assert all(abs(dot_of(threshold) - row) <= 0.5 + 1e-6 for _, row in dots(shown, THRESHOLD))
    last_column = max(column for column, _ in dots(shown))
    ends = [row for column, row in dots(shown) if column == last_column]
    assert min(abs(dot_of(ys[-1]) - row) for row in ends) <= 0.5 + 1e-6

    axis, under = text(shown)[-2], text(shown)[-1]
    ticks = [column for column, character in enumerate(axis) if character == "┬"]
    numbers = [float(word) for word in under.split() if word != "epoch"]
    assert len(ticks) == len(numbers) >= 2
    per_cell = (numbers[-1] - numbers[0]) / (ticks[-1] - ticks[0])
    assert all(
        abs(numbers[0] + (column - ticks[0]) * per_cell - number) <= per_cell
        for column, number in zip(ticks, numbers, strict=True)
    )
    assert abs(ticks[0] + (end - numbers[0]) / per_cell - (shown.left + last_column / 2)) <= 1.5
