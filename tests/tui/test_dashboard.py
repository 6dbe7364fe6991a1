"""The dashboard under a pilot: what each screen shows, and what the keys do."""

import asyncio
import shutil
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from helpers import evaluated, make_run, started, step, wait_for_status, write_events
from textual.binding import Binding
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static

from engine.events import Alarm, Finished
from engine.presets import build
from engine.rundir import RunDir
from fastadv_tui import identity, records, runner
from fastadv_tui.app import Fastadv
from fastadv_tui.flops import FlopCounter
from fastadv_tui.history import History
from fastadv_tui.home import ensure_home, home, runs_dir
from fastadv_tui.records import ProcessRecord
from fastadv_tui.screens.columns import Columns
from fastadv_tui.screens.compare import CompareScreen
from fastadv_tui.screens.confirm import Confirm
from fastadv_tui.screens.history import HistoryScreen
from fastadv_tui.screens.launch import Launch
from fastadv_tui.screens.log import LogScreen
from fastadv_tui.settings import Settings, load, path
from fastadv_tui.telemetry import Host, Sample
from fastadv_tui.widgets.chart import Chart
from fastadv_tui.widgets.machine import HISTORY, Machine
from fastadv_tui.widgets.run_list import RunList

Script = Callable[[Fastadv, Pilot[str]], Awaitable[None]]


