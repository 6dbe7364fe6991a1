"""The panels of the screen of runs: charts, zoom, sizes, axes and metrics."""

import pytest
from textual.pilot import Pilot

from engine.config.presets import build
from engine.protocol.events import Finished
from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.chart.widget import Chart
from fastadv_tui.dashboard.settings import load
from fastadv_tui.dashboard.widgets.run_list import RunList
from fastadv_tui.paths import runs_dir
from fastadv_tui.supervise import process_identity, records
from fastadv_tui.supervise.records import ProcessRecord
from tests.support.events import started, step, write_events
from tests.support.pilot import a_run, play, shown, until
from tests.support.runs import make_run

pytestmark = pytest.mark.usefixtures("quick_home")


def test_a_method_without_a_signal_differs_from_a_run_that_has_not_started() -> None:
    a_run("b2")  # its steps have no signal; the run that waits is chosen first
    make_run(runs_dir() / "a1", chosen=build("cifar", {"name": "run a1"}))

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        signal = app.screen.query_one("#signal", Chart)
        await until(pilot, lambda: app.screen.query_one(RunList).chosen == "a1")
        await until(pilot, lambda: signal.options.empty == "nothing to draw")
        await pilot.press("j")
        await until(pilot, lambda: signal.options.empty == "method has no signal")

    play(script, (120, 40))


@pytest.mark.parametrize(
    ("settings", "begun", "said"),
    [
        ({}, True, "measured after each epoch"),
        ({}, False, "this run has not started"),
        ({"watch.images": 0}, True, "not measured: watch.images = 0"),
    ],
)
def test_a_chart_without_accuracy_says_why(settings: dict[str, int], begun: bool, said: str) -> None:
    rundir = make_run(runs_dir() / "r1", chosen=build("cifar", settings))
    here = process_identity.me()
    records.write(rundir.process, ProcessRecord(attempt=1, supervisor=here, engine=here if begun else None))
    if begun:
        write_events(rundir, started(), step(1), step(2))

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: said in shown(app))

    play(script)


def test_the_chart_of_a_run_that_ended_without_accuracy_promises_none() -> None:
    rundir = make_run(runs_dir() / "r1", chosen=build("cifar"))
    write_events(rundir, started(), step(1), Finished(status="failed", step=1, error="boom"))

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "no accuracy was measured" in shown(app))

    play(script)


def left_part(app: Fastadv) -> list[str]:
    """The screen without the figures of the machine, which change by themselves."""
    return [line[:78] for line in shown(app).splitlines()[1:-1]]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_z_shows_each_panel_alone_and_escape_shows_all_again(size: tuple[int, int]) -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "80.0 / 45.0" in shown(app))
        before = left_part(app)
        await pilot.press("z")
        for title in ("Accuracy", "Loss", "Overfitting signal", "Learning rate", "Log", "Machine", "Run"):
            await until(pilot, lambda title=title: shown(app).splitlines()[1].startswith(f"╭─ {title}"))  # type: ignore[misc]
            assert shown(app).splitlines()[1].rstrip().endswith("╮")
            await pilot.press("tab")
        await pilot.press("escape")
        await until(pilot, lambda: left_part(app) == before)
        assert isinstance(app.screen.focused, RunList)

    play(script, size)


def test_a_zoomed_chart_names_its_run_if_no_legend_does() -> None:
    a_run("a1", name="the [one")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "Accuracy · epoch" in shown(app))
        assert "· the (one" not in shown(app)
        await pilot.press("z")
        await until(pilot, lambda: "Accuracy · epoch · the (one" in shown(app))
        await pilot.press("tab")
        await until(pilot, lambda: "Loss · the (one" in shown(app))
        await pilot.press("z")
        await until(pilot, lambda: "· the (one" not in shown(app))

    play(script)


def test_the_axes_of_the_curves_are_remembered() -> None:
    a_run("a1")

    async def switch(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "Accuracy · epoch" in shown(app))
        await pilot.press("t", "y", "s")
        await until(pilot, lambda: "Accuracy · training time" in shown(app))

    async def look_again(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "Accuracy · training time" in shown(app) and "Loss · log" in shown(app))

    play(switch)
    assert load().curves == ("log", "smooth", "time")
    play(look_again, settings=load())


def test_panes_change_their_size_by_key_and_mouse_and_keep_it() -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        left, side, log = (app.screen.query_one(f"#{name}") for name in ("left", "side", "log-pane"))
        await until(pilot, lambda: bool(left.size.width))
        width, side_width, height = left.size.width, side.size.width, log.size.height
        await pilot.press("greater_than_sign", "greater_than_sign", "right_curly_bracket", "plus")
        await until(pilot, lambda: left.size.width == width + 4)
        assert (side.size.width, log.size.height) == (side_width - 2, height + 2)
        edge = left.region.right - 1
        await pilot.mouse_down(offset=(edge, 10))
        await pilot.hover(offset=(edge - 6, 10))
        await pilot.mouse_up(offset=(edge - 6, 10))
        await until(pilot, lambda: left.size.width == width - 2)
        assert app.settings.panes["left"] == width - 2

    play(script)

    async def again(app: Fastadv, pilot: Pilot[str]) -> None:
        assert load().panes["left"] == app.screen.query_one("#left").size.width

    app_settings = load()
    play(again, settings=app_settings)


def test_m_chooses_the_metrics_which_are_remembered() -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "80.0 / 45.0" in shown(app))
        await pilot.press("m", "space", "end", "space", "enter")  # loss off, the last one on
        await until(pilot, lambda: not app.screen.query("#loss") and bool(app.screen.query("#without_gradient")))
        assert load().metrics == ("signal", "lr", "without_gradient")

    play(script)


def test_every_zoomed_panel_says_how_to_go_to_the_next_one() -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app))
        await pilot.press("z")
        for panel in app.screen._panels():  # type: ignore[attr-defined]
            await until(pilot, lambda panel=panel: app.screen._zoom.panel is panel)  # type: ignore[misc,attr-defined]
            await until(pilot, lambda: "tab: next panel" in shown(app))
            await pilot.press("tab")
        await pilot.press("escape")
        await until(pilot, lambda: "tab: next panel" not in shown(app))

    play(script)
