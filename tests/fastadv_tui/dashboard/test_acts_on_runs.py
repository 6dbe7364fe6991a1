"""What is said of runs that are stopped, killed, resumed or taken out of the queue: what has become of them."""

import pytest
from textual.pilot import Pilot

from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.confirm_dialog import ConfirmDialog
from fastadv_tui.runs import control
from tests.support.pilot import play, shown, until
from tests.support.runs import engine_pid, submit, verdict, wait_for_status

pytestmark = pytest.mark.usefixtures("fake_engine")


def told(app: Fastadv) -> str:
    """The toasts that are on the screen."""
    return "\n".join(toast.message for toast in app._notifications)


async def go_to(app: Fastadv, pilot: Pilot[str], rundir: RunDir, in_history: bool) -> None:
    """Put the cursor on a run, on the first screen or in the history."""
    await until(pilot, lambda: app.snapshot.row(rundir.id))
    if in_history:
        app.open_history(rundir.id)
        await until(pilot, lambda: "1 of " in shown(app))
    else:
        app.show_run(rundir.id)
    await until(pilot, lambda: app.screen.chosen_run() == rundir.id)  # type: ignore[attr-defined]


@pytest.mark.parametrize("in_history", [False, True])
def test_a_run_that_waits_is_removed_from_the_queue_and_queued_again(in_history: bool) -> None:
    first, second = submit("forever"), submit("forever second")
    engine_pid(first)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await go_to(app, pilot, second, in_history)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await until(pilot, lambda: "Remove (y)" in shown(app) and "Stop (y)" not in shown(app))
        await pilot.press("y")
        await until(pilot, lambda: f"removed from the queue: forever second ({second.id})" in told(app))
        assert verdict(second).status == "cancelled"
        await go_to(app, pilot, second, in_history=True)  # the first screen does not list it any more
        await pilot.press("R")
        await until(pilot, lambda: f"queued to resume, 1st in line: forever second ({second.id})" in told(app))
        assert "resumed:" not in told(app)

    play(script)
    control.stop(second)
    control.stop(first)
    wait_for_status(first, "stopped")


def test_a_killed_run_is_told_with_what_was_lost_and_resumed() -> None:
    run = submit("forever deaf")
    engine_pid(run)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await go_to(app, pilot, run, in_history=False)
        await until(pilot, lambda: app.snapshot.row(run.id).status == "running")  # type: ignore[union-attr]
        await pilot.press("X")
        await until(pilot, lambda: "Kill (y)" in shown(app))
        await pilot.press("y")
        await until(pilot, lambda: f"killing: forever deaf ({run.id})" in told(app))
        await until(pilot, lambda: "forever deaf was killed at epoch" in told(app))
        assert "press R to resume it from its beginning" in told(app)  # the stand-in saves nothing before its end
        assert "is stopped" not in told(app)
        await pilot.press("R")
        await until(pilot, lambda: f"resumed: forever deaf ({run.id})" in told(app))

    play(script)
    control.stop(run, now=True)
    wait_for_status(run, "stopped")
