"""The form of a new run, driven by a pilot."""

import re
import threading

import psutil
import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input, Static

from engine.config.errors import ConfigError
from engine.config.run import RunConfig
from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.launch import LaunchScreen
from fastadv_tui.dashboard.widgets.run_list import RunList
from fastadv_tui.history.index import History
from fastadv_tui.launch.cost import FlopCounter
from fastadv_tui.launch.form import LaunchPlan
from fastadv_tui.paths import home, runs_dir
from fastadv_tui.runs import engine_client
from tests.support.pilot import play, shown, until
from tests.support.runs import gone
from tests.support.waiting import seconds

pytestmark = pytest.mark.usefixtures("quick_home")


def test_the_form_is_read_as_the_command_line_is() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        field = {name: app.screen.query_one(f"#field-{name}", Input) for name in ("eps", "seed", "epochs")}
        planned = app.screen.query_one("#planned", Static)
        await until(pilot, lambda: "fastadv run digits" in str(planned.render()))
        assert field["epochs"].placeholder == "30"
        field["eps"].value, field["seed"].value = "2,4,8", "0-2"
        await until(pilot, lambda: "9 runs" in str(planned.render()))
        assert "fastadv sweep digits --grid eps=2,4,8 --seeds 0-2" in str(planned.render()).replace("\n", " ")
        field["epochs"].value = "0"
        await until(pilot, lambda: "! epochs = '0'" in str(planned.render()))
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert isinstance(app.screen, LaunchScreen)  # a form with an error starts no run

    play(script, (160, 50))
    assert not [*runs_dir().iterdir()]


@pytest.mark.usefixtures("fake_engine")
def test_a_run_that_the_form_starts_trains_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_client, "check", lambda config: {})  # the fake engine has no data to check

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        app.screen.query_one("#field-name", Input).value = "mine"
        app.screen.query_one("#field-tags", Input).value = "first try"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: bool(app.screen.query(RunList)))
        await until(pilot, lambda: "✓ mine" in shown(app))
        await until(pilot, lambda: "mine is done" in shown(app))  # a toast

    play(script)
    (folder,) = runs_dir().iterdir()
    assert History().find(folder.name).tags == ["first", "try"]


@pytest.mark.usefixtures("fake_engine")
@pytest.mark.parametrize(("typed", "expected"), [("", r"sweep-[0-9a-f]{4}"), ("paper", "paper")])
def test_the_runs_of_a_sweep_from_the_form_share_a_tag(
    monkeypatch: pytest.MonkeyPatch, typed: str, expected: str
) -> None:
    monkeypatch.setattr(engine_client, "check", lambda config: {})

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        app.screen.query_one("#field-seed", Input).value = "0-1"
        app.screen.query_one("#field-tags", Input).value = typed
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.snapshot.count("done") == 2)

    play(script)
    first, second = History().rows()
    assert first.tags == second.tags
    assert re.fullmatch(expected, " ".join(first.tags))


def test_the_form_counts_the_work_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine itself counts 30 epochs of FGSM on the digits."""
    folder = str(home())
    monkeypatch.undo()
    monkeypatch.setenv("FASTADV_HOME", folder)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("n")
        await until(pilot, lambda: "work: counting ..." in shown(app))
        await until(pilot, lambda: "work: 685 GFLOP of training" in shown(app), timeout=60)

    play(script)


def test_leaving_the_form_ends_the_engine_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dashboard cannot end before its threads, so quitting would wait for the count."""
    folder = str(home())
    monkeypatch.undo()
    monkeypatch.setenv("FASTADV_HOME", folder)

    def counting() -> list[psutil.Process]:
        children = psutil.Process().children(recursive=True)
        return [child for child in children if psutil.pid_exists(child.pid) and "--flops" in child.cmdline()]

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("n")
        await until(pilot, counting)
        engines = counting()  # two, if the form changed while the first one started
        await pilot.press("escape")
        await until(pilot, lambda: all(gone(engine.pid) for engine in engines), timeout=2)

    play(script)


