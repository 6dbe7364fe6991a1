"""The first screen and its dialog, as pictures."""

from collections.abc import Callable

from textual.pilot import Pilot

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.chart.widget import Chart
from tests.support.pictures import Walk, at_all_sizes, dashboard, equals_picture, states
from tests.support.pictures import still as still
from tests.support.pilot import until


async def stop(app: Fastadv, pilot: Pilot[str]) -> None:
    await dashboard(app, pilot)
    await pilot.press("x")
    await pilot.pause()


async def marked(app: Fastadv, pilot: Pilot[str]) -> None:
    """Mark all eight runs: seven have a colour, the last one is grey."""
    await dashboard(app, pilot)
    for _ in range(8):
        await pilot.press("space", "j")
    await until(pilot, lambda: len(app.screen.query_one("#accuracy", Chart).series) == 16)
    await pilot.pause()


async def zoomed(app: Fastadv, pilot: Pilot[str]) -> None:
    await dashboard(app, pilot)
    await pilot.press("z", "left_square_bracket", "left_square_bracket", "left_square_bracket")
    await pilot.pause()


@at_all_sizes
@states(
    ("empty", dashboard),
    ("live", dashboard),
    ("failed", dashboard),
    ("eight", dashboard),
    ("thousand", dashboard),
    ("live", stop),
    ("eight", marked),
    ("live", zoomed),
)
def test_the_first_screen(snap_compare: Callable[..., bool], size: tuple[int, int], state: str, walk: Walk) -> None:
    assert equals_picture(snap_compare, size, state, walk)
