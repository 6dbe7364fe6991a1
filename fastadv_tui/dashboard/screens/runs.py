"""The first screen: runs at the left, curves in the centre, machine and facts at the right, the log below."""

from collections.abc import Sequence

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.command import CommandPalette
from textual.containers import Horizontal, Vertical
from textual.widgets import Input

from engine.config.presets import build
from fastadv_tui.dashboard.chart.series import LINE
from fastadv_tui.dashboard.marks import glyph_at
from fastadv_tui.dashboard.messages import RunsSubmitted
from fastadv_tui.dashboard.screens import history_keys
from fastadv_tui.dashboard.screens.announcements import Announcement, Announcer
from fastadv_tui.dashboard.screens.run_actions import RunActions
from fastadv_tui.dashboard.snapshot import LiveRun, Snapshot
from fastadv_tui.dashboard.widgets.key_bar import KeyBar
from fastadv_tui.dashboard.widgets.log_view import LogView
from fastadv_tui.dashboard.widgets.machine import Machine
from fastadv_tui.dashboard.widgets.metrics import known
from fastadv_tui.dashboard.widgets.pane import Pane
from fastadv_tui.dashboard.widgets.run_facts import RunFacts
from fastadv_tui.dashboard.widgets.run_list import RunList
from fastadv_tui.dashboard.widgets.text_field import TextField
from fastadv_tui.dashboard.widgets.top_bar import TopBar
from fastadv_tui.dashboard.widgets.training_curves import ChartedRun, TrainingCurves
from fastadv_tui.dashboard.widgets.welcome import Welcome
from fastadv_tui.errors import UserError
from fastadv_tui.hardware.sample_history import HOST
from fastadv_tui.hardware.sampler import Sample
from fastadv_tui.history.row import Row
from fastadv_tui.history.row_names import names_with_seeds
from fastadv_tui.runs.status import NO_FOLDER
from fastadv_tui.text.labels import telling_apart
from fastadv_tui.text.sanitize import one_line

DEMO = "digits"  # the data set of the demo
ON_RUNS = frozenset(  # actions that need a run
    {"mark", "unmark", "compare", "log", "stop", "resume", "again", "evaluate", "export", "filter", "cursor"}
    | {"zoom", "curves", "metrics", "resize"}  # of panels that an empty home does not show
)


