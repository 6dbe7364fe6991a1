"""The form of a new run, driven by a pilot."""

import re
import textwrap
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from rich.color import Color
from textual.events import Key
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static

from engine.config.errors import ConfigError
from engine.config.run import RunConfig
from engine.config.settings import settings
from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens import launch as launch_module
from fastadv_tui.dashboard.screens.launch import LaunchScreen
from fastadv_tui.dashboard.widgets.form_field import FormField, field_id
from fastadv_tui.dashboard.widgets.form_group import GroupHeading
from fastadv_tui.dashboard.widgets.launch_form import LaunchForm
from fastadv_tui.dashboard.widgets.run_list import RunList
from fastadv_tui.history.index import History
from fastadv_tui.launch.cost import FlopCounter
from fastadv_tui.launch.draft import load_draft
from fastadv_tui.launch.draft import path as draft_path
from fastadv_tui.launch.form_fields import choices_of, help_of, title_of
from fastadv_tui.launch.start_runs import StartedRuns
from fastadv_tui.paths import home, runs_dir
from fastadv_tui.runs.engine_server import EngineServer
from fastadv_tui.supervise.queue import RunQueue
from tests.support import demo_home
from tests.support.pilot import a_run, play, shown, type_at_once, until
from tests.support.runs import gone
from tests.support.waiting import seconds, wait_until

pytestmark = pytest.mark.usefixtures("quick_home")


async def open_form(app: Fastadv, pilot: Pilot[str]) -> LaunchForm:
    await pilot.press("n")
    await until(pilot, lambda: isinstance(app.screen, LaunchScreen) and app.screen.ready)
    await until(pilot, lambda: "fastadv run" in plan(app) or "must change" in plan(app))
    return app.screen.query_one(LaunchForm)


def plan(app: Fastadv) -> str:
    """The text beside the form, in one line."""
    found = app.screen.query("#planned")
    return " ".join(str(found.first(Static).render()).split()) if found else ""


def field(app: Fastadv, key: str) -> FormField:
    return app.screen.query_one(f"#{field_id(key)}", FormField)


def visible(app: Fastadv) -> set[str]:
    """The keys of the fields that are not hidden."""
    return {one.key for one in app.screen.query(FormField) if one.display}


async def open_all_groups(app: Fastadv, pilot: Pilot[str]) -> None:
    for heading in app.screen.query(GroupHeading):
        if not heading.opened:
            heading.focus()
            await pilot.press("enter")
            await until(pilot, lambda heading=heading: heading.opened)  # type: ignore[misc]


def test_the_form_is_read_as_the_command_line_is() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        assert field(app, "epochs").placeholder == "30"
        field(app, "eps").value, field(app, "seed").value = "2,4,8", "0-2"
        await until(pilot, lambda: "9 runs" in plan(app))
        assert "fastadv sweep digits --grid eps=2,4,8 --seeds 0-2" in plan(app)

    play(script, (160, 50))


def test_all_errors_stand_at_their_fields_and_a_start_goes_to_the_first_one() -> None:
    """Also an error in a group that is closed, which then opens."""
    texts = {"dataset": "digits", "epochs": "1O", "eps": "x", "device": "gpu", "optim.lr": "-1"}

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        form = await open_form(app, pilot)
        form.fill(texts)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "4 fields must change" in plan(app))
        assert field(app, "eps").has_focus
        assert "^ '1O' is not a whole number" in shown(app)
        lines = shown(app).splitlines()
        below = next(number for number, line in enumerate(lines) if "^ '1O' is not" in line)
        assert lines[below - 1].split()[1:3] == ["epochs", "1O"]  # the text stays above its error
        assert "^ 'x' is not a size" in shown(app)
        assert "Optimizer  1 error" in shown(app)
        field(app, "eps").value, field(app, "epochs").value = "8", "1"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: field(app, "optim.lr").has_focus)
        assert "^ -1 is not allowed; write above 0 and at most 100" in shown(app)
        assert isinstance(app.screen, LaunchScreen)

    play(script, (120, 50))
    assert not [*runs_dir().iterdir()]


