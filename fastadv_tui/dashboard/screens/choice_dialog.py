"""The dialog in which the user chooses one of many things by typing a part of it."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList
from textual.widgets.option_list import Option

from fastadv_tui.dashboard.widgets.plain_list import PlainList
from fastadv_tui.dashboard.widgets.text_field import TextField
from fastadv_tui.text.sanitize import one_line

MAX_WIDTH = 50  # characters of a choice


class ChoiceDialog(ModalScreen[str | None]):
    """Returns the chosen text, or None if the user cancels. Typing leaves the choices that contain what was typed."""

    BINDINGS = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, title: str, choices: Sequence[str], first: str = "", new: bool = False) -> None:
        """first: the choice under the cursor at the start. new: whether the typed text is offered as a new choice."""
        super().__init__()
        self._title, self._choices, self._first, self._new = title, choices, first, new
        self._shown: list[str] = []
        self._typed: str | None = None  # what the choices contain that are shown

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Label(self._title, markup=False)
            yield TextField(placeholder="type a part of the name" + ", or a new name" * self._new)
            yield PlainList(markup=False)

    def on_mount(self) -> None:
        self._fill()
        if self._first in self._shown:
            self.query_one(OptionList).highlighted = self._shown.index(self._first)
        self.set_focus(self.query_one(Input))

    def on_input_changed(self) -> None:
        self._fill()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._shown[event.option_index])

    def on_key(self, event: Key) -> None:
        """Move the cursor of the list. A binding would be run after an enter that was typed later."""
        if event.key in ("up", "down"):
            event.stop()
            self._fill()
            getattr(self.query_one(OptionList), f"action_cursor_{event.key}")()

    def on_input_submitted(self) -> None:
        self._fill()
        place = self.query_one(OptionList).highlighted
        if place is not None and self._shown:
            self.dismiss(self._shown[place])

    def _fill(self) -> None:
        """Show the choices that contain what the field has now; a key may come before the message of its change."""
        typed = self.query_one(Input).value
        if typed == self._typed:
            return
        self._typed = typed
        self._shown = [choice for choice in self._choices if typed.casefold() in choice.casefold()]
        prompts = [one_line(choice, MAX_WIDTH) for choice in self._shown]
        if self._new and typed.strip() and typed.strip() not in self._choices:
            self._shown.append(typed.strip())
            prompts.append(f"new: {one_line(typed.strip(), MAX_WIDTH)}")
        choices = self.query_one(OptionList)
        choices.set_options(map(Option, prompts))
        if not self._shown:
            choices.add_option(Option(self._nothing(), disabled=True))
        choices.highlighted = 0 if self._shown else None

    def _nothing(self) -> str:
        """The line of a list without choices."""
        if not self._choices:
            return "none yet; type a name for a new one" if self._new else "none yet"
        return f"none of the {len(self._choices)} choices contains this"
