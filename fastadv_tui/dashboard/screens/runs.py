"""The first screen: runs at the left, curves in the centre, machine and facts at the right, the log below."""

from collections.abc import Sequence
from typing import Any

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Footer, Input

from fastadv_tui.dashboard.chart.series import LINE
from fastadv_tui.dashboard.marks import glyph_at
from fastadv_tui.dashboard.screens.base import Screen
from fastadv_tui.dashboard.screens.columns_dialog import ColumnsDialog
from fastadv_tui.dashboard.screens.confirm_dialog import ConfirmDialog
from fastadv_tui.dashboard.snapshot import EMPTY, LiveRun, Snapshot
from fastadv_tui.dashboard.widgets.log_view import LogView
from fastadv_tui.dashboard.widgets.machine import Machine
from fastadv_tui.dashboard.widgets.metrics import METRICS, known
from fastadv_tui.dashboard.widgets.pane import Pane
from fastadv_tui.dashboard.widgets.run_facts import RunFacts
from fastadv_tui.dashboard.widgets.run_list import RunList
from fastadv_tui.dashboard.widgets.text_field import TextField
from fastadv_tui.dashboard.widgets.top_bar import TopBar
from fastadv_tui.dashboard.widgets.training_curves import ChartedRun, TrainingCurves
from fastadv_tui.dashboard.widgets.zoom import Zoom
from fastadv_tui.hardware.sampler import Sample
from fastadv_tui.history.row import Row
from fastadv_tui.text.labels import telling_apart
from fastadv_tui.text.sanitize import one_line, run_label

PANES = ("left", "side", "log-pane")  # whose sizes the settings keep


