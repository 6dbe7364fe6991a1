"""The app of the dashboard: the command palette, themes, read-only mode, and a home that cannot be read."""

import errno
import threading
from pathlib import Path

import pytest
from textual.binding import Binding
from textual.pilot import Pilot
from textual.widgets import Input

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.monitor import RunMonitor
from fastadv_tui.dashboard.screens.compare import CompareScreen
from fastadv_tui.dashboard.screens.history import HistoryScreen
from fastadv_tui.dashboard.screens.launch import LaunchScreen
from fastadv_tui.dashboard.screens.runs import RunsScreen
from fastadv_tui.dashboard.settings import path
from fastadv_tui.dashboard.snapshot import Snapshot
from tests.support.pilot import a_run, export, play, shown, type_at_once, until, until_focused
from tests.support.small_disk import full_disk

pytestmark = pytest.mark.usefixtures("quick_home")


def test_names_of_runs_are_never_read_as_markup() -> None:
    a_run("a1", name="[red]x[/red] [link=y]")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "[red]x[/r…[link=y]" in shown(app))
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen) and "[red]x[/red]" in shown(app))

    play(script)


def test_a_readonly_dashboard_offers_no_change_and_makes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rundir = a_run("a1")
    a_run("b2")
    monkeypatch.chdir(tmp_path)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app) and "read-only" in shown(app))
        assert "Stop" not in shown(app)
        await pilot.press("n", "R", "x", "e", "h")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
        await until(pilot, lambda: "run a1" in shown(app) and "read-only" in shown(app))
        named = {command.title for command in app.get_system_commands(app.screen)}
        assert not named & {"New run", "Pin", "Tag", "Note", "Rename", "Resume", "Run again with changes", "Delete"}
        await pilot.press("P", "D", "r", "n", "space", "j", "space", "c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        await pilot.press("E")
        await until(pilot, lambda: "this dashboard is read-only" in shown(app))

    play(script, readonly=True)
    assert not rundir.notes.exists()
    assert not [*tmp_path.glob("fastadv-compare-*")]


def test_a_comparison_exported_to_a_full_disk_says_so_and_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_run("a1")
    a_run("b2")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        app.open_compare(["a1", "b2"])
        await until(pilot, lambda: isinstance(app.screen, CompareScreen) and "run b2" in shown(app))
        await export(app, pilot)
        await until(pilot, lambda: any("No space left on device" in toast.message for toast in app._notifications))

    with full_disk(tmp_path / "full") as folder:
        monkeypatch.chdir(folder)
        play(script)
        assert [path.name for path in folder.iterdir()] == ["ballast"]
        monkeypatch.undo()


def test_a_readonly_dashboard_remembers_nothing() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        app.theme = "ansi-dark"
        await pilot.pause(0.2)
        assert not path().exists()

    play(script, readonly=True)


def test_the_app_module_has_fewer_than_150_lines() -> None:
    source = (Path(__file__).parents[3] / "fastadv_tui" / "dashboard" / "app.py").read_text()
    assert len(source.splitlines()) < 150


def test_every_action_is_in_the_command_palette() -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app))
        named = {command.title for command in app.get_system_commands(app.screen)}
        bindings = [*type(app.screen).BINDINGS, *Fastadv.BINDINGS]
        wanted = {binding.description for binding in bindings if isinstance(binding, Binding) and binding.id}
        assert wanted - {"Demo"} <= named  # the demo is for a home without runs
        await pilot.press("ctrl+p")
        await until_focused(pilot, Input)
        await pilot.press(*"New run")
        await until(pilot, lambda: "key n" in shown(app))
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))

    play(script)


def test_an_unknown_theme_in_the_settings_is_named() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "no theme 'neon'" in shown(app))
        assert app.theme == "fastadv-dark"

    play(script, theme="neon")


def test_the_ansi_setting_chooses_a_theme_of_the_terminals_own_colours() -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "80.0/45.0" in shown(app))
        assert app.theme == "ansi-dark"

    play(script, theme="ansi")


def test_a_home_that_cannot_be_read_for_a_while_is_reported_and_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a network file system. The test changes no permissions, since tests may run as root."""
    refresh, away = RunMonitor.refresh, threading.Event()

    def look(monitor: RunMonitor, looked_at: set[str]) -> Snapshot:
        if away.is_set():
            raise OSError(errno.ESTALE, "Stale file handle")
        return refresh(monitor, looked_at)

    monkeypatch.setattr(RunMonitor, "refresh", look)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "No runs yet" in shown(app))
        away.set()
        await until(pilot, lambda: "Stale file handle" in shown(app))
        a_run("one")
        away.clear()
        await until(pilot, lambda: "run one" in shown(app))

    play(script)


@pytest.mark.parametrize(
    "keys", ["h n up h", "h enter h", "h n up h n up h", "h space down space c h", "n up h n", "h escape h"]
)
def test_a_screen_that_is_open_already_comes_back_whichever_screens_stand_above(keys: str) -> None:
    """Else equal screens pile up, and have to be left one by one."""
    for name in ("a1", "b2"):
        a_run(name)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app))
        await pilot.press(*keys.split())
        await pilot.pause()
        kinds = [type(screen) for screen in app.screen_stack]
        assert len(kinds) == len({*kinds})
        assert kinds[-1] in (HistoryScreen, LaunchScreen, RunsScreen)

    play(script)


def test_a_filter_that_is_pasted_with_its_slash_runs_no_key() -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app))
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen) and "run a1" in shown(app))
        type_at_once(app, "/eps=8 epochs=15")
        await until(pilot, lambda: app.screen.query_one("#query", Input).value == "eps=8 epochs=15")
        await pilot.press("escape", "escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        type_at_once(app, "/hello")
        await until(pilot, lambda: app.screen.query_one("#filter", Input).value == "hello")

    play(script)
