"""Following a run from a terminal: render what it says, pass a stop on to it, and end when it ends."""

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
POLL = 0.2  # seconds between looks


class Interrupts:
    """Counts Ctrl-C; a SIGTERM means stop, as schedulers mean it. SIGHUP keeps its default: only the viewer dies."""

    def __init__(self) -> None:
        self.stops = 0

    def __enter__(self) -> "Interrupts":
        self._before = {number: signal.signal(number, self._count) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _count(self, number: int, frame: FrameType | None) -> None:
        self.stops += 1


class Following:
    """One viewer of one run."""

    def __init__(self, rundir: RunDir, display: Display) -> None:
        self.rundir, self.display = rundir, display
        self._observer = RunObserver(rundir, display.event)
        self._told = ""

    def look(self) -> RunStatus:
        """Show what is new and return what the run is doing; nothing written before its end is missed."""
        seen = self._observer.look()
        self._tell_place(seen.status)
        self.display.tick(seen.state, seen.status)
        return seen.status

    def _tell_place(self, verdict: RunStatus) -> None:
        place = RunQueue.of_home().place_of(self.rundir.id) if verdict.status == "queued" else None
        text = f"queued: {ordinal(place)} in line; it starts by itself, this terminal may be closed" if place else ""
        if text and text != self._told:
            self.display.note(text)
        self._told = text or self._told


def follow(rundir: RunDir, display: Display, may_stop: bool) -> tuple[int, RunStatus]:
    """Show a run until it ends, or until the user stops waiting; returns the exit code and the last verdict.

    may_stop: whether Ctrl-C stops the run (`run`) or only the watching (`watch`).
    """
    following, asked = Following(rundir, display), 0
    with Interrupts() as interrupts:
        while (verdict := following.look()).live:
            if interrupts.stops > asked:
                asked += 1
                if not may_stop or asked > 1:
                    display.note(f"not waiting any longer; `fastadv watch {rundir.id}` comes back to it")
                    return (ExitCode.STOPPED if may_stop else ExitCode.DONE), verdict
                rundir.request_stop()
                display.note("stopping: waiting for the checkpoint (Ctrl-C again stops waiting)")
            time.sleep(POLL)
    return EXIT_CODES[verdict.status], verdict


LOG_TAIL = 20  # lines shown of the log of a run that failed


def follow_to_end(rundir: RunDir, display: "Display", may_stop: bool) -> int:
    """Follow a run, bring its history row up to date, and say how it ended."""
    display.note(f"run {rundir.id}, in {rundir.path}")
    try:
        code, verdict = follow(rundir, display, may_stop)
    finally:
        display.close()
    remember(rundir)
    if not verdict.live and verdict.status != "done":
        print(
            f"{rundir.id} {verdict.status}{f': {one_line(verdict.reason)}' if verdict.reason else ''}", file=sys.stderr
        )
    if verdict.status in ("failed", "lost"):
        show_log(rundir)
    if verdict.status in ("stopped", "failed", "lost") and may_stop:
        print(f"`fastadv resume {rundir.id}` goes on from the last checkpoint", file=sys.stderr)
    return code


def remember(rundir: RunDir) -> None:
    """Bring the history up to date; that it cannot be written changes nothing of the run."""
    from fastadv_tui.history.index import History
    from fastadv_tui.terminal.output import tell

    history = History()
    history.bring_up_to_date(rundir)
    tell(history.notices)


def show_log(rundir: RunDir) -> None:
    lines = tail(rundir.log, LOG_TAIL)
    for text in lines:
        print(f"  {one_line(text)}", file=sys.stderr)
    print(f"the log is {rundir.log}", file=sys.stderr)
