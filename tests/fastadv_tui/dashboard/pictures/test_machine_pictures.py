"""The machine with no, one, four and eight GPUs: its panel, its line in the top bar, and its page, as pictures."""

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.machine import MachineScreen
from tests.support.demo_home import StillSampler
from tests.support.pictures import Walk, dashboard, equals_picture
from tests.support.pictures import still as still
from tests.support.pilot import until


async def page(app: Fastadv, pilot: Pilot[str]) -> None:
    await dashboard(app, pilot)
    await pilot.press("M")
    await until(pilot, lambda: isinstance(app.screen, MachineScreen))
    await pilot.pause()


@pytest.mark.parametrize(
    ("count", "size", "walk"),
    [
        *((0, (120, 40), dashboard), (1, (120, 40), dashboard), (4, (120, 40), dashboard), (8, (120, 40), dashboard)),
        *((1, (80, 24), dashboard), (8, (80, 24), dashboard), (8, (200, 60), dashboard)),
        *((0, (80, 24), page), (1, (120, 40), page), (8, (80, 24), page), (8, (160, 50), page)),
    ],
    ids=lambda value: "x".join(map(str, value)) if isinstance(value, tuple) else getattr(value, "__name__", str(value)),
)
def test_the_machine(
    snap_compare: Callable[..., bool], monkeypatch: pytest.MonkeyPatch, count: int, size: tuple[int, int], walk: Walk
) -> None:
    monkeypatch.setattr(StillSampler, "count", count)
    assert equals_picture(snap_compare, size, "eight", walk)
