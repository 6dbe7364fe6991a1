"""Charts as text and as dots."""

from fastadv_tui.dashboard.chart.plot import Drawing, draw
from fastadv_tui.dashboard.chart.scale import BRAILLE, DOTS_HIGH, LEFT, RIGHT
from fastadv_tui.dashboard.chart.series import COLOURS, FAINT, Options, Series, prepare

XS = [float(x) for x in range(100)]
UP, DOWN = [x / 99 for x in XS], [1 - x / 99 for x in XS]


def picture(
    *series: Series, options: Options | None = None, width: int = 60, height: int = 20, cursor: float | None = None
) -> Drawing:
    options = options or Options()
    return draw(prepare(series, options), options, width, height, cursor)


def text(drawing: Drawing) -> list[str]:
    return ["".join(piece for piece, _ in row) for row in drawing.rows]


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


def place(value: float, low: float, high: float, count: int) -> float:
    """The exact place of a value on an axis of `count` dots from low to high."""
    return (value - low) / (high - low) * (count - 1)
