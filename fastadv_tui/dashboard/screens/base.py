"""The base class of the screens: gives them the app, and the snapshots and samples that the app sends on."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar, cast

from textual import screen
from textual.binding import Binding
from textual.widgets import Input

from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.marks import Marks
from fastadv_tui.dashboard.readonly import CHANGES, READONLY, ReadonlyActions
from fastadv_tui.dashboard.settings import Settings, View
from fastadv_tui.dashboard.snapshot import LiveRun, Snapshot
from fastadv_tui.dashboard.widgets.top_bar import TopBar
from fastadv_tui.hardware.sample_history import SampleHistory
from fastadv_tui.hardware.sampler import Sample
from fastadv_tui.runs.engine_server import EngineServer

Result = TypeVar("Result")
SEARCHES = ("filter", "search")  # actions of `/`, which go to a field


class DashboardApp(Protocol):
    """What screens need of the app. They know only this protocol, because the app imports the screens.

    marked: the runs that the user marked.
    history_left: what the history showed when it was left, and the name of its view.
    samples: those of the machine so far. engine: answers questions.
    attempt: returns whether it succeeded. stop, resume: return what was done, in words; empty if nothing was. A toast
    tells of an error.
    """

    settings: Settings
    snapshot: Snapshot
    readonly: bool
    marked: Marks
    history_left: tuple[View, str]
    samples: SampleHistory
    engine: EngineServer

    def attempt(self, what: Callable[..., Any], *arguments: Any, **options: Any) -> bool: ...
    def remember(self, key: str, value: Any) -> None: ...
    def stop(self, rundir: RunDir, now: bool) -> str: ...
    def resume(self, rundir: RunDir) -> str: ...
    def look_at(self, *run_ids: str) -> None: ...
    def open_launch(self, like: RunDir | None = None) -> None: ...
    def open_history(self, query: str = "") -> None: ...
    def show_run(self, run_id: str) -> None: ...
    def open_compare(self, run_ids: Sequence[str], by_seed: bool = False) -> None: ...
    def open_log(self, run: LiveRun) -> None: ...
    def open_machine(self) -> None: ...
    def open_evaluate(self, run_ids: Sequence[str]) -> None: ...


class Screen(ReadonlyActions, screen.Screen[Result]):
    """A screen that takes snapshots and samples as soon as it has all of its widgets.

    Result: what the screen returns when it is dismissed.
    """

    _composed = False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In a field, `/` is a letter. Elsewhere its binding has priority, so that the next letters are typed there."""
        if action in SEARCHES and isinstance(self.focused, Input):
            return None
        return super().check_action(action, parameters)

    @property
    def fastadv(self) -> DashboardApp:
        return cast(DashboardApp, self.app)

    @property
    def ready(self) -> bool:
        """Whether the screen has all of its widgets: it is composed, and not being removed."""
        return self._composed and self._open

    @property
    def _open(self) -> bool:
        return self.app.is_running and self in self.app.screen_stack

    def on_mount(self) -> None:
        """Begin, unless the screen was closed while it was composed: then its widgets are gone."""
        if self._open:
            self._composed = True
            self.begin()
            self.show(self.fastadv.snapshot)
            if self.fastadv.samples.last:
                self.show_machine(self.fastadv.samples.last)
            self._take_size()

    def _take_size(self) -> None:
        """Take the classes of the terminal's size. Textual does so after the first paint, and then paints once more."""
        width, height = self.app.size
        for cells, breakpoints in ((width, self.app.HORIZONTAL_BREAKPOINTS), (height, self.app.VERTICAL_BREAKPOINTS)):
            reached = [name for least, name in breakpoints or () if cells >= least]
            self.add_class(*reached[-1:], update=False)  # the styles are computed when the screen is shown, right after

    def begin(self) -> None:
        """Set up the widgets, which all exist now."""

    def show(self, snapshot: Snapshot) -> None:
        """Show a new snapshot of the runs, the top bar included."""
        for bar in self.query(TopBar):
            bar.show(snapshot, self.fastadv.readonly)
        self.take(snapshot)

    def chosen_run(self) -> str | None:
        """The id of the run that the user looks at; None if the screen shows no single run."""
        return None

    def why_not(self, action: str) -> str:
        """Why an action of this screen or of the app is not to be had now, in a line; empty if nobody needs to know."""
        return READONLY if self.fastadv.readonly and action in CHANGES else ""

    def elsewhere(self) -> dict[str, Sequence[Binding]]:
        """Keys that users may try here, by the place where they work. By default none."""
        return {}

    def expect(self, run_id: str) -> None:
        """The user has submitted runs, of which this is the first. By default a screen does nothing."""

    def show_machine(self, sample: Sample) -> None:
        """Show a new sample of the machine, in the top bar if it is narrow."""
        for bar in self.query(TopBar):
            bar.show_machine(sample)
        self.take_machine(sample)

    def take(self, snapshot: Snapshot) -> None:
        """Show a new snapshot below the top bar. By default a screen shows none."""

    def take_machine(self, sample: Sample) -> None:
        """Show a new sample of the machine below the top bar. By default a screen shows none."""
