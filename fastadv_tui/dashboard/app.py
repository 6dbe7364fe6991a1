"""The app of the dashboard: its keys and theme, and the actions and data that it gives to the screens."""

import gc
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.theme import Theme

from fastadv_tui.dashboard import palette, settings, themes
from fastadv_tui.dashboard.acts_on_runs import ActsOnRuns
from fastadv_tui.dashboard.announces_runs import AnnouncesRuns
from fastadv_tui.dashboard.explains_keys import ExplainsKeys
from fastadv_tui.dashboard.messages import Refreshed, Sampled
from fastadv_tui.dashboard.opens_screens import OpensScreens
from fastadv_tui.dashboard.readonly import READONLY, ReadonlyActions
from fastadv_tui.dashboard.screens.base import DashboardApp, Screen
from fastadv_tui.dashboard.screens.runs import RunsScreen
from fastadv_tui.dashboard.settings import Settings
from fastadv_tui.dashboard.signals import DashboardSignals
from fastadv_tui.dashboard.workers import DashboardWorkers
from fastadv_tui.errors import UserError
from fastadv_tui.text.sanitize import one_line


class Fastadv(
    ActsOnRuns,
    AnnouncesRuns,
    ExplainsKeys,
    DashboardSignals,
    ReadonlyActions,
    OpensScreens,
    DashboardWorkers,
    themes.ThemedApp,
):
    """Shows the runs of one home folder, live."""

    TITLE = "fastadv"
    CSS_PATH = "app.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-normal"), (160, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]
    COMMANDS = App.COMMANDS | {palette.PaletteSearch}
    BINDINGS = [
        Binding("n", "launch", "New run", id="new", tooltip="new run: a form"),
        Binding("h", "history", "History", id="history", tooltip="history: all runs, to filter and compare"),
        Binding("question_mark,f1", "help", "Help", id="help", tooltip="this page"),
        Binding("q", "leave", "Quit", id="quit", tooltip="quit; the runs go on"),
    ]

    def __init__(self, settings: Settings, readonly: bool = False) -> None:
        self.begin_with(settings.theme)
        super().__init__(settings, readonly)

    def on_mount(self) -> None:
        self.end_on_signals()
        if problem := themes.problem(self.settings.theme):
            self.notify(one_line(problem), severity="warning", timeout=20, markup=False)
        self.theme_changed_signal.subscribe(self, self.theme_changed)
        self.set_keymap(self.settings.keymap)
        self.push_screen(RunsScreen())
        for begin in (gc.enable, self.follow, self.sample):  # after the first paint, which each would delay
            self.call_after_refresh(begin)

    def on_refreshed(self, message: Refreshed) -> None:
        if not self.snapshot.loaded:
            gc.freeze()  # ten thousand rows stay in memory; one scan of them takes longer than opening the history
        self.snapshot = message.snapshot
        for notice in message.snapshot.notices:
            self.notify(one_line(notice), severity="warning", markup=False)
        for text in message.snapshot.news:
            self.notify(one_line(text), markup=False)
        for screen in self._ready_screens():
            screen.show(message.snapshot)

    def theme_changed(self, theme: Theme) -> None:
        """Remember the theme, and draw again what has colours of its own. Called at the start, too."""
        if theme.name == themes.full_name(self.settings.theme):
            return
        self.remember("theme", theme.name)
        for screen in self._ready_screens():
            screen.show(self.snapshot)

    def on_sampled(self, message: Sampled) -> None:
        self.samples.add(message.sample)
        for screen in self._ready_screens():
            screen.show_machine(message.sample)

    def _ready_screens(self) -> list[Screen[Any]]:
        """The screens that have all of their widgets. Any other screen takes the snapshot when it is composed."""
        return [screen for screen in self.screen_stack if isinstance(screen, Screen) and screen.ready]

    def attempt(self, what: Callable[..., Any], *arguments: Any, **options: Any) -> bool:
        """Call `what` and return whether the call succeeded; a toast shows a UserError or an OSError."""
        if self.readonly:
            self.notify(READONLY, severity="warning")
            return False
        try:
            what(*arguments, **options)
        except (UserError, OSError) as error:
            self.notify(one_line(str(error)), severity="error", markup=False)
            return False
        self.refresh_now()
        return True

    def remember(self, key: str, value: Any) -> None:
        """Set a setting, and write it to the settings file unless the dashboard is read-only."""
        setattr(self.settings, key, value)
        if not self.readonly:
            self.attempt(settings.remember, key, value)

    def get_system_commands(self, screen: Any) -> Iterator[SystemCommand]:
        yield from palette.commands(self, screen)
        yield from super().get_system_commands(screen)

    def action_help(self) -> None:
        self.open_help()

    def action_launch(self) -> None:
        self.open_launch()

    def action_runs(self) -> None:
        """Close every screen above the runs."""
        while not isinstance(self.screen, RunsScreen):
            self.pop_screen()

    def show_run(self, run_id: str) -> None:
        """Choose a run on the first screen; a run that its list does not have is shown in the history."""
        self.action_runs()
        if not (isinstance(self.screen, RunsScreen) and self.screen.choose(run_id)):
            self.open_history(run_id)

    def action_history(self) -> None:
        self.open_history()

    def action_leave(self) -> None:
        live = self.snapshot.count("running", "queued")
        self.exit(f"{live} run(s) continue without the dashboard; `fastadv` shows them again" if live else "")


if TYPE_CHECKING:
    _: type[DashboardApp] = Fastadv  # mypy checks that the app has all that its screens need
