"""The dialog that asks for a line of text."""

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from fastadv_tui.dashboard.widgets.text_field import TextField
from fastadv_tui.errors import UserError
from fastadv_tui.text.sanitize import one_line


class TextDialog(ModalScreen[str | None]):
    """Returns the text that was typed, or None if the user cancels.

    enter: what the enter key does, in a word. take: called with the text before the dialog closes. The dialog shows a
    UserError of `take` and stays, so that the text can be corrected.
    """

    BINDINGS = [("escape", "dismiss(None)", "Cancel")]

    def __init__(
        self, label: str, text: str, enter: str = "saves", take: Callable[[str], object] = lambda text: None
    ) -> None:
        super().__init__()
        self._label, self._text, self._enter, self._take = label, text, enter, take

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Label(f"{self._label} (enter {self._enter}, escape cancels)", markup=False)
            yield TextField(self._text)
            yield Static(id="problem", markup=False)

    def on_input_changed(self) -> None:
        self._show_problem("")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        try:
            self._take(event.value)
        except UserError as error:
            self._show_problem(f"! {one_line(str(error))}")
        else:
            self.dismiss(event.value)

    def _show_problem(self, text: str) -> None:
        problem = self.query_one("#problem", Static)
        problem.update(text)
        problem.display = bool(text)
