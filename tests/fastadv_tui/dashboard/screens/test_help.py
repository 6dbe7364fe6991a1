"""The help: what it lists works by keyboard alone at 80x24, and the page itself is read and left by key."""

import textwrap
from pathlib import Path
from typing import Any

import pytest
from textual.binding import Binding
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static

from engine.config.presets import build
from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.chart.widget import Chart
from fastadv_tui.dashboard.screens.compare import CompareScreen
from fastadv_tui.dashboard.screens.help import SECTIONS, HelpScreen, Section, action_name, bindings_of
from fastadv_tui.dashboard.screens.history import HistoryScreen
from fastadv_tui.dashboard.screens.launch import LaunchScreen
from fastadv_tui.dashboard.screens.log import LogScreen
from fastadv_tui.dashboard.screens.machine import MachineScreen
from fastadv_tui.dashboard.screens.runs import RunsScreen
from fastadv_tui.dashboard.widgets.run_list import RunList
from fastadv_tui.paths import runs_dir
from fastadv_tui.supervise import process_identity, records
from fastadv_tui.supervise.records import ProcessRecord
from tests.support.events import started, step, write_events
from tests.support.pilot import a_run, play, shown, until
from tests.support.runs import make_run

pytestmark = pytest.mark.usefixtures("quick_home", "fake_engine")

WAYS: dict[type[Any], list[str]] = {  # the keys from the first screen to each other screen
    RunsScreen: [],
    HistoryScreen: ["h"],
    CompareScreen: ["space", "down", "space", "c"],
    LogScreen: ["l"],
    LaunchScreen: ["n"],
    MachineScreen: ["M"],
}
FIRST = {  # by action: the keys before, without which there is nothing to do
    (RunsScreen, "back"): ["z"],
    (RunsScreen, "compare"): ["space", "down", "space"],
    (RunsScreen, "stop"): ["end"],  # the run that trains is the oldest
    (RunsScreen, "resume"): ["down"],
    (RunsScreen, "cursor"): ["down"],
    (RunsScreen, "unmark"): ["space"],
    (RunsScreen, "zoom_other"): ["z"],
    (LaunchScreen, "empty"): ["x"],
    (RunsScreen, "curves"): ["down"],  # the run that trains has ended no epoch, so its accuracy chart is empty
    (CompareScreen, "toggle_accuracy"): ["t"],  # the charts, of whose curves the key speaks
    (HistoryScreen, "compare"): ["space", "down", "space"],
    (HistoryScreen, "cursor"): ["down"],
    (HistoryScreen, "edge"): ["down"],
    (HistoryScreen, "unmark"): ["space"],
    (HistoryScreen, "sort"): ["right"],
    (HistoryScreen, "resume"): ["down"],
    (MachineScreen, "cursor"): ["down"],
}
NEEDS_GPUS = {"cursor"}  # of the page of the machine: without a GPU there is one device


def a_home() -> None:
    """Four runs: one that trains (the process of the test stands for its engine), three that have ended."""
    me = process_identity.me()
    trains = make_run(runs_dir() / "t0", chosen=build("cifar", {"name": "trains"}))
    write_events(trains, started(), *(step(n) for n in range(1, 50)))
    records.write(trains.process, ProcessRecord(attempt=1, supervisor=me, engine=me))
    for run_id, status in (("a1", "done"), ("s2", "stopped"), ("d3", "done")):
        a_run(run_id, status, device="cpu").last.touch()


def looks(app: Fastadv) -> tuple[object, ...]:
    """What a key may change: the screen, the focus, the marks, a message, a chart that has no room at 80x24.

    The top bar is left out, because its figures of the machine change without a key.
    """
    charts = [(chart.options, chart.cursor) for chart in app.screen.query(Chart)]
    cursors = [table.cursor_coordinate for table in app.screen.query(DataTable)]
    below_top_bar = shown(app).split("\n", 1)[1]
    return (len(app.screen_stack), below_top_bar, app.focused, [*app.marked], len(app._notifications), charts, cursors)


async def back_to_runs(app: Fastadv, pilot: Pilot[str]) -> None:
    while not isinstance(app.screen, RunsScreen):
        await app.pop_screen()
    app.marked.clear()
    app.screen.leave_zoom()
    app.screen.query_one("#filter", Input).value = ""
    app.screen.query_one("#left").remove_class("filtering")
    app.screen.query_one(RunList).focus()
    app.screen.query_one(RunList).highlighted = 0
    for chart in app.screen.query(Chart):
        chart.cursor = None
    app.screen.take(app.snapshot)
    app.clear_notifications()
    await pilot.pause()


