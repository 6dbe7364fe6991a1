"""The log of a run in its panel: it shows its end, whatever the size of the panel was in between."""

import re

import pytest
from textual.pilot import Pilot

from engine.protocol.events import Finished, Note
from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.widgets.log_view import LogView
from fastadv_tui.paths import runs_dir
from tests.support.events import started, write_events
from tests.support.pilot import play, shown, until
from tests.support.runs import make_run

pytestmark = pytest.mark.usefixtures("quick_home")


def noted(first: int, last: int) -> list[Note]:
    return [Note(message=f"line {number}.") for number in range(first, last + 1)]


def test_the_log_follows_again_after_a_zoom_and_after_a_resize() -> None:
    rundir = make_run(runs_dir() / "a1")
    write_events(rundir, started(), *noted(1, 30))

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "line 30." in shown(app))
        await pilot.press("z")
        for _ in app.screen._panels():  # type: ignore[attr-defined]
            await pilot.press("tab")
            await pilot.pause()
        await pilot.press("escape")
        await until(pilot, lambda: "line 30." in shown(app))
        await pilot.resize_terminal(120, 24)
        await until(pilot, lambda: "line 30." in shown(app))
        write_events(rundir, *noted(31, 40))
        await until(pilot, lambda: "line 40." in shown(app))
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: "line 40." in shown(app))

    play(script)


def test_the_log_stays_where_the_user_scrolled_to() -> None:
    rundir = make_run(runs_dir() / "a1")
    write_events(rundir, started(), *noted(1, 30))

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "line 30." in shown(app))
        log = app.screen.query_one(LogView)
        log.scroll_home(animate=False)
        await until(pilot, lambda: "line 1." in shown(app))
        write_events(rundir, *noted(31, 33))
        await until(pilot, lambda: len(log.lines) > 33)
        await pilot.resize_terminal(120, 36)
        await until(pilot, lambda: app.size.height == 36 and "line 1." in shown(app))
        assert "line 33." not in shown(app)

    play(script)


@pytest.mark.parametrize(("size", "with_times"), [((120, 40), False), ((200, 50), True)])
def test_a_wide_panel_has_times_and_each_end_of_a_run_that_stops_twice(size: tuple[int, int], with_times: bool) -> None:
    rundir = make_run(runs_dir() / "a1")
    write_events(rundir, started(), Finished(status="stopped", step=10))

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        def ends() -> list[str]:
            return [line.text.strip() for line in app.screen.query_one(LogView).lines if "stopped" in line.text]

        await until(pilot, lambda: len(ends()) == 1)
        write_events(rundir, started(attempt=2, from_step=10), Finished(status="stopped", step=20))
        await until(pilot, lambda: len(ends()) == 2)
        assert all((re.match(r"\d\d:\d\d ", end) is not None) == with_times for end in ends())

    play(script, size)
