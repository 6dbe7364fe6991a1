"""What makes the first paint slow is counted here; `tests/benchmarks/dashboard.py` measures the time."""

from collections import Counter
from typing import Any

import pytest
from textual.css import stylesheet
from textual.dom import DOMNode
from textual.pilot import Pilot

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.history import HistoryScreen
from fastadv_tui.dashboard.widgets.history_table import HistoryTable
from tests.support import demo_home
from tests.support.pictures import still as still
from tests.support.pilot import play, until

MOST_STYLED = 120  # nodes styled until the runs are drawn; 77 were needed when this was written


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the nodes that are styled, and by name the style sheets that are parsed."""
    count: Counter[str] = Counter()
    parse, apply = stylesheet.parse, stylesheet.Stylesheet.apply

    def counting_parse(scope: str, css: str, read_from: tuple[str, str], **options: Any) -> Any:
        count[": ".join(read_from)] += 1
        return parse(scope, css, read_from, **options)

    def counting_apply(sheet: stylesheet.Stylesheet, node: DOMNode, **options: Any) -> None:
        count["styled"] += 1
        apply(sheet, node, **options)

    monkeypatch.setattr(stylesheet, "parse", counting_parse)
    monkeypatch.setattr(stylesheet.Stylesheet, "apply", counting_apply)
    return count


def test_few_nodes_are_styled_and_each_of_our_style_sheets_is_parsed_once(work: Counter[str]) -> None:
    demo_home.fill("thousand")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: app.snapshot.loaded and app.looked_at)
        assert 0 < work.pop("styled") <= MOST_STYLED
        sheets = {name: times for name, times in work.items() if "fastadv_tui" in name}
        assert any("app.tcss" in name for name in sheets)
        assert {name: times for name, times in sheets.items() if times > 1} == {}

    play(script)


def test_the_history_is_laid_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a terminal of this size its table is 13 lines lower than a screen without the classes of its size has it."""
    demo_home.fill("thousand")
    sizes = []
    monkeypatch.setattr(HistoryTable, "on_resize", lambda table, event: sizes.append(event.size), raising=False)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: app.snapshot.loaded)
        await pilot.press("h")
        await until(
            pilot, lambda: isinstance(app.screen, HistoryScreen) and app.screen.query_one(HistoryTable).row_count
        )
        await pilot.pause()
        assert len(set(sizes)) == 1

    play(script)
