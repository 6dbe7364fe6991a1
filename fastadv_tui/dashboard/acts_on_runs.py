"""Stops and resumes runs for the screens, and says what has become of them."""

from collections.abc import Callable

from textual.app import App

from engine.protocol.rundir import RunDir
from fastadv_tui.history.index import History
from fastadv_tui.runs import control
from fastadv_tui.supervise.queue import RunQueue
from fastadv_tui.text.quantities import ordinal


class ActsOnRuns(App[str]):
    """An app whose `attempt` shows errors in a toast."""

    attempt: Callable[..., bool]

    def stop(self, rundir: RunDir, now: bool) -> str:
        """Stop a run, or take it out of the queue. now: kill it. Returns what was done in words; empty on an error."""
        done = ""

        def stop() -> None:
            nonlocal done
            removed = control.stop(rundir, now=now)
            done = "removed from the queue" if removed else "killing" if now else "asked to stop"

        self.attempt(stop)
        return done

    def resume(self, rundir: RunDir) -> str:
        """Queue a run once more. Returns what was done in words; empty on an error."""

        def resume() -> None:
            History().record(rundir)  # raises if the history cannot be written: its row would say "stopped" for ever
            control.resume(rundir)
            History().bring_up_to_date(rundir)

        if not self.attempt(resume):
            return ""
        place = RunQueue.of_home().place_of(rundir.id)
        return f"queued to resume, {ordinal(place)} in line" if place else "resumed"
