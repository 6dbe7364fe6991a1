"""The cells of the history: colours and glyphs of states and marks, numbers at the right, the best one bold."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from rich.text import Text

from fastadv_tui.dashboard.colours import run_colour, state_colour
from fastadv_tui.dashboard.marks import Marks
from fastadv_tui.history.accuracies import accuracy_of
from fastadv_tui.history.columns import COLUMNS, Column, column_of
from fastadv_tui.history.leaderboard import SEVERAL, GroupRows, best_lines, line_text
from fastadv_tui.history.paper import PAPER, is_published
from fastadv_tui.history.row import Row
from fastadv_tui.text.quantities import GLYPHS
from fastadv_tui.text.sanitize import one_line

MAX_CELL_WIDTH = 28
MAX_LIST_WIDTH = 20  # of tags
MARK, COUNT, DELTA = "mark", "n", "delta"  # keys of the columns that are no figure of a run
NAMES = ("name", "status")  # a column of these stays at the left if it is among the first two
ACCURACIES = ("clean", "robust")
TITLES = {MARK: "", COUNT: "n", DELTA: "Δ ⚑"}
UP, DOWN = "↑", "↓"


class Style(Struct, frozen=True):
    """What the cells depend on beside the rows. scheme: of the theme, see `colours`. sort: key of the sorted column,
    with + for the smallest first. baseline: the pinned run, or the runs of its group; may be empty."""

    marks: Marks
    scheme: int
    sort: str
    grouped: bool
    baseline: Sequence[Row]


def shown_columns(chosen: Sequence[str], style: Style) -> list[str]:
    """The keys of the columns: marks, then the chosen ones; the number of runs and the difference where they exist."""
    keys = [MARK, *chosen]
    if style.grouped:
        keys.insert(keys.index("name") + 1 if "name" in keys else 1, COUNT)
    if style.baseline and "robust" in keys:
        keys.insert(keys.index("robust") + 1, DELTA)
    return keys


def sticky_columns(keys: Sequence[str]) -> int:
    """The number of columns that stay at the left: the marks, and state and name if they come next."""
    count = 1
    while count < len(keys) and count < 3 and keys[count] in NAMES:
        count += 1
    return count


def heading(key: str, style: Style) -> Text:
    """The title of a column, with an arrow if the lines are sorted by it."""
    column = column_of(key)
    arrow = (f" {UP}" if style.sort.startswith("+") else f" {DOWN}") if style.sort.lstrip("+") == key else ""
    right = key in (DELTA, COUNT) or (column is not None and column.numeric)
    return Text(f"{TITLES.get(key, column.key if column else key)}{arrow}", justify="right" if right else "left")


def line_cells(lines: Sequence[GroupRows], keys: Sequence[str], style: Style) -> dict[str, list[Text]]:
    """The cells of each line, by the id of its first run."""
    best = {key: best_lines(lines, COLUMNS[key]) for key in keys if key in ACCURACIES}
    return {rows[0].id: [_cell(rows, key, style, best) for key in keys] for rows in lines}


def _cell(rows: GroupRows, key: str, style: Style, best: Mapping[str, set[str]]) -> Text:
    if key == MARK:
        return _marks(rows, style)
    if key == COUNT:
        return Text("–" if is_published(rows[0]) else str(len(rows)), justify="right")
    if key == DELTA:
        return Text(_difference(rows, style.baseline), justify="right")
    column = column_of(key)
    assert column is not None
    cell = _state(rows, style) if key == "status" else _text(rows, column)
    if is_published(rows[0]):
        cell.stylize("dim")
    elif key == "name" and (colour := run_colour(_place(rows, style.marks), style.scheme)):
        cell.stylize(colour)
    if rows[0].id in best.get(key, ()):
        cell.stylize("bold")
    return cell


def _text(rows: GroupRows, column: Column) -> Text:
    if is_published(rows[0]) and not column.value(rows[0]):  # what a run has by default, nobody has published
        return Text("published" if column.key == "submitted" else "-", justify="right" if column.numeric else "left")
    limit = MAX_LIST_WIDTH if column.kind == "list" else MAX_CELL_WIDTH
    text = one_line(line_text(rows, column), limit)
    return Text(text, justify="right" if column.numeric else "left")


def _marks(rows: GroupRows, style: Style) -> Text:
    place = _place(rows, style.marks)
    glyph = next((style.marks.glyph(row.id) for row in rows if row.id in style.marks), " ")
    flag = "⚑" if any(row.pinned for row in rows) else " "
    return Text.assemble(flag, (glyph, run_colour(place, style.scheme)))


def _place(rows: GroupRows, marks: Marks) -> int | None:
    return next((marks.place(row.id) for row in rows if row.id in marks), None)


def _state(rows: GroupRows, style: Style) -> Text:
    """The state with its glyph, in its colour."""
    states = {row.state for row in rows}
    if len(states) > 1:
        return Text(SEVERAL)
    if states == {PAPER}:
        return Text(f"{GLYPHS[PAPER]} {PAPER}")
    return Text.assemble((COLUMNS["status"].text(rows[0]), state_colour(rows[0].state, style.scheme)))


def _difference(rows: GroupRows, baseline: Sequence[Row]) -> str:
    """The difference of robust accuracy to the baseline in percentage points, if both were measured alike."""
    if rows[0] in baseline:
        return "0"
    own, theirs = accuracy_of(rows, "robust"), accuracy_of(baseline, "robust")
    if own is None or theirs is None or own.conditions.unlike(theirs.conditions):
        return "-"
    return f"{100 * (own.value - theirs.value):+.1f}"
