"""The dashboard under a pilot, and runs for it to show."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from textual.app import App
from textual.events import Key
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input

from engine.config.presets import build
from engine.protocol.events import Finished
from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.choice_dialog import ChoiceDialog
from fastadv_tui.dashboard.settings import Settings
from fastadv_tui.dashboard.widgets.run_list import RunList
from fastadv_tui.paths import runs_dir
from tests.support.events import evaluated, started, step, write_events
from tests.support.runs import make_run
from tests.support.waiting import Deadline

Script = Callable[[Fastadv, Pilot[str]], Awaitable[None]]


def play(
    script: Script,
    size: tuple[int, int] = (120, 40),
    readonly: bool = False,
    theme: str = "fastadv-dark",
    settings: Settings | None = None,
) -> None:
    """Open the dashboard in a terminal of that size and do what the script says."""

    async def run() -> None:
        app = Fastadv(settings or Settings(refresh=0.1, theme=theme), readonly)
        async with app.run_test(size=size, notifications=True) as pilot:
            await until(pilot, lambda: bool(app.screen.query(RunList)))
            await script(app, pilot)

    asyncio.run(run())


def type_at_once(app: Fastadv, keys: Iterable[str]) -> None:
    """All keys come at once, as from a terminal on a busy machine, or when text is pasted."""
    for key in keys:
        app.post_message(Key(_character_to_key(key), key) if len(key) == 1 else Key(key, None))


async def until(pilot: Pilot[Any], condition: Callable[[], object], timeout: float = 20.0) -> None:
    """Let the app go on until a condition holds; AssertionError with the screen after `timeout` seconds."""
    deadline = Deadline(timeout)
    while not condition():
        assert not deadline.passed, f"not within {deadline.seconds:.0f} s\n{shown(pilot.app)}"  # type: ignore[arg-type]
        await pilot.pause(0.05)


async def until_focused(pilot: Pilot[str], kind: type[Widget]) -> None:
    """Wait until a widget of this kind has the focus: a key that comes earlier goes elsewhere or is lost."""
    await until(pilot, lambda: isinstance(pilot.app.screen.focused, kind))


async def export(app: Fastadv, pilot: Pilot[str], form: str = "") -> None:
    """Export by key. form: what to type in the dialog; without it, the form that the screen proposes is taken."""
    await pilot.press("E")
    await until(pilot, lambda: isinstance(app.screen, ChoiceDialog))
    await until_focused(pilot, Input)
    await pilot.press(*form, "enter")


def shown(app: App[Any]) -> str:
    """The characters on the screen."""
    width, height = app.size
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line)[: width + 1] for line in lines[:height])


def told(app: App[Any]) -> str:
    """The toasts that are on the screen."""
    return "\n".join(toast.message for toast in app._notifications)


def a_run(run_id: str, status: str = "done", **settings: object) -> RunDir:
    rundir = make_run(runs_dir() / run_id, chosen=build("cifar", {"name": f"run {run_id}"} | settings))
    write_events(rundir, started(), *(step(n) for n in range(1, 101)))
    write_events(rundir, evaluated(10, clean=0.3, robust=0.2), evaluated(100, clean=0.8, robust=0.45))
    write_events(rundir, Finished(status=status, step=100, error="boom" * (status == "failed")))  # type: ignore[arg-type]
    return rundir
