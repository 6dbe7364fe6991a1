"""Of a column, a table shows all or nothing, at every width and wherever it is scrolled to."""

import asyncio

import pytest
from rich.text import Text
from textual.app import App, ComposeResult
from textual.geometry import Region

from fastadv_tui.dashboard.widgets.whole_columns import WholeColumnsTable

NUMBERS = [f"{number}.{number}%" for number in (11111, 22222, 33333, 44444, 55555)]


class _App(App[None]):
    def compose(self) -> ComposeResult:
        yield WholeColumnsTable(fixed_columns=1)

    def on_mount(self) -> None:
        table = self.query_one(WholeColumnsTable)
        table.add_columns("name", *(f"c{n}" for n in range(len(NUMBERS))))
        table.add_row(Text("run"), *map(Text, NUMBERS))
        table.focus()


def _shown(app: _App) -> str:
    table = app.query_one(WholeColumnsTable)
    return table.render_lines(Region(0, 1, table.size.width, 1))[0].text


@pytest.mark.parametrize("width", [22, 24, 30, 41, 60, 120])
def test_each_number_that_is_seen_is_whole_and_the_keys_reach_all(width: int) -> None:
    async def script() -> None:
        app = _App()
        async with app.run_test(size=(width, 8)) as pilot:
            await pilot.pause()
            table, seen = app.query_one(WholeColumnsTable), set()
            for cells in range(int(table.max_scroll_x) + 1):
                table.scroll_to(x=cells, animate=False)
                await pilot.pause()
                words = _shown(app).split()
                assert words[0] == "run"
                assert {*words[1:]} <= {*NUMBERS}, (cells, words)
            await pilot.press(*["left"] * 6)
            for _ in range(7):
                seen |= {*_shown(app).split()[1:]}
                await pilot.press("right")
            assert seen == {*NUMBERS}
            assert table.scroll_x == table.max_scroll_x

    asyncio.run(script())
