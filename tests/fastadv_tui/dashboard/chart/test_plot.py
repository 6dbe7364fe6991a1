"""Charts as rows of characters. The tests read the drawn dots back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from fastadv_tui.dashboard.chart.plot import Drawing
from fastadv_tui.dashboard.chart.scale import DOTS_HIGH
from fastadv_tui.dashboard.chart.series import (
    AXIS,
    COLOURS,
    CURSOR,
    GRID,
    MARK,
    REST,
    THRESHOLD,
    Mark,
    Options,
    Series,
    Threshold,
)
from tests.support.drawings import DOWN, UP, XS, dots, picture, text


def looks(drawing: Drawing) -> set[int]:
    return {look for row in drawing.rows for _, look in row}


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
