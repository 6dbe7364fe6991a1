"""The history under a pilot."""

from textual.pilot import Pilot
from textual.widgets import DataTable, Input

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.choice_dialog import ChoiceDialog
from fastadv_tui.dashboard.screens.history import HistoryScreen
from tests.support.pilot import shown, until, until_focused


async def opened(app: Fastadv, pilot: Pilot[str], runs: int) -> HistoryScreen:
    """Open the history, and wait until it shows so many runs."""
    await until(pilot, lambda: app.snapshot.loaded)
    await pilot.press("h")
    await until(pilot, lambda: f"{runs} of {runs} runs" in shown(app))
    assert isinstance(app.screen, HistoryScreen)
    await until_focused(pilot, DataTable)
    return app.screen


async def choose(app: Fastadv, pilot: Pilot[str], key: str, typed: str) -> None:
    """Open a dialog by its key, and choose what is typed."""
    await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, ChoiceDialog))
    await until_focused(pilot, Input)
    await pilot.press(*typed, "enter")
    await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