@pytest.mark.parametrize("key", ["extra_data", "eval.attack", "device"])
def test_an_error_of_the_engine_stands_at_its_field_which_gets_the_cursor(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """Also if the field is out of sight, or in a group that is closed."""

    def check(server: EngineServer, config: RunConfig) -> dict[str, int]:
        raise ConfigError(f"{key} = /gone.npz: No such file; name an npz file")

    monkeypatch.setattr(EngineServer, "check", check)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        form = await open_form(app, pilot)
        form.fill({"dataset": "digits", "extra_data": "/gone.npz"})
        field(app, "seed").focus()
        await until(pilot, lambda: field(app, "seed").has_focus)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: bool(app.screen.query(f"#{field_id(key)}")) and field(app, key).has_focus)
        await until(pilot, lambda: f"^ {'/gone.npz: No such file'}" in shown(app))
        assert form.region.contains_region(field(app, key).region)

    play(script, size=(80, 24))


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


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_past_runs_stand_in_one_line_each_in_the_middle_of_the_screen(size: tuple[int, int]) -> None:
    demo_home.fill("seeds")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: len(app.snapshot.rows) == 15)
        await open_form(app, pilot)
        await pilot.press("f2")
        await until(pilot, lambda: "seed 2" in shown(app))
        lines = shown(app).splitlines()
        first = next(number for number, line in enumerate(lines) if "seed 0" in line)
        assert all(f"seed {seed}" in lines[first + seed] for seed in range(3))
        assert re.search(r"% / .*% +(\d{4}-\d\d-\d\d|.* ago) ", lines[first])
        dialog = app.screen.query_one("#dialog").region
        assert abs(dialog.y - (size[1] - dialog.bottom)) <= 1
        assert "Keep and leave" in shown(app)  # the form shows through
        await pilot.press(*"nothing", "enter")
        await until(pilot, lambda: "none of the 15 past runs contains this" in shown(app))

    play(script, size=size)


def test_every_setting_is_reachable_and_only_those_with_an_effect_show() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        assert not app.screen.query(f"#{field_id('optim.lr')}")  # not built before the group is opened
        await open_all_groups(app, pilot)
        assert {one.key for one in app.screen.query(FormField)} == {*settings(), "tags"}
        assert {"method.init", "optim.peak"} <= visible(app)
        assert not {"method.steps", "optim.milestones", "optim.sgd_ratio", "model.depth"} & visible(app)
        field(app, "method.name").value, field(app, "optim.schedule").value = "pgd", "piecewise"
        await until(pilot, lambda: {"method.steps", "optim.milestones"} <= visible(app))
        assert not {"method.init", "optim.peak"} & visible(app)

    play(script, (120, 80))


def test_a_picker_is_turned_by_left_and_right_and_takes_typed_values() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        method = field(app, "method.name")
        method.focus()
        await pilot.press("right")
        assert method.value == "nfgsm"
        await pilot.press("left")
        assert method.value == ""  # fgsm is the default
        await pilot.press(*"fgsm,pgd")
        await until(pilot, lambda: "2 runs" in plan(app))
        await pilot.press("left", "backspace")
        assert method.value == "fgsm,pd"  # several values are edited as any text

    play(script)


@pytest.mark.parametrize("key", [key for key, one in settings().items() if one.choices or one.kind == "boolean"])
def test_every_setting_with_choices_is_a_picker(key: str) -> None:
    assert choices_of(key, {}) == (settings()[key].choices or ("true", "false"))


def test_a_default_is_marked_and_shown_as_a_value() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        line = next(line for line in shown(app).splitlines() if " epochs " in line)
        assert re.search(r"epochs +30 +default", line)
        field(app, "epochs").value = "5"
        await until(pilot, lambda: re.search(r"epochs +5 +│", shown(app)))

    play(script)


