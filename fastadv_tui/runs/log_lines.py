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

SHORT, LONG = "%H:%M", "%m-%d %H:%M:%S"  # forms of a time: in a panel, and where there is room


def event_lines(state: RunState, form: str = LONG) -> list[str]:
    """The lines that describe the events of a run, in order of time. form: of their times."""
    events: list[AnyEvent] = [*state.notes, *state.watch, *state.alarms, *state.rollbacks, *state.ends, *state.final]
    if state.started:
        events.append(state.started)
    lines = [(event.t, _line_of(event, state)) for event in sorted(events, key=lambda event: event.t)]
    return [_timed(when, text, form) for when, text in lines if text]


def end_lines(status: RunStatus, form: str = LONG) -> list[str]:
    """The end of a run that is not done, with its reason if it has one. Empty if the run goes on or is done.

    form: of its time.
    """
    if status.live or status.status == "done":
        return []
    return [_timed(status.ended, f"{status.status}: {status.reason}" if status.reason else status.status, form)]


def is_alarm(line: str) -> bool:
    """Whether a line of the log tells of an alarm."""
    return "ALARM " in line[: len("12-31 23:59:59 ALARM ")]


def waiting_line(status: RunStatus, place: int | None) -> str:
    """What the log says of a run that waits, as it has no events yet. place: in the queue; None if unknown."""
    where = f", place {place}" if place else ""
    return f"waits in the queue{where}{f': {status.reason}' if status.reason else ''}"


def _timed(when: float | None, text: str, form: str) -> str:
    """A line with its time in front, if it is known."""
    return f"{time.strftime(form, time.localtime(when))} {text}" if when else text


def _line_of(event: AnyEvent, state: RunState) -> str:
    """The line of one event. The line of a past epoch has accuracies only: the state does not keep its speed."""
    if isinstance(event, Finished):
        return f"{event.status}: {event.error}" if event.error else event.status
    if isinstance(event, Evaluated) and event.stage == "watch":
        return accuracy_line(event, state)
    return event_line(event, state)
