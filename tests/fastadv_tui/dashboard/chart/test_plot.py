"""Charts as rows of characters. The tests read the drawn dots back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from fastadv_tui.dashboard.chart.plot import Drawing, draw
from fastadv_tui.dashboard.chart.scale import BRAILLE
from fastadv_tui.dashboard.chart.series import (
    AXIS,
    CURSOR,
    FAINT,
    GRID,
    MARK,
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


def dots(drawing: Drawing, plot_rows: slice = slice(1, -2)) -> set[tuple[int, int, int]]:
    """Every braille dot as (row, column, bit)."""
    found = set()
    for number, row in enumerate(text(drawing)[plot_rows]):
        for column, character in enumerate(row):
            bits = ord(character) - BRAILLE
            found |= {(number, column, bit) for bit in range(8) if 0 <= bits <= 255 and bits >> bit & 1}
    return found


def test_both_of_two_curves_that_cross_are_drawn_whole() -> None:
    """The dots of two curves are those of each curve alone, except where an end marker stands."""
    up, down = Series(name="up", xs=XS, ys=UP, look=0), Series(name="down", xs=XS, ys=DOWN, look=1)
    both, one, other = picture(up, down), picture(up), picture(down)
    ends = {(r, c) for r, row in enumerate(text(both)[1:-2]) for c, character in enumerate(row) if character in "●■"}
    wanted = {dot for dot in dots(one) | dots(other) if dot[:2] not in ends}
    assert dots(both) == wanted
    assert len(dots(one) & dots(other)) < len(dots(one)) / 10


def test_a_shared_character_looks_like_the_later_curve_and_a_faint_curve_lies_below() -> None:
    flat = [0.5] * 100
    first, second = Series(name="first", xs=XS, ys=flat), Series(name="second", xs=XS, ys=flat)
    assert [look for character, look in line_of(picture(first, second), "⣀⠤⠒⠉") if character in "⣀⠤⠒⠉"].count(0) == 0
    below = Series(name="second", xs=XS, ys=flat, faint=True)
    assert {look for character, look in line_of(picture(first, below), "⣀⠤⠒⠉") if character in "⣀⠤⠒⠉"} == {0}
    assert 1 + FAINT in looks(picture(first, below))


def line_of(drawing: Drawing, characters: str) -> list[tuple[str, int]]:
    return next(row for row in drawing.rows[1:-2] if any(piece in characters for piece, _ in row))


def test_every_series_has_a_marker_of_its_own_at_its_end_and_in_the_legend() -> None:
    series = [Series(name=f"run {number}", xs=XS, ys=UP) for number in range(8)]
    shown = text(picture(*series, width=100, height=30))
    plot = "".join(row for row in shown if "│" in row or "┤" in row)
    assert all(plot.count(marker) == 1 for marker in "●■▲◆○□△◇")
    assert all(f"{marker} run {number} 1" in "".join(shown[:5]) for number, marker in enumerate("●■▲◆○□△◇"))


def test_all_of_56_series_differ_in_colour_or_marker() -> None:
    curves = prepare([Series(name=str(number), xs=[0], ys=[0]) for number in range(56)], Options())
    assert len({(curve.look, curve.marker) for curve in curves}) == 56


def test_a_percent_axis_shows_fractions_as_percent() -> None:
    shown = text(picture(Series(name="clean", xs=XS, ys=[0.8 * y for y in UP]), options=Options(y="percent")))
    assert shown[0] == "epoch 99.00  ● clean 80.0%"
    assert [row.split("┤")[0].strip() for row in shown if "┤" in row] == ["80%", "60%", "40%", "20%", "0%"]
    assert shown[-1].split() == ["0", "20", "40", "60", "80", "epoch"]


def test_a_percent_axis_of_zeros_has_no_negative_fractions() -> None:
    labels = "\n".join(text(picture(Series(name="a", xs=XS, ys=[0.0] * 100), options=Options(y="percent"))))
    assert "0%" in labels
    assert "-" not in labels.replace("──", "")


def test_a_time_axis_of_minutes_is_labelled_in_minutes() -> None:
    shown = text(picture(Series(name="a", xs=[0, 1800], ys=[0, 1]), options=Options(x="time")))
    assert shown[0].startswith("30.0 min")
    assert shown[-1].split() == ["0", "5", "10", "15", "20", "25", "30", "min"]


def test_a_log_axis_leaves_out_values_without_a_logarithm_and_the_cursor_reads_real_values() -> None:
    ys = [10 ** (-x / 33) for x in XS]
    ys[50] = 0.0
    shown = picture(Series(name="loss", xs=XS, ys=ys), options=Options(log_y=True), cursor=33.0)
    assert "loss 0.1" in text(shown)[0]
    assert [row.split("┤")[0].strip() for row in text(shown) if "┤" in row] == ["1", "0.1", "0.01", "0.001"]
    gap = picture(Series(name="loss", xs=XS, ys=ys), options=Options(log_y=True), cursor=50.0)
    assert text(gap)[0].endswith("loss -")


def test_smoothing_changes_the_curve_and_the_value_at_the_cursor() -> None:
    noisy = [float(x % 2) for x in range(100)]
    shown = text(picture(Series(name="a", xs=XS, ys=noisy), options=Options(smoothing=0.9)))
    assert float(shown[0].split()[-1]) == pytest.approx(0.5, abs=0.06)


def test_a_threshold_and_marks_are_drawn_behind_the_curves_and_explained() -> None:
    options = Options(
        threshold=Threshold(y=0.25, label="alarm at 25%"), marks=(Mark(x=50, glyph="▼", label="collapse"),)
    )
    shown = picture(Series(name="a", xs=XS, ys=UP), options=options)
    alone = picture(Series(name="a", xs=XS, ys=UP))
    assert dots(shown) == dots(alone)
    assert "╌ alarm at 25%  ▼ collapse" in text(shown)[0]
    assert text(shown)[-2].count("▼") == 1
    assert {THRESHOLD, MARK, GRID, AXIS} <= looks(shown)


def test_a_threshold_above_the_data_is_within_the_axes() -> None:
    shown = picture(Series(name="a", xs=XS, ys=UP), options=Options(threshold=Threshold(y=5, label="far")))
    assert sum("╌" in row for row in text(shown)) == 2  # legend and line


def test_the_cursor_reads_the_nearest_point_and_nothing_beyond_an_end() -> None:
    short = Series(name="short", xs=XS[:20], ys=UP[:20])
    shown = picture(Series(name="a", xs=XS, ys=XS), short, cursor=42.0)
    assert text(shown)[0] == "epoch 42.00  ● a 42  ■ short -"
    under = [column for column, (_, look) in enumerate(shown.rows[5]) if look & CURSOR]
    assert shown.x is not None
    assert under == [shown.left + shown.x.dot(42.0) // 2]


def test_without_a_cursor_the_last_values_are_read_gaps_left_out() -> None:
    assert text(picture(Series(name="a", xs=[0, 1, 2], ys=[1, 3, math.nan])))[0] == "epoch 2.00  ● a 3"


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
