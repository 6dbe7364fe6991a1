"""Charts as rows of characters. The tests read the drawn dots back."""

import math
import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from fastadv_tui.dashboard.chart.plot import Drawing, draw
from fastadv_tui.dashboard.chart.scale import BRAILLE, DOTS_HIGH, LEFT, RIGHT
from fastadv_tui.dashboard.chart.series import (
    AXIS,
    COLOURS,
    CURSOR,
    FAINT,
    GRID,
    MARK,
    REST,
    THRESHOLD,
    Mark,
    Options,
    Series,
    Threshold,
    prepare,
)

XS = [float(x) for x in range(100)]
UP, DOWN = [x / 99 for x in XS], [1 - x / 99 for x in XS]


def picture(
    *series: Series, options: Options | None = None, width: int = 60, height: int = 20, cursor: float | None = None
) -> Drawing:
    options = options or Options()
    return draw(prepare(series, options), options, width, height, cursor)


def text(drawing: Drawing) -> list[str]:
    return ["".join(piece for piece, _ in row) for row in drawing.rows]


def looks(drawing: Drawing) -> set[int]:
    return {look for row in drawing.rows for _, look in row}


def dots(drawing: Drawing, *of: int) -> set[tuple[int, int]]:
    """The braille dots of some looks (by default, of the curves), as (column, row above the lower border)."""
    found = set()
    height = len(drawing.rows) - drawing.top - 2
    for number, row in enumerate(drawing.rows[drawing.top : drawing.top + height]):
        for place, (character, look) in enumerate(row[drawing.left :]):
            bits = ord(character) - BRAILLE
            if 0 < bits < 256 and look % FAINT in (of or range(COLOURS)):
                for side, halves in enumerate((LEFT, RIGHT)):
                    rows = [bit for bit in range(DOTS_HIGH) if bits & halves[1 << bit]]
                    found |= {(2 * place + side, DOTS_HIGH * (height - 1 - number) + bit) for bit in rows}
    return found


def test_both_of_two_curves_that_cross_are_drawn_whole() -> None:
    up, down = Series(name="up", xs=XS, ys=UP, look=0), Series(name="down", xs=XS, ys=DOWN, look=1)
    both, one, other = picture(up, down), picture(up), picture(down)
    assert dots(both) == dots(one) | dots(other)
    assert len(dots(one) & dots(other)) < len(dots(one)) / 10


def test_a_shared_character_looks_like_the_earlier_curve() -> None:
    flat = [0.5] * 100
    first, second = Series(name="first", xs=XS, ys=flat), Series(name="second", xs=XS, ys=flat)
    assert [look for character, look in line_of(picture(first, second), "⣀⠤⠒⠉") if character in "⣀⠤⠒⠉"].count(1) == 0


def line_of(drawing: Drawing, characters: str) -> list[tuple[str, int]]:
    return next(row for row in drawing.rows[1:-2] if any(piece in characters for piece, _ in row))


def test_the_series_of_one_run_share_an_item_and_the_grey_runs_are_counted() -> None:
    runs = [
        [Series(name=f"run {number}", xs=XS, ys=ys, look=number, glyph="▣◆▲"[number % 3]) for ys in (UP, DOWN)]
        for number in range(COLOURS + 3)
    ]
    shown = picture(*[series for run in runs for series in run], width=100, height=40)
    head = "".join(text(shown)[: shown.top])
    assert all(f"{'▣◆▲'[number % 3]} run {number} 1 / 0" in head for number in range(COLOURS))
    assert "▪ 3 more" in head
    assert "run 7" not in head
    assert {*range(COLOURS), REST} <= looks(shown)


def test_a_legend_without_room_says_how_many_runs_are_missing() -> None:
    series = [Series(name=f"fgsm eps {number}", xs=XS, ys=UP, look=number) for number in range(7)]
    shown = picture(*series, width=40, height=12)
    head = "".join(text(shown)[: shown.top])
    assert head.count("━") + int(head.split("+ ")[1].split()[0]) == 7


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


def test_smoothing_changes_the_curve_and_the_value_at_the_cursor() -> None:
    noisy = [float(x % 2) for x in range(100)]
    shown = text(picture(Series(name="a", xs=XS, ys=noisy), options=Options(smoothing=0.9)))
    assert float(shown[0].split()[-1]) == pytest.approx(0.5, abs=0.06)


def test_a_threshold_and_marks_are_drawn_behind_the_curves_and_explained() -> None:
    options = Options(threshold=Threshold(y=0.25, label="alarm 25%"), marks=(Mark(x=50, glyph="▼", label="collapse"),))
    shown = picture(Series(name="a", xs=XS, ys=UP), options=options)
    alone = picture(Series(name="a", xs=XS, ys=UP))
    assert dots(shown) == dots(alone)
    assert sum("alarm 25%" in row for row in text(shown)) == 1
    assert text(shown)[-2].count("▼") == 1
    assert {THRESHOLD, MARK, GRID, AXIS} <= looks(shown)


