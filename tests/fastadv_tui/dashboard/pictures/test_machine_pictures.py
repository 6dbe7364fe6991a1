"""The machine with no, one, four and eight GPUs: its panel, its line in the top bar, and its page, as pictures."""

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.machine import MachineScreen
from tests.support.demo_home import StillSampler
from tests.support.pictures import Walk, at_all_sizes, dashboard, equals_picture
from tests.support.pictures import still as still
from tests.support.pilot import until


async def page(app: Fastadv, pilot: Pilot[str]) -> None:
    await dashboard(app, pilot)
    await pilot.press("M")
    await until(pilot, lambda: isinstance(app.screen, MachineScreen))
    await pilot.pause()


@at_all_sizes
@pytest.mark.parametrize(
    ("count", "walk"),
    [(0, dashboard), (1, dashboard), (4, dashboard), (8, dashboard), (0, page), (1, page), (8, page)],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_the_machine(
    snap_compare: Callable[..., bool], monkeypatch: pytest.MonkeyPatch, count: int, walk: Walk, size: tuple[int, int]
) -> None:
    monkeypatch.setattr(StillSampler, "count", count)
    assert equals_picture(snap_compare, size, "eight", walk)
