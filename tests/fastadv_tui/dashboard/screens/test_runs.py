"""The screen of runs under a pilot: the list, its cursor, and what it says of each run."""

import shutil
import subprocess
import time

import pytest
from textual.pilot import Pilot

from engine.config.presets import build
from engine.protocol.events import Alarm, Finished
from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.chart.widget import Chart
from fastadv_tui.dashboard.screens.confirm_dialog import ConfirmDialog
from fastadv_tui.dashboard.screens.history import HistoryScreen
from fastadv_tui.dashboard.screens.launch import LaunchScreen
from fastadv_tui.dashboard.screens.runs import RunsScreen
from fastadv_tui.dashboard.widgets.run_list import RunList
from fastadv_tui.paths import runs_dir
from fastadv_tui.runs.create import create_run
from fastadv_tui.runs.submit import submit_run
from fastadv_tui.supervise import process_identity, records
from fastadv_tui.supervise.records import ProcessRecord
from tests.support.events import evaluated, started, step, write_events
from tests.support.pilot import a_run, play, shown, until
from tests.support.runs import make_run, wait_for_status

pytestmark = pytest.mark.usefixtures("quick_home")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60), (40, 10)])
def test_the_empty_dashboard_says_what_to_do(size: tuple[int, int]) -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "Press n to start one" in shown(app))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))

    play(script, size)


@pytest.mark.usefixtures("fake_engine")
def test_one_key_trains_the_demo_on_an_empty_home_and_the_panels_come() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "demo: train a robust network on digits" in shown(app))
        await pilot.press("d")
        await until(pilot, lambda: "✓ demo" in shown(app))
        assert "No runs yet" not in shown(app)
        await until(pilot, lambda: isinstance(app.focused, RunList))
        await pilot.press("d")  # the demo is offered once
        await pilot.pause()
        assert len(app.snapshot.rows) == 1

    play(script)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_the_dashboard_lists_runs_and_draws_the_curves_of_chosen_and_marked_ones(size: tuple[int, int]) -> None:
    for name in ("a1", "b2"):
        a_run(name)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app) and "run b2" in shown(app))
        await until(pilot, lambda: len(app.screen.query_one("#accuracy", Chart).series) == 2)
        clean, robust = app.screen.query_one("#accuracy", Chart).series
        assert (clean.ys, robust.ys) == ([0.3, 0.8], [0.2, 0.45])
        assert "80.0/45.0" in shown(app)
        await pilot.press("space", "j", "space")
        await until(pilot, lambda: len(app.screen.query_one("#accuracy", Chart).series) == 4)

    play(script, size)


@pytest.mark.usefixtures("fake_engine")
def test_the_stop_key_asks_first_and_the_resume_key_continues_the_run() -> None:
    rundir = create_run(build("digits", {"name": "forever", "device": "cpu"}), [])
    submit_run(rundir)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "● forever" in shown(app))
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("n")
        assert not rundir.stop.exists()
        await pilot.press("x")
        await until(pilot, lambda: f"forever ({rundir.id})" in shown(app))
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: "■ forever" in shown(app))
        await pilot.press("R")
        await until(pilot, lambda: "● forever" in shown(app))

    play(script)
    wait_for_status(rundir, "running")  # the run goes on after the dashboard was left


def test_a_run_that_was_asked_to_stop_is_stopping_in_list_and_facts_until_it_has_stopped() -> None:
    rundir, me = make_run(runs_dir() / "a1", chosen=build("digits", {"name": "mine"})), process_identity.me()
    records.write(rundir.process, ProcessRecord(attempt=1, supervisor=me, engine=me))
    write_events(rundir, started(), step(1, t=time.time()))

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "● running" in shown(app))
        rundir.request_stop()  # as another terminal does
        await until(pilot, lambda: "● stopping ..." in shown(app) and "stopping ... ╌" in shown(app))
        write_events(rundir, Finished(status="stopped", step=1, t=time.time() - 7200))
        rundir.process.unlink()
        await until(pilot, lambda: "■ stopped, 2 h ago" in shown(app) and "stopping" not in shown(app))
        await until(pilot, lambda: "  stopped 2 h ago" in shown(app))

    play(script)


def test_an_alarm_of_a_shown_run_is_a_toast_and_a_mark() -> None:
    rundir = make_run(runs_dir() / "a1", chosen=build("digits", {"name": "mine"}))
    write_events(rundir, started(), *(step(n) for n in range(1, 50)))

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "mine" in shown(app))
        message = "the attack lowers the loss of 50% of the examples"
        write_events(rundir, Alarm(kind="overfitting", step=49, epoch=4.9, message=message), evaluated(50))
        await until(pilot, lambda: "the attack lowers the loss" in shown(app))
        await until(pilot, lambda: len(app.screen.query_one("#accuracy", Chart).options.marks) == 1)

    play(script)


