"""The table of past runs shows whole cells, whenever it was painted."""

import asyncio

from rich.text import Text
from textual.app import App, ComposeResult

from fastadv_tui.dashboard.widgets.history_table import HistoryTable
from tests.support.pilot import shown, until

LINES = {f"r{number}": [Text(""), Text(f"a long name of run {number}"), Text("1.5")] for number in range(3)}

HEADINGS = [(key, Text(key)) for key in ("", "name", "eps")]


class OneTable(App[None]):
    def compose(self) -> ComposeResult:
        yield HistoryTable()


def test_headings_and_cells_line_up_although_textual_paints_before_it_measures() -> None:
    async def run() -> None:
        app = OneTable()
        async with app.run_test(size=(80, 20)) as pilot:
            table = app.query_one(HistoryTable)
            table.show(HEADINGS, 1, [], LINES.__getitem__)
            await until(pilot, lambda: "eps" in shown(app))  # the headings are painted, as wide as they are
            table.show(HEADINGS, 1, [*LINES], LINES.__getitem__)
            shown(app)  # as if the screen were painted at this moment, before Textual is idle and measures the cells
            await until(pilot, lambda: all(cells[1].plain in shown(app) for cells in LINES.values()))
            await until(pilot, lambda: len({line.find("eps") + line.find("1.5") for line in lines(app)[:4]}) == 1)

    asyncio.run(run())


def test_a_longer_name_moves_the_numbers_behind_it_before_the_edge_is_looked_at() -> None:
    """Else the edge cuts the numbers where they will be, and not where they are."""

    def cells(name: str) -> list[Text]:
        return [Text(""), Text(name), Text("12345/678", justify="right")]

    async def run() -> None:
        app = OneTable()
        async with app.run_test(size=(32, 20)) as pilot:
            table = app.query_one(HistoryTable)
            table.show(HEADINGS, 1, ["r1"], lambda run_id: cells("a run"))
            await until(pilot, lambda: "12345/678" in shown(app))
            table.show(HEADINGS, 1, ["r1"], lambda run_id: cells("a much longer name"))
            shown(app)  # as if the screen were painted at this moment, before Textual measures the cell
            await until(pilot, lambda: table.ordered_columns[1].content_width == len("a much longer name"))
            await until(pilot, lambda: "a much longer name" in shown(app) and "12" not in shown(app))

    asyncio.run(run())


def lines(app: OneTable) -> list[str]:
    return shown(app).splitlines()


def test_the_first_columns_stay_while_keys_scroll_the_others() -> None:
    wide = {run_id: [*cells[:2], Text("x" * 60), Text("the end")] for run_id, cells in LINES.items()}

    async def run() -> None:
        app = OneTable()
        async with app.run_test(size=(80, 20)) as pilot:
            table = app.query_one(HistoryTable)
            table.show([*HEADINGS, ("last", Text("last"))], 2, [*wide], wide.__getitem__, ["eps"])
            table.focus()
            await until(pilot, lambda: "xxx" in shown(app))
            await pilot.press(*["right"] * 40)
            await until(pilot, lambda: "the end" in shown(app))
            assert all(cells[1].plain in shown(app) for cells in wide.values())

    asyncio.run(run())


def test_a_column_is_narrow_again_when_its_wide_cells_are_gone() -> None:
    def cells(seeds: str) -> list[Text]:
        return [Text(""), Text("a run"), Text(seeds)]

    async def run() -> None:
        app = OneTable()
        async with app.run_test(size=(80, 20)) as pilot:
            table = app.query_one(HistoryTable)
            table.show(HEADINGS, 1, ["r1"], lambda run_id: cells("0 (2 runs),1,2"))
            await until(pilot, lambda: table.ordered_columns[2].content_width == len("0 (2 runs),1,2"))
            table.show(HEADINGS, 1, ["r1", "r2"], lambda run_id: cells("1"))
            await until(pilot, lambda: table.ordered_columns[2].content_width == len("eps"))

    asyncio.run(run())


def test_the_edge_cuts_words_with_an_ellipsis_and_hides_a_number() -> None:
    """One more tag must not make the column of tags vanish."""
    wide = {"r1": [Text(""), Text("a run"), Text("paper old ablation")], "r2": [Text(""), Text("run"), Text("paper")]}

    async def run(words: list[str], expected: list[str]) -> None:
        app = OneTable()
        async with app.run_test(size=(26, 8)) as pilot:
            table = app.query_one(HistoryTable)
            table.show(HEADINGS, 1, [*wide], wide.__getitem__, words)
            await until(pilot, lambda: "a run" in shown(app) and table.ordered_columns[2].content_width > 10)
            await until(pilot, lambda: [line.split("run")[1].strip(" ▍") for line in lines(app)[1:3]] == expected)

    asyncio.run(run(["eps"], ["paper old ablat…", "paper"]))
    asyncio.run(run([], ["", ""]))
