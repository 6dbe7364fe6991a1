"""Screens get snapshots and samples only while they have their widgets."""

import asyncio

import pytest
from textual.app import ComposeResult
from textual.css.query import NoMatches
from textual.pilot import Pilot
from textual.widgets import Static

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.messages import Refreshed, Sampled
from fastadv_tui.dashboard.screens.base import Screen
from fastadv_tui.dashboard.widgets.run_list import RunList
from fastadv_tui.hardware.sampler import Host, Sample
from tests.support.pilot import a_run, play, shown, until

pytestmark = pytest.mark.usefixtures("quick_home")
SAMPLE = Sample(t=0.0, host=Host(cores=1, cpu=0.0, memory_used=1, memory_total=2), gpus=(), usage={})


class Mistyped(Screen[None]):
    """A screen with a mistyped widget id, which raises an error at the first sample of the machine."""

    def compose(self) -> ComposeResult:
        yield Static(id="text")

    def take_machine(self, sample: Sample) -> None:
        self.query_one("#txet", Static).update("never")


def test_a_mistyped_id_in_a_composed_screen_ends_the_dashboard() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await app.push_screen(Mistyped())
        app.post_message(Sampled(SAMPLE))
        await until(pilot, lambda: not app.is_running)

    with pytest.raises(NoMatches, match="txet"):
        play(script)


def test_opening_and_closing_screens_under_a_stream_of_snapshots_raises_nothing() -> None:
    a_run("a1")
    a_run("b2")

    async def stream(app: Fastadv) -> None:
        while True:
            app.post_message(Refreshed(app.snapshot))
            app.post_message(Sampled(SAMPLE))
            await asyncio.sleep(0)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app) and bool(app.snapshot.views))
        followed = next(iter(app.snapshot.views.values()))  # the run under the cursor
        news = asyncio.create_task(stream(app))
        for _ in range(3):
            for opened in (app.open_history, app.open_launch, lambda: app.open_compare(["a1", "b2"])):
                opened()
                await asyncio.sleep(0)
                await app.pop_screen()
            app.open_log(followed)
            await asyncio.sleep(0)
            await app.pop_screen()
        news.cancel()
        await until(pilot, lambda: bool(app.screen.query(RunList)))

    play(script)
