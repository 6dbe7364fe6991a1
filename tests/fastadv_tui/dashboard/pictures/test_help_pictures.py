"""The help, and the dialog that asks for an evaluation, as pictures."""

from collections.abc import Callable

from textual.pilot import Pilot

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.evaluate_dialog import EvaluateDialog
from fastadv_tui.dashboard.screens.help import HelpScreen
from tests.support.pictures import Walk, at_all_sizes, dashboard, equals_picture, states
from tests.support.pictures import still as still
from tests.support.pilot import until


async def asked(app: Fastadv, pilot: Pilot[str]) -> None:
    await dashboard(app, pilot)
    await pilot.press("question_mark")
    await until(pilot, lambda: isinstance(app.screen, HelpScreen))
    await pilot.pause()


async def evaluate(app: Fastadv, pilot: Pilot[str]) -> None:
    await dashboard(app, pilot)
    await pilot.press("a")
    await until(pilot, lambda: isinstance(app.screen, EvaluateDialog))
    await pilot.pause()


@at_all_sizes
@states(("live", asked), ("live", evaluate))
def test_the_help_and_the_dialog(
    snap_compare: Callable[..., bool], size: tuple[int, int], state: str, walk: Walk
) -> None:
    assert equals_picture(snap_compare, size, state, walk)
