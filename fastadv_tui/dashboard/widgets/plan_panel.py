"""What the launch form would start: the plan in words, and as a command or a TOML file."""

import shlex
import time
from collections.abc import Mapping
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from fastadv_tui.dashboard.widgets.hanging import hanging
from fastadv_tui.launch.form import FormReading, LaunchPlan
from fastadv_tui.launch.form_fields import TAGS, title_of
from fastadv_tui.launch.plan_text import NO_RUN, Estimates, plan_details, plan_lines, plan_sizes
from fastadv_tui.launch.toml_text import toml_text
from fastadv_tui.text.sanitize import one_line

LABEL = 8  # columns of the labels
SCROLL_BAR = 1  # its column is kept free, so that the text does not change when it comes


class PlanPanel(VerticalScroll, can_focus=False):
    """as_toml: whether the same runs stand there as a TOML file, in place of the command."""

    as_toml = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._shown: tuple[FormReading, Mapping[str, str], Estimates, bool] | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="planned", markup=False)

    def show(self, reading: FormReading, texts: Mapping[str, str], found: Estimates, brief: bool) -> None:
        """Draw the plan, or the errors of the form. brief: in as few lines as possible, for a small terminal."""
        self._shown = (reading, texts, found, brief)
        if reading.plan is None:
            lines = _errors(reading.errors)
        elif self.as_toml:
            lines = _toml(reading, texts)
        else:
            width = self.scrollable_content_region.width - SCROLL_BAR
            lines = _plan(reading.plan, found, brief, width)
        self.query_one("#planned", Static).update(Text("\n").join(lines))

    def on_resize(self) -> None:
        if self._shown is not None:
            self.show(*self._shown)


def _plan(plan: LaunchPlan, found: Estimates, brief: bool, width: int) -> list[Text]:
    facts = plan_lines(plan, found, time.time())
    command = Text(one_line(shlex.join(plan.command)), "bold")
    if brief:
        known = [text if label == "runs" else f"{label} {text}" for label, text in facts if not _unknown(text)]
        return [Text(" · ".join([*known[:1], *plan_sizes(plan), *known[1:]])), command]
    lines = [hanging(label, text, LABEL, width) for label, text in facts]
    details = [Text(one_line(line)) for line in plan_details(plan)]
    return [*lines, Text(), *details, Text(), command]


def _unknown(text: str) -> bool:
    """Whether a fact is not known at all; one line has no room to say so."""
    return text == NO_RUN or text.startswith("unknown")


def _toml(reading: FormReading, texts: Mapping[str, str]) -> list[Text]:
    shown = {key: text for key, text in texts.items() if text.strip() and key in {*reading.shown, TAGS}}
    return [Text(one_line(line)) for line in toml_text(shown).splitlines()]


def _errors(errors: Mapping[str, str]) -> list[Text]:
    count = len(errors)
    head = Text(f"{count} field{'s' * (count > 1)} must change before the start:")
    return [head, *(Text(one_line(f"{title_of(key)}: {error}")) for key, error in errors.items())]
