"""A figure as data: what the process that draws gets on its standard input."""

from typing import Literal

from msgspec import Struct

Font = Literal["serif", "sans"]


class Line(Struct, frozen=True, kw_only=True):
    """One line. look: number of its colour; lines of one run share it. low, high: edges of a band; empty for no band.

    label: tells the run apart; a run alone has its name. dashed: drawn dashed. points: with a marker each. mark: the
    one point is drawn as a star; it is the final evaluation, and its band is an error bar.
    """

    look: int
    label: str
    xs: list[float]
    ys: list[float]
    low: list[float] = []
    high: list[float] = []
    dashed: bool = False
    points: bool = False
    mark: bool = False


class Picture(Struct, frozen=True, kw_only=True):
    """A figure. solid, dashed, mark: what the kinds of lines and stars stand for; empty if all lines are of one kind.
    band: what the bands and error bars stand for; empty if there are none, or if the label of the line says it.

    whole_x: whether the ticks of the x axis are whole numbers. from_zero: whether the y axis begins at 0. width: in
    inches.
    """

    x_label: str
    y_label: str
    lines: list[Line]
    solid: str = ""
    dashed: str = ""
    mark: str = ""
    band: str = ""
    whole_x: bool = False
    from_zero: bool = True
    font: Font = "serif"
    width: float = 3.4
