"""The log of a run: what its events say and what its process printed, followed."""

from rich.text import Text
from textual.widgets import RichLog

from engine.protocol.events import AnyEvent, Evaluated
from fastadv_tui.dashboard.snapshot import LiveRun
from fastadv_tui.runs.event_text import accuracy_line, event_line
from fastadv_tui.runs.state import RunState
from fastadv_tui.text.sanitize import one_line
from fastadv_tui.text.tail import LineFollower, tail

KEPT = 2000  # lines
AT_ONCE = 200  # lines of the process's output taken in at one look
LONGEST = 400  # characters of one line


class LogView(RichLog):
    """Follows one run; scrolling up pauses the following, the end takes it up again."""

    def __init__(self, **options: object) -> None:
        super().__init__(max_lines=KEPT, wrap=False, markup=False, highlight=False, **options)  # type: ignore[arg-type]
        self._run_id: str | None = None
        self._told: set[str] = set()
        self._output: LineFollower | None = None

    def show(self, view: LiveRun | None) -> None:
        """Append what is new of this run; another run starts afresh."""
        run_id = view.rundir.id if view else None
        if run_id != self._run_id:
            self._begin(view)
        if view is None:
            return
        for text in event_lines(view):
            if text not in self._told:
                self._told.add(text)
                self._say(text, "bold red" if text.startswith("ALARM") else "")
        for text in (self._output.poll() if self._output else [])[-AT_ONCE:]:
            self._say(text, "dim")

    def _begin(self, view: LiveRun | None) -> None:
        self.clear()
        self._told.clear()
        self._run_id = view.rundir.id if view else None
        self._output = LineFollower(view.rundir.log) if view else None
        for text in tail(view.rundir.log, AT_ONCE) if view else []:
            self._say(text, "dim")

    def _say(self, text: str, style: str) -> None:
        self.write(Text(one_line(text, LONGEST), style=style), scroll_end=self.is_vertical_scroll_end)


def event_lines(view: LiveRun) -> list[str]:
    """The lines that the events of a run deserve, in their order."""
    state = view.state
    events: list[AnyEvent] = [*state.notes, *state.watch, *state.alarms, *state.final]
    if state.started:
        events.append(state.started)
    lines = [_line_of(event, state) for event in sorted(events, key=lambda event: event.t)]
    if not view.verdict.live and view.verdict.status != "done":
        lines.append(f"{view.verdict.status}: {view.verdict.reason}" if view.verdict.reason else view.verdict.status)
    return [text for text in lines if text]


def _line_of(event: AnyEvent, state: RunState) -> str:
    """Of a past epoch only what was measured then; its pace is gone from the state."""
    if isinstance(event, Evaluated) and event.stage == "watch":
        return accuracy_line(event, state)
    return event_line(event, state)
