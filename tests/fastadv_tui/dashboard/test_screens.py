"""Every screen, in many states and at three sizes, equals a stored picture that a person has checked."""

import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.chart.widget import Chart
from fastadv_tui.dashboard.screens.compare import CompareScreen
from fastadv_tui.dashboard.screens.history import HistoryScreen
from fastadv_tui.dashboard.screens.launch import LaunchScreen
from fastadv_tui.dashboard.screens.log import LogScreen
from fastadv_tui.dashboard.settings import Settings
from fastadv_tui.dashboard.widgets.machine import Machine
from tests.support import demo_home
from tests.support.pilot import until

Walk = Callable[[Fastadv, Pilot[str]], Awaitable[None]]
SIZES = [(80, 24), (120, 40), (200, 60)]
pytestmark = pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40", "200x60"])


@pytest.fixture(autouse=True)
def _still(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    demo_home.stand_still(monkeypatch)
    yield
    monkeypatch.undo()
    os.environ.pop("TZ", None)


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
    await dashboard(app, pilot)
    await pilot.press("h")
    await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
    count = len(app.snapshot.rows)
    await until(pilot, lambda: app.screen.query_one(DataTable).row_count == min(count, 500))
    await pilot.pause()


async def grouped(app: Fastadv, pilot: Pilot[str]) -> None:
    await history(app, pilot)
    await pilot.press("g")
    await until(pilot, lambda: app.screen.query_one(DataTable).row_count < 500)


async def launch(app: Fastadv, pilot: Pilot[str]) -> None:
    await dashboard(app, pilot)
    await pilot.press("n")
    await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
    await until(pilot, lambda: "PFLOP" in str(app.screen.query_one("#planned", Static).visual))


async def sweep(app: Fastadv, pilot: Pilot[str]) -> None:
    await launch(app, pilot)
    await pilot.press(*["tab"] * 6, *"4,8")  # from the data set to eps
    await until(pilot, lambda: "2 runs" in str(app.screen.query_one("#planned", Static).visual))


async def compare(app: Fastadv, pilot: Pilot[str]) -> None:
    await history(app, pilot)
    await pilot.press("space", "j", "space", "j", "space", "c")
    await until(pilot, lambda: isinstance(app.screen, CompareScreen))
    await pilot.pause()


async def log(app: Fastadv, pilot: Pilot[str]) -> None:
    await dashboard(app, pilot)
    await pilot.press("l")
    await until(pilot, lambda: isinstance(app.screen, LogScreen))
    await pilot.pause()


async def stop(app: Fastadv, pilot: Pilot[str]) -> None:
    await dashboard(app, pilot)
    await pilot.press("x")
    await pilot.pause()


@pytest.mark.parametrize(
    ("state", "walk"),
    [
        *((state, dashboard) for state in ("empty", "live", "failed", "eight", "thousand")),
        *((state, history) for state in ("empty", "failed", "eight", "thousand")),
        ("thousand", grouped),
        ("empty", launch),
        ("live", sweep),
        ("live", compare),
        ("failed", log),
        ("live", log),
        ("live", stop),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_screen(snap_compare: Callable[..., bool], size: tuple[int, int], state: str, walk: Walk) -> None:
    demo_home.fill(state)
    app = Fastadv(Settings(refresh=60.0))

    async def run_before(pilot: Pilot[str]) -> None:
        await walk(app, pilot)

    assert snap_compare(app, terminal_size=size, run_before=run_before)
