"""The history, as pictures."""

from collections.abc import Callable

from textual.pilot import Pilot
from textual.widgets import DataTable, Input

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.choice_dialog import ChoiceDialog
from fastadv_tui.dashboard.screens.history import HistoryScreen
from tests.support.pictures import Walk, at_all_sizes, equals_picture, history, states
from tests.support.pictures import still as still
from tests.support.pilot import until, until_focused


async def grouped(app: Fastadv, pilot: Pilot[str]) -> None:
    await history(app, pilot)
    await _group(app, pilot)


async def leaderboard(app: Fastadv, pilot: Pilot[str]) -> None:
    """Runs of one eps in groups by seed, sorted by robust accuracy, of which one is marked."""
    await history(app, pilot)
    app.marked.toggle("nfgs00")
    app.screen.query_one("#query", Input).value = "eps=8"
    app.screen._sort_by("robust")  # type: ignore[attr-defined]
    await until(pilot, lambda: app.screen.query_one(DataTable).row_count == 16)  # twelve runs, four published results
    await _group(app, pilot)


async def nothing(app: Fastadv, pilot: Pilot[str]) -> None:
    await history(app, pilot)
    app.screen.query_one("#query", Input).value = "no such run"
    await until(pilot, lambda: not app.screen.query_one(DataTable).row_count)
    await pilot.pause()


async def _group(app: Fastadv, pilot: Pilot[str]) -> None:
    """Group the lines by seed."""
    lines = app.screen.query_one(DataTable).row_count
    await pilot.press("g")
    await until(pilot, lambda: isinstance(app.screen, ChoiceDialog))
    await until_focused(pilot, Input)
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
    await until(pilot, lambda: app.screen.query_one(DataTable).row_count < lines)
    await pilot.pause()


@at_all_sizes
@states(
    ("empty", history),
    ("failed", history),
    ("eight", history),
    ("seeds", leaderboard),
    ("seeds", nothing),
    ("thousand", history),
    ("thousand", grouped),
)
def test_the_history(snap_compare: Callable[..., bool], size: tuple[int, int], state: str, walk: Walk) -> None:
    assert equals_picture(snap_compare, size, state, walk)
