"""The fields of the form of a new run: pickers, values, errors and help, also in a small terminal."""

import re
import textwrap

import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.widget import Widget

from engine.config.errors import ConfigError
from engine.config.run import RunConfig
from engine.config.settings import settings
from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.launch import LaunchScreen
from fastadv_tui.dashboard.widgets.form_field import FormField, field_id
from fastadv_tui.dashboard.widgets.form_group import GroupHeading
from fastadv_tui.launch.form_fields import choices_of, help_of, title_of
from fastadv_tui.paths import runs_dir
from fastadv_tui.runs.engine_server import EngineServer
from tests.support.form import field, open_form, plan
from tests.support.pilot import play, shown, type_at_once, until

pytestmark = pytest.mark.usefixtures("quick_home")


def visible(app: Fastadv) -> set[str]:
    """The keys of the fields that are not hidden."""
    return {one.key for one in app.screen.query(FormField) if one.display}


async def open_all_groups(app: Fastadv, pilot: Pilot[str]) -> None:
    for heading in app.screen.query(GroupHeading):
        if not heading.opened:
            heading.focus()
            await pilot.press("enter")
            await until(pilot, lambda heading=heading: heading.opened)  # type: ignore[misc]


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


def test_a_letter_right_after_an_arrow_goes_to_the_next_field() -> None:
    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await open_form(app, pilot)
        field(app, "epochs").focus()
        await until(pilot, lambda: field(app, "epochs").has_focus)
        type_at_once(app, ("7", "down", "9"))
        await until(pilot, lambda: field(app, "batch_size").value == "9")
        assert field(app, "epochs").value == "7"

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
