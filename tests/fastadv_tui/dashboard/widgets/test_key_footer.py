"""The footer shows whole keys only, and always the help."""

import pytest
from textual.pilot import Pilot
from textual.widgets._footer import FooterKey

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.history import HistoryScreen
from fastadv_tui.dashboard.screens.launch import LaunchScreen
from fastadv_tui.dashboard.widgets.key_footer import fitting
from tests.support.pilot import a_run, play, until

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
    shown = fitting(KEYS, width)
    assert {action for (action, _), is_shown in zip(KEYS, shown, strict=True) if not is_shown} == left_out


@pytest.mark.usefixtures("quick_home")
@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_key_is_cut_on_any_screen(width: int) -> None:
    a_run("a1")

    def whole(app: Fastadv) -> bool:
        keys = [key for key in app.screen.query(FooterKey) if key.display]
        inside = all(key.region.x >= 0 and 0 < key.region.right <= width for key in keys)
        return inside and any(key.action == "help" for key in keys)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: app.snapshot.loaded and whole(app))
        for key, kind in (("h", HistoryScreen), ("n", LaunchScreen)):
            await pilot.press(key)
            await until(pilot, lambda kind=kind: isinstance(app.screen, kind) and whole(app))  # type: ignore[misc]

    play(script, (width, 24))
