"""The status of a run. It is always derived from the events, the exit record and the processes of the run."""

import signal
import time
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from engine.protocol.events import COMPILING, Finished
from fastadv_tui.runs.state import RunState
from fastadv_tui.supervise import process_identity
from fastadv_tui.supervise.records import STALLED_SECONDS, ExitRecord, ProcessRecord, QueueRecord

if TYPE_CHECKING:
    from engine.protocol.submission import Submission

Status = Literal["queued", "running", "done", "stopped", "cancelled", "failed", "lost"]
LIVE: tuple[Status, ...] = ("queued", "running")
NO_CONFIG, NO_SUPERVISOR = "config.json cannot be read", "the run was never started"
NO_FOLDER = "the run folder is missing"
NO_PLACE = "its place in the queue is gone"
KILLED = "killed after a stop request"
NO_KEEPER = "no keeper is alive"  # of the queue; any command of fastadv on that host starts one
START_SECONDS = 15.0  # how long a new run may have neither a place in the queue nor a supervisor


class RunStatus(Struct, frozen=True, kw_only=True):
    """The status of a run and its reason. `host` is set only for a run on another machine. `ended` is a unix time.

    stopping: whether the run is running and was asked to stop.
    """

    status: Status
    reason: str = ""
    host: str = ""
    stalled: bool = False
    stopping: bool = False
    ended: float | None = None

    @property
    def live(self) -> bool:
        return self.status in LIVE


class Evidence(Struct, frozen=True, kw_only=True):
    """The facts about a run besides its events, as `runs/observe.py` reads them. None: missing or unreadable.

    queued: the newest attempt that was put into a queue. waits: whether the queue holds a ticket for the run.
    held_up: why no run of the queue starts; empty if runs start when slots are free.
    alive: whether the supervisor or the engine is alive; None if the run is on another host.
    exit: the newest exit record, which may belong to an earlier attempt.
    finished: the `finished` event of the present attempt. It is read only after the processes have ended.
    stop_asked: whether the run was asked to stop; true for a run that has stopped, too, until it is resumed.
    folder: whether the run has a folder.
    """

    submission: "Submission | None" = None
    queued: QueueRecord | None = None
    waits: bool = False
    held_up: str = ""
    process: ProcessRecord | None = None
    alive: bool | None = None
    exit: ExitRecord | None = None
    finished: Finished | None = None
    stop_asked: bool = False
    folder: bool = True


def derive(evidence: Evidence, state: RunState) -> RunStatus:
    """The status of the run. `state` is the state after the events that were read so far."""
    process, finished, alive = evidence.process, evidence.finished, evidence.alive
    if evidence.queued is not None and evidence.queued.attempt > (process.attempt if process else 0):
        return _queued(evidence, evidence.queued)
    if process is None:
        return _unsupervised(evidence, state)
    ended = attempt_ended(process, evidence.exit)
    if alive and not ended:
        return _live(process, state, evidence.stop_asked)
    if evidence.exit is not None and ended:
        return _ended(evidence.exit, finished)
    if finished is not None:
        return _status_of_event(finished, host="" if alive is not None else process.supervisor.host)
    return _lost(process, state) if alive is not None else _on_other_host(process, state, evidence.stop_asked)


def attempt_ended(process: ProcessRecord, exit_record: ExitRecord | None) -> bool:
    """Whether the exit record belongs to the present attempt and not to an earlier attempt."""
    return exit_record is not None and exit_record.attempt >= process.attempt


def _queued(evidence: Evidence, queued: QueueRecord) -> RunStatus:
    """The status of an attempt that was put into a queue and has no supervisor yet."""
    if evidence.exit is not None and evidence.exit.attempt >= queued.attempt:
        return _ended(evidence.exit, None)
    host = "" if queued.host == process_identity.hostname() else queued.host
    if evidence.waits:
        place = f"on {host}" if host else ""
        return RunStatus(status="queued", host=host, reason=", ".join(filter(None, (place, evidence.held_up))))
    if abs(time.time() - queued.t) < START_SECONDS:
        return RunStatus(status="queued", host=host, reason="starting")
    return RunStatus(status="lost", reason=NO_PLACE, ended=queued.t)


def _unsupervised(evidence: Evidence, state: RunState) -> RunStatus:
    """The status of a run without a supervisor: just submitted, started by hand, or never started."""
    if state.finished is not None:
        return _status_of_event(state.finished)
    if evidence.submission is None:
        return RunStatus(status="lost", reason=NO_CONFIG if evidence.folder else NO_FOLDER)
    submitted = evidence.submission.submitted
    if abs(time.time() - submitted) < START_SECONDS:  # a clock may have been set back
        return RunStatus(status="queued", reason="starting")
    return RunStatus(status="lost", reason=NO_SUPERVISOR, ended=submitted)


def _live(process: ProcessRecord, state: RunState, stopping: bool) -> RunStatus:
    if process.engine is None:
        return RunStatus(status="queued")
    quiet = time.time() - state.last_event if state.last_event else 0.0
    if state.starting == COMPILING:  # minutes without an event are usual
        quiet = 0.0
    return RunStatus(
        status="running",
        stalled=quiet > STALLED_SECONDS,
        stopping=stopping,
        reason=f"no event for {quiet:.0f} s" if quiet > STALLED_SECONDS else "",
    )


def _on_other_host(process: ProcessRecord, state: RunState, stopping: bool) -> RunStatus:
    """The status of a run on another host that shares the home folder; only its events are known."""
    host = process.supervisor.host
    if process.engine is None:
        return RunStatus(status="queued", host=host, reason=f"on {host}")
    age = max(time.time() - state.last_event, 0.0)
    return RunStatus(
        status="running",
        host=host,
        stalled=age > STALLED_SECONDS and state.starting != COMPILING,
        stopping=stopping,
        reason=f"on {host}, last event {age:.0f} s ago",
    )


def _ended(record: ExitRecord, finished: Finished | None) -> RunStatus:
    if record.cancelled:
        return RunStatus(status="cancelled", reason="cancelled in the queue", ended=record.t)
    if finished is not None:
        return _status_of_event(finished)
    if record.killed:
        return RunStatus(status="stopped", reason=KILLED, ended=record.t)
    return RunStatus(status="lost", reason=_exit_reason(record), ended=record.t)


def _status_of_event(finished: Finished, host: str = "") -> RunStatus:
    return RunStatus(status=finished.status, reason=finished.error, host=host, ended=finished.t)


def _exit_reason(record: ExitRecord) -> str:
    if record.lost:
        return record.lost
    if record.code is None:
        return f"the engine could not be started: {record.error}"
    if record.code >= 0:
        return f"the engine ended with exit code {record.code} and gave no reason; see engine.log"
    name = signal.Signals(-record.code).name if -record.code in set(signal.Signals) else f"signal {-record.code}"
    return f"the engine was killed by {name}" + (" (out of memory)" if record.out_of_memory else "")


def _lost(process: ProcessRecord, state: RunState) -> RunStatus:
    """The status of a run whose processes are dead and left no record."""
    ended = state.last_event or None
    if process.supervisor.boot != process_identity.boot_id():
        return RunStatus(status="lost", reason="the machine was restarted", ended=ended)
    early = process.engine is None
    reason = "the supervisor died before it started the engine" if early else "the engine and its supervisor died"
    return RunStatus(status="lost", reason=reason, ended=ended)
