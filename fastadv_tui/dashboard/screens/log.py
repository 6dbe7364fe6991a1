"""The screen with the log of one run. It opens at the end, where a failed run has its traceback and reason."""

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.widgets import Input, Static

from fastadv_tui.dashboard.screens.base import Screen
from fastadv_tui.dashboard.snapshot import LiveRun, Snapshot
from fastadv_tui.dashboard.widgets.key_bar import KeyBar
from fastadv_tui.dashboard.widgets.log_view import MAX_LENGTH
from fastadv_tui.dashboard.widgets.text_field import TextField
from fastadv_tui.dashboard.widgets.top_bar import TopBar
from fastadv_tui.runs.log_lines import end_lines, event_lines
from fastadv_tui.text.sanitize import one_line
from fastadv_tui.text.tail import tail

MAX_LINES = 1000  # of the output of the process


class LogScreen(Screen[None]):
    """Shows the lines of the events, then the output of the process. `/` filters the lines; new lines are followed."""

    BINDINGS = [
        Binding("escape", "back", "Back", id="log-back", tooltip="clear the search, or go back"),
        Binding("l", "app.pop_screen", "Back", id="log-leave", show=False, tooltip="back to the screen before"),
        Binding(
            "slash",
            "search",
            "Search",
            id="log-search",
            tooltip="show only the lines that contain a text",
            key_display="/",
            priority=True,
        ),
        Binding("p", "pause", "Pause", id="log-pause", tooltip="stop following new lines, or follow them again"),
    ]

    def __init__(self, view: LiveRun) -> None:
        super().__init__()
        self._view, self._search, self._paused = view, "", False

    def compose(self) -> ComposeResult:
        yield TopBar("Runs")
        with VerticalScroll(id="whole-log"):
            yield Static(id="text", markup=False)
        yield TextField(placeholder="show only lines with ...", id="search")
        yield KeyBar()

    def begin(self) -> None:
        self.query_one("#whole-log").border_title = f"Log of {self._view.rundir.id}"
        self.set_focus(self.query_one("#whole-log"))

    def take(self, snapshot: Snapshot) -> None:
        if self._paused:
            return
        self._view = snapshot.views.get(self._view.rundir.id, self._view)
        scroll = self.query_one("#whole-log", VerticalScroll)
        at_end = scroll.is_vertical_scroll_end
        self._draw()
        if at_end:
            scroll.scroll_end(animate=False)

    def action_back(self) -> None:
        """Clear the search; without one, leave its field; else leave the screen."""
        field, log = self.query_one("#search", Input), self.query_one("#whole-log")
        if field.value or field.has_focus:
            field.value = ""
            self.set_focus(log)
        else:
            self.app.pop_screen()

    def action_search(self) -> None:
        self.set_focus(self.query_one("#search"))

    def action_pause(self) -> None:
        self._paused = not self._paused
        self.notify("paused" if self._paused else "following")

    def on_input_changed(self, event: Input.Changed) -> None:
        self._search = event.value.casefold()
        self._draw()

    def on_input_submitted(self) -> None:
        self.set_focus(self.query_one("#whole-log"))

    def _draw(self) -> None:
        output = tail(self._view.rundir.log, MAX_LINES)
        lines = [(text, "") for text in event_lines(self._view.state)] + [(text, "dim") for text in output]
        lines += [(text, "") for text in end_lines(self._view.verdict)]
        found = [(one_line(text, MAX_LENGTH), style) for text, style in lines if self._search in text.casefold()]
        empty = Text("nothing logged yet" if not self._search else "no line contains this text", style="dim")
        text = Text("\n").join(Text(shown, style=style) for shown, style in found) if found else empty
        self.query_one("#text", Static).update(text)
