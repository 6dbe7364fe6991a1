"""The log of a run, followed: lines made from its events, and the output of its process."""

from rich.text import Text
from textual.events import Resize
from textual.widgets import RichLog

from fastadv_tui.dashboard.snapshot import LiveRun
from fastadv_tui.runs.log_lines import SHORT, Told, end_told, events_told, waiting_line, with_time
from fastadv_tui.text.sanitize import one_line
from fastadv_tui.text.tail import LineFollower, tail

MAX_LINES = 2000  # older lines are dropped
MAX_OUTPUT = 200  # lines of output that one update shows; earlier ones are skipped
WIDE = 140  # columns of a terminal whose panel has room for times; in fewer they would push accuracies off its edge
MAX_LENGTH = 400  # characters of a line; the rest is cut off


class LogView(RichLog):
    """Follows one run. Scrolling up stops the automatic scrolling; scrolling to the end starts it again.

    Another size of the panel, or a panel that was hidden, stops nothing: the log then shows its end again.
    """

    def __init__(self, **options: object) -> None:
        super().__init__(max_lines=MAX_LINES, wrap=False, markup=False, highlight=False, **options)  # type: ignore[arg-type]
        self._run_id: str | None = None
        self._shown: set[Told] = set()
        self._output: LineFollower | None = None
        self._follows = True
        self._height = 0  # of the panel, as the last resize told it

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self.size and self.size.height == self._height:  # otherwise the new size moved the text, not the user
            self._follows = self.is_vertical_scroll_end

    def on_resize(self, event: Resize) -> None:
        self._height = self.size.height
        if self._follows:
            self.scroll_end(animate=False)

    def show(self, view: LiveRun | None, place: int | None = None) -> None:
        """Append the new lines of a run. Another run than before replaces all lines. place: of the run in the queue."""
        run_id = view.rundir.id if view else None
        if run_id != self._run_id:
            self.clear()
            self._shown.clear()
            self._run_id, self._output, self._follows = run_id, None, True
        if view is None:
            return
        self._append_new(events_told(view.state))
        for text in self._new_output(view):
            self._append(text, "dim")
        self._append_new(end_told(view.verdict))
        if view.verdict.status == "queued":
            self._append_new([(0.0, waiting_line(view.verdict, place))])

    def _new_output(self, view: LiveRun) -> list[str]:
        """The newest lines of the output at first, and then the lines that were added since the last call."""
        if self._output is None:
            self._output = LineFollower(view.rundir.log)
            return tail(view.rundir.log, MAX_OUTPUT)
        return self._output.poll()[-MAX_OUTPUT:]

    def _append_new(self, lines: list[Told]) -> None:
        form = SHORT if self.app.size.width >= WIDE else ""
        for told in lines:
            if told not in self._shown:
                self._shown.add(told)
                self._append(with_time(told, form), "bold red" if told[1].startswith("ALARM") else "")

    def _append(self, text: str, style: str) -> None:
        self.write(Text(one_line(text, MAX_LENGTH), style=style), scroll_end=self._follows)