async def works(app: Fastadv, pilot: Pilot[str], section: Section, binding: Binding) -> None:
    await back_to_runs(app, pilot)
    for key in WAYS[section.of]:
        await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, section.of) and app.screen.ready)
    await pilot.press(*FIRST.get((section.of, action_name(binding)), []))
    if action_name(binding) == "curves":
        await until(pilot, lambda: app.screen.query_one("#accuracy", Chart).has_points)
    await pilot.pause()
    before = looks(app)
    await pilot.press(binding.key)
    try:
        await until(pilot, lambda: looks(app) != before)
    except AssertionError as error:
        raise AssertionError(f"{section.title}: the key {binding.key} ({binding.description}) does nothing") from error


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
def test_every_key_that_the_help_lists_does_something_at_80x24(
    section: Section, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # exports go into the current folder
    a_home()

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: len(app.snapshot.rows) == 4 and "80.0/45.0" in shown(app))
        listed = [binding for binding in bindings_of(section.of) if section.belongs(binding) and binding.description]
        assert listed
        for binding in Binding.make_bindings(listed):
            if action_name(binding) == "demo" or (section.title == "Machine" and action_name(binding) in NEEDS_GPUS):
                continue
            await works(app, pilot, section, binding)

    play(script, (80, 24))


def text(app: Fastadv) -> str:
    return str(app.screen.query_one("#keys", Static).visual)


def test_the_help_begins_with_the_screen_below_is_scrolled_by_key_and_closed_by_three_keys() -> None:
    a_home()

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: len(app.snapshot.rows) == 4)
        for opening, closing in (("question_mark", "escape"), ("f1", "q"), ("question_mark", "question_mark")):
            await pilot.press(opening)
            await until(pilot, lambda: isinstance(app.screen, HelpScreen) and "stop this run" in shown(app))
            assert text(app).startswith("Runs\n")
            top = shown(app)
            await pilot.press("pagedown")
            await until(pilot, lambda top=top: shown(app) != top)  # type: ignore[misc]
            await pilot.press("end")
            await until(pilot, lambda: "quit; the runs go on" in shown(app))
            await pilot.press("home")
            await until(pilot, lambda top=top: shown(app) == top)  # type: ignore[misc]
            await pilot.press(closing)
            await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen) and app.screen.ready)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        assert text(app).startswith("History\n")
        assert "robust>0.4" in text(app)

    play(script, (80, 24))


def test_the_help_shows_the_users_keys_and_no_change_in_a_readonly_dashboard() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        app.settings.keymap = {"log": "L"}
        await until(pilot, lambda: app.snapshot.loaded)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen) and "log of the run" in text(app))
        said = textwrap.dedent(text(app)).splitlines()
        assert any(line.split() == ["L", "log", "of", "the", "run"] for line in said)
        assert "kill the run" not in text(app)
        assert "new run: a form" not in text(app)

    play(script, readonly=True)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
def test_every_key_has_a_sentence_that_has_room_in_a_line(section: Section) -> None:
    """At 80x24 a line has room for 57 characters beside the keys."""
    bindings = [binding for binding in bindings_of(section.of) if binding.description]
    short = [binding.key for binding in bindings if len(binding.tooltip.split()) < 3]
    assert short == []
    assert [binding.tooltip for binding in bindings if len(binding.tooltip) > 57] == []


@pytest.mark.parametrize("kind", [Fastadv, *WAYS])
def test_entries_begin_in_lower_case(kind: type[Any]) -> None:
    said = [binding.tooltip or binding.description for binding in bindings_of(kind) if binding.description]
    assert not [words for words in said if words[0].isupper()]


def test_the_help_explains_the_signs_of_the_charts() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("question_mark")
        await until(pilot, lambda: "Help" in shown(app))
        await pilot.press("end")
        await until(pilot, lambda: "↻" in shown(app) and "training was resumed there" in shown(app))

    play(script)


def test_the_help_over_another_screen_leaves_out_what_is_not_to_be_had_and_has_its_own_footer() -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app))
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen) and "1 of 1 runs" in shown(app))
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen) and "Close" in shown(app).split("\n")[-1])
        assert "Sort" not in shown(app).split("\n")[-1]
        page = str(app.screen.query_one("#keys", Static).visual)
        assert "stop this run after a checkpoint" in page
        assert "demo: train" not in page

    play(script)
