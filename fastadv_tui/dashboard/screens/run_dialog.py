"""The dialog that asks for a past run."""

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList
from textual.widgets.option_list import Option

from fastadv_tui.dashboard.widgets.plain_list import PlainList
from fastadv_tui.dashboard.widgets.text_field import TextField
from fastadv_tui.history.row import Row
from fastadv_tui.text.quantities import GLYPHS, format_age, format_percent
from fastadv_tui.text.sanitize import one_line

MAX_LINES = 100  # runs in the list; the filter searches all


class RunDialog(ModalScreen[Row | None]):
    """Returns the chosen run, or None if the user cancels. rows: newest first."""

    BINDINGS = [("escape", "dismiss(None)", "Cancel")]

    def __init__(self, rows: Sequence[Row]) -> None:
        super().__init__()
        self._rows = rows
        self._found: list[Row] = []
        self._typed: str | None = None  # the filter of the runs that are shown

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Label("fill the form from a past run (type to filter, enter takes it, escape cancels)", markup=False)
            yield TextField(placeholder="name, id, data set or method")
            yield PlainList(id="past-runs", markup=False)

    def on_mount(self) -> None:
        self.query_one(OptionList).can_focus = False  # the keys of the list come from the field above it
        self._show()

    def on_input_changed(self) -> None:
        self._show()

    def on_input_submitted(self) -> None:
        self._show()
        chosen = self.query_one(OptionList).highlighted
        if chosen is not None and self._found:
            self.dismiss(self._found[chosen])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._found[event.option_index])

    def on_key(self, event: Key) -> None:
        """Move the cursor of the list. A binding would be run after an enter that was typed later."""
        if event.key in ("up", "down"):
            event.stop()
            self._show()
            getattr(self.query_one(OptionList), f"action_cursor_{event.key}")()

    def _show(self) -> None:
        """Show the runs that match what the field has now; a key may come before the message of its change."""
        typed = self.query_one(Input).value
        if typed == self._typed:
            return
        self._typed, words = typed, typed.lower().split()
        matches = (row for row in self._rows if all(word in _searched(row) for word in words))
        self._found = [row for row, _ in zip(matches, range(MAX_LINES), strict=False)]
        runs = self.query_one(OptionList)
        runs.clear_options().add_options([Option(_line(row)) for row in self._found])
        if not self._found:
            none = "no past run yet" if not self._rows else f"none of the {len(self._rows):,} past runs contains this"
            runs.add_option(Option(none, disabled=True))
        runs.highlighted = 0 if self._found else None


def _searched(row: Row) -> str:
    return f"{row.name} {row.id} {row.dataset} {row.method} {row.status}".lower()


def _line(row: Row) -> Text:
    accuracy = f"{format_percent(row.clean)} / {format_percent(row.robust)}" if row.clean is not None else ""
    name = one_line(row.name, 24)
    return Text(
        f"{GLYPHS.get(row.status, '?')} {name:24} {f'seed {row.seed}':9} {one_line(row.id, 8):8} {accuracy:14}"
        f" {format_age(row.submitted)}",
        no_wrap=True,
        overflow="ellipsis",
    )
