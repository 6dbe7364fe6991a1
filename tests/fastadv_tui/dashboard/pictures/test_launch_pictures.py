"""The form of a new run, as pictures."""

from collections.abc import Callable

from textual.pilot import Pilot
from textual.widgets import Static

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.launch import LaunchScreen
from tests.support.pictures import Walk, at_all_sizes, dashboard, equals_picture, states
from tests.support.pictures import still as still
from tests.support.pilot import until


async def launch(app: Fastadv, pilot: Pilot[str]) -> None:
    await dashboard(app, pilot)
    await pilot.press("n")
    await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
    await until(pilot, lambda: "PFLOP" in str(app.screen.query_one("#planned", Static).visual))


async def sweep(app: Fastadv, pilot: Pilot[str]) -> None:
    await launch(app, pilot)
    await pilot.press(*["tab"] * 5, *"4,8")
    await until(pilot, lambda: "2 runs" in str(app.screen.query_one("#planned", Static).visual))


@at_all_sizes
@states(("empty", launch), ("live", sweep))
def test_the_form(snap_compare: Callable[..., bool], size: tuple[int, int], state: str, walk: Walk) -> None:
    assert equals_picture(snap_compare, size, state, walk)
