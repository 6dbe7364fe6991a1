"""The dashboard: screens, bindings, theme, and what is handed on to the screens."""

import gc
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from textual.app import SystemCommand
from textual.binding import Binding

from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard import palette, settings, themes
from fastadv_tui.dashboard.messages import Refreshed, Sampled
from fastadv_tui.dashboard.readonly import ReadonlyActions
from fastadv_tui.dashboard.screens.base import DashboardApp, Screen
from fastadv_tui.dashboard.screens.runs import RunsScreen
from fastadv_tui.dashboard.settings import Settings
from fastadv_tui.dashboard.snapshot import LiveRun
from fastadv_tui.dashboard.workers import DashboardWorkers
from fastadv_tui.errors import UserError
from fastadv_tui.history.index import History
from fastadv_tui.runs import control
from fastadv_tui.text.sanitize import one_line


class Fastadv(ReadonlyActions, DashboardWorkers):
    """The runs of one home, live."""

    TITLE = "fastadv"
    CSS_PATH = "app.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-normal"), (160, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]
    BINDINGS = [
        Binding("n", "launch", "New run", id="new"),
        Binding("h", "history", "History", id="history"),
        Binding("question_mark", "turn_help", "Help", id="help", key_display="?"),
        Binding("q", "leave", "Quit", id="quit"),
    ]

    def __init__(self, settings: Settings, readonly: bool = False) -> None:
        super().__init__(settings)
        self.readonly = readonly

    def on_mount(self) -> None:
        themes.set_up(self, self.settings.theme)
        self.theme_changed_signal.subscribe(self, lambda theme: self.remember("theme", theme.name))
        self.set_keymap(self.settings.keymap)
        self.push_screen(RunsScreen())
        for begin in (gc.enable, self.follow, self.sample):  # all of them would hold up the first picture
            self.call_after_refresh(begin)

    def on_refreshed(self, message: Refreshed) -> None:
        if not self.snapshot.loaded:
            gc.freeze()  # ten thousand rows stay: looking through them again takes longer than opening the history
        self.snapshot = message.snapshot
        for notice in message.snapshot.notices:
            self.notify(one_line(notice), severity="warning", markup=False)
        for screen in self._ready_screens():
            screen.take(message.snapshot)

    def on_sampled(self, message: Sampled) -> None:
        for screen in self._ready_screens():
            screen.take_machine(message.sample)

    def _ready_screens(self) -> list[Screen[Any]]:
        """The screens that have all of their widgets: one that is not composed yet looks at the runs when it is."""
        return [screen for screen in self.screen_stack if isinstance(screen, Screen) and screen.ready]

    def attempt(self, what: Callable[..., Any], *arguments: Any, **options: Any) -> bool:
        """Do something to a run; what a user can put right is said in a toast."""
        if self.readonly:
            self.notify("this dashboard is read-only", severity="warning")
            return False
        try:
            what(*arguments, **options)
        except (UserError, OSError) as error:
            self.notify(one_line(str(error)), severity="error", markup=False)
            return False
        self.look_now()
        return True

    def remember(self, key: str, value: Any) -> None:
        """Keep a setting that was chosen here."""
        setattr(self.settings, key, value)
        if not self.readonly:
            self.attempt(settings.remember, key, value)

    def stop(self, rundir: RunDir, now: bool) -> None:
        self.attempt(control.stop, rundir, now=now)

    def resume(self, rundir: RunDir) -> None:
        def resume() -> None:
            History().record(rundir)  # or a row that says "stopped", and cannot be written, would be believed for ever
            control.resume(rundir)
            History().bring_up_to_date(rundir)

        self.attempt(resume)

    # Screens are imported when they are opened: the first picture must not wait for them.

    def open_launch(self, like: RunDir | None = None) -> None:
        """The form of a new run, filled in as for an existing one."""
        from fastadv_tui.dashboard.screens.launch import LaunchScreen

        self.attempt(lambda: self.push_screen(LaunchScreen(like)))

    def open_history(self) -> None:
        from fastadv_tui.dashboard.screens.history import HistoryScreen

        self.push_screen(HistoryScreen())

    def open_compare(self, run_ids: Sequence[str]) -> None:
        from fastadv_tui.dashboard.screens.compare import CompareScreen

        self.push_screen(CompareScreen(run_ids))

    def open_log(self, run: LiveRun) -> None:
        from fastadv_tui.dashboard.screens.log import LogScreen

        self.push_screen(LogScreen(run))

    def get_system_commands(self, screen: Any) -> Iterator[SystemCommand]:
        yield from palette.commands(self, screen)
        yield from super().get_system_commands(screen)

    def action_turn_help(self) -> None:
        """The keys of the present screen, at the side; the same key puts them away."""
        (self.action_hide_help_panel if self.screen.query("HelpPanel") else self.action_show_help_panel)()

    def action_launch(self) -> None:
        self.open_launch()

    def action_history(self) -> None:
        if self.screen.id != "history":
            self.open_history()

    def action_leave(self) -> None:
        live = self.snapshot.count("running", "queued")
        self.exit(f"{live} run(s) keep running; `fastadv` comes back to them" if live else "")


if TYPE_CHECKING:
    _: type[DashboardApp] = Fastadv  # the app has all that its screens ask for
