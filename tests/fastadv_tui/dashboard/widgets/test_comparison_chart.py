"""The charts of a comparison: what a curve of several runs is the mean of."""

import asyncio

from textual.app import App, ComposeResult

from fastadv_tui.dashboard.chart.widget import Chart
from fastadv_tui.dashboard.widgets.comparison_chart import ComparisonCharts
from fastadv_tui.history.comparison_table import Column
from fastadv_tui.history.row import Row
from tests.support.evaluations import evaluation


class Holder(App[None]):
    def compose(self) -> ComposeResult:
        yield ComparisonCharts()


def test_a_curve_of_some_runs_of_a_group_says_of_how_many() -> None:
    records = [evaluation(attack="pgd-20", eps=eps / 255) for eps in (2, 8)]
    curve = [(1.0, 0.5, 0.3), (2.0, 0.6, 0.4)]
    rows = [
        Row(id=f"s{seed}", name="fgsm", seed=seed, curve=curve, evaluations=records * (1 - seed)) for seed in (0, 1)
    ]

    async def main() -> None:
        app = Holder()
        async with app.run_test(size=(120, 40)):
            app.query_one(ComparisonCharts).show([Column("s0 (2 runs)", "fgsm (2)", rows)], [0])
            names = {kind: app.query_one(f"#against-{kind}", Chart).series[0].name for kind in ("epochs", "eps")}
            assert names == {"epochs": "fgsm (2)", "eps": "fgsm (1 of 2)"}

    asyncio.run(main())
