"""The line at the top of every screen: the tabs, and the number of runs in each state."""

from collections import Counter

from rich.style import Style
from rich.text import Text
from textual.events import Resize
from textual.widgets import Static

from fastadv_tui.dashboard.colours import scheme_of, state_colour
from fastadv_tui.dashboard.snapshot import Snapshot
from fastadv_tui.dashboard.widgets.machine_lines import summary
from fastadv_tui.hardware.sampler import Sample
from fastadv_tui.text.quantities import GLYPHS

STATES = ("running", "queued", "done", "stopped", "cancelled", "collapsed", "failed", "lost")
TABS = {"Runs": "app.runs", "History": "app.history", "New": "app.launch"}


class TopBar(Static):
    """Shows the tabs, of which one is the present screen's, and the states that have runs. A click opens a tab."""

    def __init__(self, tab: str) -> None:
        super().__init__(markup=False)
        self._tab = tab
        self._counts: list[tuple[str, int]] = []
        self._evaluating = self._waiting = 0  # runs whose evaluation is under way, and those whose evaluation waits
        self._readonly = False
        self._machine = ""

    def show(self, snapshot: Snapshot, readonly: bool) -> None:
        """Show the counts of a snapshot."""
        counts = Counter(row.state for row in snapshot.rows)
        self._counts, self._readonly = [(state, counts[state]) for state in STATES if state in counts], readonly
        evaluations = Counter(each.status.status for run in snapshot.evaluations if (each := snapshot.evaluation(run)))
        self._evaluating, self._waiting = evaluations["running"], evaluations["queued"]
        self._draw()

    def show_machine(self, sample: Sample) -> None:
        """Show the machine in a few words where there is no room for its panel."""
        text = summary(sample) if self.screen.has_class("-narrow") else ""
        if text != self._machine:
            self._machine = text
            self._draw()

    def on_resize(self, event: Resize) -> None:
        self._draw()

    def _draw(self) -> None:
        tabs, width = self._tabs(), self.size.width
        with_machine = [self._counted(words=False) + Text(f" {self._machine} ")] if self._machine else []
        for counts in (*with_machine, self._counted(words=True), self._counted(words=False)):
            room = width - tabs.cell_len - counts.cell_len
            if room > 0:
                break
        self.update(Text.assemble(tabs, " " * max(room, 1), counts), layout=False)  # always one line

    def _tabs(self) -> Text:
        parts = [Text(" fastadv ", "reverse bold"), Text(" ")]
        for name, action in TABS.items():
            if self._readonly and action == "app.launch":
                continue
            style = Style(bold=True, underline=True) if name == self._tab else Style()
            parts += [Text(" "), Text(name, style + Style(meta={"@click": action})), Text(" ")]
        return Text.assemble(*parts)

    def _counted(self, words: bool) -> Text:
        """The counts; without words if the terminal is narrow."""
        scheme = scheme_of(self.app)
        parts = [
            Text(f"{GLYPHS[state]} {count:,}{f' {state}' * words}", state_colour(state, scheme))
            for state, count in self._counts
        ] or [Text("no runs yet")]
        if self._evaluating:
            word = "evaluating" if words else "eval"
            parts.append(Text(f"{self._evaluating:,} {word}", state_colour("running", scheme)))
        if self._waiting:
            word = "queued to evaluate" if words else "eval queued"
            parts.append(Text(f"{self._waiting:,} {word}", state_colour("queued", scheme)))
        return Text("  ").join([*parts, *([Text("read-only")] if self._readonly else [])]) + Text(" ")
