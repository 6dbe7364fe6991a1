"""The dialog in which the user chooses what to show: columns of the history, or metrics."""

from collections.abc import Callable, Iterable, Mapping

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Label, SelectionList
from textual.widgets.selection_list import Selection

from fastadv_tui.dashboard.widgets.plain_list import PlainSelectionList
from fastadv_tui.dashboard.widgets.text_field import TextField

LIST_KEYS = {
    "up": "cursor_up",
    "down": "cursor_down",
    "pageup": "page_up",
    "pagedown": "page_down",
    "home": "first",
    "end": "last",
}


class ColumnsDialog(ModalScreen[tuple[str, ...] | None]):
    """Returns the chosen keys. Keys that were already shown come first. Returns None if the user cancels.

    Typing leaves the names that contain what was typed. What was chosen stays so while its name is not listed.
    what: the name of what is chosen. names: of the keys, for the user; by default the keys themselves.
    """

    BINDINGS = [Binding("escape", "dismiss(None)", "Cancel")]

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
        self._typed: str | None = None  # what the names contain that are listed

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Label(f"{self._what}: space shows or hides, enter saves, escape cancels", markup=False)
            yield _Search(self._press)
            listed = PlainSelectionList()
            listed.can_focus = False  # the field has the keys; a list with the focus would take enter as space
            yield listed

    def on_mount(self) -> None:
        self._list_names()
        self.set_focus(self.query_one(_Search))

    def on_input_changed(self) -> None:
        self._list_names()

    def on_selection_list_selection_toggled(self, event: SelectionList.SelectionToggled[str]) -> None:
        self._remember(event.selection.value)

    def _list_names(self) -> None:
        """List the names that contain what the field has now; a key may come before the message of its change."""
        typed = self.query_one(_Search).value.casefold()
        if typed == self._typed:
            return
        self._typed = typed
        names = {key: self._names.get(key, key) for key in self._order}
        listed = self.query_one(PlainSelectionList)
        listed.clear_options()
        listed.add_options(
            Selection(name, key, key in self._chosen) for key, name in names.items() if typed in name.casefold()
        )
        listed.highlighted = 0 if listed.option_count else None

    def _press(self, key: str) -> bool:
        self._list_names()
        if key == "enter":
            self._save()
        elif key == "space":
            self._toggle()
        elif action := LIST_KEYS.get(key):
            getattr(self.query_one(PlainSelectionList), f"action_{action}")()
        return key in {"enter", "space", *LIST_KEYS}

    def _toggle(self) -> None:
        listed = self.query_one(PlainSelectionList)
        if listed.highlighted is not None:
            key = listed.get_option_at_index(listed.highlighted).value
            listed.toggle(key)
            self._remember(key)

    def _remember(self, key: str) -> None:
        shown = key in self.query_one(PlainSelectionList).selected
        self._chosen = self._chosen | {key} if shown else self._chosen - {key}

    def _save(self) -> None:
        self.dismiss(tuple(key for key in self._order if key in self._chosen))


class _Search(TextField):
    """A field that first offers each key to the dialog. So all keys act in the order in which they were typed.

    press: whether the dialog takes a key.
    """

    def __init__(self, press: Callable[[str], bool]) -> None:
        super().__init__(placeholder="type a part of the name")
        self._press = press

    async def on_key(self, event: Key) -> None:
        if self._press(event.key):
            event.stop()
            event.prevent_default()
        else:
            await super().on_key(event)