def test_the_dashboard_survives_a_deleted_run_and_cut_events() -> None:
    gone, cut = a_run("a1"), a_run("b2")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app) and "run b2" in shown(app))
        shutil.rmtree(gone.path)
        cut.events.write_bytes(cut.events.read_bytes()[:500])
        await pilot.press("j", "k", "j")
        await pilot.pause(0.5)
        await until(pilot, lambda: "run b2" in shown(app))

    play(script)


def test_a_run_that_dies_while_it_is_shown_becomes_lost_with_a_toast() -> None:
    rundir = make_run(runs_dir() / "a1", chosen=build("cifar", {"name": "run a1"}))
    write_events(rundir, started(), *(step(n) for n in range(1, 50)))
    engine = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    identity_of = process_identity.of(engine.pid)
    assert identity_of is not None
    records.write(rundir.process, ProcessRecord(attempt=1, supervisor=identity_of, engine=identity_of))

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "● 1 running" in shown(app))
        engine.kill()
        engine.wait()
        await until(pilot, lambda: "? 1 lost" in shown(app))
        said = "run a1 lost: the engine and its supervisor died"  # a toast, which comes a moment later
        await until(pilot, lambda: said in " ".join(shown(app).split()))

    play(script, size=(200, 60))


def test_the_arrows_choose_a_run_wherever_the_focus_is() -> None:
    for name in ("a1", "b2"):
        a_run(name)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app) and "run b2" in shown(app))
        runs = app.screen.query_one(RunList)
        app.screen.query_one("#accuracy").focus()
        for key, place in (("down", 1), ("up", 0), ("j", 1)):
            await pilot.press(key)
            assert runs.highlighted == place

    play(script)


def test_a_run_whose_config_cannot_be_read_is_not_offered_again() -> None:
    rundir = a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "80.0 / 45.0" in shown(app))  # its events are shown, so the run is followed
        rundir.config.write_bytes(b"\xff torn")
        await pilot.press("e")
        await until(pilot, lambda: any("config.json is" in toast.message for toast in app._notifications))
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
        await pilot.press("e")
        await pilot.pause()
        assert isinstance(app.screen, HistoryScreen)

    play(script)


def test_escape_puts_the_cursor_away_from_the_list_and_another_run_shows_its_newest_values() -> None:
    for name in ("a1", "b2"):
        a_run(name)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        chart = app.screen.query_one("#accuracy", Chart)
        await until(pilot, lambda: "80.0 / 45.0" in shown(app))
        await pilot.press("left_square_bracket", "left_square_bracket", "left_square_bracket")
        assert chart.cursor == 1.0
        assert "epoch 1  clean ─ / PGD-10 ┄  ━ 30.0 / 20.0" in shown(app)
        await pilot.press("escape", "j")
        await until(pilot, lambda: app.screen.query_one(RunList).highlighted == 1)
        assert {chart.cursor for chart in app.screen.query(Chart)} == {None}
        await until(pilot, lambda: "│clean ─ / PGD-10 ┄  ━ 80.0 / 45.0" in shown(app))

    play(script)


def test_the_cursor_stays_on_its_run_whatever_is_submitted() -> None:
    a_run("b2")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        runs = app.screen.query_one(RunList)
        await until(pilot, lambda: runs.chosen == "b2")
        for name in ("c3", "d4"):
            make_run(runs_dir() / name, chosen=build("cifar", {"name": f"run {name}"}))
        await until(pilot, lambda: "run d4" in shown(app))
        assert runs.chosen == "b2"

    play(script)


def test_a_narrow_list_has_two_lines_for_each_run_and_escape_keeps_the_marks() -> None:
    for name in ("a1", "b2"):
        a_run(name, name=f"a rather long name of run {name}")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        runs = app.screen.query_one(RunList)
        await until(pilot, lambda: runs.option_count == 2)
        await pilot.press("space", *["less_than_sign"] * 6)
        await until(pilot, lambda: runs.size.width < 26)
        await until(pilot, lambda: runs.virtual_size.height == 4)
        await pilot.press("escape")
        assert len(app.marked) == 1
        await pilot.press("u")
        assert len(app.marked) == 0

    play(script)


def test_an_empty_home_offers_no_key_that_acts_on_a_run() -> None:
    """Pressed all the same, they say why. The help names them."""

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "No runs yet" in shown(app))
        await until(pilot, lambda: "d Demo" in (footer := shown(app).splitlines()[-1]) and "Mark" not in footer)
        footer = shown(app).splitlines()[-1]
        assert all(f" {key} " in footer for key in ("n", "?", "q"))
        assert not any(word in footer for word in ("Mark", "Compare", "Log", "Stop", "Zoom"))
        assert "fastadv run digits" in shown(app)
        await pilot.press("x", "z", "space", "a")
        assert isinstance(app.screen, RunsScreen)
        assert {toast.message for toast in app._notifications} == {"there is no run yet"}
        await pilot.press("question_mark")
        await until(pilot, lambda: "stop this run" in shown(app))

    play(script)
