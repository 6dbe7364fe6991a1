"""The comparison, as pictures."""

from collections.abc import Callable

from textual.pilot import Pilot

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.compare import CompareScreen
from tests.support.pictures import Walk, at_all_sizes, dashboard, equals_picture, states
from tests.support.pictures import still as still
from tests.support.pilot import until


async def four(app: Fastadv, pilot: Pilot[str]) -> None:
    await _compare(app, pilot, 4)


async def twelve(app: Fastadv, pilot: Pilot[str]) -> None:
    await _compare(app, pilot, 12)


async def groups(app: Fastadv, pilot: Pilot[str]) -> None:
    await _compare(app, pilot, 15)
    await pilot.press("g")
    await pilot.pause()


async def _compare(app: Fastadv, pilot: Pilot[str], count: int) -> None:
    """Mark runs, of each recipe in turn, and compare them."""
    await dashboard(app, pilot)
    for row in sorted(app.snapshot.rows, key=lambda row: row.seed)[:count]:
        app.marked.toggle(row.id)
    app.open_compare([*app.marked])
    await until(pilot, lambda: isinstance(app.screen, CompareScreen))
    await pilot.pause()
    await pilot.pause()


@at_all_sizes
@states(("live", four), ("seeds", four), ("seeds", twelve), ("seeds", groups))
def test_the_comparison(snap_compare: Callable[..., bool], size: tuple[int, int], state: str, walk: Walk) -> None:
    assert equals_picture(snap_compare, size, state, walk)
