"""What a picture says is to be seen in the file: error bars, and points that stand alone."""

import pytest

from fastadv_tui.figure.draw import draw
from fastadv_tui.figure.picture import Line, Picture


def line(kind: str) -> Line:
    band = {"low": [20.0], "high": [40.0]} if kind == "error bar" else {}
    return Line(look=0, label="", xs=[1.0], ys=[30.0], points=True, mark=kind != "point", **band)


def drawn(*lines: Line) -> str:
    return draw(Picture(x_label="Epoch", y_label="%", lines=[*lines], whole_x=True), "svg").decode()


def test_a_star_with_a_band_has_an_error_bar() -> None:
    assert 'id="LineCollection' in drawn(line("error bar"))
    assert 'id="LineCollection' not in drawn(line("star"))


def test_the_axis_of_a_single_epoch_begins_at_zero_and_has_whole_epochs() -> None:
    """Between 0.96 and 1.04, as matplotlib chooses, there is no epoch but one."""
    assert drawn(line("point")).count('id="xtick_') == 3


@pytest.mark.parametrize("dashed", [False, True])
def test_one_point_of_a_dashed_line_is_hollow_so_that_it_is_told_from_a_solid_one(dashed: bool) -> None:
    one = Line(look=0, label="", xs=[1.0], ys=[30.0], points=True, dashed=dashed)
    assert ("fill: #ffffff; stroke: #0072b2" in drawn(one)) == dashed
