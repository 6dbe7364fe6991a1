"""Evaluations from the dashboard: a dialog asks, the run's line and facts show them, a key stops them."""

import time

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.config.presets import build
from engine.protocol.events import Starting
from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.confirm_dialog import ConfirmDialog
from fastadv_tui.dashboard.screens.evaluate_dialog import FIELDS, EvaluateDialog
from fastadv_tui.dashboard.screens.history import HistoryScreen
from fastadv_tui.dashboard.screens.runs import RunsScreen
from fastadv_tui.paths import runs_dir
from fastadv_tui.runs import control
from fastadv_tui.runs.observe import observe
from fastadv_tui.supervise import process_identity, records
from fastadv_tui.supervise.records import ProcessRecord
from tests.support.events import started, step, write_events
from tests.support.pilot import a_run, play, shown, until, until_focused
from tests.support.runs import make_run, submit
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("quick_home", "fake_engine")


def trained(run_id: str, behaviour: str = "") -> RunDir:
    rundir = a_run(run_id, device="cpu", name=behaviour or f"run {run_id}")
    rundir.last.touch()
    return rundir


async def asked(app: Fastadv, pilot: Pilot[str]) -> None:
    await pilot.press("a")
    await until(pilot, lambda: isinstance(app.screen, EvaluateDialog))
    await until_focused(pilot, Input)


async def typed(app: Fastadv, pilot: Pilot[str], field: str, text: str) -> None:
    await until(pilot, lambda: bool(app.focused) and app.focused.id == field)  # type: ignore[union-attr]
    await pilot.press("ctrl+u", "ctrl+k", *text)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_a_run_is_evaluated_by_key_and_its_result_is_among_its_facts(size: tuple[int, int]) -> None:
    rundir = trained("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app))
        await asked(app, pilot)
        assert "Evaluate run a1" in shown(app)
        assert app.screen.query_one("#attack", Input).value == "auto"
        await typed(app, pilot, "attack", "pgd-20")
        await pilot.press("tab")
        await typed(app, pilot, "eps", "2,4")
        await pilot.press("enter")
        await until(pilot, lambda: any("evaluated, 50.0% PGD-20" in toast.message for toast in app._notifications))
        (told,) = [toast.message for toast in app._notifications if "evaluated, " in toast.message]
        assert [eps in told for eps in ("eps 2/255", "eps 4/255")] == [True, True]
        row = app.snapshot.row("a1")
        assert row is not None
        assert [round(255 * record.eps) for record in row.evaluations] == [2, 4]
        assert app.snapshot.evaluations == {}

    play(script, size)
    assert rundir.evaluations.exists()


def test_a_wrong_value_or_a_run_without_weights_is_told_in_the_dialog() -> None:
    rundir = a_run("a1", device="cpu")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app))
        await asked(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "a1 has no last checkpoint" in " ".join(shown(app).split()))
        rundir.last.touch()
        await typed(app, pilot, "attack", "cw")
        await pilot.press("enter")
        await until(pilot, lambda: "! " in shown(app) and "cw" in str(app.screen.query_one("#problem").visual))
        assert "! unknown attack 'cw'" in " ".join(shown(app).split())
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, EvaluateDialog))
        assert app.snapshot.evaluations == {}

    play(script)


def test_an_evaluation_in_line_shows_its_place_then_its_progress_and_is_stopped_by_key() -> None:
    first = submit("forever")
    wait_until(lambda: observe(first).state.steps)
    trained("a1", "forever")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: len(app.snapshot.rows) == 2)
        app.open_evaluate(["a1"])
        await until_focused(pilot, Input)
        await pilot.press("enter")
        await until(pilot, lambda: "evaluation queued, 1st in line" in shown(app))
        control.stop(first)
        await until(pilot, lambda: "evaluating ━━━━╌╌╌╌  50%" in shown(app))
        assert isinstance(app.screen, RunsScreen)
        assert app.screen.choose("a1")
        await until(pilot, lambda: "running 50%, PGD-50-10, eps" in shown(app))
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog) and "Stop the evaluation?" in shown(app))
        await pilot.press("y")
        await until(pilot, lambda: app.snapshot.evaluation("a1") is None)
        await until(pilot, lambda: "evaluate stopped" in shown(app))

    play(script, (200, 60))


def test_the_history_evaluates_the_marked_runs() -> None:
    runs = [trained(name) for name in ("a1", "b2", "c3")]

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app))
        for rundir in runs[:2]:
            app.marked.toggle(rundir.id)
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen) and app.screen.ready)
        await asked(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: all(rundir.evaluations.exists() for rundir in runs[:2]))

    play(script)
    assert not runs[2].evaluations.exists()


def test_a_readonly_dashboard_evaluates_nothing() -> None:
    trained("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app))
        await pilot.press("a")
        app.open_evaluate(["a1"])
        await pilot.pause()
        assert not isinstance(app.screen, EvaluateDialog)

    play(script, readonly=True)


def test_a_run_says_which_phase_of_its_start_it_is_in_until_its_first_step() -> None:
    rundir, me = make_run(runs_dir() / "a1"), process_identity.me()
    records.write(rundir.process, ProcessRecord(attempt=1, supervisor=me, engine=me))
    write_events(rundir, Starting(phase="loading torch", t=time.time()))

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: shown(app).count("loading torch") == 2)  # its line, and its facts
        write_events(rundir, Starting(phase="loading the data"))
        await until(pilot, lambda: shown(app).count("loading the data") == 2)
        write_events(rundir, started(compiled=True))
        await until(pilot, lambda: shown(app).count("first step") == 2)
        write_events(rundir, step(1))
        await until(pilot, lambda: "first step" not in shown(app) and "running ╌" in shown(app))

    play(script, (160, 50))


def test_what_each_field_means_is_read_whole_at_80x24() -> None:
    trained("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app))
        await asked(app, pilot)
        words = shown(app).split()
        for _, meaning in FIELDS.values():
            assert {*meaning.split()} <= {*words}

    play(script, (80, 24))


def test_a_run_that_waits_and_was_never_trained_is_not_asked_about() -> None:
    make_run(runs_dir() / "a1", chosen=build("digits", {"name": "mine"}))

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "mine" in shown(app))
        await pilot.press("a")
        await until(pilot, lambda: "mine has not started" in shown(app))
        assert not isinstance(app.screen, EvaluateDialog)

    play(script)
