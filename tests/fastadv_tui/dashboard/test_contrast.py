"""Every text of every screen has a contrast of at least 4.5 in the dark and in the light theme."""

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import DataTable, Input

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.colours import RUNS
from fastadv_tui.dashboard.screens.compare import CompareScreen
from fastadv_tui.dashboard.screens.confirm_dialog import ConfirmDialog
from fastadv_tui.dashboard.screens.evaluate_dialog import EvaluateDialog
from fastadv_tui.dashboard.screens.help import HelpScreen
from fastadv_tui.dashboard.screens.history import HistoryScreen
from fastadv_tui.dashboard.screens.launch import LaunchScreen
from fastadv_tui.dashboard.screens.log import LogScreen
from fastadv_tui.dashboard.screens.machine import MachineScreen
from fastadv_tui.dashboard.screens.text_dialog import TextDialog
from fastadv_tui.dashboard.widgets.history_table import HistoryTable
from tests.support import demo_home
from tests.support.contrast import grounds, illegible
from tests.support.demo_home import StillSampler
from tests.support.pictures import still as still
from tests.support.pilot import play, until, until_focused

SCREENS = (  # a screen, and the keys to it from the first one
    (MachineScreen, ["M"]),
    (LogScreen, ["l"]),
    (LaunchScreen, ["n"]),
    (ConfirmDialog, ["x"]),
    (EvaluateDialog, ["a"]),
    (HelpScreen, ["question_mark"]),
    (CompareScreen, ["space", "down", "space", "c"]),
    (HistoryScreen, ["h"]),
    (TextDialog, ["h", "T"]),
    (CommandPalette, ["ctrl+p"]),
)


async def settled(pilot: Pilot[str]) -> None:
    await pilot.pause()
    await pilot.wait_for_animation()
    await pilot.pause()


@pytest.mark.parametrize("theme", ["fastadv-dark", "fastadv-light"])
def test_every_text_is_legible_on_every_screen(theme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StillSampler, "count", 8)
    demo_home.fill("live")
    demo_home.failed("m0dh11")
    found = {}

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        app.animation_level = "none"
        await until(pilot, lambda: len(app.snapshot.rows) == 5 and bool(app.looked_at) and app.samples.last)
        await settled(pilot)
        found["RunsScreen"] = illegible(app)
        for kind, keys in SCREENS:
            await pilot.press("escape")
            for key in keys:
                await pilot.press(key)
                await settled(pilot)
            await until(pilot, lambda kind=kind: isinstance(app.screen, kind))  # type: ignore[misc]
            if kind is CommandPalette:
                await until_focused(pilot, Input)
                await pilot.press(*"eps")
            await settled(pilot)
            found[kind.__name__] = illegible(app)
            while len(app.screen_stack) > 2:
                await app.pop_screen()

    play(script, (160, 50), theme=theme)
    wrong = [f"{name}: {text!r} {ratio}" for name, texts in found.items() for text, ratio in texts.items()]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("theme", ["fastadv-dark", "fastadv-light"])
def test_the_card_of_an_empty_home_is_legible(theme: str) -> None:
    demo_home.fill("empty")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: app.snapshot.loaded and app.samples.last)
        await settled(pilot)
        assert illegible(app) == {}

    play(script, (80, 24), theme=theme)


def test_with_sixteen_colours_text_has_the_ground_of_the_terminal() -> None:
    """Which colours a terminal has is not known. A colour on a coloured ground may be illegible, so there is none."""
    demo_home.fill("live")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: bool(app.looked_at) and app.samples.last)
        for keys in ([], ["a"], ["escape", "h"]):
            await pilot.press(*keys)
            await settled(pilot)
            assert {text: back for text, back in grounds(app).items() if back != "default"} == {}

    play(script, theme="ansi")


@pytest.mark.parametrize("theme", ["fastadv-dark", "fastadv-light"])
def test_the_cursor_row_of_the_history_is_legible_in_every_colour_of_a_mark(theme: str) -> None:
    demo_home.fill("seeds")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: len(app.snapshot.rows) == 15)
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen) and app.screen.ready)
        await until(pilot, lambda: app.screen.query_one(DataTable).row_count >= 15)
        for place in range(len(RUNS)):
            await pilot.press("space")
            await settled(pilot)
            assert app.marked.place(app.screen.query_one(HistoryTable).chosen or "") == place
            assert illegible(app) == {}
            await pilot.press("down")

    play(script, (160, 50), theme=theme)
