"""The panel of the machine: its GPUs with the runs on them, or processor and memory if it has none."""

from rich.text import Text
from textual.binding import Binding
from textual.message import Message
from textual.widgets import Static

from fastadv_tui.dashboard.colours import scheme_of
from fastadv_tui.dashboard.widgets.machine_lines import gpu_lines, host_lines, runs_on, title, usage_line
from fastadv_tui.hardware.sample_history import HOST, SampleHistory, key_of
from fastadv_tui.hardware.sampler import Sample
from fastadv_tui.text.sanitize import one_line

MIN_WIDTH = 30  # cells, before the panel has its size
MAX_WITH_TWO_LINES = 4  # of more GPUs each has one line


class Machine(Static, can_focus=True):
    """Shows the last sample of the machine. Enter opens the page of the machine."""

    class Opened(Message):
        """The user wants to see more of the machine."""

    BINDINGS = [Binding("enter", "open", "Machine", show=False)]

    def __init__(self, **options: object) -> None:
        super().__init__(markup=False, **options)  # type: ignore[arg-type]
        self._samples = SampleHistory()
        self._height = 0  # lines drawn; with as many again, the screen needs no new layout
        self._names: dict[int, str] = {}
        self._devices: dict[str, list[str]] = {}

    def on_resize(self) -> None:
        self._draw()

    def show(self, samples: SampleHistory) -> None:
        """Show the last sample, and a short history of each device."""
        self._samples = samples
        self._draw()

    def name_runs(self, names: dict[int, str], devices: dict[str, list[str]]) -> None:
        """Set the names of the runs that train here. names: by pid of the engine. devices: by device of the slot."""
        if (names, devices) != (self._names, self._devices):
            self._names, self._devices = names, devices
            self._draw()

    def action_open(self) -> None:
        self.post_message(self.Opened())

    def _draw(self) -> None:
        if (sample := self._samples.last) is None:
            return
        kinds = title(sample).replace("[", "(")  # a title is read as markup
        self.border_title = f"Machine · {kinds}" if kinds else "Machine"
        lines = self._gpus(sample) if sample.gpus else self._without_gpu(sample)
        room = max(self.screen.size.height // 2 - 4, 1)
        if len(lines) > room:
            lines = [*lines[: room - 1], Text(f"   and {len(lines) - room + 1} more lines: M shows all")]
        self.update(Text("\n").join(lines), layout=len(lines) != self._height)
        self._height = len(lines)

    def _gpus(self, sample: Sample) -> list[Text]:
        """The lines of the GPUs and one of the host. Runs are known by their slots: in a container, pids differ."""
        width, scheme, single = self._width, scheme_of(self.app), len(sample.gpus) > MAX_WITH_TWO_LINES
        found: list[Text] = []
        for gpu in sample.gpus:
            runs = runs_on(gpu, self._devices)
            found += gpu_lines(gpu, self._samples.recent(key_of(gpu)), runs, width, scheme, single)
        return [*found, *host_lines(sample.host, (), width, single=True)]

    def _without_gpu(self, sample: Sample) -> list[Text]:
        lines = host_lines(sample.host, self._samples.recent(HOST), self._width, single=False)
        lines.append(Text(one_line(sample.no_gpus)))
        for pid, usage in sample.usage.items():
            lines.append(usage_line(self._names.get(pid, str(pid)), usage, self._width))
        return lines

    @property
    def _width(self) -> int:
        return self.content_size.width or MIN_WIDTH
