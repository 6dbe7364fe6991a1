"""The dialog in which the user chooses what to show: columns of the history, or metrics."""

from collections.abc import Iterable, Mapping

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, SelectionList
from textual.widgets.selection_list import Selection

from fastadv_tui.dashboard.widgets.plain_list import PlainSelectionList


class ColumnsDialog(ModalScreen[tuple[str, ...] | None]):
    """Returns the chosen keys. Keys that were already shown come first. Returns None if the user cancels.

    what: the name of what is chosen. names: of the keys, for the user; by default the keys themselves.
    """

    BINDINGS = [
        Binding("enter", "save", "Save", priority=True),  # without priority, the list takes enter as space
        Binding("escape", "dismiss(None)", "Cancel"),
    ]

    def __init__(
        self,
        chosen: Iterable[str],
        others: Iterable[str],
        what: str = "Columns",
        names: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self._what, self._names = what, names or {}
        self._order = (*chosen, *others)
        self._chosen = set(chosen)

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Label(f"{self._what}: space shows or hides, enter saves, escape cancels", markup=False)
            yield PlainSelectionList(
                *(Selection(self._names.get(key, key), key, key in self._chosen) for key in self._order)
            )

    def action_save(self) -> None:
        chosen = set(self.query_one(SelectionList).selected)
        self.dismiss(tuple(key for key in self._order if key in chosen))
