"""The palette says what each action does, and finds runs, settings, themes and past commands."""

import json

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import Input

from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.history import HistoryScreen
from fastadv_tui.dashboard.screens.launch import LaunchScreen
from fastadv_tui.dashboard.screens.runs import RunsScreen
from fastadv_tui.dashboard.settings import load
from fastadv_tui.dashboard.widgets.launch_form import LaunchForm
from tests.support.pilot import a_run, play, shown, until, until_focused

pytestmark = pytest.mark.usefixtures("quick_home")


async def choose(app: Fastadv, pilot: Pilot[str], typed: str, seen: str) -> None:
    """Open the palette, type, wait for the line `seen`, and choose it."""
    await pilot.press("ctrl+p")
    await until_focused(pilot, Input)
    await pilot.press(*["space" if letter == " " else letter for letter in typed])
    await until(pilot, lambda: seen in shown(app))
    await pilot.press("down", "enter")
    await until(pilot, lambda: not isinstance(app.screen, CommandPalette))


def with_command(rundir: RunDir, *words: str) -> None:
    content = json.loads(rundir.config.read_text())
    rundir.config.write_text(json.dumps(content | {"command": words}))


def test_the_palette_finds_a_run_and_chooses_it() -> None:
    for name in ("a1", "b2", "c3"):
        a_run(name)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app))
        first = app.screen
        assert isinstance(first, RunsScreen)
        for name in ("a1", "b2"):
            await choose(app, pilot, f"run {name}", f"run {name} ({name})")
            await until(pilot, lambda name=name: first.chosen_run() == name)  # type: ignore[misc]

    play(script)


def test_the_palette_finds_settings_of_the_run_themes_and_past_commands() -> None:
    a_run("b2")
    rundir = a_run("a1", **{"optim.lr": 0.07, "name": "[red]x"})
    with_command(rundir, "fastadv", "run", "cifar", "--set", "optim.lr=0.07")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "[red]x" in shown(app))
        await choose(app, pilot, "optim.lr = 0.07", "setting of [red]x: show the runs with it")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen) and "1 of 2 runs" in shown(app))
        assert app.screen.query_one("#query", Input).value == "optim.lr=0.07"
        await choose(app, pilot, "theme fastadv-light", "Theme fastadv-light")
        await until(pilot, lambda: app.theme == "fastadv-light")
        await choose(app, pilot, "run cifar --set", "fastadv run cifar --set optim.lr=0.07")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen) and app.screen.ready)
        assert app.screen.query_one(LaunchForm).texts["optim.lr"] == "0.07"

    play(script)
    assert load().theme == "fastadv-light"


def test_the_palette_says_what_an_action_does_and_its_key() -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app))
        said = {command.title: command.help for command in app.get_system_commands(app.screen)}
        assert said["Stop"] == "stop this run after a checkpoint; marks do not count, key x"
        assert said["Evaluate"].endswith("key a")

    play(script)


def test_the_palette_of_a_readonly_dashboard_offers_no_past_command() -> None:
    with_command(a_run("a1"), "fastadv", "run", "cifar")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app))
        await pilot.press("ctrl+p")
        await until_focused(pilot, Input)
        await pilot.press(*"runa1")
        await until(pilot, lambda: "run a1 (a1)" in shown(app))
        await pilot.press("ctrl+u", *"fastadvruncifar")
        await until(pilot, lambda: "run a1 (a1)" not in shown(app))
        assert "fill the form" not in shown(app)
        await pilot.press("escape")  # the palette searches in a thread, which must not outlive the app
        await until(pilot, lambda: not isinstance(app.screen, CommandPalette))

    play(script, readonly=True)