def test_text_that_is_typed_after_an_editing_key_stays() -> None:
    """All keys come at once, as from a terminal on a busy machine."""

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        field = app.screen.query_one("#field-eps", Input)
        field.focus()
        await pilot.pause()
        for key, character in (("1", "1"), ("ctrl+u", None), ("2", "2"), ("3", "3"), ("backspace", None), ("5", "5")):
            app.post_message(Key(key, character))
        await until(pilot, lambda: field.value == "25")
        await pilot.pause(0.2)
        assert field.value == "25"

    play(script)


def test_the_form_says_how_to_move_and_how_to_start_several_runs() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("n")
        await until(pilot, lambda: "↑↓ move   8,16 starts two runs" in shown(app))
        await pilot.press("down", "down", "down", "up", "down")
        await until(pilot, lambda: app.screen.query_one("#field-eps").has_focus)

    play(script, size=(80, 24))


def test_a_form_that_is_closed_while_its_flops_are_counted_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, left, counted = threading.Event(), threading.Event(), threading.Event()

    def count(flops: FlopCounter, config: RunConfig) -> None:
        begun.set()
        left.wait(seconds(20))
        counted.set()

    monkeypatch.setattr(FlopCounter, "missing", lambda flops, configs: [] if left.is_set() else configs)
    monkeypatch.setattr(FlopCounter, "count", count)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        await until(pilot, begun.is_set)
        app.pop_screen()
        left.set()
        await until(pilot, counted.is_set)
        await until(pilot, lambda: not any(worker.group == "flops" for worker in app.workers))
        assert app.screen.query(RunList)

    play(script)


@pytest.mark.usefixtures("fake_engine")
@pytest.mark.parametrize("keys", ["escape", "escape h", "ctrl+p"])
def test_a_start_closes_the_form_and_no_other_screen(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    """Another screen opens while the check of the data still runs."""
    go, submitted, submit = threading.Event(), threading.Event(), LaunchScreen._submit

    def last_act(screen: LaunchScreen, planned: LaunchPlan, tags: list[str]) -> None:
        submit(screen, planned, tags)
        submitted.set()

    monkeypatch.setattr(engine_client, "check", lambda config: go.wait(seconds(20)) and {})
    monkeypatch.setattr(LaunchScreen, "_submit", last_act)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        await pilot.press("ctrl+s", *keys.split())
        await until(pilot, lambda: not isinstance(app.screen, LaunchScreen))
        shown_then = app.screen
        go.set()
        await until(pilot, submitted.is_set)
        await until(pilot, lambda: app.snapshot.count("done") == 1)
        await pilot.pause()
        assert app.screen is shown_then
        if keys == "ctrl+p":
            await pilot.press("escape")
        await until(pilot, lambda: not any(isinstance(screen, LaunchScreen) for screen in app.screen_stack))

    play(script)


@pytest.mark.usefixtures("fake_engine")
def test_two_requests_to_start_the_form_start_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of data and device takes seconds, so a user may press ctrl+s again."""
    go, checks = threading.Event(), []

    def check(config: RunConfig) -> dict[str, int]:
        checks.append(config)
        go.wait(seconds(20))
        if len(checks) == 1:
            raise ConfigError("no data")
        return {}

    monkeypatch.setattr(engine_client, "check", check)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        await pilot.press("ctrl+s", "ctrl+s")
        go.set()
        await until(pilot, lambda: "no data" in shown(app))
        go.clear()
        await pilot.press("ctrl+s", "ctrl+s", "ctrl+s")  # after a failed check, the form can be started again
        go.set()
        await until(pilot, lambda: not isinstance(app.screen, LaunchScreen))
        await until(pilot, lambda: app.snapshot.count("done") == 1)

    play(script)
    assert len(checks) == 2
    assert len([*runs_dir().iterdir()]) == 1
