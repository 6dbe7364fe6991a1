"""The form of a new run, driven by a pilot: what it shows, where its texts come from, and its drafts."""

import re
from pathlib import Path

import pytest
from rich.color import Color
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.widgets.form_field import FormField
from fastadv_tui.launch.draft import load_draft
from fastadv_tui.launch.draft import path as draft_path
from tests.support import demo_home
from tests.support.form import field, open_form, plan
from tests.support.pilot import a_run, play, shown, type_at_once, until

pytestmark = pytest.mark.usefixtures("quick_home")


def test_the_form_is_read_as_the_command_line_is() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        assert field(app, "epochs").placeholder == "30"
        field(app, "eps").value, field(app, "seed").value = "2,4,8", "0-2"
        await until(pilot, lambda: "9 runs" in plan(app))
        assert "fastadv sweep digits --grid eps=2,4,8 --seeds 0-2" in plan(app)

    play(script, (160, 50))


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
