"""Runs that the form of a new run starts, and the engine that checks them and counts their work."""

import re
import threading
from collections.abc import Mapping
from typing import Any

import psutil
import pytest
from textual.pilot import Pilot

from engine.config.errors import ConfigError
from engine.config.run import RunConfig
from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens import launch as launch_module
from fastadv_tui.dashboard.screens.confirm_dialog import ConfirmDialog
from fastadv_tui.dashboard.screens.launch import LaunchScreen
from fastadv_tui.dashboard.widgets.run_list import RunList
from fastadv_tui.history.index import History
from fastadv_tui.launch.cost import FlopCounter
from fastadv_tui.launch.draft import path as draft_path
from fastadv_tui.launch.start_runs import StartedRuns
from fastadv_tui.paths import home, runs_dir
from fastadv_tui.runs.engine_server import EngineServer
from fastadv_tui.supervise.queue import RunQueue
from tests.support.form import field, open_form, plan
from tests.support.pilot import a_run, play, shown, type_at_once, until
from tests.support.runs import gone
from tests.support.waiting import seconds, wait_until

pytestmark = pytest.mark.usefixtures("quick_home")


def test_a_start_says_what_is_wrong_even_if_the_cursor_is_there_already() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        form = await open_form(app, pilot)
        field(app, "eps").focus()
        await pilot.press("x")
        await until(pilot, lambda: "1 field must change" in plan(app))
        form.scroll_to(y=100, animate=False)
        await until(pilot, lambda: not form.region.contains_region(field(app, "eps").region))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "not started: eps: 'x' is not a size" in " ".join(shown(app).split()))
        await until(pilot, lambda: form.region.contains_region(field(app, "eps").region))

    play(script, size=(80, 24))


@pytest.mark.usefixtures("fake_engine")
def test_a_run_that_the_form_starts_trains_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EngineServer, "check", lambda server, config: {})  # the fake engine has no data to check

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        form = await open_form(app, pilot)
        form.fill({"dataset": "digits", "name": "mine", "tags": "first try"})
        field(app, "epochs").value = "2"
        await until(pilot, draft_path().exists)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: bool(app.screen.query(RunList)))
        await until(pilot, lambda: "✓ mine" in shown(app))
        await until(pilot, lambda: "mine is done" in shown(app))  # a toast

    play(script)
    (folder,) = runs_dir().iterdir()
    assert History().find(folder.name).tags == ["first", "try"]
    assert not draft_path().exists()


@pytest.mark.usefixtures("fake_engine")
@pytest.mark.parametrize(("typed", "expected"), [("", r"sweep-[0-9a-f]{4}"), ("paper", "paper")])
def test_the_runs_of_a_sweep_from_the_form_share_a_tag(
    monkeypatch: pytest.MonkeyPatch, typed: str, expected: str
) -> None:
    monkeypatch.setattr(EngineServer, "check", lambda server, config: {})

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        form = await open_form(app, pilot)
        form.fill({"dataset": "digits", "seed": "0-1", "tags": typed})
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
        await until(pilot, lambda: "work counting ..." in plan(app))
        await until(pilot, lambda: "work 685 GFLOP of training" in plan(app), timeout=60)

    play(script)


def test_one_engine_answers_for_the_life_of_the_dashboard_and_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = str(home())
    monkeypatch.undo()
    monkeypatch.setenv("FASTADV_HOME", folder)
    engines: list[int] = []

    def serving() -> list[int]:
        children = psutil.Process().children(recursive=True)
        return [child.pid for child in children if not gone(child.pid) and "--serve" in child.cmdline()]

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        for width in ("8", "16"):
            form = await open_form(app, pilot)
            form.fill({"dataset": "digits", "model.width": width})
            await pilot.press("tab", "right", "left")  # the form is read after a key
            await until(pilot, lambda: "GFLOP of training" in plan(app), timeout=60)
            engines.extend(serving())
            await pilot.press("escape")

    play(script)
    assert len(engines) == 2
    assert len({*engines}) == 1
    wait_until(lambda: gone(engines[0]))


