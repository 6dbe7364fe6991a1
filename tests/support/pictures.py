"""Helps the tests of `dashboard/pictures`, which compare each screen with a stored picture that a person checked."""

import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.chart.widget import Chart
from fastadv_tui.dashboard.screens.history import HistoryScreen
from fastadv_tui.dashboard.settings import Settings
from fastadv_tui.dashboard.widgets.machine import Machine
from tests.support import demo_home
from tests.support.pilot import until

Walk = Callable[[Fastadv, Pilot[str]], Awaitable[None]]
SIZES = [(80, 24), (120, 40), (160, 50), (200, 60)]
at_all_sizes = pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40", "160x50", "200x60"])


def states(*cases: tuple[str, Walk]) -> pytest.MarkDecorator:
    """The cases of one screen: what the home holds (see `demo_home.fill`), and the way to the screen."""
    return pytest.mark.parametrize(
        ("state", "walk"), cases, ids=lambda value: value if isinstance(value, str) else value.__name__
    )


@pytest.fixture(autouse=True)
def still(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Time, time zone and telemetry stand still. A test module imports this fixture."""
    demo_home.stand_still(monkeypatch)
    yield
    monkeypatch.undo()
    os.environ.pop("TZ", None)


def equals_picture(snap_compare: Callable[..., bool], size: tuple[int, int], state: str, walk: Walk) -> bool:
    """Whether the screen at the end of the walk equals its stored picture."""
    demo_home.fill(state)
    app = Fastadv(Settings(refresh=60.0))

    async def run_before(pilot: Pilot[str]) -> None:
        await walk(app, pilot)

    return snap_compare(app, terminal_size=size, run_before=run_before)


async def dashboard(app: Fastadv, pilot: Pilot[str]) -> None:
    """Wait until the dashboard has drawn everything."""
    await until(pilot, lambda: app.snapshot.loaded)
    if app.snapshot.rows:
        await until(pilot, lambda: bool(app.looked_at))
        with_folder = app.snapshot.rows[0].id in app.snapshot.views or not (app.snapshot.rows[0].code_fingerprint)
        if with_folder:
            await until(pilot, lambda: bool(app.screen.query_one("#accuracy", Chart).series))
    await until(pilot, lambda: bool(str(app.screen.query_one(Machine).visual)))
    await pilot.pause()


async def history(app: Fastadv, pilot: Pilot[str]) -> None:
    """Open the history, and wait until its table is filled."""
    await dashboard(app, pilot)
    await pilot.press("h")
    await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
    count = len(app.snapshot.rows)
    await until(pilot, lambda: app.screen.query_one(DataTable).row_count >= min(count, 500))
    await pilot.pause()
