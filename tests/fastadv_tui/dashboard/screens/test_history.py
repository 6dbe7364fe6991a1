"""The history screen and the comparison, driven by a pilot: filter, sort, mark, annotate, columns."""

import csv
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Label

from engine.config.settings import settings
from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.choice_dialog import ChoiceDialog
from fastadv_tui.dashboard.screens.columns_dialog import ColumnsDialog
from fastadv_tui.dashboard.screens.compare import CompareScreen
from fastadv_tui.dashboard.screens.confirm_dialog import ConfirmDialog
from fastadv_tui.dashboard.screens.history import HistoryScreen
from fastadv_tui.dashboard.screens.text_dialog import TextDialog
from fastadv_tui.dashboard.settings import load
from fastadv_tui.dashboard.widgets.history_table import HistoryTable
from fastadv_tui.dashboard.widgets.run_list import RunList
from fastadv_tui.history.columns import known_columns
from fastadv_tui.history.index import History
from fastadv_tui.history.notes import read_notes
from tests.support import demo_home
from tests.support.pilot import a_run, export, play, shown, until, until_focused

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
        await export(app, pilot)
        await until(pilot, lambda: len([*tmp_path.glob("fastadv-compare-*")]) == 3)
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        await export(app, pilot, "eps")
        await until(pilot, lambda: any("eps" in notice.message for notice in app._notifications))
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        await export(app, pilot, "accuracy by epoch")
        await until(
            pilot, lambda: [path.read_bytes()[:5] for path in tmp_path.glob("fastadv-accuracy-*.pdf")] == [b"%PDF-"]
        )
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
        await pilot.press("escape")  # clears the filter
        await until(pilot, lambda: table.row_count == 3)
        await pilot.press("escape")
        await until(pilot, lambda: bool(app.screen.query(RunList)))

    play(script)


def table_ids(table: HistoryTable) -> list[str]:
    """The ids of the first three lines."""
    return [str(row.key.value) for row in table.ordered_rows[:3]]


def headings(app: Fastadv) -> list[str]:
    return [str(column.label) for column in app.screen.query_one(DataTable).ordered_columns]


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
        await pilot.press("o")
        await until_focused(pilot, Input)
        await pilot.press(*"name", "enter")
        await until(pilot, lambda: "sorted by name" in shown(app) and "name ↓" in shown(app))
        await pilot.press("O")
        await until(pilot, lambda: "sorted by name, lowest first" in shown(app) and "name ↑" in shown(app))

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


def test_runs_that_share_their_name_are_told_apart_by_their_ids() -> None:
    for name in ("a1", "b2"):
        a_run(name, name="twin")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: shown(app).count("twin") == 2)
        assert "a1│" in shown(app).replace(" ", "")
        await pilot.press("space", "down", "space")
        await until(pilot, lambda: "a1 80.0 / 45.0" in shown(app) and "b2 80.0 / 45.0" in shown(app))
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        await until(pilot, lambda: "b2" in shown(app) and "data, evaluation and code agree" in shown(app))

    play(script, size=(160, 50))


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


def test_sorting_by_any_column_sorts_or_says_that_the_column_has_no_order() -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("h")
        await until(pilot, lambda: "1 of 1 runs" in shown(app))
        for key in known_columns(app.snapshot.rows):
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


async def opened(app: Fastadv, pilot: Pilot[str], runs: int) -> HistoryScreen:
    """Open the history, and wait until it shows so many runs."""
    await until(pilot, lambda: app.snapshot.loaded)
    await pilot.press("h")
    await until(pilot, lambda: f"{runs} of {runs} runs" in shown(app))
    assert isinstance(app.screen, HistoryScreen)
    return app.screen


async def choose(app: Fastadv, pilot: Pilot[str], key: str, typed: str) -> None:
    """Open a dialog by its key, and choose what is typed."""
    await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, ChoiceDialog))
    await until_focused(pilot, Input)
    await pilot.press(*typed, "enter")
    await until(pilot, lambda: isinstance(app.screen, HistoryScreen))


