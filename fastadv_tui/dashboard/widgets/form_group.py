"""The heading of a group of settings, which opens and closes the group."""

from rich.text import Text
from textual.binding import Binding
from textual.events import Click
from textual.message import Message
from textual.widget import Widget

from fastadv_tui.text.sanitize import one_line


class GroupHeading(Widget, can_focus=True):
    """`▾ Attack` or `▸ Optimizer  learning rate 0.1`: a closed group names what its fields change."""

    class Toggled(Message):
        """The user opens or closes the group."""

        def __init__(self, heading: "GroupHeading") -> None:
            super().__init__()
            self.heading = heading

    COMPONENT_CLASSES = {"group--summary", "group--error"}
    DEFAULT_CSS = """
    GroupHeading {
        height: 1; color: $primary; text-style: bold;
        &:focus { background: $primary 25%; }
        &>.group--summary { color: $foreground 70%; text-style: not bold; }
        &>.group--error { color: $text-error; text-style: not bold; }
    }
    """
    BINDINGS = [Binding("enter,space,left,right", "open_or_close", "Open or close", show=False)]

    def __init__(self, name: str, opened: bool) -> None:
        super().__init__(id=heading_id(name))
        self.title, self.opened = name, opened
        self._summary = ""
        self._errors = 0

    def show(self, opened: bool, summary: str, errors: int) -> None:
        """Draw whether the group is open, what a closed group changes, and how many errors it has."""
        if (opened, summary, errors) != (self.opened, self._summary, self._errors):
            self.opened, self._summary, self._errors = opened, summary, errors
            self.refresh()

    def render(self) -> Text:
        text = Text(f"{'▾' if self.opened else '▸'} {self.title}", no_wrap=True, overflow="ellipsis")
        if self._errors and not self.opened:
            said = f"  {self._errors} error{'s' * (self._errors > 1)}"
            text.append(said, self.get_component_rich_style("group--error", partial=True))
        if self._summary and not self.opened:
            text.append(f"  {one_line(self._summary)}", self.get_component_rich_style("group--summary", partial=True))
        return text

    def action_open_or_close(self) -> None:
        self.post_message(self.Toggled(self))

    def on_click(self, event: Click) -> None:
        event.stop()
        self.action_open_or_close()


def heading_id(name: str) -> str:
    return f"group-{name.lower()}"
