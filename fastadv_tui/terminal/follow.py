"""Follows a run in a terminal: shows its events, turns Ctrl-C into a stop request, and ends when the run ends."""

import signal
import sys
import time
from types import FrameType
from typing import TYPE_CHECKING

from engine.protocol.exit_code import ExitCode
from engine.protocol.rundir import RunDir
from fastadv_tui.runs.observe import RunObserver
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
        self._observer = RunObserver(rundir, display.event)
        self._shown_place = ""

    def look(self) -> RunStatus:
        """Show the new events and return the status. No event that the run wrote before its end is missed."""
        seen = self._observer.look()
        self._show_place(seen.status)
        self.display.tick(seen.state, seen.status)
        return seen.status

    def _show_place(self, verdict: RunStatus) -> None:
        place = RunQueue.of_home().place_of(self.rundir.id) if verdict.status == "queued" else None
        text = f"queued: {ordinal(place)} in line; it starts by itself, this terminal may be closed" if place else ""
        if text and text != self._shown_place:
            self.display.note(text)
        self._shown_place = text or self._shown_place


def follow(rundir: RunDir, display: Display, may_stop: bool) -> tuple[int, RunStatus]:
    """Show a run until it ends, or until the user stops waiting. Returns the exit code and the last status.

    may_stop: whether Ctrl-C stops the run (`run`) or only the watching (`watch`). Ctrl-Z stops only this process.
    """
    viewer, asked = RunViewer(rundir, display), 0
    with Interrupts() as interrupts:
        while (verdict := viewer.look()).live:
            if interrupts.stops > asked:
                asked += 1
                if not may_stop or asked > 1:
                    display.note(f"not waiting any longer; `fastadv watch {rundir.id}` shows the run again")
                    return (ExitCode.STOPPED if may_stop else ExitCode.DONE), verdict
                rundir.request_stop()
                display.note("stopping: waiting for the checkpoint (Ctrl-C again stops waiting)")
            if interrupts.suspend:
                with display.away():
                    interrupts.stop_process()
            time.sleep(POLL_SECONDS)
    return EXIT_CODES[verdict.status], verdict


LOG_LINES = 20  # lines to show from the end of the log of a failed run


def follow_to_end(rundir: RunDir, display: "Display", may_stop: bool) -> int:
    """Follow a run, update its row in the history, and print how the run ended. Returns the exit code."""
    display.note(f"run {rundir.id}, in {rundir.path}")
    try:
        code, verdict = follow(rundir, display, may_stop)
    finally:
        display.close()
    update_history(rundir)
    if not verdict.live and verdict.status != "done":
        print(
            f"{rundir.id} {verdict.status}{f': {one_line(verdict.reason)}' if verdict.reason else ''}", file=sys.stderr
        )
    if verdict.status in ("failed", "lost"):
        show_log(rundir)
    if verdict.status in ("stopped", "failed", "lost") and may_stop:
        print(f"`fastadv resume {rundir.id}` continues from the last checkpoint", file=sys.stderr)
    return code


def update_history(rundir: RunDir) -> None:
    """Update the row of a run in the history. If the history cannot be written, print a warning and continue."""
    from fastadv_tui.history.index import History
    from fastadv_tui.terminal.output import print_notices

    history = History()
    history.bring_up_to_date(rundir)
    print_notices(history.notices)


def show_log(rundir: RunDir) -> None:
    """Print the last lines and the path of a run's log."""
    lines = tail(rundir.log, LOG_LINES)
    for text in lines:
        print(f"  {one_line(text)}", file=sys.stderr)
    print(f"the log is {rundir.log}", file=sys.stderr)