class RunsScreen(RunActions):
    """Shows the runs, live, with the charts, facts and log of the chosen one."""

    AUTO_FOCUS = "#runs"  # and not the card of an empty home, which comes first
    BINDINGS = [
        Binding("space", "mark", "Mark", id="mark", tooltip="mark this run: its curves are drawn, and c compares it"),
        Binding("u", "unmark", "Unmark all", id="unmark", show=False, tooltip="remove all marks"),
        Binding("c", "compare", "Compare", id="compare", tooltip="compare the marked runs"),
        Binding("l,enter", "log", "Log", id="log", tooltip="log of the run"),
        Binding("x", "stop(False)", "Stop", id="stop", tooltip="stop this run after a checkpoint; marks do not count"),
        Binding("X", "stop(True)", "Kill", id="kill", show=False, tooltip="kill this run at once; marks do not count"),
        Binding("R", "resume", "Resume", id="resume", show=False, tooltip="resume this run from its last checkpoint"),
        Binding("e", "again", "Run again with changes", id="again", show=False, tooltip="new run with these settings"),
        Binding(
            "a",
            "evaluate",
            "Evaluate",
            id="evaluate",
            show=False,
            tooltip="evaluate the marked runs, else this one",
        ),
        Binding(
            "E",
            "export",
            "Export",
            id="export",
            show=False,
            tooltip="export the marked runs, else this one",
        ),
        Binding("M", "machine", "Machine", id="machine", show=False, tooltip="machine: GPUs and host, with curves"),
        Binding("d", "demo", "Demo", id="demo", tooltip="demo: train a robust network on digits"),
        Binding(
            "slash",
            "filter",
            "Filter",
            id="filter",
            key_display="/",
            show=False,
            tooltip="filter the list by name",
            priority=True,
        ),
        Binding(
            "escape",
            "back",
            "Back",
            id="back",
            show=False,
            tooltip="leave the cursor of the charts, the zoom or the filter",
        ),
        # here and not only in the list, so that they also work from a chart or the filter
        Binding("down,j", "cursor('down')", "Next run", show=False, tooltip="go to the next run"),
        Binding("up,k", "cursor('up')", "Previous run", show=False, tooltip="go to the previous run"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._announcer = Announcer()

    def compose(self) -> ComposeResult:
        yield TopBar("Runs")
        yield Welcome(id="welcome")
        with Horizontal(id="main"):
            with Pane("right", id="left", classes="part"):
                yield TextField(placeholder="name or id", id="filter", classes="part")
                yield RunList(id="runs", classes="part")
            with Vertical(id="centre", classes="part"):
                settings = self.fastadv.settings
                yield TrainingCurves(
                    known(settings.metrics), self.fastadv.samples, settings.curves, id="curves", classes="part"
                )
                with Pane("top", id="log-pane", classes="part"):
                    yield LogView(id="log", classes="part")
            with Pane("left", id="side", classes="part"):
                yield Machine(id="machine", classes="part")
                yield RunFacts(id="facts", classes="part")
        yield KeyBar()

    def begin(self) -> None:
        for name, title in (("log", "Log"), ("machine", "Machine"), ("facts", "Run")):
            self.query_one(f"#{name}").border_title = title
        self.restore_panes()
        self.set_focus(self.query_one(RunList))

    # -- what comes in ----------------------------------------------------------------------------------------

    def take(self, snapshot: Snapshot) -> None:
        """Show a snapshot. Widgets draw only what has changed."""
        self._snapshot = snapshot
        self._welcome(snapshot)
        for said in self._announcer.news(snapshot):
            self._announce(said)
        self.query_one(Machine).name_runs(snapshot.engines(), snapshot.devices())
        self.query_one(RunList).show(snapshot, self.fastadv.marked)
        self._show_chosen()

    def take_machine(self, sample: Sample) -> None:
        self.query_one(Machine).show(self.fastadv.samples)
        if self.has_class("-empty"):
            self.query_one(Welcome).show(sample, self.fastadv.readonly)

    def _welcome(self, snapshot: Snapshot) -> None:
        """Show the card of a home without runs in place of the panels, or the panels."""
        before, empty = self.has_class("-empty"), snapshot.loaded and not snapshot.rows
        if empty != before:
            self.set_class(empty, "-empty")
            self.refresh_bindings()
            if empty:
                self.query_one(Welcome).show(self.fastadv.samples.last, self.fastadv.readonly)
                self.set_focus(self.query_one(Welcome))
            else:
                self.set_focus(self.query_one(RunList))

    def chosen_run(self) -> str | None:
        return self.query_one(RunList).chosen

    def choose(self, run_id: str) -> bool:
        """Move the cursor to a run. Returns whether the list has this run."""
        return self.query_one(RunList).choose(run_id)

    def expect(self, run_id: str) -> None:
        """Move the cursor to a new run as soon as the list has it, unless the user has moved the cursor."""
        self.query_one(RunList).expect(run_id)

    def _show_chosen(self) -> None:
        view = self._chosen_view()
        chosen = self.query_one(RunList).chosen
        self.query_one(LogView).show(view, self._snapshot.places.get(chosen or ""))
        evaluations = self._snapshot.evaluations.get(chosen or "", [])
        self.query_one(RunFacts).show(self._snapshot.row(chosen), view, evaluations)
        marked = [self._snapshot.views[run] for run in self.fastadv.marked if run in self._snapshot.views]
        views = [*([view] if view else []), *(other for other in marked if other is not view)]
        alone = self._name_of(views[0]) if len(views) == 1 else ""
        self.query_one(TrainingCurves).show(self._charted(views), _no_curves(self._snapshot.row(chosen), view), alone)

    def _charted(self, views: Sequence[LiveRun]) -> list[ChartedRun]:
        """The runs of the charts. A run without a mark has the colour that it would get with one."""
        marks = self.fastadv.marked
        rows = [row for view in views if (row := self._snapshot.row(view.rundir.id)) is not None]
        named = names_with_seeds(rows)
        pairs = [(named.get(view.rundir.id, view.rundir.id), view.rundir.id) for view in views]
        names = telling_apart(pairs, 32) if len(views) > 1 else [""]
        charted = []
        for name, view in zip(names, views, strict=False):
            place = marks.place(view.rundir.id)
            look, glyph = (marks.free_place, LINE) if place is None else (place, glyph_at(place))
            charted.append(ChartedRun(name, view.state, look, glyph, view.verdict.live, self._device(view)))
        return charted

    def _device(self, view: LiveRun) -> str:
        """The key of the run's device among the samples of this machine."""
        return HOST if view.device == "cpu" else self.fastadv.samples.key_of_slot(view.device)

    def _announce(self, said: Announcement) -> None:
        """A toast, and a bell for bad news."""
        if said.bad:
            self.app.bell()
        severity, timeout = ("error", 20.0) if said.bad else ("information", None)
        self.notify(one_line(said.text), severity=severity, timeout=timeout, markup=False)  # type: ignore[arg-type]

    # -- what the user does -----------------------------------------------------------------------------------

    def on_run_list_chosen(self, message: RunList.Chosen) -> None:
        self.fastadv.look_at(*([message.run_id] if message.run_id else []))
        self._show_chosen()

    def on_option_list_option_selected(self) -> None:
        self.action_log()

    def on_machine_opened(self) -> None:
        self.action_machine()

    def action_machine(self) -> None:
        self.fastadv.open_machine()

    def on_input_changed(self, event: Input.Changed) -> None:
        runs = self.query_one(RunList)
        runs.filter = event.value
        runs.show(self._snapshot, self.fastadv.marked)

    def on_input_submitted(self) -> None:
        self.set_focus(self.query_one(RunList))

    def action_filter(self) -> None:
        self.query_one("#left").add_class("filtering")
        self.set_focus(self.query_one("#filter"))

    def action_back(self) -> None:
        """Undo the last thing that is open: the cursor of the charts, the zoom, or the filter. The marks stay."""
        left = self.query_one("#left")
        if self.query_one(TrainingCurves).clear_cursor():
            return
        if self.leave_zoom():
            self.set_focus(self.query_one(RunList))
        elif left.has_class("filtering"):
            left.remove_class("filtering")
            self.query_one("#filter", Input).value = ""
            self.set_focus(self.query_one(RunList))

    def action_unmark(self) -> None:
        """Remove all marks."""
        self.fastadv.marked.clear()
        self.take(self._snapshot)

    def action_cursor(self, way: str) -> None:
        getattr(self.query_one(RunList), f"action_cursor_{way}")()

    def action_mark(self) -> None:
        if chosen := self.query_one(RunList).chosen:
            self.fastadv.marked.toggle(chosen)
            self.query_one(RunList).settle()
            self.take(self._snapshot)
            self.fastadv.look_at(chosen)

    def action_compare(self) -> None:
        chosen = self.query_one(RunList).chosen
        runs = [row.id for row in self._snapshot.rows if row.id in self.fastadv.marked or row.id == chosen]
        if len(runs) < 2:
            self.notify("mark runs with space, then press c")
        else:
            self.fastadv.open_compare(runs)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The demo is for a home without runs. There the keys of runs and panels are hidden, but not in the help."""
        if action == "demo" and not self.has_class("-empty"):
            return False
        on_top = self.is_active or isinstance(self.app.screen, CommandPalette)
        if action in ON_RUNS and self.has_class("-empty") and on_top:
            return False
        return super().check_action(action, parameters)

    def why_not(self, action: str) -> str:
        if why := super().why_not(action):
            return why
        if self.has_class("-empty"):
            return "there is no run yet" if action in ON_RUNS else ""
        return "the demo is for a home without runs" if action == "demo" else ""

    def elsewhere(self) -> dict[str, Sequence[Binding]]:
        moves = ("edge", "cursor")  # of no use where the cursor is
        return {"in the history: press h": [key for key in history_keys.BINDINGS if not key.action.startswith(moves)]}

    @work(thread=True, exclusive=True, group="demo")
    def action_demo(self) -> None:
        """Train a robust network on the digits, which need no download."""
        from fastadv_tui.launch.start_runs import start_runs  # the first paint does not wait for it

        try:
            config = build(DEMO, {"name": "demo"})
            started = start_runs([config], ["fastadv", "run", DEMO, "--name", "demo"], [])
        except (UserError, OSError) as error:
            self.app.notify(one_line(str(error)), severity="error", timeout=20, markup=False)
        else:
            self.app.post_message(RunsSubmitted(started))


def _no_curves(row: Row | None, view: LiveRun | None) -> str:
    """The text of an accuracy chart without curves: the reason."""
    if row is None:
        return "no run chosen"
    if row.settings.get("watch.images") == 0:
        return "not measured: watch.images = 0"
    if row.status == "queued":
        return "this run has not started"
    if view and view.verdict.reason == NO_FOLDER:
        return f"{NO_FOLDER}; the history (h) keeps its figures"
    return "measured after each epoch" if row.live else "no accuracy was measured"
