"""What every screen shares: the app it belongs to, and the news that the app hands on to it."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar, cast

from textual import screen

from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.readonly import ReadonlyActions
from fastadv_tui.dashboard.settings import Settings
from fastadv_tui.dashboard.snapshot import LiveRun, Snapshot
from fastadv_tui.hardware.sampler import Sample

Result = TypeVar("Result")


class DashboardApp(Protocol):
    """What screens need of the app. They know the app by this protocol only: the app imports the screens.

    marked: ids of the runs that the user marked.
    """

    settings: Settings
    snapshot: Snapshot
    readonly: bool
    marked: set[str]

    def attempt(self, what: Callable[..., Any], *arguments: Any, **options: Any) -> bool: ...
    def remember(self, key: str, value: Any) -> None: ...
    def stop(self, rundir: RunDir, now: bool) -> None: ...
    def resume(self, rundir: RunDir) -> None: ...
    def look_at(self, *run_ids: str) -> None: ...
    def open_launch(self, like: RunDir | None = None) -> None: ...
    def open_compare(self, run_ids: Sequence[str]) -> None: ...
    def open_log(self, run: LiveRun) -> None: ...


class Screen(ReadonlyActions, screen.Screen[Result]):
    """A screen that is told what is new, from when all of its widgets are there.

    Result: what the screen returns when it is dismissed.
    """

    _composed = False

    @property
    def fastadv(self) -> DashboardApp:
        return cast(DashboardApp, self.app)

    @property
    def ready(self) -> bool:
        """Whether all widgets are there: a screen is not ready before it is composed, nor while it is taken down."""
        return self._composed and self._open

    @property
    def _open(self) -> bool:
        return self.app.is_running and self in self.app.screen_stack

    def on_mount(self) -> None:
        """A screen that was closed while it was being composed has lost its widgets: there is nothing to begin."""
        if self._open:
            self._composed = True
            self.begin()
            self.take(self.fastadv.snapshot)

    def begin(self) -> None:
        """Set up the widgets, which are all there now."""

    def take(self, snapshot: Snapshot) -> None:
        """Show the new state of the runs; a screen that shows none does nothing."""

    def take_machine(self, sample: Sample) -> None:
        """Show the new state of the machine; a screen that shows none does nothing."""