def test_the_help_line_names_all_allowed_values() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        field(app, "method.name").focus()
        await until(pilot, lambda: f"Allowed: {settings()['method.name'].allowed}." in " ".join(shown(app).split()))

    play(script, (80, 24))


@pytest.mark.parametrize("key", [*settings(), "tags"])
def test_the_help_of_every_field_is_whole_at_80_columns(key: str) -> None:
    assert len(textwrap.wrap(f"{title_of(key)}: {help_of(key)}", 76)) <= 5


def test_a_draft_survives_leaving_and_goes_when_it_is_emptied() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        field(app, "epochs").value = "7"
        await pilot.press("escape")  # at once, before the form was read
        await until(pilot, lambda: load_draft() == {"dataset": "digits", "epochs": "7"})
        await open_form(app, pilot)
        assert field(app, "epochs").value == "7"
        await pilot.press("f6")
        await until(pilot, lambda: not draft_path().exists())
        assert field(app, "epochs").value == ""
        assert "your draft" not in shown(app)

    play(script)


def test_a_draft_of_another_version_or_damaged_does_not_hinder_the_form() -> None:
    draft_path().write_text('{"dataset": "cifar10", "method.gone": "1", "name": "a\\u001b[31mb"}')

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        form = await open_form(app, pilot)
        assert "method.gone" not in form.texts
        assert "fastadv run cifar10" in plan(app)
        assert "\x1b" not in shown(app)

    play(script)
    draft_path().write_text("{")
    assert load_draft() == {}


def test_the_form_is_filled_from_a_past_run() -> None:
    a_run("aaa111", **{"optim.lr": 0.1, "eps": 4 / 255})
    a_run("bbb222", **{"method.name": "pgd"})

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: len(app.snapshot.rows) == 2)
        await open_form(app, pilot)
        await pilot.press("f2")
        await until(pilot, lambda: bool(app.screen.query(OptionList)))
        await pilot.press(*"aaa", "enter")
        await until(pilot, lambda: "--eps 4" in plan(app))
        assert "fastadv run cifar10" in plan(app)
        assert "--set optim.lr=0.1" in plan(app)
        await pilot.press("f2")
        await until(pilot, lambda: bool(app.screen.query(OptionList)))
        await pilot.press(*"bbb", "enter")
        await until(pilot, lambda: "--method pgd" in plan(app))

    play(script)


def test_the_form_is_filled_from_a_toml_file_and_shows_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('dataset = "cifar10"\neps = [4, 8]\n[optim]\nlr = 0.1\n')

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        await pilot.press("f3")
        await until(pilot, lambda: bool(app.screen.query("#dialog")))
        app.screen.query_one(Input).value = str(tmp_path / "mine.toml")
        await pilot.press("enter")
        await until(pilot, lambda: "--grid eps=4,8" in plan(app))
        await pilot.press("f4")
        await until(pilot, lambda: 'dataset = "cifar10"' in plan(app))
        assert "eps = [4, 8]" in plan(app)
        assert "[optim] lr = 0.1" in plan(app)
        await pilot.press("f3")
        await until(pilot, lambda: bool(app.screen.query("#dialog")))
        app.screen.query_one(Input).value = str(tmp_path / "none.toml")
        await pilot.press("enter")
        await until(pilot, lambda: "cannot read" in shown(app))
        assert app.screen.query_one(Input).value == str(tmp_path / "none.toml")  # it can be corrected
        app.screen.query_one(Input).value = str(tmp_path / "mine.toml")
        await until(pilot, lambda: "cannot read" not in shown(app))
        assert "enter opens it" in shown(app)
        await pilot.press("escape")
        await until(pilot, lambda: "eps = [4, 8]" in plan(app))  # the form is as it was

    play(script, (160, 50))


