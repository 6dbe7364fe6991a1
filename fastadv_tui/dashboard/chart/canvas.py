"""The plot of a chart inside its axes, in braille characters: grid, lines, bands, curves, and labels where is room."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from rich.cells import cell_len

from fastadv_tui.dashboard.chart import scale
from fastadv_tui.dashboard.chart.scale import BRAILLE, DOTS_HIGH, DOTS_WIDE, LEFT, RIGHT, Scale
from fastadv_tui.dashboard.chart.series import AXIS, CURSOR, FAINT, GRID, MARK, THRESHOLD, Curve, Row

BAND_EVERY = 4  # one dot in so many of a band is drawn, so that the band lets its grid through
LABEL = -1  # the number of all labels among the owners of characters
DASH = 3  # a threshold is drawn in all characters but every third


class Canvas:
    """A field of characters. What is drawn later covers what is below: one character shows the dots of one layer.

    Only curves share characters. Such a character has the dots of all of them and the look of the topmost one.
    """

    def __init__(self, x: Scale, y: Scale) -> None:
        self._x, self._y = x, y
        self._width, self._height = x.dots // DOTS_WIDE, y.dots // DOTS_HIGH
        self._rows: list[Row] = [[(" ", GRID)] * self._width for _ in range(self._height)]
        self._dots = [[0] * self._width for _ in range(self._height)]  # of the curves alone
        self._owners: dict[tuple[int, int], set[int]] = {}  # of characters by row and column: curves by their number
        self._grid_rows: set[int] = set()
        self._labels: list[tuple[float, int]] = []  # the value and the row of each one written

    @property
    def rows(self) -> list[Row]:
        """What was drawn, from the top."""
        return self._rows

    def grid(self, ticks: Iterable[float]) -> None:
        """Draw a dotted line at each of these values."""
        for tick in ticks:
            row, bit = divmod(self._y.dot(tick), DOTS_HIGH)
            self._rows[-1 - row] = [(chr(BRAILLE + LEFT[1 << bit]), GRID)] * self._width
            self._grid_rows.add(self._height - 1 - row)

    def vertical(self, at: float) -> None:
        """Draw a dotted line at this x, if the axis has it."""
        if self._x.low <= at <= self._x.high:
            column, side = divmod(self._x.dot(at), DOTS_WIDE)
            for row in self._rows:
                row[column] = (chr(BRAILLE + (RIGHT if side else LEFT)[0b0101]), MARK)

    def threshold(self, value: float) -> None:
        """Draw a dashed line at this value."""
        row, bit = divmod(self._y.dot(value), DOTS_HIGH)
        dash = (chr(BRAILLE + LEFT[1 << bit] + RIGHT[1 << bit]), THRESHOLD)
        line = self._rows[-1 - row]
        self._rows[-1 - row] = [
            dash if number % DASH else (" ", THRESHOLD) if cell[1] != MARK else cell for number, cell in enumerate(line)
        ]

    def band(self, curve: Curve) -> None:
        """Draw the band of a curve, if it has one, in sparse dots."""
        dots: dict[tuple[int, int], int] = {}
        for column, low, high in self._band_columns(curve) if curve.lows and curve.highs else ():
            place, side = divmod(column, DOTS_WIDE)
            for dot in range(low, high + 1):
                if (dot + 2 * column) % BAND_EVERY == 0:
                    row, bit = divmod(dot, DOTS_HIGH)
                    dots[row, place] = dots.get((row, place), 0) | (RIGHT if side else LEFT)[1 << bit]
        for (row, place), bits in dots.items():
            self._rows[-1 - row][place] = (chr(BRAILLE + bits), curve.look | FAINT)

    def _band_columns(self, curve: Curve) -> Iterator[tuple[int, int, int]]:
        """The columns of dots of a band, each with its lowest and its highest dot."""
        points = [
            (self._x.dot(x), self._y.dot(low), self._y.dot(high))
            for x, low, high in zip(curve.xs, curve.lows, curve.highs, strict=False)
            if scale.finite_values([low, high]) == [low, high]
        ]
        for (start, low, high), (stop, to_low, to_high) in pairwise(points):
            for column in range(start, stop):
                share = (column - start) / (stop - start)
                yield column, round(low + share * (to_low - low)), round(high + share * (to_high - high))
        yield from points[-1:]

    def curve(self, curve: Curve, number: int) -> None:
        """Draw a curve, or its points alone. number: of the curve, by which `label` knows it."""
        pieces = scale.decimate(curve.xs, curve.drawn, self._x)
        if curve.series.points:
            for column, dot in ((span.column, self._y.dot(span.last)) for piece in pieces for span in piece):
                for neighbour in (column, column ^ 1):  # two dots, so that the point is seen on a line
                    self._put(neighbour, 1 << dot, curve.look, number)
            return
        columns = scale.columns_of_dots(pieces, self._y)
        first, last = min(columns, default=0), max(columns, default=0)
        for column, bits in columns.items():
            if not curve.series.dotted or (column - first) % 2 == 0 or column == last:
                self._put(column, bits, curve.look, number)

    def _put(self, column: int, bits: int, look: int, number: int) -> None:
        """Add dots in one column of dots. Bit b is the dot b above the lower border."""
        place, side = divmod(column, DOTS_WIDE)
        parts = RIGHT if side else LEFT
        for row in range(bits.bit_length() // DOTS_HIGH + 1):
            part = bits >> DOTS_HIGH * row & 0b1111
            if part:
                self._dots[-1 - row][place] |= parts[part]
                self._rows[-1 - row][place] = (chr(BRAILLE + self._dots[-1 - row][place]), look)
                self._owners.setdefault((self._height - 1 - row, place), set()).add(number)

    def label(self, at: float, value: float, texts: Sequence[str], look: int, number: int) -> None:
        """Write the first of some texts that has a free place beside the point of a curve, at most a row away.

        Off the row of its point, a text stands neither on a grid line, whose value it would seem to have, nor beyond
        another curve. No text stands below one of a lower value. Without a free place there is no text.
        """
        column, row = self._x.dot(at) // DOTS_WIDE, self._height - 1 - self._y.dot(value) // DOTS_HIGH
        for text in texts:
            width = cell_len(text)
            right = [(row + by, column + gap) for by in (0, 1, -1) for gap in (2, 1)]
            left = [(row + by, column - width + shift) for by in (-1, 1) for shift in (1, 0)]
            places = [
                (there, start)
                for there, start in (*right, *left)
                if self._in_order(value, there)
                and (
                    there == row
                    or (there not in self._grid_rows and self._alone(row, range(start, start + width), number))
                )
            ]
            if place := self._write(text, look, places):
                self._labels.append((value, place[0]))
                return

    def _in_order(self, value: float, row: int) -> bool:
        """Whether a label of this value may stand in this row: those of higher values are not below it."""
        return all((other - value) * (row - there) >= 0 for other, there in self._labels)

    def _alone(self, row: int, columns: Iterable[int], number: int) -> bool:
        """Whether no other curve than this one stands in a row, at these columns."""
        own = {number, LABEL}
        return all(self._owners.get((row, column), own) <= own for column in columns)

    def label_threshold(self, value: float, text: str) -> None:
        """Write a text on the line of a threshold, at its right end or where is room."""
        row = self._height - 1 - self._y.dot(value) // DOTS_HIGH
        end = self._width - cell_len(text)
        self._write(text, THRESHOLD, [(row, end), (row, end // 2), (row, 0), (row - 1, end), (row - 1, 0)])

    def _write(self, text: str, look: int, places: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
        """Write a text at the first of these places that is free. Returns the place; None if there is none."""
        if cell_len(text) != len(text):
            return None  # a character of two cells would shift the row
        for row, start in places:
            cells = [(row, column) for column in range(start, start + len(text))]
            if (
                0 <= row < self._height
                and 0 <= start <= self._width - len(text)
                and self._owners.keys().isdisjoint(cells)
            ):
                self._owners.update({cell: {LABEL} for cell in cells})
                self._rows[row][start : start + len(text)] = [(character, look) for character in text]
                return row, start
        return None

    def cursor(self, at: float) -> None:
        """Highlight the column of characters at this x, if the axis has it."""
        if self._x.low <= at <= self._x.high:
            column = self._x.dot(at) // DOTS_WIDE
            for row in self._rows:
                character, look = row[column]
                row[column] = ("│", AXIS + CURSOR) if character == " " else (character, look + CURSOR)
