"""Toasts of a small terminal: they are brief and few, and file names are whole."""

from pathlib import Path

import pytest
from textual.notifications import Notification
from textual.pilot import Pilot

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.history import HistoryScreen
from tests.support.pilot import a_run, export, play, shown, until

pytestmark = pytest.mark.usefixtures("quick_home")


def toasts(app: Fastadv) -> list[Notification]:
    return sorted(app._notifications, key=lambda toast: toast.raised_at)


@pytest.mark.parametrize(
    ("size", "seconds", "kept"),
    [((80, 24), [20, 4], ["error", "third"]), ((120, 40), [20, 10, 10], ["error", "second", "third"])],
)
def test_a_narrow_terminal_has_two_toasts_of_four_seconds_and_errors_longer(
    size: tuple[int, int], seconds: list[float], kept: list[str]
) -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: app.snapshot.loaded)
        app.clear_notifications()
        app.notify("error", severity="error", timeout=20)
        app.notify("second", timeout=10)
        app.notify("third", timeout=10)
        await until(pilot, lambda: [toast.message for toast in toasts(app)] == kept)
        assert [toast.timeout for toast in toasts(app)] == seconds

    play(script, size)


@pytest.mark.parametrize(("size", "whole_path"), [((80, 24), False), ((160, 50), True)])
def test_the_name_of_a_written_file_is_not_broken(
    size: tuple[int, int], whole_path: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_run("a1")
    monkeypatch.chdir(tmp_path)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: app.snapshot.loaded)
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen) and "1 of 1 runs" in shown(app))
        await export(app, pilot)
        await until(pilot, lambda: any("written:" in toast.message for toast in toasts(app)))
        (path,) = tmp_path.glob("fastadv-runs-*.csv")
        said = next(toast.message for toast in toasts(app) if "written:" in toast.message)
        assert (str(path) in said) == whole_path
        if not whole_path:
            await until(pilot, lambda: path.name in shown(app))

    play(script, size)