@pytest.fixture(autouse=True)
def _home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty home; and no process that loads torch to count the work of a run, each time the form is opened."""
    ensure_home()
    monkeypatch.setattr(FlopCounter, "missing", lambda *_: [])


def play(
    script: Script, size: tuple[int, int] = (120, 40), readonly: bool = False, theme: str = "fastadv-dark"
) -> None:
    """Open the dashboard in a terminal of that size and do what the script says."""

    async def run() -> None:
        app = Fastadv(Settings(refresh=0.1, theme=theme), readonly)
        async with app.run_test(size=size, notifications=True) as pilot:
            await until(pilot, lambda: bool(app.screen.query(RunList)))
            await script(app, pilot)

    asyncio.run(run())


async def until(pilot: Pilot[str], condition: Callable[[], bool], seconds: float = 20.0) -> None:
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        await pilot.pause(0.05)
    raise AssertionError(f"not within {seconds} s\n{shown(pilot.app)}")  # type: ignore[arg-type]


def shown(app: Fastadv) -> str:
    """The characters on the screen."""
    width, height = app.size
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line)[: width + 1] for line in lines[:height])


def a_run(run_id: str, status: str = "done", **settings: object) -> RunDir:
    rundir = make_run(runs_dir() / run_id, chosen=build("cifar", {"name": f"run {run_id}"} | settings))
    write_events(rundir, started(), *(step(n) for n in range(1, 101)))
    write_events(rundir, evaluated(10, clean=0.3, robust=0.2), evaluated(100, clean=0.8, robust=0.45))
    write_events(rundir, Finished(status=status, step=100, error="boom" * (status == "failed")))  # type: ignore[arg-type]
    return rundir


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60), (40, 10)])
def test_the_empty_dashboard_says_what_to_do(size: tuple[int, int]) -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "Press n to start one" in shown(app))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, Launch))

    play(script, size)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_runs_and_the_curves_of_the_chosen_one(size: tuple[int, int]) -> None:
    for name in ("a1", "b2"):
        a_run(name)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app) and "run b2" in shown(app))
        await until(pilot, lambda: len(app.screen.query_one("#accuracy", Chart).series) == 2)
        clean, robust = app.screen.query_one("#accuracy", Chart).series
        assert (clean.ys, robust.ys) == ([0.3, 0.8], [0.2, 0.45])
        assert "80.0/45.0" in shown(app)
        await pilot.press("space", "j", "space")
        await until(pilot, lambda: len(app.screen.query_one("#accuracy", Chart).series) == 4)

    play(script, size)


def test_a_failed_run_opens_on_its_reason_and_its_traceback() -> None:
    a_run("a1", "failed").log.write_text("Traceback (most recent call last):\nValueError: [red]boom[/red]\x1b[31m\n")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "boom" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LogScreen))
        await until(pilot, lambda: r"ValueError: [red]boom[/red]\x1b[31m" in shown(app))
        assert "failed: boom" in shown(app)
        await pilot.press("slash", *"traceback")
        await until(pilot, lambda: "ValueError" not in shown(app) and "Traceback" in shown(app))

    play(script)


def test_history_filter_sort_mark_and_compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_run("a1", eps=4 / 255)
    a_run("b2", **{"model.width": 16})
    a_run("c3", "failed")
    monkeypatch.chdir(tmp_path)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
        table = app.screen.query_one(DataTable)
        await until(pilot, lambda: table.row_count == 3)
        await pilot.press("slash", *"status:done")
        await until(pilot, lambda: table.row_count == 2)
        assert "2 of 3 runs" in shown(app)
        await pilot.press("enter", "space", "j", "space", "c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        await until(pilot, lambda: "model.width" in shown(app))
        assert "8/255" in shown(app)
        assert "different eps" in shown(app)
        await pilot.press("E")
        await until(pilot, lambda: len([*tmp_path.glob("fastadv-compare-*")]) == 4)
        await pilot.press("escape", "escape")
        await until(pilot, lambda: bool(app.screen.query(RunList)))

    play(script)


def test_a_bad_filter_says_so_and_keeps_the_table() -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("h")
        await until(pilot, lambda: "run a1" in shown(app))
        app.screen.query_one("#query", Input).value = "robst>1"
        await until(pilot, lambda: "did you mean robust?" in shown(app))
        assert "run a1" in shown(app)

    play(script)


def test_tags_notes_names_and_pins_are_kept() -> None:
    rundir = a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("h")
        await until(pilot, lambda: "run a1" in shown(app))
        await pilot.press("T")
        await until(pilot, lambda: "run a1 (a1): tags" in shown(app))
        await pilot.press(*"paper", "enter")
        await until(pilot, lambda: "paper" in shown(app))
        await pilot.press("P")
        await until(pilot, lambda: "⚑" in shown(app))
        await pilot.press("right", "right", "o", "o")
        await until(pilot, lambda: "sorted by name, lowest first" in shown(app))

    play(script)
    row = History().find(rundir.id)
    assert (row.tags, row.pinned) == (["paper"], True)


def test_the_form_is_read_as_the_command_line_is() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, Launch))
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
        assert isinstance(app.screen, Launch)  # nothing is started that is not understood

    play(script, (160, 50))
    assert not [*runs_dir().iterdir()]


@pytest.mark.usefixtures("fake_engine")
def test_a_run_from_the_form_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "check", lambda config: {})  # the stand-in of the engine has no data to check

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, Launch))
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
def test_stop_asks_first_and_resume_goes_on() -> None:
    rundir = runner.create(build("digits", {"name": "forever", "device": "cpu"}), [])
    runner.spawn(rundir)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "● forever" in shown(app))
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("n")
        assert not rundir.stop.exists()
        await pilot.press("x")
        await until(pilot, lambda: f"forever ({rundir.id})" in shown(app))
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: "■ forever" in shown(app))
        await pilot.press("R")
        await until(pilot, lambda: "● forever" in shown(app))

    play(script)
    wait_for_status(rundir, "running")  # quitting the dashboard does not touch it


def test_an_alarm_while_we_look_is_a_toast_and_a_mark() -> None:
    rundir = make_run(runs_dir() / "a1", chosen=build("digits", {"name": "mine"}))
    write_events(rundir, started(), *(step(n) for n in range(1, 50)))

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "mine" in shown(app))
        message = "the attack lowers the loss of 50% of the examples"
        write_events(rundir, Alarm(kind="overfitting", step=49, epoch=4.9, message=message), evaluated(50))
        await until(pilot, lambda: "the attack lowers the loss" in shown(app))
        await until(pilot, lambda: len(app.screen.query_one("#accuracy", Chart).options.marks) == 1)

    play(script)


def test_a_run_that_vanishes_and_one_whose_events_are_cut() -> None:
    gone, cut = a_run("a1"), a_run("b2")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app) and "run b2" in shown(app))
        shutil.rmtree(gone.path)
        cut.events.write_bytes(cut.events.read_bytes()[:500])
        await pilot.press("j", "k", "j")
        await pilot.pause(0.5)
        await until(pilot, lambda: "run b2" in shown(app))

    play(script)


def test_a_log_of_one_huge_line_full_of_control_characters() -> None:
    a_run("a1", "failed").log.write_bytes(b"\x1b[2J\x00\xff" * 200_000 + b"\nlast line\n")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "last line" in shown(app))

    play(script)


def test_names_are_data_and_never_markup() -> None:
    a_run("a1", name="[red]x[/red] [link=y]")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "[red]x[/red]" in shown(app))
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen) and "[red]x[/red]" in shown(app))

    play(script)


def test_a_readonly_dashboard_offers_no_change_and_makes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rundir = a_run("a1")
    a_run("b2")
    monkeypatch.chdir(tmp_path)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app) and "read-only" in shown(app))
        assert "Stop" not in shown(app)
        await pilot.press("n", "R", "x", "e", "h")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
        await until(pilot, lambda: "run a1" in shown(app) and "read-only" in shown(app))
        named = {command.title for command in app.get_system_commands(app.screen)}
        assert not named & {"New run", "Pin", "Tag", "Note", "Rename", "Resume", "Run again with changes", "Delete"}
        await pilot.press("P", "D", "r", "n", "space", "j", "space", "c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        await pilot.press("E")
        await until(pilot, lambda: "this dashboard is read-only" in shown(app))

    play(script, readonly=True)
    assert not rundir.notes.exists()
    assert not [*tmp_path.glob("fastadv-compare-*")]


def test_the_app_stays_small() -> None:
    source = (Path(__file__).parents[2] / "fastadv_tui" / "app.py").read_text()
    assert len(source.splitlines()) < 150


def test_every_action_is_in_the_command_palette() -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app))
        named = {command.title for command in app.get_system_commands(app.screen)}
        bindings = [*type(app.screen).BINDINGS, *Fastadv.BINDINGS]
        wanted = {binding.description for binding in bindings if isinstance(binding, Binding) and binding.id}
        assert wanted <= named
        await pilot.press("ctrl+p")
        await pilot.press(*"New run")
        await until(pilot, lambda: "key n" in shown(app))
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, Launch))

    play(script)


def test_columns_and_theme_are_remembered() -> None:
    a_run("a1")

    async def choose(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, Columns))
        await pilot.press("space", "end", "space", "enter")  # the first one off, the last one on
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
        app.theme = "ansi-dark"
        await until(pilot, lambda: load().theme == "ansi-dark")
        assert [str(column.label) for column in app.screen.query_one(DataTable).ordered_columns][1] == "name"

    play(choose)
    columns = load().columns
    assert (columns[0], columns[-1]) == ("name", "note")
    assert "status" not in columns


def test_a_readonly_dashboard_remembers_nothing() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        app.theme = "ansi-dark"
        await pilot.pause(0.2)
        assert not path().exists()

    play(script, readonly=True)


def test_a_theme_that_is_not_there_is_said() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "no theme 'neon'" in shown(app))
        assert app.theme == "fastadv-dark"

    play(script, theme="neon")


def test_the_terminals_own_colours() -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "80.0/45.0" in shown(app))
        assert app.theme == "ansi-dark"

    play(script, theme="ansi")


def test_a_run_that_dies_while_it_is_shown() -> None:
    rundir = make_run(runs_dir() / "a1", chosen=build("cifar", {"name": "run a1"}))
    write_events(rundir, started(), *(step(n) for n in range(1, 50)))
    engine = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    identity_of = identity.of(engine.pid)
    assert identity_of is not None
    records.write(rundir.process, ProcessRecord(attempt=1, supervisor=identity_of, engine=identity_of))

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "● 1 running" in shown(app))
        engine.kill()
        engine.wait()
        await until(pilot, lambda: "? 1 lost" in shown(app))
        said = "run a1 lost: it and its supervisor were killed"  # a toast, which comes a moment later
        await until(pilot, lambda: said in " ".join(shown(app).split()))

    play(script, size=(200, 60))


def test_a_flood_in_the_log_holds_nothing_up_and_its_end_is_shown() -> None:
    """A hundred lines a millisecond, as far as this machine can write them."""
    rundir, leaving, written = a_run("a1"), threading.Event(), [0]

    def flood() -> None:
        with rundir.log.open("a") as log:
            while not leaving.wait(0.001):
                log.writelines(f"line {written[0] + n}\n" for n in range(100))
                log.flush()
                written[0] += 100

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "line" in shown(app))
        await until(pilot, lambda: written[0] > 50_000)
        begun = time.perf_counter()
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
        assert time.perf_counter() - begun < 5
        await pilot.press("escape")
        leaving.set()
        thread.join()
        await until(pilot, lambda: f"line {written[0] - 1} " in shown(app))

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        play(script)
    finally:
        leaving.set()
        thread.join()


def test_the_form_counts_the_work_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the engine's own answer: 30 epochs of FGSM on the digits."""
    folder = str(home())
    monkeypatch.undo()
    monkeypatch.setenv("FASTADV_HOME", folder)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("n")
        await until(pilot, lambda: "work: counting ..." in shown(app))
        await until(pilot, lambda: "work: 685 GFLOP of training" in shown(app), seconds=60.0)

    play(script)


