"""Which columns the history shows."""

from collections.abc import Iterable

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, SelectionList
from textual.widgets.selection_list import Selection


class ColumnsDialog(ModalScreen[tuple[str, ...] | None]):
    """The columns that were chosen, those of before first; None if the user thought better of it."""

    BINDINGS = [
        Binding("enter", "keep", "Keep", priority=True),  # or the list would take it as a space
        Binding("escape", "dismiss(None)", "Cancel"),
    ]

    def __init__(self, chosen: Iterable[str], others: Iterable[str]) -> None:
        super().__init__()
        self._order = (*chosen, *others)
        self._chosen = set(chosen)

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Label("Columns (space turns one on or off, enter keeps them, escape does not)", markup=False)
            yield SelectionList[str](*(Selection(key, key, key in self._chosen) for key in self._order))

    def action_keep(self) -> None:
        chosen = set(self.query_one(SelectionList).selected)
        self.dismiss(tuple(key for key in self._order if key in chosen))
