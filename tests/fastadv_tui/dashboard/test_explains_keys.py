"""Keys that do nothing say why."""

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from fastadv_tui.dashboard.app import Fastadv
from tests.support.history_screen import opened
from tests.support.pilot import a_run, play, shown, told, until, until_focused

pytestmark = pytest.mark.usefixtures("quick_home")


@pytest.mark.parametrize(
    ("in_history", "key", "why"),
    [
        (False, "T", "T (tag) works in the history: press h"),
        (False, "D", "D (delete) works in the history: press h"),
        (True, "X", "X (kill) works on the first screen: press h"),
    ],
)
def test_a_key_of_another_screen_says_where_it_works(in_history: bool, key: str, why: str) -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app))
        if in_history:
            await opened(app, pilot, 1)
        await pilot.press(key)
        await until(pilot, lambda: why in told(app))

    play(script)


def test_a_key_that_changes_runs_says_that_the_dashboard_is_read_only() -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app))
        await pilot.press("n")
        await until(pilot, lambda: told(app).count("this dashboard is read-only") == 1)
        await opened(app, pilot, 1)
        await pilot.press("D")
        await until(pilot, lambda: told(app).count("this dashboard is read-only") == 2)

    play(script, readonly=True)


def test_a_letter_in_a_field_is_no_key_without_effect() -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        screen = await opened(app, pilot, 1)
        await pilot.press("slash")
        await until_focused(pilot, Input)
        await pilot.press("X", "T")
        await until(pilot, lambda: screen.query_one("#query", Input).value == "XT")
        assert "works" not in told(app)

    play(script)