def test_the_command_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    monkeypatch.setattr(Fastadv, "copy_to_clipboard", lambda app, text: copied.append(text))

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        field(app, "epochs").value = "3"
        await until(pilot, lambda: "--epochs 3" in plan(app))
        await pilot.press("f5")

    play(script)
    assert copied == ["fastadv run digits --epochs 3"]


@pytest.mark.parametrize("theme", ["fastadv-dark", "fastadv-light"])
def test_every_text_of_the_form_has_contrast(theme: str) -> None:
    def luminance(color: Color | None) -> float:
        assert color is not None
        parts = [part / 255 for part in color.get_truecolor()]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        form = await open_form(app, pilot)
        form.fill({"dataset": "digits", "eps": "x"})
        await pilot.press("ctrl+s")
        await until(pilot, lambda: field(app, "eps").has_focus)
        for strip in [line for one in [*app.screen.query(FormField)][:9] for line in one.render_lines(one.size.region)]:
            for segment in strip:
                if segment.text.strip() and segment.style and segment.style.color and segment.style.bgcolor:
                    pair = sorted((luminance(segment.style.color), luminance(segment.style.bgcolor)))
                    assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5, segment

    play(script, theme=theme)


def test_the_form_works_at_80_columns_by_keyboard_alone() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        await pilot.press(*["down"] * 5, "up", "down")
        await until(pilot, lambda: field(app, "holdout").has_focus)
        await pilot.press("down", "down", "down")
        await until(pilot, lambda: field(app, "method.name").has_focus)
        assert "fastadv run digits" in shown(app)
        await until(pilot, lambda: "1 run · eps 51/255" in shown(app) and " · start now" in shown(app))
        for _ in range(8):
            await pilot.press("down")
        assert app.screen.focused is not None
        await pilot.press("f4")
        await until(pilot, lambda: 'dataset = "digits"' in shown(app))
        assert "Training" not in shown(app)

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


def test_text_that_is_typed_after_an_editing_key_stays() -> None:
    """All keys come at once, as from a terminal on a busy machine."""

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        eps = field(app, "eps")
        eps.focus()
        await pilot.pause()
        for key, character in (("1", "1"), ("ctrl+u", None), ("2", "2"), ("3", "3"), ("backspace", None), ("5", "5")):
            app.post_message(Key(key, character))
        await until(pilot, lambda: eps.value == "25")
        await pilot.pause(0.2)
        assert eps.value == "25"

    play(script)


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


def test_a_letter_right_after_an_arrow_goes_to_the_next_field() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        field(app, "epochs").focus()
        await until(pilot, lambda: field(app, "epochs").has_focus)
        type_at_once(app, ("7", "down", "9"))
        await until(pilot, lambda: field(app, "batch_size").value == "9")
        assert field(app, "epochs").value == "7"

    play(script)


def test_a_draft_keeps_what_was_typed_right_before_the_form_is_left() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        field(app, "epochs").focus()
        await until(pilot, lambda: field(app, "epochs").has_focus)
        type_at_once(app, ("7", "escape"))
        await until(pilot, lambda: load_draft() == {"dataset": "digits", "epochs": "7"})

    play(script)


def test_a_command_copied_right_after_typing_has_what_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    monkeypatch.setattr(Fastadv, "copy_to_clipboard", lambda app, text: copied.append(text))

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        field(app, "epochs").focus()
        await until(pilot, lambda: field(app, "epochs").has_focus)
        type_at_once(app, ("7", "f5"))
        await until(pilot, lambda: copied)

    play(script)
    assert copied == ["fastadv run digits --epochs 7"]


def test_the_form_says_how_to_move_and_how_to_start_several_runs() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        await until(pilot, lambda: "↑↓ move   ◂▸ choose   8,16 starts two runs" in shown(app))

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


