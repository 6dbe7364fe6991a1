"""What a notification says about a run."""

import time
from pathlib import Path
from typing import Literal

from msgspec import Struct

from engine.protocol.evaluations import read
from engine.protocol.requests import EvalRequest
from engine.protocol.rundir import RunDir, SubmissionError
from fastadv_tui.history.evaluations import short_text
from fastadv_tui.history.notes import read_notes
from fastadv_tui.notify.settings import Event
from fastadv_tui.runs.evaluation_jobs import read_request
from fastadv_tui.runs.observe import Observation, observe
from fastadv_tui.supervise.records import STALLED_SECONDS
from fastadv_tui.text.quantities import attack_name, format_duration, format_percent, known_iso_time
from fastadv_tui.text.sanitize import one_line, run_label

MAX_TEXT = 500  # characters
Happened = Literal["ended", "stall", "alarm"]  # what the supervisor sees; `ended` is told as `end` or `fail`


class Message(Struct, frozen=True, kw_only=True):
    """A notification. event: also `test`. run, name, status: empty if it is about no run. time: ISO 8601."""

    event: Event | Literal["test"]
    title: str
    text: str
    time: str
    run: str = ""
    name: str = ""
    status: str = ""


def message_of(rundir: RunDir, happened: Happened, count: int = 1, text: str = "") -> Message:
    """The message about what happened to a run, or to an evaluation of a run.

    count: number of alarms since the last message; text: of the first.
    """
    seen, request = observe(rundir), read_request(rundir)
    run = RunDir(Path(request.run)) if request else rundir
    name, status = _name(run), seen.status.status
    label = f"{'evaluation of ' if request else ''}{run_label(name, run.id)}"
    event: Event
    match happened:
        case "ended":
            event = "fail" if status in ("failed", "lost") else "end"
            title = f"{label} {status if not seen.status.live else 'has ended'}"
            body = _results(seen, request, run) if request else _outcome(seen)
            body += f"; {count} alarm(s) before that" * (count > 0)
        case "stall":
            event, title = "stall", f"{label} has stalled"
            body = f"no event for {format_duration(STALLED_SECONDS)}; `fastadv logs {rundir.id}` shows its log"
        case "alarm":
            event, title = "alarm", f"ALARM in {label}"
            body = text + f" (the first of {count} alarms)" * (count > 1)
    return Message(
        event=event,
        title=one_line(title, MAX_TEXT),
        text=one_line(body, MAX_TEXT),
        time=known_iso_time(time.time()) or "",
        run=run.id,
        name=one_line(name, MAX_TEXT),
        status=status,
    )


def sample_message() -> Message:
    """A message that is about no run."""
    return Message(
        event="test",
        title="fastadv: a test",
        text="notifications of this home arrive here",
        time=known_iso_time(time.time()) or "",
    )


def _name(run: RunDir) -> str:
    try:
        return read_notes(run).name or run.submission().config.title
    except SubmissionError:
        return run.id


def _results(seen: Observation, request: EvalRequest, run: RunDir) -> str:
    """Why an evaluation ended, and what it measured: a result for each eps."""
    if seen.status.status != "done":
        return seen.status.reason or "it has measured nothing"
    return "; ".join(short_text(record) for record in read(run.evaluations)[-len(request.eps) :])


def _outcome(seen: Observation) -> str:
    """Why a run ended, its last accuracies, and how long it trained."""
    accuracy = seen.state.last_accuracy
    parts = [seen.status.reason]
    if seen.state.alarms:
        parts.append("training collapsed" if seen.state.alarms[-1].kind != "diverged" else "")
    if seen.state.rollbacks:
        parts.append(f"rolled back {len(seen.state.rollbacks)} time(s) after a collapse")
    if accuracy is not None:
        figures = f"clean {format_percent(accuracy.clean)}, robust {format_percent(accuracy.robust)}"
        parts.append(f"{figures} under {attack_name(accuracy.attack)}")
    parts.append(f"trained for {format_duration(seen.state.elapsed)}" if seen.state.elapsed else "")
    return "; ".join(part for part in parts if part) or "it has not trained"
