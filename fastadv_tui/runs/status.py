"""The status of a run: derived from its events, its exit record and its processes, never stored as truth."""

import signal
import time
from typing import Literal

from msgspec import Struct

from engine.protocol.events import Finished
from engine.protocol.rundir import Submission
from fastadv_tui.runs.state import RunState
from fastadv_tui.supervise import process_identity
from fastadv_tui.supervise.records import ExitRecord, ProcessRecord

Status = Literal["queued", "running", "done", "stopped", "failed", "lost"]
LIVE: tuple[Status, ...] = ("queued", "running")
NO_CONFIG, NO_SUPERVISOR = "its config.json cannot be read", "it was never started"
STARTING = 15.0  # seconds that a fresh run may be without a supervisor
QUIET = 120.0  # seconds without an event after which a running run is called stalled


class RunStatus(Struct, frozen=True, kw_only=True):
    """What a run is doing, and why. `host` is set only for a run of another machine; times are unix times."""

    status: Status
    reason: str = ""
    host: str = ""
    stalled: bool = False
    ended: float | None = None

    @property
    def live(self) -> bool:
        return self.status in LIVE


class Evidence(Struct, frozen=True, kw_only=True):
    """What a run left beside its events, as `runs/observe.py` reads it. None: missing or unreadable.

    living: whether the supervisor or the engine is alive; None if that cannot be known from this host.
    exit: the newest exit record, which may be of an earlier attempt.
    word: how the present attempt finished, by its own event. Looked for only once its processes have ended.
    """

    submission: Submission | None = None
    process: ProcessRecord | None = None
    living: bool | None = None
    exit: ExitRecord | None = None
    word: Finished | None = None


def derive(evidence: Evidence, state: RunState) -> RunStatus:
    """What the run is doing. `state` is of the events that were read so far."""
    process, word, living = evidence.process, evidence.word, evidence.living
    if process is None:
        return _unsupervised(evidence.submission, state)
    ended = attempt_ended(process, evidence.exit)
    if living and not ended:
        return _live(process, state)
    if evidence.exit is not None and ended:
        return _ended(evidence.exit, word)
    if word is not None:
        return _by_event(word, host="" if living is not None else process.supervisor.host)
    return _lost(process, state) if living is not None else _elsewhere(process, state)


def attempt_ended(process: ProcessRecord, exit_record: ExitRecord | None) -> bool:
    """Whether the exit record is of the present attempt, and not of an earlier one."""
    return exit_record is not None and exit_record.attempt >= process.attempt


def _unsupervised(submission: Submission | None, state: RunState) -> RunStatus:
    """Just submitted, or started by hand without a supervisor, or never started."""
    if state.finished is not None:
        return _by_event(state.finished)
    if submission is None:
        return RunStatus(status="lost", reason=NO_CONFIG)
    submitted = submission.submitted
    if abs(time.time() - submitted) < STARTING:  # a clock may have been set back
        return RunStatus(status="queued", reason="starting")
    return RunStatus(status="lost", reason=NO_SUPERVISOR, ended=submitted)


def _live(process: ProcessRecord, state: RunState) -> RunStatus:
    if process.engine is None:
        return RunStatus(status="queued")
    quiet = time.time() - state.last_event if state.last_event else 0.0
    return RunStatus(
        status="running", stalled=quiet > QUIET, reason=f"no event for {quiet:.0f} s" if quiet > QUIET else ""
    )


def _elsewhere(process: ProcessRecord, state: RunState) -> RunStatus:
    """A run of another host on a shared home: its events are all that is known."""
    host = process.supervisor.host
    if process.engine is None:
        return RunStatus(status="queued", host=host, reason=f"on {host}")
    age = max(time.time() - state.last_event, 0.0)
    return RunStatus(status="running", host=host, stalled=age > QUIET, reason=f"on {host}, last event {age:.0f} s ago")


def _ended(record: ExitRecord, word: Finished | None) -> RunStatus:
    if record.cancelled:
        return RunStatus(status="stopped", reason="cancelled in the queue", ended=record.t)
    if word is not None:
        return _by_event(word)
    if record.killed:
        return RunStatus(status="stopped", reason="killed when asked to stop", ended=record.t)
    return RunStatus(status="lost", reason=_cause(record), ended=record.t)


def _by_event(word: Finished, host: str = "") -> RunStatus:
    return RunStatus(status=word.status, reason=word.error, host=host, ended=word.t)


def _cause(record: ExitRecord) -> str:
    if record.code is None:
        return f"the engine could not be started: {record.error}"
    if record.code >= 0:
        return f"the engine ended with exit code {record.code} and no last word; see its log"
    name = signal.Signals(-record.code).name if -record.code in set(signal.Signals) else f"signal {-record.code}"
    return f"killed by {name}, out of memory" if record.out_of_memory else f"killed by {name}"


def _lost(process: ProcessRecord, state: RunState) -> RunStatus:
    """The supervisor is dead and left no word."""
    ended = state.last_event or None
    if process.supervisor.boot != process_identity.boot_id():
        return RunStatus(status="lost", reason="the machine was restarted", ended=ended)
    what = "its supervisor was killed" if process.engine is None else "it and its supervisor were killed"
    return RunStatus(status="lost", reason=what, ended=ended)
