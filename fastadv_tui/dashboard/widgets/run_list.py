"""The list of runs at the left, with two lines for each run: those that train, the queue, and those that ended."""

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.cells import set_cell_size
from rich.text import Text
from textual.binding import Binding
from textual.message import Message
from textual.widgets.option_list import Option

from fastadv_tui.dashboard.colours import run_colour, scheme_of, state_colour
from fastadv_tui.dashboard.evaluation_words import bar, evaluation_words
from fastadv_tui.dashboard.marks import Marks
from fastadv_tui.dashboard.snapshot import LiveRun, Snapshot
from fastadv_tui.dashboard.widgets.plain_list import PlainList
from fastadv_tui.history.columns import age_text, status_word
from fastadv_tui.history.row import Row
from fastadv_tui.history.row_names import names_with_seeds
from fastadv_tui.text.labels import shortened, shortened_apart
from fastadv_tui.text.quantities import GLYPHS, format_percent, format_progress, ordinal
from fastadv_tui.text.sanitize import one_line

MAX_QUEUED, MAX_ENDED = 40, 60  # the history has the others
HEADING = "clean / robust"
NAME_WIDTH = 18  # of a name in a list of the usual width, in cells
LEAST_NAME, MOST_NAME = 6, 60  # of a name, in cells
ACCURACIES_WIDTH = 12  # of the accuracies behind a name, with a blank
BESIDE_NAME = 17  # cells of glyphs, accuracies and blanks beside a name
LOUD = ("collapsed", "failed", "lost")  # states whose words have their colour, too
EMPTY_TEXT = "No runs yet.\n\nPress n to start one: the digits\ntake a minute and no download."


class RunList(PlainList):
    """The running runs, then the queue in its order, then the newest of those that ended.

    Cancelled runs are in the history only. `filter` is a part of the name or the id. The cursor stays on its run. It
    goes to a run that the user submits only as long as it is not settled, which means that the user has not moved it.
    """

    class Chosen(Message):
        """The cursor moved to another run. run_id: None if the list is empty."""

        def __init__(self, run_id: str | None) -> None:
            super().__init__()
            self.run_id = run_id

    BINDINGS = [
        Binding("j", "cursor_down", "Down", show=False),
        Binding("k", "cursor_up", "Up", show=False),
    ]

    def __init__(self, **options: object) -> None:
        super().__init__(markup=False, **options)  # type: ignore[arg-type]
        self._shown: list[str] = []
        self._prompts: dict[str, Text] = {}
        self._last: tuple[Snapshot, Marks] | None = None
        self._drawn_for = NAME_WIDTH
        self._settled, self._moves_itself = False, False
        self._expected = ""
        self.filter = ""

    @property
    def chosen(self) -> str | None:
        """The id of the run under the cursor."""
        return self._shown[self.highlighted] if self.highlighted is not None and self._shown else None

    def choose(self, run_id: str) -> bool:
        """Move the cursor to a run. Returns whether the list has this run."""
        if run_id not in self._shown:
            return False
        self.highlighted = self._shown.index(run_id)
        return True

    def settle(self) -> None:
        """Keep the cursor on its run whatever is submitted."""
        self._settled = True

    def expect(self, run_id: str) -> None:
        """Move the cursor to a new run as soon as the list has it, unless the cursor is settled by then."""
        self._expected = run_id

    def watch_highlighted(self, highlighted: int | None) -> None:
        super().watch_highlighted(highlighted)
        if highlighted is not None and not self._moves_itself:
            self._settled = True

    def show(self, snapshot: Snapshot, marks: Marks) -> None:
        """Show the runs of a snapshot. Only runs that changed are drawn again."""
        found = [row for row in snapshot.rows if self.filter.casefold() in f"{row.name} {row.id}".casefold()]
        rows = in_order(found, snapshot.places, marks)
        names = names_with_seeds(rows)
        counts = Counter(names.values())
        scheme, width = scheme_of(self.app), self._name_width()
        short = dict(zip(names, shortened_apart([*names.values()], width), strict=True))
        short |= {row.id: names[row.id] for row in rows if len(names[row.id]) <= name_room(row, width)}
        prompts = {
            row.id: prompt(row, snapshot, marks, scheme, short[row.id], counts[names[row.id]] > 1, width)
            for row in rows
        }
        self._last, self._drawn_for = (snapshot, marks), width
        ids = list(prompts)
        if ids != self._shown or not ids:
            self._refill(ids, prompts)
        else:
            for run_id in ids:
                if prompts[run_id] != self._prompts.get(run_id):
                    self.replace_option_prompt(run_id, prompts[run_id])
        self._prompts = prompts
        self._go_to_expected()

    def _go_to_expected(self) -> None:
        if self._expected not in self._shown:
            return
        if not self._settled:
            with self._moving_itself():
                self.highlighted = self._shown.index(self._expected)
        self._expected = ""

    @contextmanager
    def _moving_itself(self) -> Iterator[None]:
        """The cursor moves without the user's doing."""
        self._moves_itself = True
        try:
            yield
        finally:
            self._moves_itself = False

    def _refill(self, ids: list[str], prompts: dict[str, Text]) -> None:
        """Replace all entries. The cursor stays on its run; if the run is gone, at its place."""
        chosen_before, place_before = self.chosen, self.highlighted or 0
        self._shown = ids
        options = [Option(prompts[run_id], id=run_id) for run_id in ids]
        with self._moving_itself():
            self.set_options(options or [Option(self._empty_text(), disabled=True)])
            if ids:
                self.highlighted = ids.index(chosen_before) if chosen_before in ids else min(place_before, len(ids) - 1)

    def _empty_text(self) -> str:
        """What an empty list says: nothing matches the filter, or there is no run to list."""
        filtered = f"No run matches {one_line(self.filter, NAME_WIDTH)}.\n\nEscape clears the filter."
        return filtered if self.filter else EMPTY_TEXT

    def on_mount(self) -> None:
        self._entitle()

    def on_resize(self) -> None:
        """Fit the heading and the rows to the width."""
        self._entitle()
        if self._last is not None and self._name_width() != self._drawn_for:
            self.show(*self._last)

    def _name_width(self) -> int:
        room = self.scrollable_content_region.width - BESIDE_NAME
        return min(max(room, LEAST_NAME), MOST_NAME) if self.size.width else NAME_WIDTH

    def _entitle(self) -> None:
        """Write the heading of the accuracies over their column, into the border."""
        room = max(self.size.width - len("Runs") - len(HEADING) - 6, 1)
        self.border_title = f"Runs {'─' * room} {HEADING}"

    def on_option_list_option_highlighted(self, event: PlainList.OptionHighlighted) -> None:
        event.stop()
        self.post_message(self.Chosen(event.option_id))


