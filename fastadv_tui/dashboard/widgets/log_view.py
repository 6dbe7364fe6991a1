"""The log of a run, followed: lines made from its events, and the output of its process."""

from rich.text import Text
from textual.widgets import RichLog

from fastadv_tui.dashboard.snapshot import LiveRun
from fastadv_tui.runs.log_lines import event_lines
from fastadv_tui.text.sanitize import one_line
from fastadv_tui.text.tail import LineFollower, tail

MAX_LINES = 2000  # older lines are dropped
MAX_OUTPUT = 200  # lines of output that one update shows; earlier ones are skipped
MAX_LENGTH = 400  # characters of a line; the rest is cut off


class LogView(RichLog):
    """Follows one run. Scrolling up stops the automatic scrolling; scrolling to the end starts it again."""

    def __init__(self, **options: object) -> None:
        super().__init__(max_lines=MAX_LINES, wrap=False, markup=False, highlight=False, **options)  # type: ignore[arg-type]
        self._run_id: str | None = None
        self._shown: set[str] = set()
        self._output: LineFollower | None = None

    def show(self, view: LiveRun | None) -> None:
        """Append the new lines of a run. Another run than before replaces all lines."""
        run_id = view.rundir.id if view else None
        if run_id != self._run_id:
            self._begin(view)
        if view is None:
            return
        for text in event_lines(view.state, view.verdict):
            if text not in self._shown:
                self._shown.add(text)
                self._append(text, "bold red" if text.startswith("ALARM") else "")
        for text in (self._output.poll() if self._output else [])[-MAX_OUTPUT:]:
            self._append(text, "dim")

    def _begin(self, view: LiveRun | None) -> None:
        self.clear()
        self._shown.clear()
        self._run_id = view.rundir.id if view else None
        self._output = LineFollower(view.rundir.log) if view else None
        for text in tail(view.rundir.log, MAX_OUTPUT) if view else []:
            self._append(text, "dim")

    def _append(self, text: str, style: str) -> None:
        self.write(Text(one_line(text, MAX_LENGTH), style=style), scroll_end=self.is_vertical_scroll_end)
