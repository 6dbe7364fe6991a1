"""The page of the machine: every device with its figures, and their curves since the dashboard was opened."""

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from fastadv_tui.dashboard.chart.series import Options, Series
from fastadv_tui.dashboard.chart.widget import Chart
from fastadv_tui.dashboard.colours import scheme_of
from fastadv_tui.dashboard.screens.base import Screen
from fastadv_tui.dashboard.widgets.key_bar import KeyBar
from fastadv_tui.dashboard.widgets.machine_lines import gpu_lines, host_lines, runs_on, short_name, usage_line
from fastadv_tui.dashboard.widgets.plain_list import PlainList
from fastadv_tui.dashboard.widgets.top_bar import TopBar
from fastadv_tui.hardware.sample_history import HOST, Metric, key_of
from fastadv_tui.hardware.sampler import Sample
from fastadv_tui.text.sanitize import one_line

CHARTS: dict[Metric, str] = {
    "utilisation": "Utilisation",
    "memory": "Memory in use",
    "temperature": "Temperature, °C",
    "power": "Power, W",
}
SHARES = ("utilisation", "memory")  # metrics in [0,1]


class MachineScreen(Screen[None]):
    """The devices at the left; the curves at the right, dotted but for the chosen one."""

    BINDINGS = [
        Binding("escape,M", "app.pop_screen", "Back", id="machine-back", tooltip="back to the screen before"),
        Binding("down,j", "cursor('down')", "Next", show=False, tooltip="next device: its curves are drawn strong"),
        Binding("up,k", "cursor('up')", "Previous", show=False, tooltip="previous device: its curves are drawn strong"),
    ]

    def compose(self) -> ComposeResult:
        yield TopBar("Runs")
        with Horizontal(id="machine-page"):
            yield PlainList(id="devices", markup=False)
            with Vertical(id="loads"):
                for pair in (("utilisation", "memory"), ("temperature", "power")):
                    with Horizontal():
                        for metric in pair:
                            yield Chart(id=metric, classes="curve")
        yield KeyBar()

    def begin(self) -> None:
        self.query_one("#devices").border_title = "Machine"
        for metric, text in CHARTS.items():
            chart = self.query_one(f"#{metric}", Chart)
            chart.border_title = text
            chart.options = Options(
                x="time", y="percent" if metric in SHARES else "plain", empty="this machine reports none"
            )
        self.set_focus(self.query_one(OptionList))

    def take_machine(self, sample: Sample) -> None:
        devices = self.query_one(OptionList)
        prompts = [self._host(sample), *self._gpus(sample)]
        if devices.option_count != len(prompts):
            devices.set_options([Option(prompt) for prompt in prompts])
            devices.highlighted = min(1, len(prompts) - 1)
        for number, prompt in enumerate(prompts):
            if devices.get_option_at_index(number).prompt != prompt:
                devices.replace_option_prompt_at_index(number, prompt)
        self._draw(sample)

    def on_option_list_option_highlighted(self) -> None:
        if self.ready and (sample := self.fastadv.samples.last):
            self._draw(sample)

    def action_cursor(self, way: str) -> None:
        getattr(self.query_one(OptionList), f"action_cursor_{way}")()

    def _draw(self, sample: Sample) -> None:
        chosen = self.query_one(OptionList).highlighted
        names = {HOST: "CPU", **{key_of(gpu): f"GPU {gpu.index}" for gpu in sample.gpus}}
        for metric in CHARTS:
            series = [self._series(number, *name, metric, chosen) for number, name in enumerate(names.items())]
            self.query_one(f"#{metric}", Chart).series = sorted(series, key=lambda each: each.dotted)

    def _series(self, number: int, key: str, name: str, metric: Metric, chosen: int | None) -> Series:
        times, figures = self.fastadv.samples.series(key, metric)
        return Series(name=name, xs=[t - times[0] for t in times], ys=figures, look=number, dotted=number != chosen)

    def _host(self, sample: Sample) -> Text:
        lines = host_lines(sample.host, self.fastadv.samples.recent(HOST), self._width, single=False)
        names = self.fastadv.snapshot.engines()
        for pid, usage in sample.usage.items():
            lines.append(usage_line(names.get(pid, str(pid)), usage, self._width))
        return Text("\n").join([*lines, *([Text(one_line(sample.no_gpus))] if sample.no_gpus else [])])

    def _gpus(self, sample: Sample) -> list[Text]:
        samples, runs = self.fastadv.samples, self.fastadv.snapshot.devices()
        found = []
        for gpu in sample.gpus:
            here = runs_on(gpu, runs)
            lines = gpu_lines(gpu, samples.recent(key_of(gpu)), here, self._width, scheme_of(self.app))
            found.append(Text("\n").join([Text(one_line(f"GPU {gpu.index}  {short_name(gpu.name)}"), "bold"), *lines]))
        return found

    @property
    def _width(self) -> int:
        return max(self.query_one(OptionList).content_size.width - 2, 30)
