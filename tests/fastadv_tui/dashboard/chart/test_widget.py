"""The chart widget in a running app: keys, mouse, sizes, themes, and that new data repaint only the chart."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widgets import Input

from fastadv_tui.dashboard.chart.looks import style_of
from fastadv_tui.dashboard.chart.series import Options, Series
from fastadv_tui.dashboard.chart.widget import Chart
from fastadv_tui.dashboard.colours import scheme_of

XS = [float(x) for x in range(100)]
Scenario = Callable[["Holder", Pilot[None]], Awaitable[None]]


class Holder(App[None]):
    """An app with a chart beside another widget."""

    def __init__(self) -> None:
        super().__init__()
        self.escapes = 0

    BINDINGS = [("escape", "escaped", "Out")]

    def compose(self) -> ComposeResult:
        yield Chart()
        yield Input()

    def action_escaped(self) -> None:
        self.escapes += 1


def run(scenario: Scenario, size: tuple[int, int] = (80, 24)) -> None:
    async def main() -> None:
        app = Holder()
        async with app.run_test(size=size) as pilot:
            app.query_one(Chart).series = [Series(name="a", xs=XS, ys=XS), Series(name="b", xs=XS, ys=XS[::-1])]
            app.query_one(Chart).focus()
            await pilot.pause()
            await scenario(app, pilot)

    asyncio.run(main())


def lines(app: Holder) -> list[str]:
    chart = app.query_one(Chart)
    return [chart.render_line(y).text for y in range(chart.size.height)]


def test_the_cursor_starts_at_the_last_point_and_each_key_moves_it_to_another_column() -> None:
    async def scenario(app: Holder, pilot: Pilot[None]) -> None:
        await pilot.press("left")
        assert lines(app)[0].startswith("epoch 99  ━ a 99  ━ b 0")
        await pilot.press("left", "left")
        x = app.query_one(Chart).cursor
        assert x is not None
        assert f"epoch {x:g}  ━ a {x:g}  ━ b {99 - x:g}" in lines(app)[0]
        await pilot.press("right", "right", "right", "right")
        assert app.query_one(Chart).cursor == 99
        await pilot.press("home")
        assert app.query_one(Chart).cursor == 0
        await pilot.press("left")
        assert app.query_one(Chart).cursor == 0

    run(scenario)


def test_escape_removes_the_cursor_and_a_second_escape_goes_to_the_screen() -> None:
    async def scenario(app: Holder, pilot: Pilot[None]) -> None:
        await pilot.press("end", "escape")
        assert app.query_one(Chart).cursor is None
        assert app.escapes == 0
        await pilot.press("escape")
        assert app.escapes == 1

    run(scenario)


def test_a_click_puts_the_cursor_on_the_nearest_point() -> None:
    async def scenario(app: Holder, pilot: Pilot[None]) -> None:
        await pilot.click(Chart, offset=(40, 8))
        x = app.query_one(Chart).cursor
        assert x in XS
        assert abs(x - 50) < 5

    run(scenario)


def test_keys_on_a_chart_without_data_do_nothing() -> None:
    async def scenario(app: Holder, pilot: Pilot[None]) -> None:
        app.query_one(Chart).series = []
        await pilot.press("left", "right", "home", "end")
        await pilot.click(Chart, offset=(40, 8))
        assert app.query_one(Chart).cursor is None
        assert any("nothing to draw" in line for line in lines(app))

    run(scenario)


def test_a_chart_fills_its_widget_at_every_size() -> None:
    async def scenario(app: Holder, pilot: Pilot[None]) -> None:
        for width, height in ((120, 40), (40, 10), (200, 60), (5, 4), (80, 24)):
            await pilot.resize_terminal(width, height)
            await pilot.pause()
            chart = app.query_one(Chart)
            assert [chart.render_line(y).cell_length for y in range(chart.size.height)] == [width] * chart.size.height

    run(scenario)


def test_a_chart_follows_each_of_twelve_sizes_within_a_tenth_of_a_second() -> None:
    """With the points of a long run. The first row that is asked for draws the whole chart."""
    many = [x / 1000 for x in range(20_000)]

    async def scenario(app: Holder, pilot: Pilot[None]) -> None:
        chart = app.query_one(Chart)
        chart.series = [Series(name=str(n), xs=many, ys=[math.sin(x + n) for x in many], look=n) for n in range(2)]
        for width in (30, 60, 90, 120, 160, 200):
            for height in (12, 45):
                await pilot.resize_terminal(width, height)
                await pilot.pause()
                drawn, seconds = [], []
                while not seconds or (min(seconds) >= 0.1 and len(seconds) < 5):  # the collector of garbage takes time
                    chart._redraw()
                    begun = time.process_time()
                    drawn = lines(app)
                    seconds.append(time.process_time() - begun)
                assert min(seconds) < 0.1
                assert {cell_len(line) for line in drawn} == {chart.size.width}
                assert drawn[-2].lstrip().startswith("└┬")

    run(scenario)


def test_new_data_repaint_the_chart_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(app: Holder, pilot: Pilot[None]) -> None:
        painted: list[str] = []
        chart, other = app.query_one(Chart), app.query_one(Input)
        for widget in (chart, other):
            plain = widget.render_line
            name = type(widget).__name__

            def noted(y: int, plain: Callable[[int], Strip] = plain, name: str = name) -> Strip:
                painted.append(name)
                return plain(y)

            monkeypatch.setattr(widget, "render_line", noted)
        other.cursor_blink = False
        await pilot.pause()
        painted.clear()
        chart.series = [Series(name="a", xs=XS, ys=XS[::-1])]
        await pilot.pause()
        assert set(painted) == {"Chart"}

    run(scenario)


def test_setting_the_same_options_again_does_not_draw_again() -> None:
    async def scenario(app: Holder, pilot: Pilot[None]) -> None:
        chart = app.query_one(Chart)
        chart.options = Options(y="percent")
        await pilot.pause()
        before = chart._current_drawing()
        chart.options = Options(y="percent")
        assert chart._current_drawing() is before
        assert "9900.0" in lines(app)[0]

    run(scenario)


def test_a_change_of_theme_changes_the_colours_of_the_chart() -> None:
    async def scenario(app: Holder, pilot: Pilot[None]) -> None:
        def colours() -> set[str]:
            return {str(segment.style.color) for segment in app.query_one(Chart).render_line(0) if segment.style}

        dark = colours()
        app.theme = "textual-light"
        await pilot.pause()
        assert not dark & colours()
        app.theme = "textual-ansi" if "textual-ansi" in app.available_themes else "ansi-dark"
        await pilot.pause()
        assert colours()

    run(scenario)


def test_the_colours_of_the_curves_differ_on_dark_and_on_light() -> None:
    async def scenario(app: Holder, pilot: Pilot[None]) -> None:
        for theme in ("textual-dark", "textual-light"):
            app.theme = theme
            await pilot.pause()
            base = app.query_one(Chart).visual_style
            assert len({style_of(look, scheme_of(app), base).color for look in range(7)}) == 7

    run(scenario)
