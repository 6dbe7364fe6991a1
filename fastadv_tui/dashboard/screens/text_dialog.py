"""The dialog that asks for a line of text."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from fastadv_tui.dashboard.widgets.text_field import TextField


class TextDialog(ModalScreen[str | None]):
    """Returns the text that was typed, or None if the user cancels."""

    BINDINGS = [("escape", "dismiss(None)", "Cancel")]

    def __init__(self, label: str, text: str) -> None:
        super().__init__()
        self._label, self._text = label, text

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Label(f"{self._label} (enter saves, escape cancels)", markup=False)
            yield TextField(self._text)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)
