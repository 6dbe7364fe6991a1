"""One look at a run: its files, read in the one order that does not mistake a run that ends meanwhile."""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from engine.protocol import event_log
from engine.protocol.events import AnyEvent, Finished
from engine.protocol.rundir import RunDir, Submission
from fastadv_tui.runs.state import RunState, apply
from fastadv_tui.runs.status import Evidence, RunStatus, attempt_ended, derive
from fastadv_tui.supervise import process_identity, records
from fastadv_tui.supervise.records import ExitRecord, ProcessRecord


class Observation(Struct, frozen=True):
    """A run at one moment. Each record is None where its file is missing or cannot be read.

    state: of all events that were written so far. If `status` says that the run has ended, no event is missing.
    exit: the newest exit record, which may be of an earlier attempt than `process`.
    """

    submission: Submission | None
    state: RunState
    status: RunStatus
    process: ProcessRecord | None
    exit: ExitRecord | None


class RunObserver:
    """Looks at one run again and again. Each look reads only the events that are new.

    on_event: called with each event and the state after this event, in the order of the file.
    news: a number that grows whenever the state changes. The state itself grows in place.
    """

    def __init__(self, rundir: RunDir, on_event: Callable[[AnyEvent, RunState], None] | None = None) -> None:
        self.rundir = rundir
        self.news = 0
        self._on_event = on_event
        self._follower = event_log.Follower(rundir.events)
        self._state = RunState()
        self._submission: Submission | None = None

    def look(self) -> Observation:
        """The run as it is now. No event that was written before the end of the run is missed.

        The events are read first, so that a live run is judged by its newest event. The run may write its last events
        and end between this reading and the look at its processes. So the events of a run that has ended are read
        again: nobody writes any more, and what is read now is all there will be.
        """
        self._read_events()
        seen = self._read_records()
        if not seen.status.live and self._read_events():
            seen = self._read_records()  # the moment and the cause of the end may follow from the last events
        return seen

    def _read_events(self) -> bool:
        """Apply the events that are new; returns whether the state has changed."""
        news_before = self.news
        while True:
            offset = self._follower.offset
            events = self._follower.poll()
            if self._follower.restarted:  # the file was cut or replaced: the events before are void
                self._state, self.news = RunState(), self.news + 1
            for event in events:
                self._state = apply(self._state, event)
                if self._on_event:
                    self._on_event(event, self._state)
            self.news += len(events)
            if self._follower.offset == offset and not self._follower.restarted:  # bytes may hold no whole event
                return self.news != news_before

    def _read_records(self) -> Observation:
        """Who is alive is asked before the exit record and the last event are read.

        A process that is dead by then has finished writing, so a missing record is missing for good. In the other
        order, a run that ends in between would be found dead and without a record, and the history would keep the
        wrong cause of its end.
        """
        process = records.read(self.rundir.process, ProcessRecord)
        living = _living(process) if process else None
        exit_record = records.read(self.rundir.exit, ExitRecord)
        word = None
        if process is not None and (not living or attempt_ended(process, exit_record)):
            word = _last_word(self.rundir, process)
        if process is None or self._submission is None:  # a submission never changes, but a folder may be gone
            self._submission = _submission(self.rundir)
        evidence = Evidence(submission=self._submission, process=process, living=living, exit=exit_record, word=word)
        return Observation(self._submission, self._state, derive(evidence, self._state), process, exit_record)


def observe(rundir: RunDir) -> Observation:
    """The run as it is now, from all its files."""
    return RunObserver(rundir).look()


def _submission(rundir: RunDir) -> Submission | None:
    try:
        return rundir.submission()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _living(process: ProcessRecord) -> bool | None:
    """Whether supervisor or engine is alive; None if that cannot be known from this host."""
    running = process_identity.alive(process.supervisor)
    return running if running or process.engine is None else process_identity.alive(process.engine)


def _last_word(rundir: RunDir, process: ProcessRecord) -> Finished | None:
    """How the present attempt finished, by its own event. The state may still hold that of an earlier attempt."""
    said = event_log.last(rundir.events, Finished, process.events_before)
    return said[-1] if said else None
