"""The history, as pictures."""

from collections.abc import Callable

from textual.pilot import Pilot
from textual.widgets import DataTable

from fastadv_tui.dashboard.app import Fastadv
from tests.support.pictures import Walk, at_all_sizes, equals_picture, history, states
from tests.support.pictures import still as still
from tests.support.pilot import until


async def grouped(app: Fastadv, pilot: Pilot[str]) -> None:
    await history(app, pilot)
    await pilot.press("g")
    await until(pilot, lambda: app.screen.query_one(DataTable).row_count < 500)


@at_all_sizes
@states(
    ("empty", history),
    ("failed", history),
    ("eight", history),
    ("thousand", history),
    ("thousand", grouped),
)
def test_the_history(snap_compare: Callable[..., bool], size: tuple[int, int], state: str, walk: Walk) -> None:
    assert equals_picture(snap_compare, size, state, walk)