def test_a_threshold_above_the_data_is_within_the_axes() -> None:
    shown = picture(Series(name="a", xs=XS, ys=UP), options=Options(threshold=Threshold(y=5, label="far")))
    assert shown.y is not None
    assert {row for _, row in dots(shown, THRESHOLD)} == {shown.y.scale.dot(5)}


def test_the_cursor_reads_the_nearest_point_and_says_where_a_run_ended() -> None:
    short = Series(name="short", xs=XS[:20], ys=UP[:20])
    shown = picture(Series(name="a", xs=XS, ys=XS), short, cursor=42.0)
    assert text(shown)[0] == "epoch 42  ━ a 42  ━ short ended at epoch 19"
    under = [column for column, (_, look) in enumerate(shown.rows[5]) if look & CURSOR]
    assert shown.x is not None
    assert under == [shown.left + shown.x.scale.dot(42.0) // 2]


def test_without_a_cursor_the_last_values_are_read_gaps_left_out() -> None:
    assert text(picture(Series(name="a", xs=[0, 1, 2], ys=[1, 3, math.nan])))[0] == "━ a 3"


def test_the_last_value_stands_at_the_end_of_its_line_and_a_point_has_its_tag() -> None:
    line = Series(name="a", xs=XS, ys=[0.3 + y / 2 for y in UP], glyph="▣")
    point = Series(name="a", xs=[99.0], ys=[0.4], points=True, tag="PGD-50-10", glyph="▣")
    shown = picture(line, point, options=Options(y="percent"))
    assert shown.x is not None
    assert shown.y is not None
    rows = text(shown)[shown.top : -2]
    (end,) = [len(rows) - 1 - number for number, row in enumerate(rows) if "80.0 ▣" in row]
    assert abs(end - shown.y.scale.dot(0.8) // DOTS_HIGH) <= 1
    assert sum("40.0 PGD-50-10 ▣" in row for row in rows) == 1
    assert (shown.x.scale.dot(99.0), shown.y.scale.dot(0.4)) in dots(shown)


def test_a_label_stands_neither_beyond_another_curve_nor_on_the_line_of_another_value() -> None:
    """A point that another curve hides, at 80x24: its label would stand on the grid line of 60%."""
    upper = Series(name="a", xs=XS, ys=[0.508] * 100, glyph="▣")
    point = Series(name="a", xs=[99.0], ys=[0.475], points=True, tag="PGD-50-10", glyph="▣")
    top = Series(name="b", xs=XS, ys=[0.9] * 100, look=1)
    for height in range(8, 30):
        shown = picture(upper, point, top, options=Options(y="percent", x_range=(0.0, 99.0)), width=40, height=height)
        assert shown.y is not None
        rows = text(shown)[shown.top : -2]
        for number, row in enumerate(rows):
            for value in (0.508, 0.475):
                if f"{100 * value:.1f} " in row:
                    own = len(rows) - 1 - shown.y.scale.dot(value) // DOTS_HIGH
                    assert number == own or "┤" not in row
                    assert abs(number - own) <= 1
        assert any("47.5 " in row for row in rows), "the legend does not have this value"


@pytest.mark.parametrize("height", range(10, 40))
def test_the_label_of_a_higher_value_never_stands_below_that_of_a_lower_one(height: int) -> None:
    values = (0.939, 0.861, 0.853, 0.525, 0.483)
    series = [Series(name=f"{value}", xs=XS, ys=[value] * 100, points=value == 0.853, glyph="◆") for value in values]
    rows = text(picture(*series, options=Options(y="percent"), height=height))
    labels = [f"{100 * value:.1f} ◆" for value in values]
    found = [number for label in labels for number, row in enumerate(rows) if label in row[20:]]
    assert len(found) > 1
    assert found == sorted(found)


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


def test_the_sign_of_a_point_stands_before_its_value_whether_its_tag_has_room_or_not() -> None:
    """So that the value of a final evaluation never looks like one of the curve, and is found by its sign."""
    upper = Series(name="a", xs=XS, ys=[0.508] * 100, glyph="▣")
    point = Series(name="a", xs=[99.0], ys=[0.475], points=True, tag="PGD-50-10", sign="◎", glyph="▣")
    options = Options(y="percent", x_range=(0.0, 99.0))
    found = [
        "\n".join(text(picture(upper, point, options=options, width=width, height=height)))
        for width in (40, 80) for height in range(8, 30)
    ]  # fmt: skip
    assert all(("◎ 47.5 PGD-50-10 ▣" in drawn) != ("◎ 47.5 ▣" in drawn) for drawn in found)
    assert any("◎ 47.5 ▣" in drawn for drawn in found)
    assert any("PGD-50-10" in drawn for drawn in found)


@pytest.mark.parametrize("width", [36, 43, 47, 55])
def test_room_is_kept_for_the_sign_of_a_point(width: int) -> None:
    line = Series(name="a", xs=XS[1:16], ys=[0.472] * 15)
    point = Series(name="a", xs=[15.0], ys=[0.451], points=True, tag="PGD-50-10", sign="◎")
    options = Options(y="percent", x_range=(0.0, 15.0))
    for height in range(10, 24):
        drawn = text(picture(replace(line, ys=[0.78] * 15), line, point, options=options, width=width, height=height))
        assert sum("◎ 45.1" in row for row in drawn) == 1


def test_a_dotted_curve_has_half_of_the_columns_and_its_last_point() -> None:
    flat = Series(name="a", xs=XS, ys=[0.5] * 100)
    solid, dotted = dots(picture(flat)), dots(picture(replace(flat, dotted=True)))
    assert dotted < solid
    assert max(dotted) == max(solid)
    assert len(dotted) == pytest.approx(len(solid) / 2, abs=1)


def test_a_band_lies_between_its_borders_and_hides_no_dot_of_a_curve() -> None:
    line = Series(name="a", xs=XS, ys=[0.5] * 100)
    band = replace(line, lows=[0.4] * 100, highs=[0.6] * 100)
    shown = picture(band, options=Options(y="percent"))
    assert shown.y is not None
    rows = {row for _, row in dots(shown)}
    assert (min(rows), max(rows)) == pytest.approx((shown.y.scale.dot(0.4), shown.y.scale.dot(0.6)), abs=1)
    alone = picture(line, options=Options(y="percent"))
    assert alone.y is not None
    assert {row for _, row in dots(alone)} == {alone.y.scale.dot(0.5)}


# -- every value is where the axes say ----------------------------------------------------------------------------


def values_of(labels: list[str]) -> list[float]:
    """The values that the labels of an axis say, in the unit of the data."""
    return [float(label.rstrip("%")) / (100 if label.endswith("%") else 1) for label in labels]


def place(value: float, low: float, high: float, count: int) -> float:
    """The exact place of a value on an axis of `count` dots from low to high."""
    return (value - low) / (high - low) * (count - 1)


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


def test_names_in_the_legend_are_no_markup_and_are_shortened_in_the_middle() -> None:
    hostile = Series(name="[red]x\x1b[2J\n", xs=XS, ys=UP)
    assert "[red]x\\x1b[2J\\n" in text(picture(hostile))[0]
    names = [f"cifar10-preactresnet18-fgsm-eps8-seed{number}" for number in range(4)]
    shown = text(picture(*[Series(name=name, xs=XS, ys=UP) for name in names], width=80, height=24))
    assert all(f"seed{number}" in "".join(shown[:4]) for number in range(4))


@pytest.mark.parametrize("series", [(), (Series(name="a", xs=[], ys=[]),), (Series(name="a", xs=[1], ys=[math.nan]),)])
def test_a_chart_without_data_says_so(series: tuple[Series, ...]) -> None:
    shown = picture(*series, options=Options(empty="No run yet: press n"))
    assert [row.strip() for row in text(shown) if row.strip()] == ["No run yet: press n"]


def test_the_text_of_a_narrow_chart_without_data_is_in_several_lines() -> None:
    shown = picture(options=Options(empty="this machine reports none"), width=14, height=6)
    assert [row.strip() for row in text(shown) if row.strip()] == ["this machine", "reports none"]


NUMBERS = st.floats(allow_nan=True, allow_infinity=True) | st.just(0.0)


@given(
    st.lists(st.lists(NUMBERS, max_size=30), max_size=4),
    st.integers(0, 90),
    st.integers(0, 30),
    st.sampled_from([Options(), Options(y="percent"), Options(log_y=True, smoothing=0.5), Options(x="time")]),
    st.none() | st.floats(-5, 40),
)
def test_a_chart_of_any_data_fits_any_size(
    data: list[list[float]], width: int, height: int, options: Options, cursor: float | None
) -> None:
    series = [Series(name=f"名前{number}", xs=XS, ys=ys) for number, ys in enumerate(data)]
    rows = text(picture(*series, options=options, width=width, height=height, cursor=cursor))
    assert len(rows) == height
    assert all(
        cell_len(row) == width for row in (rows[-4:] if height >= 6 else rows)
    )  # the rows above may hold a legend


@given(st.lists(NUMBERS, min_size=1, max_size=30), st.integers(2, 90), st.integers(1, 30))
def test_a_chart_of_any_x_values_can_be_drawn(xs: list[float], width: int, height: int) -> None:
    assert len(picture(Series(name="a", xs=xs, ys=UP), width=width, height=height).rows) == height
