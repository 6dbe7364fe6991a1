"""Follows several runs in one terminal: plain lines or JSON, each with the id of its run."""

import json
import sys
import time
from collections.abc import Sequence

from engine.protocol import events
from engine.protocol.exit_code import ExitCode
from engine.protocol.rundir import RunDir
from fastadv_tui.runs.event_text import event_line
from fastadv_tui.runs.state import RunState
from fastadv_tui.terminal.event_data import event_as_data
from fastadv_tui.terminal.follow import EXIT_CODES, POLL_SECONDS, Interrupts, RunViewer, update_history
from fastadv_tui.terminal.run_display import JsonDisplay, PlainDisplay
from fastadv_tui.text.sanitize import one_line


class LinesOfRun(PlainDisplay):
    """Prints what a PlainDisplay prints, each line after the id of its run."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self._label = label

    def note(self, text: str) -> None:
        super().note(f"{self._label}  {text}")

    def event(self, event: events.AnyEvent, state: RunState) -> None:
        if line := event_line(event, state):
            print(f"{self._label}  {one_line(line)}", flush=True)

    def tick(self, *_: object) -> None:
        """Nothing to do: the estimated time of several runs at once would say little."""


class JsonOfRun(JsonDisplay):
    """Prints the events as JSON, each with the id of its run, as `fastadv export` does."""

    def __init__(self, run_id: str) -> None:
        self._id = run_id

    def event(self, event: events.AnyEvent, state: RunState) -> None:
        print(json.dumps({"run": self._id, **event_as_data(event)}), flush=True)


def follow_many(rundirs: Sequence[RunDir], as_json: bool) -> int:
    """Show runs until all have ended, or until Ctrl-C. Ctrl-Z stops only this process.

    Returns: the exit code: FAILED if a run has failed, else STOPPED if a run was stopped, else DONE.
    """
    width = max(len(rundir.id) for rundir in rundirs)
    viewers = [RunViewer(run, JsonOfRun(run.id) if as_json else LinesOfRun(run.id.ljust(width))) for run in rundirs]
    codes: set[int] = set()
    with Interrupts() as interrupts:
        while viewers := [viewer for viewer in viewers if _still_live(viewer, codes)]:
            if interrupts.stops:
                print(f"not waiting any longer for {len(viewers)} run(s)", file=sys.stderr)
                return ExitCode.DONE
            if interrupts.suspend:
                interrupts.stop_process()
            time.sleep(POLL_SECONDS)
    return next((code for code in (ExitCode.FAILED, ExitCode.STOPPED) if code in codes), ExitCode.DONE)


def _still_live(viewer: RunViewer, codes: set[int]) -> bool:
    """Show what is new of a run. Of a run that has ended, say how, and add its exit code to `codes`."""
    status = viewer.look()
    if not status.live:
        codes.add(EXIT_CODES[status.status])
        update_history(viewer.rundir)
        reason = f": {status.reason}" if status.reason else ""
        viewer.display.note(f"{status.status}{reason}")
    return status.live
