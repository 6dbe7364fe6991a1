"""The history under a pilot: filters, sorting, groups and comparisons."""

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Input

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.compare import CompareScreen
from fastadv_tui.dashboard.screens.history import HistoryScreen
from fastadv_tui.dashboard.widgets.run_list import RunList
from fastadv_tui.history.columns import known_columns
from tests.support import demo_home
from tests.support.history_screen import choose, opened
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


def test_a_bad_filter_says_so_and_keeps_the_table() -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("h")
        await until(pilot, lambda: "run a1" in shown(app))
        app.screen.query_one("#query", Input).value = "robst>1"
        await until(pilot, lambda: "did you mean robust?" in shown(app))
        assert "run a1" in shown(app)

    play(script)


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