def test_the_arrows_stay_at_the_first_and_the_last_field() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        await pilot.press("up", "up", "up")
        first = app.focused
        await pilot.press("up")
        assert app.focused is first
        await pilot.press(*["down"] * 80)
        assert app.focused is app.screen.focus_chain[-1]

    play(script)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_a_size_whose_unit_is_in_doubt_says_at_its_field_how_it_was_read(size: tuple[int, int]) -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        field(app, "eps").focus()
        await pilot.press(*"0.5")
        await until(
            pilot, lambda: "0.5 of 1 = 127.5/255" in next(x for x in shown(app).splitlines() if "│   eps " in x)
        )
        await until(pilot, lambda: "write 0.5/255 for the smaller size" in shown(app))
        await pilot.press(*"/255")
        await until(pilot, lambda: "of 1 =" not in shown(app))

    play(script, size)


def test_an_arrow_replaces_a_value_that_a_closed_picker_does_not_know() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        norm, attack = field(app, "norm"), "eval.attack"
        norm.value = "abc"
        norm.focus()
        await pilot.press("right")
        await until(pilot, lambda: norm.value in ("", *settings()["norm"].choices))
        await open_all_groups(app, pilot)
        field(app, attack).value = "pgd-20"  # it can be typed, so the arrows move in it
        field(app, attack).focus()
        await pilot.press("end", "left")
        await until(pilot, lambda: field(app, attack).cursor_position == len("pgd-2"))
        assert field(app, attack).value == "pgd-20"

    play(script, (120, 50))


def test_each_field_is_in_sight_as_soon_as_an_arrow_goes_to_it() -> None:
    """The field is looked for right after its key, before anything that waits for a paint or an animation."""

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        form = await open_form(app, pilot)
        screen = app.screen
        assert isinstance(screen, LaunchScreen)
        for _ in range(14):
            screen.action_step(1)
            focused = screen.focused
            assert focused is not None
            top = focused.virtual_region.y - form.scroll_offset.y
            assert 0 <= top < form.scrollable_content_region.height
            await pilot.pause()

    play(script, (80, 24))


def test_an_error_in_a_row_is_whole_at_80_columns_and_speaks_as_the_help_does() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        eps = field(app, "eps")
        eps.value = "300"
        eps.focus()
        await until(pilot, lambda: "allowed are 0 to 255" in eps.error)
        row = next(line for line in shown(app).splitlines() if "^ " in line)
        assert eps.error in row
        assert "Allowed: 0 to 255, in 1/255" in help_of("eps")

    play(script, (100, 30))


def test_the_plan_of_a_small_terminal_has_the_sizes_of_the_perturbation() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        field(app, "eps").value = "8"
        await until(pilot, lambda: "eps 8/255 = 0.03137" in plan(app) and "alpha 10/255" in plan(app))
        shown_plan = shown(app)
        assert "eps 8/255" in shown_plan
        assert "alpha 10/255" in shown_plan
        field(app, "eps").value = "4,8"
        await until(pilot, lambda: "eps 4/255" in plan(app) and "eps 8/255" in plan(app))

    play(script, (80, 24))


def test_a_plan_names_the_run_that_it_would_repeat() -> None:
    a_run("a1")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: app.snapshot.row("a1"))
        await open_form(app, pilot)
        field(app, "dataset").value = "cifar"
        await until(pilot, lambda: "same as a1, done" in plan(app))
        field(app, "seed").value = "1"
        await until(pilot, lambda: "--seed 1" in plan(app) and "same as" not in plan(app))

    play(script)


def test_a_group_that_is_opened_at_the_lower_edge_shows_its_fields() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        form = await open_form(app, pilot)
        last = [*app.screen.query(GroupHeading)][-1]
        last.focus()
        await pilot.press("enter")
        await until(pilot, lambda: last.opened and field(app, "name").size)

        def in_sight(widget: Widget) -> bool:
            top = widget.virtual_region.y - form.scroll_offset.y
            return 0 <= top < form.scrollable_content_region.height

        shown_fields = [one for one in app.screen.query(FormField) if one.display][-3:]
        await until(pilot, lambda: all(map(in_sight, (last, *shown_fields))))

    play(script, (80, 24))


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
