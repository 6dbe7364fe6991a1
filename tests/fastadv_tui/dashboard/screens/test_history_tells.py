"""What the history tells the user: the new run, groups, views, actions, evaluations, and keys without effect."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.widgets import DataTable, Input

from engine.config.attacks import DEFAULT
from engine.config.presets import build
from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.evaluation_monitor import EvaluationMonitor
from fastadv_tui.dashboard.evaluation_words import evaluation_words
from fastadv_tui.dashboard.messages import RunsSubmitted
from fastadv_tui.dashboard.screens.compare import CompareScreen
from fastadv_tui.dashboard.screens.confirm_dialog import ConfirmDialog
from fastadv_tui.dashboard.screens.history import HistoryScreen
from fastadv_tui.dashboard.screens.text_dialog import TextDialog
from fastadv_tui.dashboard.snapshot import Evaluation, Snapshot
from fastadv_tui.dashboard.widgets.history_table import HistoryTable
from fastadv_tui.dashboard.widgets.run_list import RunList
from fastadv_tui.foreign.import_runs import import_runs
from fastadv_tui.foreign.make import Typed
from fastadv_tui.history.index import History
from fastadv_tui.history.notes import read_notes
from fastadv_tui.launch.start_runs import StartedRuns
from fastadv_tui.paths import runs_dir
from fastadv_tui.runs.status import RunStatus
from tests.support import demo_home
from tests.support.history_screen import choose, opened
from tests.support.pilot import a_run, play, shown, told, until, until_focused
from tests.support.runs import make_run

pytestmark = pytest.mark.usefixtures("quick_home")


def under_cursor(screen: HistoryScreen) -> list[str]:
    return [row.id for row in screen.under_cursor()]


def submitted(run_id: str) -> RunsSubmitted:
    return RunsSubmitted(StartedRuns(run_id, f"submitted: {run_id}", []))


def test_the_cursor_goes_to_a_run_that_is_started_from_the_history_unless_it_was_moved() -> None:
    a_run("a1")
    a_run("b2")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        screen = await opened(app, pilot, 2)
        a_run("c3")
        app.post_message(submitted("c3"))
        await until(pilot, lambda: under_cursor(screen) == ["c3"])
        screen.expect("d4")
        await pilot.press("end")
        await until(pilot, lambda: under_cursor(screen) != ["c3"])
        before = under_cursor(screen)
        a_run("d4")
        app.refresh_now()
        await until(pilot, lambda: "4 of 4 runs" in shown(app))
        assert under_cursor(screen) == before

    play(script)


def test_a_new_run_that_the_filter_hides_is_told() -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        screen = await opened(app, pilot, 1)
        screen.query_one("#query", Input).value = "a1"
        await until(pilot, lambda: "1 of 1 runs" in shown(app))
        a_run("b2")
        app.post_message(submitted("b2"))
        await until(pilot, lambda: "the filter hides the new run" in told(app))

    play(script)


def test_home_and_end_go_to_the_first_and_the_last_of_many_lines() -> None:
    rows = [replace(row, id=f"r{place:03}") for place, row in enumerate(demo_home.recipes() * 12)][:150]
    History().upsert(rows)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        screen = await opened(app, pilot, len(rows))
        table = screen.query_one(HistoryTable)
        await pilot.press("end")
        await until(pilot, lambda: table.cursor_row == len(screen._lines) - 1)
        await pilot.press("home")
        await until(pilot, lambda: table.cursor_row == 0)

    play(script)


def test_stop_and_resume_name_the_runs_on_which_they_cannot_act() -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await opened(app, pilot, 1)
        await pilot.press("x")
        await until(pilot, lambda: "ended already: run a1 (a1)" in told(app))

    play(script)


def test_notes_tags_pins_views_and_deletions_are_answered_by_a_toast() -> None:
    rundir = a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await opened(app, pilot, 1)
        for key, word in (("T", "tags saved"), ("N", "note saved")):
            await pilot.press(key)
            await until(pilot, lambda: isinstance(app.screen, TextDialog))
            await until_focused(pilot, Input)
            await pilot.press(*"paper", "enter")
            await until(pilot, lambda word=word: f"{word}: run a1 (a1)" in told(app))  # type: ignore[misc]
            await until_focused(pilot, DataTable)
        await pilot.press("P")
        await until(pilot, lambda: "pinned: run a1 (a1)" in told(app))
        await choose(app, pilot, "V", "mine")
        await until(pilot, lambda: "view saved: mine" in told(app))
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: "deleted: run a1 (a1)" in told(app))

    play(script)
    assert not rundir.path.exists()


def test_a_group_is_pinned_and_renamed_as_a_whole() -> None:
    """Of one member alone nobody could see or choose which."""
    runs = [a_run(f"r{seed}", name="one", seed=seed) for seed in range(2)]

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await opened(app, pilot, 2)
        await choose(app, pilot, "g", "seeds")
        await until(pilot, lambda: "1 line:" in shown(app))
        await pilot.press("P")
        await until(pilot, lambda: [read_notes(run).pinned for run in runs] == [True, True])
        await until(pilot, lambda: "⚑" in shown(app))
        await pilot.press("P")
        await until(pilot, lambda: [read_notes(run).pinned for run in runs] == [False, False])
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await until_focused(pilot, Input)
        await pilot.press(*"both", "enter")
        await until(pilot, lambda: [read_notes(run).name for run in runs] == ["both", "both"])

    play(script)


def test_the_first_pinned_line_has_the_flag_and_a_line_without_a_difference_says_why() -> None:
    rows = [
        replace(
            demo_home.recipes()[0], id=run_id, name=run_id, robust=0.4, eps=eps / 255, pinned=pinned, submitted=when
        )
        for run_id, eps, pinned, when in (("a1", 8, True, 3.0), ("b2", 8, True, 2.0), ("c3", 4, False, 1.0))
    ]
    History().upsert(rows)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await opened(app, pilot, 3)
        await until(pilot, lambda: "⚑" in line_of(app, "a1"))
        assert "⚐" in line_of(app, "b2")
        assert "eps 4" in line_of(app, "c3")

    play(script, (160, 40))


def line_of(app: Fastadv, name: str) -> str:
    """The line of the table with a name, without the preview at the right."""
    return next(line[:110] for line in shown(app).split("\n") if name in line[:110])


def test_an_export_of_marked_runs_that_the_filter_hides_says_so() -> None:
    a_run("a1")
    a_run("b2")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        screen = await opened(app, pilot, 2)
        await pilot.press("space")
        hidden = next(iter(app.marked))
        screen.query_one("#query", Input).value = "a1" if hidden == "b2" else "b2"
        await until(pilot, lambda: "1 of 2 runs" in shown(app))
        await pilot.press("E")
        await until(pilot, lambda: "Export 1 marked run, hidden by the filter into the current" in shown(app))

    play(script)


def test_the_history_opens_as_it_was_left() -> None:
    demo_home.fill("seeds")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await opened(app, pilot, 15)
        await choose(app, pilot, "o", "best_robust")
        await choose(app, pilot, "g", "seeds")
        await choose(app, pilot, "V", "mine")
        await until(pilot, lambda: "view: mine" in shown(app))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, HistoryScreen))
        await pilot.press("h")
        await until(pilot, lambda: "sorted by best_robust" in shown(app) and "equal but for the seed" in shown(app))
        await until(pilot, lambda: "view: mine" in shown(app) and "changed" not in shown(app))

    play(script, (160, 50))


def test_the_field_of_the_views_takes_a_new_name_too() -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await opened(app, pilot, 1)
        await pilot.press("V")
        await until(pilot, lambda: "type a part of the name, or a new name" in shown(app))

    play(script)


def test_a_view_that_was_left_by_a_filter_or_a_grouping_is_marked_as_changed() -> None:
    demo_home.fill("seeds")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        screen = await opened(app, pilot, 15)
        await choose(app, pilot, "V", "best")
        await until(pilot, lambda: "view: best" in shown(app) and "changed" not in shown(app))
        screen.query_one("#query", Input).value = "eps=8"
        await until(pilot, lambda: "view: best, changed" in shown(app))
        await pilot.press("escape")
        await until(pilot, lambda: "view: best" in shown(app) and "changed" not in shown(app))
        await choose(app, pilot, "g", "")
        await until(pilot, lambda: "view: best, changed" in shown(app))

    play(script, (160, 50))


def test_a_grouping_says_by_what_else_its_lines_are_apart_and_names_no_run_of_several() -> None:
    a_run("a1", eps=8 / 255)
    a_run("b2", eps=8 / 255)
    a_run("c3", eps=4 / 255)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        screen = await opened(app, pilot, 3)
        await choose(app, pilot, "g", "status")
        await until(pilot, lambda: "2 lines: equal status, eps, step size of the attack; mean" in shown(app))
        line = next(place for place, rows in enumerate(screen._lines.values()) if len(rows) == 2)
        screen.query_one(DataTable).move_cursor(row=line)
        await until(pilot, lambda: "2 runs, 2 names" in shown(app))

    play(script, (200, 50))


def test_a_run_that_has_not_begun_is_apart_from_its_seeds_and_the_line_below_says_why() -> None:
    a_run("a1", name="one", seed=0)
    make_run(runs_dir() / "b2", chosen=build("cifar", {"name": "one", "seed": 1}))

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await opened(app, pilot, 2)
        await pilot.press("P")
        await until(pilot, lambda: "sorted by submitted, pinned first" in shown(app))
        await choose(app, pilot, "g", "seeds")
        await until(pilot, lambda: "2 lines: equal but for the seed and measured alike" in shown(app))
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: any(line.rstrip(" ▍").endswith("…") for line in shown(app).split("\n")[-4:]))

    play(script, (160, 40))


def test_lines_of_one_name_and_seed_have_their_ids() -> None:
    for run_id, seed in (("a1", 0), ("b2", 1), ("c3", 1)):
        a_run(run_id, name="digits-pgd-eps51", seed=seed)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await opened(app, pilot, 3)
        await until(pilot, lambda: "digits-pgd-eps51 s1 b2" in shown(app) and "digits-pgd-eps51 s1 c3" in shown(app))
        assert "digits-pgd-eps51 s0 a1" not in shown(app)
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        assert "digits-pgd-eps51 s1 (c3)" in shown(app)

    play(script, (80, 24))


def test_an_evaluation_is_seen_in_the_history_and_in_the_counts_and_is_stopped_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_run("a1")
    evaluation = Evaluation(RunDir(tmp_path), DEFAULT, RunStatus(status="running"), 0.09)
    monkeypatch.setattr(EvaluationMonitor, "look", lambda self: {"a1": [evaluation]})

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await opened(app, pilot, 1)
        await until(pilot, lambda: "✓ evaluating   9%" in shown(app) and "1 evaluating" in shown(app))
        await pilot.press("x")
        await until(pilot, lambda: "Stop the evaluation?" in shown(app))

    play(script)


@pytest.mark.parametrize(("width", "words"), [(120, "1 queued to evaluate"), (60, "1 eval queued")])
def test_an_evaluation_that_waits_does_not_count_as_under_way(
    width: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_run("a1")
    waits = Evaluation(RunDir(tmp_path), DEFAULT, RunStatus(status="queued"))
    monkeypatch.setattr(EvaluationMonitor, "look", lambda self: {"a1": [waits]})

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: words in shown(app))
        assert "evaluating" not in shown(app).split("\n")[0]

    play(script, (width, 40))


def test_an_evaluation_that_waits_leaves_the_column_of_states_narrow(tmp_path: Path) -> None:
    waits = Evaluation(RunDir(tmp_path), DEFAULT, RunStatus(status="queued"))
    for held_up in ("", "queue paused"):
        snapshot = Snapshot([], {}, {tmp_path.name: 23}, held_up)
        assert evaluation_words(waits, snapshot, brief=True) == "eval 23rd in line"


def test_a_list_whose_filter_matches_nothing_says_so() -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app))
        await pilot.press("slash")
        await until_focused(pilot, Input)
        await pilot.press(*"zzz")
        await until(pilot, lambda: "No run matches zzz" in " ".join(shown(app).split()))
        assert "No runs yet" not in shown(app)
        app.screen.query_one(RunList).focus()
        await pilot.press("l")
        await until(pilot, lambda: "no run is chosen" in told(app))

    play(script)


def test_an_empty_history_says_once_what_to_press_and_has_no_filter_to_blame() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: app.snapshot.loaded)
        await pilot.press("h")
        await until(pilot, lambda: "No runs yet. Press n to start one." in shown(app))
        assert shown(app).count("No runs yet") == 1
        await pilot.press("E")
        await until(pilot, lambda: "there is no run yet" in told(app))

    play(script)


def test_a_run_of_another_program_stands_beside_the_own_runs_and_is_compared(tmp_path: Path) -> None:
    a_run("a1")
    curve = tmp_path / "theirs.csv"
    curve.write_text("epoch,test_acc,adv_acc\n1,35.0,20.5\n2,45.0,30.5\n")
    (row,) = import_runs("csv", curve, Typed(dataset="digits"))

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        screen = await opened(app, pilot, 2)
        assert "foreign" in shown(app)
        await until(pilot, lambda: under_cursor(screen) == [row.id])
        await pilot.press("space", "down", "space", "c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        await until(pilot, lambda: "theirs" in shown(app))

    play(script)
