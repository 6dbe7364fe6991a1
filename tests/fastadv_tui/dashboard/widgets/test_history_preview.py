"""The facts of the preview: a long value goes on below itself."""

import asyncio

from msgspec.structs import replace
from textual.app import App, ComposeResult

from fastadv_tui.dashboard.chart.widget import Chart
from fastadv_tui.dashboard.widgets.hanging import LABEL
from fastadv_tui.dashboard.widgets.history_preview import HistoryPreview
from fastadv_tui.history.row import Row
from tests.support.pilot import shown, until


class Holder(App[str]):
    CSS = "HistoryPreview { width: 42; }"

    def compose(self) -> ComposeResult:
        yield HistoryPreview()


def test_a_long_reason_hangs_below_its_value() -> None:
    reason = "the loss is nan at step 612, so lower the learning rate"
    row = Row(id="a1", name="run", dataset="cifar10", method="fgsm", status="failed", reason=reason)

    async def main() -> None:
        app = Holder()
        async with app.run_test(size=(42, 40)) as pilot:
            await app.query_one(HistoryPreview).show([row], 0)
            await until(pilot, lambda: "learning rate" in " ".join(shown(app).split()))
            (begin,) = [place for place, line in enumerate(shown(app).split("\n")) if "the loss is nan" in line]
            next_line = shown(app).split("\n")[begin + 1]
            assert not next_line[:LABEL].strip()
            assert next_line.strip()

    asyncio.run(main())


def test_the_legend_names_the_attack_of_the_robust_curve_and_says_which_line_is_which() -> None:
    """The figure of the final evaluation, which is also called robust, is another one."""
    curve = [(1.0, 0.5, 0.3), (2.0, 0.6, 0.4)]
    row = Row(id="a1", name="run", dataset="cifar10", preset="wong2020", method="fgsm", curve=curve, attack="pgd-50-10",
              final=True)  # fmt: skip

    async def main() -> None:
        app = Holder()
        async with app.run_test(size=(42, 40)) as pilot:
            preview = app.query_one(HistoryPreview)
            await preview.show([row], 0)
            assert [series.dotted for series in app.query_one(Chart).series] == [False, True]
            await until(pilot, lambda: "clean ─ / PGD-10 ┄  ━ 60.0 / 40.0" in shown(app))
            await until(pilot, lambda: "robust 40.0% at epoch 2, PGD-10 while training" in " ".join(shown(app).split()))
            await preview.show([row, replace(row, id="b2", settings={"watch.steps": 20})], 0)
            await until(pilot, lambda: "clean ─ / robust ┄  ━ 60.0 / 40.0" in shown(app))

    asyncio.run(main())
