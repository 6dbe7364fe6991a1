"""The form of a new run under a pilot."""

from textual.pilot import Pilot
from textual.widgets import Static

from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.launch import LaunchScreen
from fastadv_tui.dashboard.widgets.form_field import FormField, field_id
from fastadv_tui.dashboard.widgets.launch_form import LaunchForm
from tests.support.pilot import until


async def open_form(app: Fastadv, pilot: Pilot[str]) -> LaunchForm:
    await pilot.press("n")
    await until(pilot, lambda: isinstance(app.screen, LaunchScreen) and app.screen.ready)
    await until(pilot, lambda: "fastadv run" in plan(app) or "must change" in plan(app))
    return app.screen.query_one(LaunchForm)


def plan(app: Fastadv) -> str:
    """The text beside the form, in one line."""
    found = app.screen.query("#planned")
    return " ".join(str(found.first(Static).render()).split()) if found else ""


def field(app: Fastadv, key: str) -> FormField:
    return app.screen.query_one(f"#{field_id(key)}", FormField)