def test_runs_are_grouped_by_seeds_at_first_and_by_any_setting_on_request() -> None:
    demo_home.fill("seeds")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        screen = await opened(app, pilot, 15)
        table = screen.query_one(DataTable)
        await choose(app, pilot, "g", "")
        await until(pilot, lambda: table.row_count == 5)
        await until(pilot, lambda: "48.6 ± 0.1%" in shown(app) and "equal but for the seed" in shown(app))
        await choose(app, pilot, "g", "optim.lr")
        await until(pilot, lambda: "equal optim.lr" in shown(app))
        assert table.row_count == 3  # two eps, and another attack
        await choose(app, pilot, "g", "no groups")
        await until(pilot, lambda: table.row_count == 15)

    play(script, size=(160, 50))


def test_enter_on_a_group_compares_its_runs_and_space_marks_them() -> None:
    demo_home.fill("seeds")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        screen = await opened(app, pilot, 15)
        await choose(app, pilot, "g", "")
        await until(pilot, lambda: screen.query_one(DataTable).row_count == 5)
        await pilot.press("space")
        await until(pilot, lambda: "3 marked" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen) and "Results · 3 runs" in shown(app))
        await pilot.press("escape", "j", "space", "c")
        await until(pilot, lambda: "6 runs in 2 groups" in shown(app))  # grouped as in the history

    play(script, size=(160, 50))


def test_published_results_stand_beside_runs_of_their_data_set_and_eps_only() -> None:
    demo_home.fill("seeds")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        screen = await opened(app, pilot, 15)
        screen.query_one("#query", Input).value = "eps=8"
        await until(pilot, lambda: "12 of 15 runs" in shown(app) and shown(app).count("◇ paper") == 4)
        await choose(app, pilot, "o", "robust")
        await until(pilot, lambda: "◇ paper" in shown(app).splitlines()[3])  # 50.69%, the best
        screen.query_one(DataTable).move_cursor(row=0)
        await pilot.press("space", "D", "enter")  # no run: nothing to mark, delete or open
        assert "marked" not in shown(app)
        assert app.screen is screen
        screen.query_one("#query", Input).value = "eps=4"
        await until(pilot, lambda: "3 of 15 runs" in shown(app) and "paper" not in shown(app).splitlines()[3])

    play(script, size=(160, 50))


def test_a_filter_that_matches_nothing_says_so_and_escape_clears_it() -> None:
    demo_home.fill("seeds")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        screen = await opened(app, pilot, 15)
        await pilot.press("slash")
        await until_focused(pilot, Input)
        await pilot.press(*"zzz")
        await until(pilot, lambda: "No run matches zzz. Escape clears the filter." in shown(app))
        await pilot.press("escape")
        await until(pilot, lambda: screen.query_one(DataTable).row_count == 15)
        await until_focused(pilot, DataTable)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is not screen)

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


def test_a_list_of_views_without_a_view_says_what_to_do() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await opened(app, pilot, 1)
        await pilot.press("V")
        await until(pilot, lambda: "none yet; type a name for a new one" in shown(app))

    a_run("a1")
    play(script)


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


def test_the_keys_u_and_h_unmark_all_and_leave_with_the_filter_kept() -> None:
    a_run("a1")
    a_run("b2")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen) and app.screen.query_one(DataTable).row_count)
        await pilot.press("space", "j", "space")
        await until(pilot, lambda: "2 marked" in shown(app))
        await pilot.press("u")
        await until(pilot, lambda: "marked" not in shown(app) and not len(app.marked))
        app.screen.query_one("#query", Input).value = "a1"
        await until(pilot, lambda: "1 of 2 runs" in shown(app))
        await pilot.press("h")
        await until(pilot, lambda: bool(app.screen.query(RunList)))
        await pilot.press("h")
        await until(pilot, lambda: "1 of 2 runs" in shown(app))
        await pilot.press("escape")
        await until(pilot, lambda: "2 of 2 runs" in shown(app))
        await pilot.press("escape", "h")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen) and "2 of 2 runs" in shown(app))

    play(script)


def test_runs_of_one_name_have_their_seed_in_the_name() -> None:
    demo_home.fill("seeds")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await opened(app, pilot, 15)
        await until(pilot, lambda: all(f"✓ done       nfgsm s{seed}" in shown(app) for seed in range(3)))
        await choose(app, pilot, "g", "")
        await until(pilot, lambda: "nfgsm  " in shown(app) and "nfgsm s" not in shown(app))

    play(script, size=(120, 40))


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
