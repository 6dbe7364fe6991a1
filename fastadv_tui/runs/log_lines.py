"""The lines of a run's log, the same in the dashboard and in `fastadv logs`: output of the process, then its events."""

from engine.protocol.events import AnyEvent, Evaluated
from fastadv_tui.runs.event_text import accuracy_line, event_line
from fastadv_tui.runs.state import RunState
from fastadv_tui.runs.status import RunStatus


def event_lines(state: RunState, status: RunStatus) -> list[str]:
    """The lines that describe the events of a run, in order of time, and the end of a run that failed or stopped."""
    events: list[AnyEvent] = [*state.notes, *state.watch, *state.alarms, *state.final]
    if state.started:
        events.append(state.started)
    lines = [_line_of(event, state) for event in sorted(events, key=lambda event: event.t)]
    if not status.live and status.status != "done":
        lines.append(f"{status.status}: {status.reason}" if status.reason else status.status)
    return [text for text in lines if text]


def _line_of(event: AnyEvent, state: RunState) -> str:
    """The line of one event. The line of a past epoch has accuracies only: the state does not keep its speed."""
    if isinstance(event, Evaluated) and event.stage == "watch":
        return accuracy_line(event, state)
    return event_line(event, state)
