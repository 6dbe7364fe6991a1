"""The last line of a screen shows whole keys only, and always the help."""

import pytest
from textual.pilot import Pilot

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.history import HistoryScreen
from fastadv_tui.dashboard.screens.launch import LaunchScreen
from fastadv_tui.dashboard.widgets.fitting_keys import fitting
from tests.support.pilot import a_run, play, shown, until

KEYS = [("zoom", 8), ("mark", 12), ("log", 7), ("help", 8), ("leave", 8), ("command_palette", 13)]


@pytest.mark.parametrize(
    ("width", "left_out"),
    [
        (56, set()),
        (55, {"command_palette"}),
        (42, {"command_palette", "zoom"}),
        (34, {"command_palette", "zoom", "leave"}),
        (1, {"command_palette", "zoom", "leave", "log", "mark"}),
    ],
)
def test_rare_keys_go_first_and_the_help_never(width: int, left_out: set[str]) -> None:
    found = fitting(KEYS, width)
    assert {action for (action, _), is_shown in zip(KEYS, found, strict=True) if not is_shown} == left_out


@pytest.mark.usefixtures("quick_home")
@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_last_line_of_a_screen_ends_in_a_whole_word_and_has_the_help(width: int) -> None:
    a_run("a1")

    def whole(app: Fastadv) -> bool:
        line = shown(app).splitlines()[-1]
        words = {binding.binding.description for binding in app.screen.active_bindings.values()}
        return "Help" in line and any(line.rstrip().endswith(word) for word in {*words, "palette"} if word)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: app.snapshot.loaded and whole(app))
        for key, kind in (("h", HistoryScreen), ("n", LaunchScreen)):
            await pilot.press(key)
            await until(pilot, lambda kind=kind: isinstance(app.screen, kind) and whole(app))  # type: ignore[misc]

    play(script, (width, 24))
