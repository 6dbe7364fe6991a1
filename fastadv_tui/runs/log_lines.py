"""The lines of a run's log, the same in the dashboard and in `fastadv logs`.

A log shows the events, then the output of the process, then the end of the run. So the traceback of a failed run stands
at the end of the log, beside the reason, however many epochs the run has trained. Each line of an event begins with its
time; the lines of the output have none, as a process writes what it wants.
"""

import time

from engine.protocol.events import AnyEvent, Evaluated, Finished
from fastadv_tui.runs.event_text import accuracy_line, event_line
from fastadv_tui.runs.state import RunState
from fastadv_tui.runs.status import RunStatus

LONG, SHORT = "%m-%d %H:%M:%S ", "%H:%M "  # forms of a time; a narrow panel has none
Told = tuple[float, str]  # the unix time of a line, 0 if unknown, and its text


def event_lines(state: RunState) -> list[str]:
    """The lines that describe the events of a run, in order of time, each with its time."""
    return [with_time(told, LONG) for told in events_told(state)]


def end_lines(status: RunStatus) -> list[str]:
    """The end of a run that is not done, with its time. Empty if the run goes on or is done."""
    return [with_time(told, LONG) for told in end_told(status)]


def events_told(state: RunState) -> list[Told]:
    """As `event_lines`, with the times as numbers."""
    events: list[AnyEvent] = [
        *state.notes,
        *state.watch,
        *state.alarms,
        *state.rollbacks,
        *state.ends,
        *state.final,
        *state.starts,
    ]
    if state.started:
        events.append(state.started)
    lines = [(event.t, _line_of(event, state)) for event in sorted(events, key=lambda event: event.t)]
    return [(when, text) for when, text in lines if text]


def end_told(status: RunStatus) -> list[Told]:
    """As `end_lines`, with the time as a number. The text has the reason, if there is one."""
    if status.live or status.status == "done":
        return []
    return [(status.ended or 0.0, f"{status.status}: {status.reason}" if status.reason else status.status)]


def with_time(told: Told, form: str) -> str:
    """A line with its time in front, if it is known. form: of the time; empty for none."""
    when, text = told
    return f"{time.strftime(form, time.localtime(when))}{text}" if when else text


def waiting_line(status: RunStatus, place: int | None) -> str:
    """What the log says of a run that waits, as it has no events yet. place: in the queue; None if unknown."""
    where = f", place {place}" if place else ""
    return f"waits in the queue{where}{f': {status.reason}' if status.reason else ''}"


def _line_of(event: AnyEvent, state: RunState) -> str:
    """The line of one event. The line of a past epoch has accuracies only: the state does not keep its speed."""
    if isinstance(event, Finished):
        return f"{event.status}: {event.error}" if event.error else event.status
    if isinstance(event, Evaluated) and event.stage == "watch":
        return accuracy_line(event, state)
    return event_line(event, state)
