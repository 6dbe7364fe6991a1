"""The log screen, driven by a pilot: tracebacks, fast output, and control characters."""

import subprocess
import sys
import time

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.widgets import Input

from engine.config.presets import build
from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.monitor import RunMonitor
from fastadv_tui.dashboard.screens.history import HistoryScreen
from fastadv_tui.dashboard.screens.log import LogScreen
from fastadv_tui.paths import runs_dir
from fastadv_tui.supervise import process_identity, records
from fastadv_tui.supervise.records import QueueRecord
from tests.support.pilot import a_run, play, shown, until, until_focused
from tests.support.runs import make_run

pytestmark = pytest.mark.usefixtures("quick_home")


def test_a_failed_run_opens_on_its_reason_and_its_traceback() -> None:
    a_run("a1", "failed").log.write_text("Traceback (most recent call last):\nValueError: [red]boom[/red]\x1b[31m\n")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "boom" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LogScreen))
        await until(pilot, lambda: r"ValueError: [red]boom[/red]\x1b[31m" in shown(app))
        assert "failed: boom" in shown(app)
        await pilot.press("slash")
        await until_focused(pilot, Input)
        await pilot.press(*"traceback")
        await until(pilot, lambda: "ValueError" not in shown(app) and "Traceback" in shown(app))

    play(script)


def test_the_traceback_of_a_failed_run_stands_between_its_events_and_its_reason() -> None:
    a_run("a1", "failed").log.write_text("ValueError: first\n")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        def in_order() -> bool:
            found = [shown(app).find(text) for text in ("clean  80.0%", "ValueError: first", "failed: boom")]
            return found == sorted(found) and found[0] >= 0

        await until(pilot, in_order)
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, LogScreen) and in_order())

    play(script)


def test_a_log_with_a_huge_line_of_control_characters_is_shown() -> None:
    a_run("a1", "failed").log.write_bytes(b"\x1b[2J\x00\xff" * 200_000 + b"\nlast line\n")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "last line" in shown(app))

    play(script)


FLOOD = """
import sys, time
with open(sys.argv[1], "a") as log:
    for first in range(0, 10**9, 100):
        log.writelines(f"line {first + n}\\n" for n in range(100))
        log.flush()
        time.sleep(0.001)
"""


def test_a_flood_in_the_log_does_not_block_keys_and_its_end_is_shown() -> None:
    """Another process writes up to a hundred lines per millisecond, as an engine could.

    The flood does not end, so a screen that waited for its end would never come.
    """
    rundir = a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "line" in shown(app))
        await until(pilot, lambda: rundir.log.stat().st_size > 500_000)
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
        await pilot.press("escape")
        flood.terminate()
        flood.wait()
        with rundir.log.open("a") as log:
            log.write("\nthe last line\n")
        await until(pilot, lambda: "the last line" in shown(app))

    with subprocess.Popen([sys.executable, "-c", FLOOD, str(rundir.log)]) as flood:
        try:
            play(script)
        finally:
            flood.terminate()


def test_the_first_escape_clears_the_search_and_the_second_leaves() -> None:
    a_run("a1").log.write_text("first line\nsecond line\n")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app))
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, LogScreen) and "second line" in shown(app))
        await pilot.press("slash")
        await until_focused(pilot, Input)
        await pilot.press(*"first", "enter")
        await until(pilot, lambda: "second line" not in shown(app))
        await pilot.press("escape")
        await until(pilot, lambda: "second line" in shown(app))
        assert isinstance(app.screen, LogScreen)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, LogScreen))

    play(script)


def test_the_log_of_a_run_that_no_snapshot_has_read_yet_opens_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list shows a run before its events are read."""
    a_run("a1").log.write_text("first line\n")
    refresh = RunMonitor.refresh
    monkeypatch.setattr(RunMonitor, "refresh", lambda *given: replace(refresh(*given), views={}))

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app))
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, LogScreen) and "first line" in shown(app))

    play(script)


def test_a_queued_run_says_that_it_waits_and_the_page_names_the_run() -> None:
    rundir = make_run(runs_dir() / "a1", chosen=build("digits", {"name": "mine"}))
    records.write(rundir.queued, QueueRecord(attempt=1, host=process_identity.hostname(), t=time.time()))

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "waits in the queue" in shown(app))
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, LogScreen) and "Log of mine (a1)" in shown(app))
        assert "waits in the queue" in shown(app)

    play(script)
