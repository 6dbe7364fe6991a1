"""What is done with runs in the history: names, notes, tags, pins and exports."""

import csv
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Label

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.choice_dialog import ChoiceDialog
from fastadv_tui.dashboard.screens.confirm_dialog import ConfirmDialog
from fastadv_tui.dashboard.screens.history import HistoryScreen
from fastadv_tui.dashboard.screens.text_dialog import TextDialog
from fastadv_tui.dashboard.widgets.history_table import HistoryTable
from fastadv_tui.history.index import History
from fastadv_tui.history.notes import read_notes
from tests.support import demo_home
from tests.support.history_screen import opened
from tests.support.pilot import a_run, export, play, shown, until, until_focused

pytestmark = pytest.mark.usefixtures("quick_home")


def table_ids(table: HistoryTable) -> list[str]:
    """The ids of the first three lines."""
    return [str(row.key.value) for row in table.ordered_rows[:3]]


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
        await pilot.press("o")
        await until_focused(pilot, Input)
        await pilot.press(*"name", "enter")
        await until(pilot, lambda: "sorted by name" in shown(app) and "name ↓" in shown(app))
        await pilot.press("O")
        await until(pilot, lambda: "sorted by name, lowest first" in shown(app) and "name ↑" in shown(app))

    play(script)
    row = History().find(rundir.id)
    assert (row.tags, row.pinned) == (["paper", "new"], True)


def test_a_note_goes_to_the_run_that_it_was_asked_for() -> None:
    """While the dialog is open, the table changes and its cursor moves to another run."""
    first, second = a_run("a1"), a_run("b2")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("h")
        await until(pilot, lambda: "2 of 2 runs" in shown(app))
        history = app.screen
        (asked,) = history.under_cursor()  # type: ignore[attr-defined]
        await pilot.press("N")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await until_focused(pilot, Input)
        history.query_one("#query", Input).value = f"-{asked.id}"
        await until(pilot, lambda: history.matching_rows() == [row for row in app.snapshot.rows if row.id != asked.id])  # type: ignore[attr-defined]
        await pilot.press(*"mine", "enter")
        await until(pilot, lambda: {read_notes(first).note, read_notes(second).note} == {"", "mine"})
        assert read_notes({"a1": first, "b2": second}[asked.id]).note == "mine"

    play(script)


def test_different_notes_of_marked_runs_are_shown_and_kept_unless_something_is_typed() -> None:
    runs = [a_run(name) for name in ("a1", "b2", "c3")]
    for rundir, note in zip(runs, ("two epochs", "", "rate too high"), strict=True):
        History().edit(rundir, lambda notes, note=note: setattr(notes, "note", note))  # type: ignore[misc]

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await opened(app, pilot, 3)
        for typed, left in (("", ["two epochs", "", "rate too high"]), ("mine", ["mine"] * 3)):
            await pilot.press("home", "space", "j", "space", "j", "space", "N")
            await until(pilot, lambda: isinstance(app.screen, TextDialog))
            await until_focused(pilot, Input)
            assert "and 1 other(s)" in shown(app)
            await pilot.press(*typed, "enter")
            await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
            await until(pilot, lambda left=left: [read_notes(rundir).note for rundir in runs] == left)  # type: ignore[misc]
            await pilot.press("u")

    play(script)


def test_actions_apply_to_all_marked_runs() -> None:
    runs = [a_run(name) for name in ("a1", "b2", "c3")]

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await opened(app, pilot, 3)
        await pilot.press("space", "j", "space", "j", "T")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await until_focused(pilot, Input)
        await pilot.press(*"both", "enter")
        await until(pilot, lambda: [read_notes(run).tags for run in runs].count(["both"]) == 2)
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog) and "their folders" in shown(app))
        assert "2 marked runs: " in shown(app)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
        app.screen.query_one("#query", Input).value = "no such run"
        await until(pilot, lambda: "0 of 3 runs" in shown(app))
        await pilot.press("D")
        await until(pilot, lambda: "2 marked runs, hidden by the filter" in " ".join(shown(app).split()))
        await pilot.press("y")
        await until(pilot, lambda: [run.path.exists() for run in runs].count(True) == 1)
        await until(pilot, lambda: "0 of 1 runs" in shown(app) and "marked" not in shown(app))

    play(script)


def test_a_new_name_is_for_the_run_under_the_cursor_whatever_is_marked() -> None:
    runs = [a_run(name) for name in ("a1", "b2", "c3")]

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await opened(app, pilot, 3)
        await pilot.press("space", "j", "space", "r")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await until(pilot, lambda: "(b2): name" in shown(app))
        assert "marked" not in str(app.screen.query_one(Label).render())
        await until_focused(pilot, Input)
        await pilot.press("ctrl+u", *"new", "enter")
        await until(pilot, lambda: [read_notes(run).name for run in runs] == ["", "new", ""])

    play(script)


def test_a_choice_right_after_typing_is_the_one_that_was_typed() -> None:
    """All keys come at once, as from a terminal on a busy machine."""
    chosen: list[str | None] = []

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        app.push_screen(ChoiceDialog("which", ["fgsm", "pgd-10", "pgd-20"]), chosen.append)
        await until_focused(pilot, Input)
        for key in ("p", "g", "down", "enter"):
            app.post_message(Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: chosen)

    play(script)
    assert chosen == ["pgd-20"]


def test_the_marked_runs_are_exported_as_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    demo_home.fill("seeds")
    monkeypatch.chdir(tmp_path)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await opened(app, pilot, 15)
        await pilot.press("j", "space")
        await export(app, pilot)
        await until(pilot, lambda: any(path.read_text() for path in tmp_path.glob("fastadv-runs-*.csv")))

    play(script)
    (path,) = tmp_path.glob("fastadv-runs-*.csv")
    (line,) = csv.DictReader(path.read_text().splitlines())
    row = History().find(line["id"])
    assert float(line["robust"]) == row.robust
    assert float(line["eps"]) == row.eps
    assert line["pinned"] == "true"


def test_a_pinned_run_is_first_in_both_orders_of_time() -> None:
    rows = demo_home.recipes()[:3]
    History().upsert([rows[0], replace(rows[1], pinned=True), rows[2]])

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen) and app.screen.query_one(DataTable).row_count)
        table = app.screen.query_one(HistoryTable)
        order = [rows[1].id, rows[0].id, rows[2].id]
        await until(pilot, lambda: table_ids(table) == order)
        await pilot.press("O")
        await until(pilot, lambda: table_ids(table) == [order[0], order[2], order[1]])

    play(script)
