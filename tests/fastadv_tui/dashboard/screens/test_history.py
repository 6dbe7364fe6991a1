"""The history screen and the comparison, driven by a pilot: filter, sort, mark, annotate, columns."""

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, OptionList

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.columns_dialog import ColumnsDialog
from fastadv_tui.dashboard.screens.compare import CompareScreen
from fastadv_tui.dashboard.screens.history import HistoryScreen
from fastadv_tui.dashboard.screens.text_dialog import TextDialog
from fastadv_tui.dashboard.settings import load
from fastadv_tui.dashboard.widgets.run_list import RunList
from fastadv_tui.history.columns import SHOWABLE
from fastadv_tui.history.index import History
from fastadv_tui.history.notes import read_notes
from tests.support.pilot import a_run, play, shown, until, until_focused

pytestmark = pytest.mark.usefixtures("quick_home")


def test_the_history_filters_marks_compares_and_exports_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_run("a1", eps=4 / 255)
    a_run("b2", **{"model.width": 16})
    a_run("c3", "failed")
    monkeypatch.chdir(tmp_path)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
        table = app.screen.query_one(DataTable)
        await until(pilot, lambda: table.row_count == 3)
        await pilot.press("slash")
        await until_focused(pilot, Input)
        await pilot.press(*"status:done")
        await until(pilot, lambda: table.row_count == 2)
        assert "2 of 3 runs" in shown(app)
        await pilot.press("enter")
        await until_focused(pilot, DataTable)
        await pilot.press("space", "j", "space", "c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        await until(pilot, lambda: "model.width" in shown(app))
        assert "8/255" in shown(app)
        await until(pilot, lambda: "different eps" in shown(app))
        await pilot.press("E")
        await until(pilot, lambda: len([*tmp_path.glob("fastadv-compare-*")]) == 4)
        await pilot.press("escape", "escape")
        await until(pilot, lambda: bool(app.screen.query(RunList)))

    play(script)


def test_a_bad_filter_says_so_and_keeps_the_table() -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("h")
        await until(pilot, lambda: "run a1" in shown(app))
        app.screen.query_one("#query", Input).value = "robst>1"
        await until(pilot, lambda: "did you mean robust?" in shown(app))
        assert "run a1" in shown(app)

    play(script)


def test_tags_and_pins_set_in_the_history_are_kept_and_its_rows_can_be_sorted() -> None:
    rundir = a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen) and "run a1" in shown(app))
        await pilot.press("T")
        await until(pilot, lambda: "run a1 (a1): tags" in shown(app))
        await until_focused(pilot, Input)
        await pilot.press(*"paper old", "enter")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen) and "paper old" in shown(app))
        await until_focused(pilot, DataTable)
        await pilot.press("T")
        await until(pilot, lambda: "tags now: paper, old" in shown(app))
        await until_focused(pilot, Input)
        await pilot.press(*"new -old", "enter")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen) and "paper new" in shown(app))
        await until_focused(pilot, DataTable)
        await pilot.press("P")
        await until(pilot, lambda: "⚑" in shown(app))
        await pilot.press("right", "right", "o", "o")
        await until(pilot, lambda: "sorted by name, lowest first" in shown(app))

    play(script)
    row = History().find(rundir.id)
    assert (row.tags, row.pinned) == (["paper", "new"], True)


def test_chosen_columns_and_theme_are_remembered() -> None:
    a_run("a1")

    async def choose(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, ColumnsDialog))
        await until_focused(pilot, OptionList)
        await pilot.press("space", "end", "space", "enter")  # hides the first column and shows the last one
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
        app.theme = "ansi-dark"
        await until(pilot, lambda: load().theme == "ansi-dark")
        assert [str(column.label) for column in app.screen.query_one(DataTable).ordered_columns][1] == "name"

    play(choose)
    columns = load().columns
    assert (columns[0], columns[-1]) == ("name", "note")
    assert "status" not in columns


def test_runs_that_share_their_name_are_told_apart_by_their_ids() -> None:
    for name in ("a1", "b2"):
        a_run(name, name="twin")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: shown(app).count("twin") == 2)
        assert "a1│" in shown(app).replace(" ", "")
        await pilot.press("space", "down", "space")
        await until(pilot, lambda: "a1 clean" in shown(app) and "b2 clean" in shown(app))
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        await until(pilot, lambda: "● b2" in shown(app) and "data, evaluation and code agree" in shown(app))

    play(script, size=(160, 50))


def test_a_note_goes_to_the_run_that_it_was_asked_for() -> None:
    """While the dialog is open, the table changes and its cursor moves to another run."""
    first, second = a_run("a1"), a_run("b2")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("h")
        await until(pilot, lambda: app.screen.query_one(DataTable).row_count == 2)
        history = app.screen
        asked = history._chosen()  # type: ignore[attr-defined]
        await pilot.press("N")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await until_focused(pilot, Input)
        history.query_one("#query", Input).value = f"-{asked.id}"
        await until(pilot, lambda: history.query_one(DataTable).row_count == 1)
        await pilot.press(*"mine", "enter")
        await until(pilot, lambda: {read_notes(first).note, read_notes(second).note} == {"", "mine"})
        assert read_notes({"a1": first, "b2": second}[asked.id]).note == "mine"

    play(script)


def test_sorting_by_any_column_sorts_or_says_that_the_column_has_no_order() -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("h")
        await until(pilot, lambda: app.screen.query_one(DataTable).row_count == 1)
        for key in SHOWABLE:
            app.screen._sort_by(key)  # type: ignore[attr-defined]
        await until(pilot, lambda: "cannot sort by tags" in shown(app))
        assert isinstance(app.screen, HistoryScreen)

    play(script)


def test_names_of_runs_are_no_markup_in_a_comparison() -> None:
    a_run("a1", name="eps8 [/2 lr]")
    a_run("b2", name="[red]x[/red]")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "eps8" in shown(app))
        app.push_screen(CompareScreen(["a1", "b2"]))
        await until(pilot, lambda: "eps8 [/2 lr]" in shown(app) and "[red]x[/red]" in shown(app))

    play(script)
