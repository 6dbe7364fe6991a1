"""The lines of a run's log, the same in the dashboard and in `fastadv logs`.

A log shows the events, then the output of the process, then the end of the run. So the traceback of a failed run stands
at the end of the log, beside the reason, however many epochs the run has trained.
"""

from engine.protocol.events import AnyEvent, Evaluated
from fastadv_tui.runs.event_text import accuracy_line, event_line
from fastadv_tui.runs.state import RunState
from fastadv_tui.runs.status import RunStatus


def event_lines(state: RunState) -> list[str]:
    """The lines that describe the events of a run, in order of time."""
    events: list[AnyEvent] = [*state.notes, *state.watch, *state.alarms, *state.rollbacks, *state.final]
    if state.started:
        events.append(state.started)
    lines = [_line_of(event, state) for event in sorted(events, key=lambda event: event.t)]
    return [text for text in lines if text]


def end_lines(status: RunStatus) -> list[str]:
    """The end of a run that is not done, with its reason if it has one. Empty if the run goes on or is done."""
    if status.live or status.status == "done":
        return []
    return [f"{status.status}: {status.reason}" if status.reason else status.status]


def _line_of(event: AnyEvent, state: RunState) -> str:
    """The line of one event. The line of a past epoch has accuracies only: the state does not keep its speed."""
    if isinstance(event, Evaluated) and event.stage == "watch":
        return accuracy_line(event, state)
    return event_line(event, state)
