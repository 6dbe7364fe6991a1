"""One look at a run: its files, read in an order that stays correct if the run ends meanwhile."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.protocol import event_log
from engine.protocol.events import AnyEvent, Finished
from engine.protocol.rundir import RunDir, SubmissionError
from fastadv_tui.runs.state import RunState, apply
from fastadv_tui.runs.status import NO_KEEPER, START_SECONDS, Evidence, RunStatus, attempt_ended, derive
from fastadv_tui.supervise import process_identity, records
from fastadv_tui.supervise.keeper_life import keeper_alive
from fastadv_tui.supervise.queue import RunQueue
from fastadv_tui.supervise.records import ExitRecord, ProcessRecord, QueueRecord

if TYPE_CHECKING:
    from engine.protocol.submission import Submission


class Observation(Struct, frozen=True):
    """A run at one moment. Each record is None where its file is missing or cannot be read.

    state: the state after all events that were read. If `status` says that the run has ended, no event is missing.
    exit: the newest exit record, which may belong to an earlier attempt than `process`. queued: the newest attempt that
    was put into a queue. problem: why `submission` is None, in words that begin with `config.json`; else empty.
    """

    submission: "Submission | None"
    state: RunState
    status: RunStatus
    process: ProcessRecord | None
    exit: ExitRecord | None
    queued: QueueRecord | None = None
    problem: str = ""


class RunObserver:
    """Looks at one run repeatedly. Each look reads only the new events.

    on_event: called with each event and the state after this event, in the order of the file.
    revision: a number that grows whenever the state changes. The state itself changes in place.
    """

    def __init__(self, rundir: RunDir, on_event: Callable[[AnyEvent, RunState], None] | None = None) -> None:
        self.rundir = rundir
        self.revision = 0
        self._on_event = on_event
        self._follower = event_log.Follower(rundir.events)
        self._state = RunState()
        self._submission: Submission | None = None
        self._problem = ""

    def look(self) -> Observation:
        """The run as it is now. No event that was written before the end of the run is missed.

        The events are read first, so that a live run is judged by its newest event. The run may write its last events
        and end between this reading and the look at its processes. So the events of a run that has ended are read
        again: nobody writes any more, so the second reading finds every event.
        """
        self._read_events()
        seen = self._read_records()
        if not seen.status.live and self._read_events():
            seen = self._read_records()  # the last events may tell the time and the cause of the end
        return seen

    def _read_events(self) -> bool:
        """Apply the events that are new; returns whether the state has changed."""
        revision_before = self.revision
        while True:
            offset = self._follower.offset
            events = self._follower.poll()
            if self._follower.restarted:  # the file was cut or replaced: the earlier events no longer count
                self._state, self.revision = RunState(), self.revision + 1
            for event in events:
                self._state = apply(self._state, event)
                if self._on_event:
                    self._on_event(event, self._state)
            self.revision += len(events)
            if self._follower.offset == offset and not self._follower.restarted:  # the bytes may hold no event
                return self.revision != revision_before

    def _read_records(self) -> Observation:
        """Read the records and the last event, after checking which processes are alive.

        A process that is dead at the check has finished writing, so a missing record will stay missing. In the other
        order, a run that ends in between would look dead and without a record, and the history would keep a wrong
        cause of the end.

        The queue is looked at before the records: who starts or cancels a queued run writes a record first, and takes
        the run out of the queue then.
        """
        queued = records.read(self.rundir.queued, QueueRecord)
        waits, held_up = _place(self.rundir, queued) if queued else (False, "")
        process = records.read(self.rundir.process, ProcessRecord)
        alive = _alive(process) if process else None
        exit_record = records.read(self.rundir.exit, ExitRecord)
        finished = None
        if process is not None and (not alive or attempt_ended(process, exit_record)):
            finished = _finished_event(self.rundir, process)
        if process is None or self._submission is None:  # a submission never changes, but a folder may be removed
            self._submission, self._problem = _submission(self.rundir)
        evidence = Evidence(
            submission=self._submission,
            queued=queued,
            waits=waits,
            held_up=held_up,
            process=process,
            alive=alive,
            exit=exit_record,
            finished=finished,
            stop_asked=self.rundir.stop_asked(),
            folder=self.rundir.path.exists(),
        )
        status = derive(evidence, self._state)
        return Observation(self._submission, self._state, status, process, exit_record, queued, self._problem)


def observe(rundir: RunDir) -> Observation:
    """The run as it is now, from all its files."""
    return RunObserver(rundir).look()


def _submission(rundir: RunDir) -> "tuple[Submission | None, str]":
    """The submission, or None and the reason why it cannot be read."""
    try:
        return rundir.submission(), ""
    except SubmissionError as error:
        return None, error.reason


def _place(rundir: RunDir, queued: QueueRecord) -> tuple[bool, str]:
    """Whether a run waits in its queue, and why no run of this queue starts, if none does."""
    queue = RunQueue(rundir.path.parent.parent / "slots", queued.host)
    waits = queue.holds(rundir.id)
    young = abs(time.time() - queued.t) < START_SECONDS  # its submitter may be about to start a keeper
    return waits, held_up(queue, young) if waits else ""


def held_up(queue: RunQueue, young: bool) -> str:
    """Why no run of a queue starts; empty if runs start when slots are free. young: whether to expect a keeper soon."""
    if queue.paused:
        return "queue paused"
    return "" if young or keeper_alive(queue) else NO_KEEPER


def _alive(process: ProcessRecord) -> bool | None:
    """Whether the supervisor or the engine is alive; None if the run is on another host."""
    running = process_identity.alive(process.supervisor)
    return running if running or process.engine is None else process_identity.alive(process.engine)


def _finished_event(rundir: RunDir, process: ProcessRecord) -> Finished | None:
    """The `finished` event of the present attempt. (The state may still hold the event of an earlier attempt.)"""
    found = event_log.last(rundir.events, Finished, process.events_before)
    return found[-1] if found else None
