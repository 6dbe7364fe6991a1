"""What a redraw of the chart costs: `python tests/benchmarks/chart.py` prints it, from data to strips."""

import asyncio
import math
import platform
import random
import statistics
import time

import textual
from textual.app import App, ComposeResult

from fastadv_tui.dashboard.chart.series import Options, Series
from fastadv_tui.dashboard.chart.widget import Chart

SIZE = (100, 25)
REPEATS = 30


class Bench(App[None]):
    def compose(self) -> ComposeResult:
        yield Chart()


def curve(points: int, seed: int) -> Series:
    noise = random.Random(seed)
    ys = [0.1 * seed + 0.4 * (1 - math.exp(-4 * x / points)) + noise.gauss(0, 0.02) for x in range(points)]
    return Series(name=f"run {seed}", xs=[float(x) for x in range(points)], ys=ys)


def redraw(chart: Chart, series: list[Series]) -> float:
    """Milliseconds from new data to every line of the widget."""
    begin = time.perf_counter()
    chart.series = series
    for y in range(chart.size.height):
        chart.render_line(y)
    return 1000 * (time.perf_counter() - begin)


async def main() -> None:
    print(
        f"{platform.machine()}, Python {platform.python_version()}, textual {textual.__version__}, {SIZE[0]}x{SIZE[1]}"
    )
    app = Bench()
    async with app.run_test(size=SIZE):
        chart = app.query_one(Chart)
        for count, points in ((2, 500), (8, 5000), (8, 50_000)):
            series = [curve(points, seed) for seed in range(count)]
            for options in (Options(), Options(y="percent", smoothing=0.9), Options(log_y=True)):
                chart.options = options
                times = sorted(redraw(chart, series) for _ in range(REPEATS))
                kind = "log" if options.log_y else "smoothed" if options.smoothing else "plain"
                median = statistics.median(times)
                print(f"{count} x {points:>6,} points, {kind:<8}: {median:6.1f} ms (best {times[0]:.1f})")


if __name__ == "__main__":
    asyncio.run(main())
