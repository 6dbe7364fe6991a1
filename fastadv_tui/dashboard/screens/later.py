"""The screens that are not the first one: imported when they are opened, or the first picture would wait for them."""

from collections.abc import Iterable
from typing import Any

from textual.screen import Screen

from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.snapshot import LiveRun


def launch(like: RunDir | None = None) -> Screen[Any]:
    from fastadv_tui.dashboard.screens.launch import LaunchScreen

    return LaunchScreen(like)


def history() -> Screen[Any]:
    from fastadv_tui.dashboard.screens.history import HistoryScreen

    return HistoryScreen()


def compare(run_ids: Iterable[str]) -> Screen[Any]:
    from fastadv_tui.dashboard.screens.compare import CompareScreen

    return CompareScreen(list(run_ids))


def log(view: LiveRun) -> Screen[Any]:
    from fastadv_tui.dashboard.screens.log import LogScreen

    return LogScreen(view)
