"""Follows a run in a terminal: shows its events, turns Ctrl-C into a stop request, and ends when the run ends."""

import signal
import sys
import time
from contextlib import nullcontext
from types import FrameType
from typing import TYPE_CHECKING

from engine.protocol.exit_code import ExitCode
from engine.protocol.rundir import RunDir
from fastadv_tui.runs import control
from fastadv_tui.runs.observe import RunObserver, observe
from fastadv_tui.runs.status import RunStatus
from fastadv_tui.supervise.queue import RunQueue
from fastadv_tui.terminal.run_display import Display
from fastadv_tui.text.quantities import ordinal
from fastadv_tui.text.sanitize import one_line
from fastadv_tui.text.tail import tail

if TYPE_CHECKING:
    from fastadv_tui.terminal.run_display import Display

EXIT_CODES = {
    "done": ExitCode.DONE,
    "failed": ExitCode.FAILED,
    "lost": ExitCode.FAILED,
    "stopped": ExitCode.STOPPED,
    "cancelled": ExitCode.STOPPED,
}
POLL_SECONDS = 0.2  # time between two looks at the run


class Interrupts:
    """Counts Ctrl-C and the SIGTERM of schedulers, and notes Ctrl-Z.

    SIGHUP keeps its default: the viewer dies, the run continues.
    """

    def __init__(self) -> None:
        self.stops = 0
        self.suspend = False

    def __enter__(self) -> "Interrupts":
        self._before = {number: signal.signal(number, self._count) for number in (signal.SIGINT, signal.SIGTERM)}
        self._before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._note_suspend)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _count(self, number: int, frame: FrameType | None) -> None:
        self.stops += 1

    def _note_suspend(self, number: int, frame: FrameType | None) -> None:
        self.suspend = True

    def stop_process(self) -> None:
        """Stop this process, as Ctrl-Z does by default. Returns when the shell continues it."""
        self.suspend = False
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTSTP)  # without a shell to continue the process, the kernel ignores the signal
        signal.signal(signal.SIGTSTP, self._note_suspend)


class RunViewer:
    """Passes new events of one run to a display."""

    def __init__(self, rundir: RunDir, display: Display) -> None:
        self.rundir, self.display = rundir, display
        self._observer, self._queue = RunObserver(rundir, display.event), RunQueue.of_home()
        self._shown_place = ""
        self.told_of_stop = False

    def look(self) -> RunStatus:
        """Show the new events and return the status. No event that the run wrote before its end is missed."""
        seen = self._observer.look()
        self._show_place(seen.status)
        self._show_stop(seen.status)
        self.display.tick(seen.state, seen.status)
        return seen.status

    def _show_place(self, verdict: RunStatus) -> None:
        place = self._queue.place_of(self.rundir.id) if verdict.status == "queued" else None
        text = f"queued: {ordinal(place)} in line; it starts by itself, this terminal may be closed" if place else ""
        if text and text != self._shown_place:
            self.display.note(text)
        self._shown_place = text or self._shown_place

    def _show_stop(self, verdict: RunStatus) -> None:
        """Say once that the run was asked to stop, by whomever: saving a checkpoint may take a while."""
        if verdict.stopping and not self.told_of_stop:
            self.display.note("stopping ... the run was asked to stop; it ends after its checkpoint")
        self.told_of_stop = verdict.stopping


def follow(rundir: RunDir, display: Display, may_stop: bool, begun: Interrupts | None = None) -> tuple[int, RunStatus]:
    """Show a run until it ends, or until the user stops waiting. Returns the exit code and the last status.

    may_stop: whether Ctrl-C stops the run (`run`) or only the watching (`watch`). Ctrl-Z stops only this process.
    begun: counts since the run was submitted; a Ctrl-C in between counts, too.
    """
    viewer, asked = RunViewer(rundir, display), 0
    with nullcontext(begun) if begun else Interrupts() as interrupts:
        while (verdict := viewer.look()).live:
            if interrupts.stops > asked:
                asked += 1
                if not may_stop or asked > 1:
                    display.note(f"not waiting any longer; `fastadv watch {rundir.id}` shows the run again")
                    return (ExitCode.STOPPED if may_stop else ExitCode.DONE), verdict
                if not control.stop(rundir):
                    viewer.told_of_stop = True
                    display.note("stopping: waiting for the checkpoint (Ctrl-C again stops waiting)")
            if interrupts.suspend:
                with display.away():
                    interrupts.stop_process()
            time.sleep(POLL_SECONDS)
    return EXIT_CODES[verdict.status], verdict


LOG_LINES = 20  # lines to show from the end of the log of a failed run


def follow_to_end(rundir: RunDir, display: "Display", may_stop: bool, begun: Interrupts | None = None) -> int:
    """Follow a run, update its row in the history, and print how the run ended. Returns the exit code.

    begun: as for `follow`.
    """
    display.note(f"run {rundir.id}, in {rundir.path}")
    try:
        code, verdict = follow(rundir, display, may_stop, begun)
    finally:
        display.close()
    update_history(rundir)
    if not verdict.live and verdict.status != "done":
        print(
            f"{rundir.id} {verdict.status}{f': {one_line(verdict.reason)}' if verdict.reason else ''}", file=sys.stderr
        )
    if verdict.status in ("failed", "lost"):
        show_log(rundir, verdict.reason)
    if verdict.status == "cancelled" and may_stop:
        print(f"`fastadv resume {rundir.id}` queues the run again", file=sys.stderr)
    if verdict.status in ("stopped", "failed", "lost") and may_stop and _resumable(rundir):
        print(f"`fastadv resume {rundir.id}` continues from the last checkpoint", file=sys.stderr)
    return code


def say_begun(rundir: RunDir) -> None:
    """Say whether a detached run has started or waits, and how to see it."""
    place = RunQueue.of_home().place_of(rundir.id)
    begun = f"queued, {ordinal(place)} in line" if place else "started"
    print(f"{begun}; `fastadv watch {rundir.id}` shows the run", file=sys.stderr)


def update_history(rundir: RunDir) -> None:
    """Update the row of a run in the history. If the history cannot be written, print a warning and continue."""
    from fastadv_tui.history.index import History
    from fastadv_tui.terminal.output import print_notices

    history = History()
    history.bring_up_to_date(rundir)
    print_notices(history.notices)


def _resumable(rundir: RunDir) -> bool:
    """Whether `fastadv resume` has a checkpoint to continue from, and does not fail at once for the same reason."""
    finished = observe(rundir).state.finished
    return rundir.has_checkpoint() and (finished is None or finished.resumable)


def show_log(rundir: RunDir, reason: str) -> None:
    """Print the last lines and the path of a run's log. Lines that repeat the reason of the end are left out."""
    for text in (text for text in tail(rundir.log, LOG_LINES) if text.strip() != reason):
        print(f"  {one_line(text)}", file=sys.stderr)
    print(f"the log is {rundir.log}", file=sys.stderr)
