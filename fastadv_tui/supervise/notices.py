"""What a supervisor tells the user of its run: an alarm, a stall, the end. Nothing here can hold up the run.

Every notice is a child process with a time limit of its own, which nobody waits for. Only this module decides when a
notice is due; the child knows the targets (`fastadv_tui/notify/deliver.py`).
"""

import subprocess
import sys
import time

from engine.protocol.event_log import Follower
from engine.protocol.events import Alarm
from engine.protocol.rundir import RunDir
from fastadv_tui.paths import NOTIFY_FILE
from fastadv_tui.supervise.records import STALLED_SECONDS

ALARM_PAUSE = 60.0  # seconds between two notices about alarms of one run; alarms in between are counted
MAX_TEXT = 1000  # characters of a message on the command line of the child


class Notices:
    """The notices about one attempt of a run. Does nothing while the home has no settings of notifications."""

    def __init__(self, rundir: RunDir) -> None:
        self._rundir = rundir
        self._settings = rundir.path.parent.parent / NOTIFY_FILE
        self._follower = Follower(rundir.events)
        self._begun = self._last_event = time.time()
        self._alarms: list[str] = []  # messages of alarms that no notice has told yet
        self._alarm_told = -ALARM_PAUSE  # on the monotonic clock
        self._stall_told = False
        self._children: list[subprocess.Popen[bytes]] = []

    @property
    def pids(self) -> set[int]:
        """The children that still deliver a notice. The end of the engine is no reason to kill them."""
        self._children = [child for child in self._children if child.poll() is None]
        return {child.pid for child in self._children}

    def look(self) -> None:
        """Read the new events, and start the notices that are due. Takes milliseconds."""
        _ = self.pids  # reaps the children that have ended
        if not self._settings.exists():
            return
        events = self._follower.poll()
        for event in events:
            if event.t >= self._begun:
                self._last_event, self._stall_told = event.t, False
                self._alarms += [event.message] if isinstance(event, Alarm) else []
        if self._alarms and time.monotonic() - self._alarm_told >= ALARM_PAUSE:
            self._alarm_told = time.monotonic()
            self._start("alarm", len(self._alarms), self._alarms[0])
            self._alarms.clear()
        if not events and not self._stall_told and time.time() - self._last_event > STALLED_SECONDS:
            self._stall_told = True
            self._start("stall")

    def ended(self) -> None:
        """Tell the end of the run, and how many alarms no notice has told. To be called after its record is written."""
        if self._settings.exists():
            self._alarms += [event.message for event in self._follower.poll() if isinstance(event, Alarm)]
            self._start("ended", len(self._alarms))

    def _start(self, happened: str, count: int = 1, text: str = "") -> None:
        command = [sys.executable, "-P", "-m", "fastadv_tui.notify.deliver", str(self._rundir.path)]
        command += [happened, str(count), text[:MAX_TEXT].replace("\0", "")]
        try:
            with self._rundir.log.open("ab") as log:
                child = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True
                )
        except OSError as error:  # no more processes are allowed, or the log cannot be written
            print(f"notify: cannot start a process ({error})", file=sys.stderr, flush=True)
        else:
            self._children.append(child)