def in_order(rows: Sequence[Row], places: Mapping[str, int], marks: Container[str]) -> list[Row]:
    """The runs of the list in their order. rows: the newest first. places: of the runs that wait in the queue."""
    running = [row for row in rows if row.status == "running"]
    queued = [row for row in rows if row.status == "queued"]
    queued.sort(key=lambda row: (places.get(row.id, len(places) + 1), row.submitted))
    ended = [row for row in rows if not row.live and (row.status != "cancelled" or row.id in marks)]
    ended.sort(key=lambda row: row.ended or row.submitted, reverse=True)
    kept = [row for number, row in enumerate(queued) if number < MAX_QUEUED or row.id in marks]
    return running + kept + ended[:MAX_ENDED]


def prompt(
    row: Row,
    snapshot: Snapshot,
    marks: Marks,
    scheme: int,
    shown_name: str,
    shares_name: bool = False,
    name_width: int = NAME_WIDTH,
) -> Text:
    """The two lines of a run: glyphs, name and last clean/robust accuracy; then its status, progress or age.

    scheme: of the theme, see `colours`. shares_name: show the id, too, because another run has the same name.
    name_width: in cells; the rest of the lines follows.
    """
    accuracy = _accuracies(row)
    room, state_width = name_room(row, name_width), name_width + ACCURACIES_WIDTH
    name = set_cell_size(shortened(one_line(shown_name), room), room)
    mark = (f"{marks.glyph(row.id)} ", f"bold {run_colour(marks.place(row.id), scheme)}".strip())
    state_glyph = (f"{GLYPHS[row.state]} ", state_colour(row.state, scheme))
    first = Text.assemble(mark, state_glyph, (name, "bold"), f" {accuracy}" * bool(accuracy))
    state = _fit(_state(row, snapshot), state_width)
    if shares_name and len(state) + len(row.id) < state_width:
        state = f"{state:<{state_width - len(row.id)}}{row.id}"
    word_style = state_colour(row.state, scheme) if row.state in LOUD else "dim"
    return Text("\n").join([first, Text(f"    {state}", style=word_style)])


def name_room(row: Row, name_width: int) -> int:
    """Cells of the name of a run, which has what its accuracies leave of their place."""
    accuracies = _accuracies(row)
    return name_width + ACCURACIES_WIDTH - (len(accuracies) + 1 if accuracies else 0)


def _accuracies(row: Row) -> str:
    return "" if row.clean is None else f"{format_percent(row.clean)[:-1]}/{format_percent(row.robust)[:-1]}"


def _state(row: Row, snapshot: Snapshot) -> str:
    view = snapshot.views.get(row.id)
    done = view.state.evaluated_fraction if view else None
    if row.status == "running" and not row.stopping and done is not None:
        return f"evaluating {bar(done)} {format_progress(done):>4}"
    if view and view.state.starting and row.status == "running" and not row.stopping:
        return view.state.starting
    if row.status == "running":
        trained = min(row.epochs / row.total_epochs, 1.0) if row.total_epochs else 0.0
        return f"{_activity(row, view)} {bar(trained)} {trained:4.0%}"
    if row.status == "queued":
        place = snapshot.places.get(row.id)
        return f"{snapshot.held_up or 'queued'}, {ordinal(place)} in line" if place else "queued"
    if evaluation := snapshot.evaluation(row.id):
        return evaluation_words(evaluation, snapshot, with_bar=True)
    outcome = "" if row.state == "collapsed" else row.outcome
    word = "ended" if row.state == "done" and not outcome else row.state
    return f"{', '.join(filter(None, [word, outcome]))} {age_text(row)}"


def _activity(row: Row, view: LiveRun | None) -> str:
    """What a run that trains does."""
    stalled = view and view.verdict.stalled and not row.stopping
    return "stalled" if stalled else status_word(row)


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
