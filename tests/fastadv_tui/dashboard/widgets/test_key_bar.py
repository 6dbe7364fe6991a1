"""The bar of keys, cell by cell beside Textual's own footer, and under the mouse."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from rich.style import Style
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.events import AppBlur
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Button, Footer

from fastadv_tui.dashboard.widgets.key_bar import KeyBar

Cell = tuple[str, str, str, bool, bool]  # character, its colour, that of its ground, whether it is bold, and dim
Script = Callable[["Holder", Pilot[None]], Awaitable[None]]


class Holder(App[None]):
    """An app with a bar at its end, and with a key that is shown twice, one that is hidden and one that is disabled."""

    BINDINGS = [
        Binding("a", "add", "Add", tooltip="add one"),
        Binding("b,c", "both", "Both"),
        Binding("h", "hidden", "Hidden", show=False),
        Binding("x", "never", "Never"),
        Binding("question_mark", "help", "Help"),
    ]

    def __init__(self, bar: Callable[[], Widget]) -> None:
        super().__init__()
        self.bar, self.added, self.bells = bar, 0, 0

    def compose(self) -> ComposeResult:
        yield Button("one")
        yield self.bar()

    def action_add(self) -> None:
        self.added += 1

    def bell(self) -> None:
        self.bells += 1

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return None if action == "never" else True


def run(script: Script, width: int = 80, bar: Callable[[], Widget] = KeyBar) -> None:
    async def play() -> None:
        app = Holder(bar)
        async with app.run_test(size=(width, 8), tooltips=True) as pilot:
            await pilot.pause()
            await script(app, pilot)

    asyncio.run(play())


def last_line(app: Holder) -> list[Cell]:
    """The cells of the last line. A blank has no colour of its own."""
    strip = app.screen._compositor.render_strips()[-1]
    return [cell for segment in strip if segment.style for cell in cells(segment.text, segment.style)]


def cells(characters: str, style: Style) -> list[Cell]:
    back = str(style.bgcolor)
    drawn = str(style.color), back, bool(style.bold), bool(style.dim)
    return [(each, *(("", back, False, False) if each == " " else drawn)) for each in characters]


def text(app: Holder) -> str:
    return "".join(character for character, *_ in last_line(app))


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "ansi-dark"])
@pytest.mark.parametrize("width", [44, 60, 80])  # with room for all keys
def test_it_looks_like_the_footer_of_textual(theme: str, width: int) -> None:
    found = []

    async def script(app: Holder, pilot: Pilot[None]) -> None:
        app.theme = theme
        await pilot.pause()
        await pilot.pause()
        found.append(last_line(app))

    for bar in (Footer, KeyBar):
        run(script, width, bar)
    assert "".join(character for character, *_ in found[0]).strip()
    assert found[0] == found[1]


def test_a_click_presses_the_key() -> None:
    async def script(app: Holder, pilot: Pilot[None]) -> None:
        at = text(app).index("Add"), 0
        await pilot.click(KeyBar, offset=at)
        await pilot.pause()
        assert app.added == 1
        await pilot.click(KeyBar, offset=(text(app).index("Never"), 0))
        await pilot.pause()
        assert (app.added, app.bells) == (1, 1)

    run(script)


def test_the_key_under_the_mouse_stands_out_and_says_what_it_does() -> None:
    async def script(app: Holder, pilot: Pilot[None]) -> None:
        bar, before = app.query_one(KeyBar), last_line(app)
        at = text(app).index("Add")
        await pilot.hover(KeyBar, offset=(at, 0))
        await pilot.pause()
        assert str(bar.tooltip) == "add one"
        changed = [place for place, (old, new) in enumerate(zip(before, last_line(app), strict=True)) if old != new]
        assert at in changed
        assert max(changed) < text(app).index("Both")
        await pilot.hover(Button)
        await pilot.pause()
        assert last_line(app) == before
        assert bar.tooltip is None

    run(script)


def test_a_terminal_in_the_background_keeps_the_keys() -> None:
    async def script(app: Holder, pilot: Pilot[None]) -> None:
        before = text(app)
        app.post_message(AppBlur())
        await pilot.pause()
        app.screen.refresh()
        await pilot.pause()
        assert text(app) == before

    run(script)
