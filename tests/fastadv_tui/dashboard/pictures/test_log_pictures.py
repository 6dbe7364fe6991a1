"""The log of a run, as pictures."""

from collections.abc import Callable

from textual.pilot import Pilot

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.log import LogScreen
from tests.support.pictures import Walk, at_all_sizes, dashboard, equals_picture, states
from tests.support.pictures import still as still
from tests.support.pilot import until


async def log(app: Fastadv, pilot: Pilot[str]) -> None:
    await dashboard(app, pilot)
    await pilot.press("l")
    await until(pilot, lambda: isinstance(app.screen, LogScreen))
    await pilot.pause()


@at_all_sizes
@states(("failed", log), ("live", log))
def test_the_log(snap_compare: Callable[..., bool], size: tuple[int, int], state: str, walk: Walk) -> None:
    assert equals_picture(snap_compare, size, state, walk)
