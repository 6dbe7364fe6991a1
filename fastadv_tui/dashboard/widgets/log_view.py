"""The log of a run, followed: lines made from its events, and the output of its process."""

from rich.text import Text
from textual.widgets import RichLog

from engine.protocol.events import AnyEvent, Evaluated
from fastadv_tui.dashboard.snapshot import LiveRun
from fastadv_tui.runs.event_text import accuracy_line, event_line
from fastadv_tui.runs.state import RunState
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
        for text in event_lines(view):
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


def event_lines(view: LiveRun) -> list[str]:
    """The lines that describe the events of a run, in order of time, and the end of a run that failed or stopped."""
    state = view.state
    events: list[AnyEvent] = [*state.notes, *state.watch, *state.alarms, *state.final]
    if state.started:
        events.append(state.started)
    lines = [_line_of(event, state) for event in sorted(events, key=lambda event: event.t)]
    if not view.verdict.live and view.verdict.status != "done":
        lines.append(f"{view.verdict.status}: {view.verdict.reason}" if view.verdict.reason else view.verdict.status)
    return [text for text in lines if text]


def _line_of(event: AnyEvent, state: RunState) -> str:
    """The line of one event. The line of a past epoch has accuracies only: the state does not keep its speed."""
    if isinstance(event, Evaluated) and event.stage == "watch":
        return accuracy_line(event, state)
    return event_line(event, state)
