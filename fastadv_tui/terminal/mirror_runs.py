"""Mirrors several runs to a tracker and tells each in one line. With `follow` it stays until all of them have ended."""

import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from engine.protocol.exit_code import ExitCode
from engine.protocol.rundir import RunDir
from fastadv_tui.errors import UserError
from fastadv_tui.terminal.each_run import for_each
from fastadv_tui.text.sanitize import one_line
from fastadv_tui.trackers.mirror import Destination, Mirror

POLL_SECONDS = 2.0


def mirror_runs(runs: Sequence[RunDir], destination: Destination, follow: bool, again: bool) -> int:
    """Returns: the exit code. A run that cannot be mirrored does not stop the others. A Ctrl-C closes all of them."""
    following: list[Mirror] = []

    def first(rundir: RunDir) -> None:
        mirror = Mirror(rundir, destination, again)
        try:
            live = mirror.update()
            if live and follow:
                following.append(mirror)
            else:
                mirror.finish()
        finally:
            if mirror not in following:
                mirror.close()
        _tell(mirror, destination, "; it is followed until its end" if mirror in following else "")

    try:
        code = for_each(runs, first)
        while following:
            time.sleep(POLL_SECONDS)
            code = _go_on(following, destination) or code
    except KeyboardInterrupt:
        for mirror in following:  # a client may hold what it was given and has not yet sent
            with suppress(UserError, OSError):
                mirror.finish()
        raise
    finally:
        for mirror in following:
            mirror.close()
    return code


def _go_on(following: list[Mirror], destination: Destination) -> int:
    """Send what is new of each run. Runs that have ended, and mirrors that have failed, leave the list."""

    def step(mirror: Mirror) -> None:
        live = True
        try:
            live = mirror.update()
        except BaseException:
            live = False
            raise
        finally:
            if not live:
                following.remove(mirror)
                mirror.close()
        if not live:
            _tell(mirror, destination, "; it has ended")

    return for_each([*following], step) if following else ExitCode.DONE


def _tell(mirror: Mirror, destination: Destination, more: str) -> None:
    said = f"{mirror.sent:,} points sent to {destination.tool}" if mirror.where else "nothing new"
    print(one_line(f"{mirror.rundir.id}: {said}{more}"), file=sys.stderr)
    if mirror.where and not more:
        print(one_line(mirror.where))
