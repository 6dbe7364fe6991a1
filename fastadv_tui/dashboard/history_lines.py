"""The cells of the history: colours and glyphs of states and marks, numbers at the right, the best one bold."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from rich.text import Text

from fastadv_tui.dashboard.colours import run_colour, state_colour
from fastadv_tui.dashboard.marks import Marks, glyph_at
from fastadv_tui.history.accuracies import accuracy_of
from fastadv_tui.history.columns import COLUMNS, Column, column_of
from fastadv_tui.history.leaderboard import SEVERAL, GroupRows, best_lines, line_text
from fastadv_tui.history.paper import PAPER, is_published
from fastadv_tui.history.row import Row
from fastadv_tui.history.row_names import names_apart
from fastadv_tui.text.labels import shortened
from fastadv_tui.text.quantities import GLYPHS
from fastadv_tui.text.sanitize import one_line

MAX_CELL_WIDTH = 28
MAX_LIST_WIDTH = 20  # of tags
MARK, COUNT, DELTA = "mark", "n", "delta"  # keys of the columns that are no figure of a run
NAMES = ("name", "status")  # a column of these stays at the left if it is among the first two
ACCURACIES = ("clean", "robust")
TITLES = {MARK: "", COUNT: "n", DELTA: "Δ ⚑"}
BASELINE, PINNED = "⚑", "⚐"  # the pinned line that differences refer to, and any other pinned one
MAX_REASON = 10  # cells of the reason why there is no difference
PUBLISHED = "published"
UP, DOWN = "↑", "↓"


class Style(Struct, frozen=True):
    """What the cells depend on beside the rows. scheme: of the theme, see `colours`. sort: key of the sorted column,
    with + for the smallest first. baseline: the pinned run, or the runs of its group; may be empty. evaluating: by run
    id, the words for an evaluation that waits or is under way."""

    marks: Marks
    scheme: int
    sort: str
    grouped: bool
    baseline: Sequence[Row]
    evaluating: Mapping[str, str] = {}


def shown_columns(chosen: Sequence[str], style: Style) -> list[str]:
    """The keys of the columns: marks, then the chosen ones; the number of runs and the difference where they exist."""
    keys = [MARK, *chosen]
    if style.grouped:
        keys.insert(keys.index("name") + 1 if "name" in keys else 1, COUNT)
    if style.baseline and "robust" in keys:
        keys.insert(keys.index("robust") + 1, DELTA)
    return keys


def with_added_columns(chosen: Sequence[str], before: Sequence[str]) -> tuple[str, ...]:
    """The chosen columns in their order, with those that were not shown before right behind the name: an added column
    at the end would stand beyond the edge of the screen, as if nothing had happened."""
    kept = [key for key in chosen if key in before]
    added = [key for key in chosen if key not in before]
    place = kept.index("name") + 1 if "name" in kept else len(kept)
    return (*kept[:place], *added, *kept[place:])


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


class LineCells:
    """The cells of lines, each made when the table asks for it: most of 500 lines are below the screen."""

    def __init__(self, lines: Mapping[str, GroupRows], keys: Sequence[str], style: Style) -> None:
        """lines: by the id of their first run."""
        self._lines, self._style = lines, style
        self._columns = [(key, column_of(key)) for key in keys]
        own = [rows for rows in lines.values() if not is_published(rows[0])]
        self._names = names_apart(rows[0] for rows in own if len(rows) == 1)
        self._best = {key: best_lines(own, COLUMNS[key]) for key in keys if key in ACCURACIES}

    def of(self, run_id: str) -> list[Text]:
        """The cells of one line."""
        rows, style = self._lines[run_id], self._style
        if is_published(rows[0]):
            return _published_cells(rows[0], self._columns)
        cells = [_text(rows, column) if column else _other_cell(rows, key, style) for key, column in self._columns]
        for place, (key, _) in enumerate(self._columns):
            if key == "status":
                cells[place] = _state(rows, style)
            elif key == "name":
                name = self._names.get(run_id) or line_text(rows, COLUMNS["name"])
                cells[place] = Text(_short_name(name, run_id), run_colour(_place(rows, style.marks), style.scheme))
            elif run_id in self._best.get(key, ()):
                cells[place].stylize("bold")
        return cells


def _short_name(name: str, run_id: str) -> str:
    """A name that fits its cell. The id at its end stays whole, as it alone tells the run from another one."""
    own_id = f" {run_id}" if name.endswith(f" {run_id}") else ""
    return shortened(one_line(name.removesuffix(own_id)), max(MAX_CELL_WIDTH - len(own_id), 3)) + own_id


def _published_cells(row: Row, columns: Sequence[tuple[str, Column | None]]) -> list[Text]:
    """The cells of a published result, all dim. What a run has by default, nobody has published: it is unknown."""
    cells = []
    for key, column in columns:
        if key == "submitted":
            text = PUBLISHED
        elif key == "status":
            text = f"{GLYPHS[PAPER]} {PAPER}"
        elif column is None:
            text = "" if key == MARK else "–"
        else:
            text = one_line(column.text(row), MAX_CELL_WIDTH) if column.value(row) else "–"
        cells.append(Text(text, justify="right" if column is None or column.numeric else "left"))
        cells[-1].stylize("dim")
    return cells


def _text(rows: GroupRows, column: Column) -> Text:
    text = one_line(line_text(rows, column), MAX_LIST_WIDTH if column.kind == "list" else MAX_CELL_WIDTH)
    return Text(text, justify="right" if column.numeric else "left")


def _other_cell(rows: GroupRows, key: str, style: Style) -> Text:
    if key == MARK:
        return _marks(rows, style)
    return Text(str(len(rows)) if key == COUNT else _difference(rows, style.baseline), justify="right")


def _marks(rows: GroupRows, style: Style) -> Text:
    place = _place(rows, style.marks)
    flag = BASELINE if rows[0] in style.baseline else PINNED
    text = Text(flag if any(row.pinned for row in rows) else " ")
    return text if place is None else text.append(glyph_at(place), run_colour(place, style.scheme))


def _place(rows: GroupRows, marks: Marks) -> int | None:
    return next((marks.place(row.id) for row in rows if row.id in marks), None)


def _state(rows: GroupRows, style: Style) -> Text:
    """The state with its glyph, in its colour."""
    states = {row.state for row in rows}
    if len(states) > 1:
        return Text(SEVERAL)
    if words := next((words for row in rows if (words := style.evaluating.get(row.id))), ""):
        return Text(f"{GLYPHS[rows[0].state]} {words}", state_colour(rows[0].state, style.scheme))
    return Text.assemble((COLUMNS["status"].text(rows[0]), state_colour(rows[0].state, style.scheme)))


def _difference(rows: GroupRows, baseline: Sequence[Row]) -> str:
    """The difference of robust accuracy to the baseline in percentage points; what was measured unlike, if anything."""
    if rows[0] in baseline:
        return "0"
    own, theirs = accuracy_of(rows, "robust"), accuracy_of(baseline, "robust")
    if own is None or theirs is None:
        return "-"
    if unlike := own.conditions.unlike(theirs.conditions):
        reason = unlike.split(", ")[0].removesuffix(" while training")
        return reason if len(reason) <= MAX_REASON else "unlike"
    return f"{100 * (own.value - theirs.value):+.1f}"