class RunsScreen(Screen[None]):
    """Shows the runs, live, with the charts, facts and log of the chosen one."""

    BINDINGS = [
        Binding("space", "mark", "Mark", id="mark"),
        Binding("c", "compare", "Compare", id="compare"),
        Binding("l", "log", "Log", id="log"),
        Binding("x", "stop(False)", "Stop", id="stop"),
        Binding("X", "stop(True)", "Kill", id="kill", show=False),
        Binding("R", "resume", "Resume", id="resume", show=False),
        Binding("e", "again", "Run again with changes", id="again", show=False),
        Binding("slash", "filter", "Filter", id="filter", key_display="/", show=False),
        Binding("t", "curves('toggle_x')", "x axis: epochs or time", id="x-axis", show=False),
        Binding("y", "curves('toggle_log')", "y axis: linear or logarithmic", id="y-axis", show=False),
        Binding("s", "curves('toggle_smooth')", "Smooth the curves", id="smooth", show=False),
        Binding("left_square_bracket", "curves('move', -1)", "Cursor left", id="cursor-left", show=False),
        Binding("right_square_bracket", "curves('move', 1)", "Cursor right", id="cursor-right", show=False),
        Binding("m", "metrics", "Metrics", id="metrics", show=False, tooltip="choose the metrics of the small charts"),
        Binding("z", "zoom", "Zoom", id="zoom", tooltip="show one panel alone; tab goes to the next one"),
        Binding("tab", "zoom_other(1)", "Next panel", show=False),
        Binding("shift+tab", "zoom_other(-1)", "Previous panel", show=False),
        *(
            Binding(key, f"resize('{pane}', {steps})", words, id=words.lower().replace(" ", "-"), show=False)
            for key, pane, steps, words in (
                ("less_than_sign", "left", -1, "Narrow the list"),
                ("greater_than_sign", "left", 1, "Widen the list"),
                ("left_curly_bracket", "side", 1, "Widen the side"),
                ("right_curly_bracket", "side", -1, "Narrow the side"),
                ("plus", "log-pane", 1, "More log"),
                ("minus", "log-pane", -1, "Less log"),
            )
        ),
        Binding("escape", "back", "Back", id="back", show=False),
        # here and not only in the list, so that they also work from a chart or the filter
        Binding("down,j", "cursor('down')", "Next run", show=False),
        Binding("up,k", "cursor('up')", "Previous run", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._snapshot = EMPTY
        self._statuses: dict[str, str] = {}
        self._alarm_counts: dict[str, int] = {}
        self._zoom = Zoom(self)

    def compose(self) -> ComposeResult:
        yield TopBar("Runs")
        with Horizontal(id="main"):
            with Pane("right", id="left", classes="part"):
                yield TextField(placeholder="name or id", id="filter", classes="part")
                yield RunList(id="runs", classes="part")
            with Vertical(id="centre", classes="part"):
                yield TrainingCurves(known(self.fastadv.settings.metrics), id="curves", classes="part")
                with Pane("top", id="log-pane", classes="part"):
                    yield LogView(id="log", classes="part")
            with Pane("left", id="side", classes="part"):
                yield Machine(id="machine", classes="part")
                yield RunFacts(id="facts", classes="part")
        yield Footer()

    def begin(self) -> None:
        for name, title in (("log", "Log"), ("machine", "Machine"), ("facts", "Run")):
            self.query_one(f"#{name}").border_title = title
        for name, cells in self.fastadv.settings.panes.items():
            for pane in self.query(Pane).filter(f"#{name}") if name in PANES else ():
                pane.resize(cells)
        self.query_one(RunList).focus()

    # -- what comes in ----------------------------------------------------------------------------------------

    def take(self, snapshot: Snapshot) -> None:
        """Show a snapshot. Widgets draw only what has changed."""
        self._snapshot = snapshot
        self._announce_changes(snapshot)
        self.query_one(Machine).name_runs(snapshot.engines(), snapshot.devices())
        self.query_one(RunList).show(snapshot, self.fastadv.marked)
        self._show_chosen()

    def take_machine(self, sample: Sample) -> None:
        self.query_one(Machine).show(sample)

    def _show_chosen(self) -> None:
        view = self._chosen_view()
        self.query_one(LogView).show(view)
        chosen = self.query_one(RunList).chosen
        self.query_one(RunFacts).show(self._snapshot.row(chosen), view)
        marked = [self._snapshot.views[run] for run in self.fastadv.marked if run in self._snapshot.views]
        views = [*([view] if view else []), *(other for other in marked if other is not view)]
        self.query_one(TrainingCurves).show(self._charted(views), _no_accuracy(self._snapshot.row(chosen)))

    def _charted(self, views: Sequence[LiveRun]) -> list[ChartedRun]:
        """The runs of the charts. A run without a mark has the colour that it would get with one."""
        marks = self.fastadv.marked
        names = telling_apart([(self._name_of(view), view.rundir.id) for view in views], 32) if len(views) > 1 else [""]
        charted = []
        for name, view in zip(names, views, strict=False):
            place = marks.place(view.rundir.id)
            look, glyph = (marks.free_place, LINE) if place is None else (place, glyph_at(place))
            charted.append(ChartedRun(name, view.state, look, glyph, view.verdict.live))
        return charted

    def _name_of(self, view: LiveRun) -> str:
        row = self._snapshot.row(view.rundir.id)
        return row.name if row else view.rundir.id

    def _chosen_view(self) -> LiveRun | None:
        return self._snapshot.views.get(self.query_one(RunList).chosen or "")

    def _announce_changes(self, snapshot: Snapshot) -> None:
        """Toasts, and a bell for bad news, about changes since the first snapshot; the list shows older ones."""
        for row in snapshot.rows:
            view = snapshot.views.get(row.id)
            if row.id in self._statuses and row.status != self._statuses[row.id]:
                self._announce_status(row.name, row.status, row.reason)
            alarms = view.state.alarms if view else []
            for alarm in alarms[self._alarm_counts.get(row.id, len(alarms)) :]:
                self._announce(f"{row.name}: {alarm.message}", "error")
            if view:
                self._alarm_counts[row.id] = len(alarms)
            self._statuses[row.id] = row.status

    def _announce_status(self, name: str, status: str, reason: str) -> None:
        if status in ("failed", "lost"):
            self._announce(f"{name} {status}: {reason}", "error")
        elif status in ("done", "stopped"):
            self.notify(one_line(f"{name} is {status}{'; press R to resume it' * (status == 'stopped')}"), markup=False)

    def _announce(self, text: str, severity: Any) -> None:
        self.app.bell()
        self.notify(one_line(text), severity=severity, timeout=20, markup=False)

    # -- what the user does -----------------------------------------------------------------------------------

    def on_run_list_chosen(self, message: RunList.Chosen) -> None:
        self.fastadv.look_at(*([message.run_id] if message.run_id else []))
        self._show_chosen()

    def on_option_list_option_selected(self) -> None:
        self.action_log()

    def on_input_changed(self, event: Input.Changed) -> None:
        runs = self.query_one(RunList)
        runs.filter = event.value
        runs.show(self._snapshot, self.fastadv.marked)

    def on_input_submitted(self) -> None:
        self.query_one(RunList).focus()

    def action_filter(self) -> None:
        self.query_one("#left").add_class("filtering")
        self.query_one("#filter").focus()

    def action_back(self) -> None:
        """Undo the last thing that is open: the cursor of the charts, the zoom, the filter, or the marks."""
        left = self.query_one("#left")
        if self.query_one(TrainingCurves).clear_cursor():
            return
        if self._zoom.panel is not None:
            self._leave_zoom()
        elif left.has_class("filtering"):
            left.remove_class("filtering")
            self.query_one("#filter", Input).value = ""
            self.query_one(RunList).focus()
        else:
            self.fastadv.marked.clear()
            self.take(self._snapshot)

    def action_cursor(self, way: str) -> None:
        getattr(self.query_one(RunList), f"action_cursor_{way}")()

    def action_mark(self) -> None:
        if chosen := self.query_one(RunList).chosen:
            self.fastadv.marked.toggle(chosen)
            self.take(self._snapshot)
            self.fastadv.look_at(chosen)

    def action_compare(self) -> None:
        chosen = self.query_one(RunList).chosen
        runs = [row.id for row in self._snapshot.rows if row.id in self.fastadv.marked or row.id == chosen]
        if len(runs) < 2:
            self.notify("mark runs with space, then press c")
        else:
            self.fastadv.open_compare(runs)

    def action_log(self) -> None:
        if view := self._chosen_view():
            self.fastadv.open_log(view)

    def action_stop(self, now: bool) -> None:
        view = self._chosen_view()
        if view is None or not view.verdict.live:
            self.notify("this run has ended already")
            return
        question = ConfirmDialog(
            f"{run_label(self._name_of(view), view.rundir.id)}\n{_stop_question(view, now)}", "Kill" if now else "Stop"
        )
        self.app.push_screen(question, lambda yes: self.fastadv.stop(view.rundir, now) if yes else None)

    def action_resume(self) -> None:
        if view := self._chosen_view():
            self.fastadv.resume(view.rundir)

    def action_again(self) -> None:
        if view := self._chosen_view():
            self.fastadv.open_launch(view.rundir)

    def action_metrics(self) -> None:
        """Choose the metrics of the small charts."""
        settings = self.fastadv.settings
        shown = [metric.key for metric in known(settings.metrics)]

        def chosen(keys: tuple[str, ...] | None) -> None:
            if keys is not None:
                self.fastadv.remember("metrics", keys)
                self.call_later(self.query_one(TrainingCurves).set_metrics, known(keys))

        others = [key for key in METRICS if key not in shown]
        self.app.push_screen(ColumnsDialog(shown, others, "Metrics"), chosen)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Tab goes to the next panel while one is zoomed, else to the next focus."""
        if action == "zoom_other" and self._zoom.panel is None:
            return False
        return super().check_action(action, parameters)

    def action_zoom(self) -> None:
        """Zoom the panel that has the focus, or the accuracy; or leave the zoom."""
        if self._zoom.panel is not None:
            self._leave_zoom()
            return
        panels = self._panels()
        focused = [panel for panel in panels if panel.has_focus]
        self._zoom.show(focused[0] if focused else panels[0])
        self.query_one(TrainingCurves).fit_charts()

    def action_zoom_other(self, by: int) -> None:
        """Zoom the next or the previous panel."""
        panels = self._panels()
        here = panels.index(self._zoom.panel) if self._zoom.panel in panels else 0
        self._zoom.show(panels[(here + by) % len(panels)])

    def _panels(self) -> list[Widget]:
        """The panels that can be zoomed, in their order."""
        others = [self.query_one(f"#{name}") for name in ("log", "machine", "facts")]
        return [*self.query_one(TrainingCurves).charts, *others]

    def _leave_zoom(self) -> None:
        self._zoom.leave()
        self.query_one(TrainingCurves).fit_charts()
        self.query_one(RunList).focus()

    def action_resize(self, name: str, steps: int) -> None:
        self.query_one(f"#{name}", Pane).change(steps)

    def on_pane_resized(self, message: Pane.Resized) -> None:
        settings = self.fastadv.settings
        self.fastadv.remember("panes", {**settings.panes, str(message.pane.id): message.cells})

    def action_curves(self, what: str, *arguments: int) -> None:
        getattr(self.query_one(TrainingCurves), what)(*arguments)


def _no_accuracy(row: Row | None) -> str:
    """The text of an accuracy chart without curves: the reason."""
    if row is None:
        return "no run chosen"
    if row.settings.get("watch.images") == 0:
        return "not measured: watch.images = 0"
    return "measured after each epoch" if row.status != "queued" else "this run has not started"


def _stop_question(view: LiveRun, now: bool) -> str:
    if view.verdict.status == "queued":
        return "Remove it from the queue? It has not started."
    return "Kill it? Work since the last checkpoint is lost." if now else "Stop it? It saves a checkpoint first."
