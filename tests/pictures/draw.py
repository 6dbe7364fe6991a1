"""The README's pictures: `python -m tests.pictures.draw`.

It opens the dashboard on the runs of $FASTADV_HOME, walks through its screens and writes them to tests/pictures/ as
SVG. Start a run before, and there is something to see.
"""

import asyncio
from pathlib import Path

from textual.widgets import DataTable

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.chart.widget import Chart
from fastadv_tui.dashboard.screens.history import HistoryScreen
from fastadv_tui.dashboard.settings import Settings
from tests.support.pilot import until

FOLDER = Path(__file__).parent
SIZE = (150, 42)
MARKED = 4  # runs whose curves the first screen shows
SAMPLES = 12.0  # seconds in which the curves of the machine grow


async def main() -> None:
    app = Fastadv(Settings())
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.snapshot.loaded and bool(app.screen.query_one("#accuracy", Chart).series))
        for row in app.snapshot.rows[:MARKED]:
            app.marked.toggle(row.id)
        app.look_at(*(row.id for row in app.snapshot.rows[:MARKED]))
        await until(pilot, lambda: len(app.screen.query_one("#accuracy", Chart).series) >= 2 * MARKED)
        await pilot.pause(SAMPLES)
        save(app, "dashboard")
        await pilot.press("h")
        await until(
            pilot, lambda: isinstance(app.screen, HistoryScreen) and app.screen.query_one(DataTable).row_count > 0
        )
        await pilot.press("g")
        await pilot.pause(0.5)
        save(app, "history")
        app.open_compare([row.id for row in app.snapshot.rows], by_seed=True)
        await until(pilot, lambda: bool(app.screen.query("#comparison")))
        await pilot.pause(0.5)
        save(app, "compare")


def save(app: Fastadv, name: str) -> None:
    (FOLDER / f"{name}.svg").write_text(app.export_screenshot(title="fastadv"))
    print(FOLDER / f"{name}.svg")


if __name__ == "__main__":
    asyncio.run(main())