@pytest.mark.parametrize("then", [(), ("down",), ("tab", "tab")])
def test_a_start_right_after_typing_takes_what_was_typed(
    monkeypatch: pytest.MonkeyPatch, then: tuple[str, ...]
) -> None:
    """Also while the engine still answers a question about what stood there before, and from another field."""
    answer, checked = threading.Event(), list[RunConfig]()

    def check(server: EngineServer, config: RunConfig) -> dict[str, int]:
        checked.append(config)
        raise ConfigError("not today")

    monkeypatch.setattr(EngineServer, "check", check)
    monkeypatch.setattr(FlopCounter, "missing", lambda flops, configs: configs)
    monkeypatch.setattr(FlopCounter, "count", lambda flops, config: answer.wait(seconds(20)))

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        screen = app.screen
        assert isinstance(screen, LaunchScreen)
        for eps in range(20, 40):
            answer.clear()
            field(app, "eps").focus()
            await until(pilot, lambda: field(app, "eps").has_focus)
            type_at_once(app, ("ctrl+u", *str(eps), *then, "ctrl+s"))
            await until(pilot, lambda: checked and not screen._starting)
            answer.set()
            assert checked.pop().eps == eps / 255
            assert field(app, "eps").value == str(eps)
        field(app, "eps").focus()
        await until(pilot, lambda: field(app, "eps").has_focus)
        type_at_once(app, (*"0", "ctrl+s"))
        await until(pilot, lambda: "1 field must change" in plan(app))
        assert not checked

    play(script)


def test_a_form_that_is_closed_while_its_flops_are_counted_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, left, counted = threading.Event(), threading.Event(), threading.Event()

    def count(flops: FlopCounter, config: RunConfig) -> None:
        begun.set()
        left.wait(seconds(20))
        counted.set()

    monkeypatch.setattr(FlopCounter, "missing", lambda flops, configs: [] if left.is_set() else configs)
    monkeypatch.setattr(FlopCounter, "count", count)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
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
    go, submitted, start = threading.Event(), threading.Event(), launch_module.start_form

    def start_and_tell(texts: Mapping[str, str], check: Any) -> StartedRuns:
        started = start(texts, check)
        submitted.set()
        return started

    monkeypatch.setattr(EngineServer, "check", lambda server, config: go.wait(seconds(20)) and {})
    monkeypatch.setattr(launch_module, "start_form", start_and_tell)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
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

    def check(server: EngineServer, config: RunConfig) -> dict[str, int]:
        checks.append(config)
        go.wait(seconds(20))
        if len(checks) == 1:
            raise ConfigError("no data")
        return {}

    monkeypatch.setattr(EngineServer, "check", check)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
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


@pytest.mark.usefixtures("fake_engine")
def test_a_start_says_what_was_submitted_and_the_list_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EngineServer, "check", lambda server, config: {})
    a_run("a1")
    RunQueue.of_home().pause()

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        def told() -> list[str]:
            return [notice.message for notice in app._notifications if "submitted" in notice.message]

        await until(pilot, lambda: app.screen.query_one(RunList).chosen == "a1")
        await open_form(app, pilot)
        await until(pilot, lambda: "start the queue is paused, 0 waiting runs before it" in plan(app))
        await pilot.press("ctrl+s")
        await until(pilot, told)
        (toast,) = told()
        await until(pilot, lambda: not isinstance(app.screen, LaunchScreen))
        await until(pilot, lambda: app.screen.query_one(RunList).chosen != "a1")
        (new,) = {row.id for row in app.snapshot.rows} - {"a1"}
        assert app.screen.query_one(RunList).chosen == new
        assert f"({new}) is 1st in the queue, which is paused" in toast

    play(script)


@pytest.mark.usefixtures("fake_engine")
def test_the_check_before_a_start_is_told_at_the_form_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()

    def check(server: EngineServer, config: RunConfig) -> dict[str, int]:
        go.wait(seconds(20))
        raise ConfigError("no data")

    monkeypatch.setattr(EngineServer, "check", check)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "checking data and device ..." in shown(app))
        assert not [*app._notifications]  # it would stay beside the toast of the submission
        go.set()
        await until(pilot, lambda: "no data" in shown(app) and "checking" not in shown(app))

    play(script)


@pytest.mark.parametrize(("answer", "started"), [("n", False), ("y", True)])
def test_many_runs_are_started_only_after_a_question(
    monkeypatch: pytest.MonkeyPatch, answer: str, started: bool
) -> None:
    counts: list[str] = []

    def start(texts: Mapping[str, str], check: object) -> StartedRuns:
        counts.append(texts["seed"])
        return StartedRuns("a1", "submitted: 9 runs", [])

    monkeypatch.setattr(launch_module, "start_form", start)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        field(app, "seed").value = "0-8"
        await until(pilot, lambda: "9 runs" in plan(app))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        assert "Start 9 runs?" in shown(app)
        assert not counts
        await pilot.press(answer)
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen) is not started)
        assert counts == ["0-8"] * started

    play(script)