def test_what_is_typed_behind_an_editing_key_stays() -> None:
    """Keys that come in one go, as from a terminal that waited for a busy machine."""

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, Launch))
        field = app.screen.query_one("#field-eps", Input)
        field.focus()
        await pilot.pause()
        for key, character in (("1", "1"), ("ctrl+u", None), ("2", "2"), ("3", "3"), ("backspace", None), ("5", "5")):
            app.post_message(Key(key, character))
        await until(pilot, lambda: field.value == "25")
        await pilot.pause(0.2)
        assert field.value == "25"

    play(script)


def test_the_form_says_how_to_move_and_how_to_start_several() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await pilot.press("n")
        await until(pilot, lambda: "↑↓ move   8,16 starts two runs" in shown(app))
        await pilot.press("down", "down", "down", "up", "down")
        await until(pilot, lambda: app.screen.query_one("#field-eps").has_focus)

    play(script, size=(80, 24))


def test_the_arrows_choose_a_run_wherever_the_focus_is() -> None:
    for name in ("a1", "b2"):
        a_run(name)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "run a1" in shown(app) and "run b2" in shown(app))
        runs = app.screen.query_one(RunList)
        app.screen.query_one("#accuracy").focus()
        for key, place in (("down", 1), ("up", 0), ("j", 1)):
            await pilot.press(key)
            assert runs.highlighted == place

    play(script)


def test_a_sparkline_stays_on_the_line_of_its_label() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        machine = app.screen.query_one(Machine)
        for _ in range(HISTORY):
            machine.show(Sample(t=0.0, host=Host(cores=2, cpu=1.0, memory_used=1, memory_total=2)))
        await pilot.pause()
        said = str(machine.render()).splitlines()
        assert said[0].startswith("CPU, 2 cores 100% █")
        assert len(said[0]) <= machine.content_size.width

    play(script)


def test_runs_that_share_their_name_are_told_apart_by_their_ids() -> None:
    for name in ("a1", "b2"):
        a_run(name, name="twin")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: shown(app).count("twin") == 2)
        assert "a1│" in shown(app).replace(" ", "")
        await pilot.press("space", "down", "space")
        await until(pilot, lambda: "a1 clean" in shown(app) and "b2 clean" in shown(app))
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        await until(pilot, lambda: "● b2" in shown(app) and "data, evaluation and code agree" in shown(app))

    play(script, size=(160, 50))
