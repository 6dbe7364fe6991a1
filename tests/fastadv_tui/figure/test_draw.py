"""What a picture says is to be seen in the file: error bars of stars."""

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
