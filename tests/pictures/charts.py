"""Charts to look at: `python -m tests.pictures.charts`."""

import math
import random

from textual.app import App, ComposeResult
from textual.containers import Horizontal

from fastadv_tui.dashboard.chart.series import Mark, Options, Series, Threshold
from fastadv_tui.dashboard.chart.widget import Chart

EPOCHS = [(step + 1) / 40 for step in range(500)]
noise = random.Random(0)


def rising(top: float, pace: float, until: float = 13.0) -> list[float]:
    return [
        top * (1 - math.exp(-epoch / pace)) + noise.gauss(0, 0.004) * (epoch > 0.5) for epoch in EPOCHS if epoch < until
    ]


def collapsing() -> list[float]:
    return [accuracy if epoch < 10 else 0.02 for accuracy, epoch in zip(rising(0.44, 2), EPOCHS, strict=False)]


class Demo(App[None]):
    CSS = """
    Chart { border: round $panel; border-title-color: $text-muted; padding: 0 1; }
    Chart:focus { border: round $accent; }
    #top { height: 2fr; }
    """

    def compose(self) -> ComposeResult:
        yield Chart(id="top")
        with Horizontal():
            yield Chart(id="loss")
            yield Chart(id="signal")
            yield Chart(id="empty")

    def on_mount(self) -> None:
        top, loss, signal, empty = self.query(Chart)
        top.border_title, loss.border_title, signal.border_title = "Accuracy", "Loss", "Overfitting signal"
        top.series = [
            Series(name="clean", xs=EPOCHS, ys=rising(0.8, 4)),
            Series(name="robust PGD-10", xs=EPOCHS, ys=collapsing()),
            Series(name="cifar-[pgd7]-eps8 robust", xs=EPOCHS, ys=rising(0.5, 4, 8)),
            Series(name="faint", xs=EPOCHS, ys=[0.35] * 500, dotted=True),
        ]
        top.options = Options(y="percent", x_range=(0, 15), marks=(Mark(x=10, glyph="▲", label="collapse"),))
        losses = [2.3 * math.exp(-epoch / 3) + 0.02 + abs(noise.gauss(0, 0.02)) for epoch in EPOCHS]
        loss.series = [Series(name="loss", xs=[40 * epoch for epoch in EPOCHS], ys=losses, look=3)]
        loss.options = Options(log_y=True, x="time", smoothing=0.9)
        signals = [abs(0.05 + epoch / 50 + noise.gauss(0, 0.02)) for epoch in EPOCHS]
        signals[200:260] = [math.nan] * 60
        signal.series = [Series(name="signal", xs=EPOCHS, ys=signals, look=4)]
        signal.options = Options(y="percent", threshold=Threshold(y=0.35, label="alarm at 35%"))
        empty.options = Options(empty="No run yet: press n")


if __name__ == "__main__":
    Demo().run()
