"""The comparison, as pictures."""

from collections.abc import Callable

from textual.pilot import Pilot

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.compare import CompareScreen
from tests.support.pictures import Walk, at_all_sizes, equals_picture, history, states
from tests.support.pictures import still as still
from tests.support.pilot import until


async def compare(app: Fastadv, pilot: Pilot[str]) -> None:
    await history(app, pilot)
    await pilot.press("space", "j", "space", "j", "space", "c")
    await until(pilot, lambda: isinstance(app.screen, CompareScreen))
    await pilot.pause()


@at_all_sizes
@states(("live", compare))
def test_the_comparison(snap_compare: Callable[..., bool], size: tuple[int, int], state: str, walk: Walk) -> None:
    assert equals_picture(snap_compare, size, state, walk)
