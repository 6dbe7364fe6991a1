"""Columns and views of the history."""

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Input

from engine.config.settings import settings
from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.columns_dialog import ColumnsDialog
from fastadv_tui.dashboard.screens.history import HistoryScreen
from fastadv_tui.dashboard.settings import load
from tests.support import demo_home
from tests.support.history_screen import choose, opened
from tests.support.pilot import a_run, play, shown, until, until_focused

pytestmark = pytest.mark.usefixtures("quick_home")


def headings(app: Fastadv) -> list[str]:
    return [str(column.label) for column in app.screen.query_one(DataTable).ordered_columns]


def test_chosen_columns_and_theme_are_remembered() -> None:
    a_run("a1")

    async def choose(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, ColumnsDialog))
        await until_focused(pilot, Input)
        await until(pilot, lambda: "▐X▌ status" in shown(app) and "▐ ▌ id" in shown(app))
        await pilot.press("space", "end", "space", "enter")  # hides the first column and shows the last one
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
        app.theme = "ansi-dark"
        await until(pilot, lambda: load().theme == "ansi-dark")
        await until(pilot, lambda: headings(app)[1] == "name")

    play(choose)
    columns = load().columns
    assert columns[0] == "name"
    assert columns[1] in settings()  # the last of all settings, behind the name, where the user sees it
    assert "status" not in columns


def test_typing_in_the_columns_dialog_finds_a_column() -> None:
    a_run("a1")

    async def choose(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, ColumnsDialog))
        await until_focused(pilot, Input)
        await pilot.press(*"schedule", "space", *["backspace"] * 8, *"optim.mome", "space", "enter")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))

    play(choose)
    columns = load().columns
    assert {"status", "name", "optim.schedule", "optim.momentum"} <= set(columns)


def test_a_list_of_views_without_a_view_says_what_to_do() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await opened(app, pilot, 1)
        await pilot.press("V")
        await until(pilot, lambda: "none yet; type a name for a new one" in shown(app))

    a_run("a1")
    play(script)


def test_views_are_saved_by_name_and_opened_again() -> None:
    demo_home.fill("seeds")

    async def save(app: Fastadv, pilot: Pilot[str]) -> None:
        screen = await opened(app, pilot, 15)
        screen.query_one("#query", Input).value = "eps=8"
        await choose(app, pilot, "o", "robust")
        await choose(app, pilot, "g", "")
        await choose(app, pilot, "V", "best [x]")
        await until(pilot, lambda: "view: best [x]" in shown(app) and bool(load().views))

    async def again(app: Fastadv, pilot: Pilot[str]) -> None:
        app.settings = load()
        await opened(app, pilot, 15)
        await choose(app, pilot, "V", "best")
        await until(pilot, lambda: "12 of 15 runs" in shown(app) and "sorted by robust" in shown(app))
        await until(pilot, lambda: app.screen.query_one(DataTable).row_count == 8)  # four groups, four published
        await choose(app, pilot, "V", "remove")
        await until(pilot, lambda: not load().views)

    play(save)
    view = load().views["best [x]"]
    assert (view.filter, view.sort, view.group) == ("eps=8", "robust", "seeds")
    play(again)
