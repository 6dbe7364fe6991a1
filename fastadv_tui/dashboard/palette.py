"""The command palette: every action with what it does, and the runs, their settings, the themes and past commands."""

import shlex
from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

from msgspec import Struct
from textual.app import App, SystemCommand
from textual.command import Hit, Hits, Provider
from textual.content import Content
from textual.markup import escape
from textual.screen import Screen

from engine.config.keys import flatten
from engine.protocol.rundir import RunDir, SubmissionError
from engine.protocol.submission import Submission
from fastadv_tui.dashboard.screens.base import DashboardApp
from fastadv_tui.history.columns import age_text
from fastadv_tui.history.row import Row
from fastadv_tui.launch.command_line import as_text
from fastadv_tui.paths import runs_dir
from fastadv_tui.text.sanitize import one_line

MAX_COMMANDS = 200  # newest runs whose commands the palette knows


def commands(app: App[str], screen: Screen[object]) -> Iterator[SystemCommand]:
    """One command for each enabled action whose binding has an id. Its help says what it does, and its key."""
    listed: set[str] = set()
    for namespace, binding, enabled, _ in screen.active_bindings.values():
        if enabled and binding.id and binding.description not in listed:
            listed.add(binding.description)
            run = partial(app.run_action, binding.action, namespace)
            what = f"{binding.tooltip}, " if binding.tooltip else ""
            yield SystemCommand(binding.description, escape(f"{what}key {app.get_key_display(binding)}"), run)


class Found(Struct, frozen=True):
    """Something that the palette finds. help: what choosing it does."""

    title: str
    help: str
    choose: Callable[[], None]


class PaletteSearch(Provider):
    """Finds what the user types among runs, settings of the chosen run, themes and commands of past runs."""

    async def startup(self) -> None:
        app = cast(DashboardApp, self.app)
        chosen = getattr(self.screen, "chosen_run", lambda: None)()
        self._found = [*_runs(app), *_settings(app, chosen), *_themes(self.app), *_past_commands(app)]

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for found in self._found:
            title = one_line(found.title)
            if (score := matcher.match(title)) > 0:
                yield Hit(score, Content(title), found.choose, text=title, help=escape(one_line(found.help)))


def _runs(app: DashboardApp) -> Iterator[Found]:
    for row in app.snapshot.rows:
        help_text = f"run: show it. {row.state}, {age_text(row)}"
        yield Found(f"{row.name} ({row.id})", help_text, partial(app.show_run, row.id))


def _settings(app: DashboardApp, run_id: str | None) -> Iterator[Found]:
    """Every setting of a run; choosing one shows all runs that have the same value."""
    row, submission = app.snapshot.row(run_id), _submission(run_id or "")
    if row is None or submission is None:
        return
    for key, value in flatten(submission.config).items():
        text = as_text(key, value, submission.config.norm)
        query = f"{key}={shlex.quote(text)}"
        help_text = f"setting of {row.name}: show the runs with it"
        yield Found(f"{key} = {text}", help_text, partial(app.open_history, query))


def _themes(app: App[object]) -> Iterator[Found]:
    for name in app.available_themes:
        yield Found(f"Theme {name}", "theme: take it, now and later", partial(setattr, app, "theme", name))


def _past_commands(app: DashboardApp) -> Iterator[Found]:
    """The different commands of past runs, the newest first."""
    if app.readonly:
        return
    known: set[str] = set()
    for row in app.snapshot.rows[:MAX_COMMANDS]:
        if (submission := _submission(row.id)) and (text := shlex.join(submission.command)) not in known | {""}:
            known.add(text)
            yield Found(text, _when(row), partial(app.open_launch, RunDir(runs_dir() / row.id)))


def _when(row: Row) -> str:
    return f"command of {row.name}, {age_text(row)}: fill the form with it"


def _submission(run_id: str) -> Submission | None:
    try:
        return RunDir(runs_dir() / run_id).submission() if run_id else None
    except SubmissionError:
        return None
