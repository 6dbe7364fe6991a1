"""The first screen and its dialog, as pictures."""

from collections.abc import Callable

from textual.pilot import Pilot

from fastadv_tui.dashboard.app import Fastadv
from tests.support.pictures import Walk, at_all_sizes, dashboard, equals_picture, states
from tests.support.pictures import still as still


async def stop(app: Fastadv, pilot: Pilot[str]) -> None:
    await dashboard(app, pilot)
    await pilot.press("x")
    await pilot.pause()


@at_all_sizes
@states(
    ("empty", dashboard),
    ("live", dashboard),
    ("failed", dashboard),
    ("eight", dashboard),
    ("thousand", dashboard),
    ("live", stop),
)
def test_the_first_screen(snap_compare: Callable[..., bool], size: tuple[int, int], state: str, walk: Walk) -> None:
    assert equals_picture(snap_compare, size, state, walk)
