"""The curves of a figure, before they become its lines."""

from msgspec import Struct


class Curve(Struct, frozen=True):
    """Points of one run, with ascending xs. dashed, mark: as in Line.

    epochs: of the points, where xs are something else. note: stands behind the label of the line.
    """

    xs: list[float]
    ys: list[float]
    dashed: bool = False
    mark: bool = False
    epochs: list[float] = []
    note: str = ""

    @property
    def places(self) -> list[float]:
        """What the points of several seeds must share to be averaged."""
        return self.epochs or self.xs


class Curves(Struct, frozen=True):
    """The curves of all runs of a figure, in the order of the runs, and what the axes say.

    The curves of all runs are of the same kinds, but only runs with a final evaluation have a mark. The runs of a group
    agree in that.
    """

    of_runs: list[list[Curve]]
    x_label: str
    y_label: str
    solid: str = ""
    dashed: str = ""
    mark: str = ""
    points: bool = False
    from_zero: bool = True
