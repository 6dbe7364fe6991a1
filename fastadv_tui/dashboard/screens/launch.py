"""The launch form: made from RunConfig itself, read as the command line reads it."""

import shlex
import time

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.events import DescendantFocus
from textual.message import Message
from textual.widgets import Collapsible, Footer, Input, Label, Static
from textual.worker import get_current_worker

from engine.config.settings import settings
from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.screens.base import Screen
from fastadv_tui.dashboard.widgets.text_field import TextField
from fastadv_tui.errors import UserError
from fastadv_tui.history.index import History
from fastadv_tui.history.notes import Notes
from fastadv_tui.launch.cost import FlopCounter, expected_seconds
from fastadv_tui.launch.form import LaunchPlan, meaning, placeholder, plan_form, texts_of
from fastadv_tui.launch.submission import understood
from fastadv_tui.runs import control, engine_client
from fastadv_tui.runs.create import create_run
from fastadv_tui.text.quantities import format_duration, phase_words
from fastadv_tui.text.quantities import format_flops as work_of
from fastadv_tui.text.sanitize import one_line

HINT = "↑↓ move   8,16 starts two runs"
PAUSE = 0.3  # seconds without a key before a network is counted
FIRST = (
    "dataset", "method.name", "preset", "eps", "method.alpha", "epochs", "batch_size", "seed", "precision", "device",
    "name",
)  # fmt: skip


class LaunchScreen(Screen[None]):
    """A form for one run, or for a sweep when a field holds several values.

    Its workers tell it things by messages: those to a form that was left are dropped.
    """

    class Counted(Message):
        """The work of a network that was asked for is known."""

    class Refused(Message):
        """Something is in the way of the runs, or of those that were not yet started."""

    class Submitted(Message):
        """The runs were started, or stand in line."""

    BINDINGS = [
        Binding("ctrl+s", "start", "Start", id="launch-start", priority=True),
        Binding("escape", "app.pop_screen", "Back", id="launch-back"),
        # before the field sees them: what is typed right behind a tab must not go to the field that is left
        Binding("tab", "app.focus_next", priority=True, show=False),
        Binding("shift+tab", "app.focus_previous", priority=True, show=False),
        Binding("down", "app.focus_next", priority=True, show=False),
        Binding("up", "app.focus_previous", priority=True, show=False),
    ]

    def __init__(self, like: RunDir | None = None) -> None:
        super().__init__()
        self._texts = texts_of(like) if like else {"dataset": "digits"}
        self._plan: LaunchPlan | None = None
        self._flops = FlopCounter()
        self._starting = self._submitted = False

    def compose(self) -> ComposeResult:
        with Horizontal(id="launch"):
            with VerticalScroll(id="form"):
                for key in FIRST:
                    yield from self._field(key)
                yield from self._field("tags")
                with Collapsible(title="everything else", id="more"):
                    for key in settings():
                        if key not in (*FIRST, "data_dir"):
                            yield from self._field(key)
                    yield from self._field("data_dir")
            with VerticalScroll(id="plan"):
                yield Static(id="meaning", markup=False)
                yield Static(id="planned", markup=False)
        yield Footer()

    def begin(self) -> None:
        self.query_one("#form").border_title = "New run"
        self.query_one("#form").border_subtitle = HINT
        self.query_one("#plan").border_title = "Plan"
        self.query_one(Input).focus()
        self._replan()

    def _field(self, key: str) -> ComposeResult:
        with Horizontal(classes="field"):
            yield Label(key, classes="key")
            yield TextField(self._texts.get(key, ""), id=_id(key), compact=True)
            yield Label(_meaning(key), classes="meaning", markup=False)

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Beside the field there may be no room for all that it means."""
        if not self.ready:
            return
        key = next((key for key in [*settings(), "tags"] if _id(key) == event.widget.id), None)
        self.query_one("#meaning", Static).update(f"{key}: {_meaning(key)}" if key else "")

    # -- the plan ---------------------------------------------------------------------------------------------

    def on_input_changed(self) -> None:
        self._replan()

    def on_input_submitted(self) -> None:
        self.focus_next()

    def _typed(self) -> dict[str, str]:
        keys = [*settings(), "tags"]
        return {key: text for key in keys if (text := self.query_one(f"#{_id(key)}", Input).value.strip())}

    def _replan(self) -> None:
        """What would be started, or what is in the way; and what the empty fields would be."""
        if not self.ready:
            return
        typed = self._typed()
        typed.pop("tags", None)
        try:
            self._plan = plan_form(typed)
            text = self._say(self._plan)
        except UserError as error:
            self._plan, text = None, f"! {error}"
        self.query_one("#planned", Static).update(line_by_line(text))
        if self._plan:
            if self._flops.missing(self._plan.configs):
                self.count_flops(self._plan)
            for key in settings():
                self.query_one(f"#{_id(key)}", Input).placeholder = placeholder(self._plan.configs[0], key)

    def _say(self, planned: LaunchPlan) -> str:
        count = len(planned.configs)
        seconds = [expected_seconds(config, self.fastadv.snapshot.rows) for config in planned.configs]
        known = [second for second in seconds if second is not None]
        all_known = len(known) == count
        took = f"about {format_duration(sum(known))}, from past runs here" if all_known else "no past run to tell from"
        many = f"{count} runs; of the first:" if count > 1 else "1 run"
        parts = [many, understood(planned.configs[0]).replace(" · ", "\n")]
        if planned.configs[0].phases:
            parts.append("\n".join(phase_words(phase) for phase in planned.configs[0].phase_list))
        parts.append(f"work: {self._work(planned)}\ntime: {took}")
        return "\n\n".join([*parts, f"as a command:\n{shlex.join(planned.command)}"])

    def _work(self, planned: LaunchPlan) -> str:
        if self._flops.missing(planned.configs):
            return "counting ..."
        totals = [total for config in planned.configs if (total := self._flops.total(config))]
        return f"{work_of(sum(totals))} of training" if len(totals) == len(planned.configs) else "unknown"

    @work(thread=True, exclusive=True, group="flops")
    def count_flops(self, planned: LaunchPlan) -> None:
        """Count the networks that are new; those that were typed over meanwhile are left alone."""
        worker = get_current_worker()
        time.sleep(PAUSE)
        for config in self._flops.missing(planned.configs):
            if worker.is_cancelled:
                return
            self._flops.count(config)
        if not worker.is_cancelled:
            self.post_message(self.Counted())

    def on_launch_screen_counted(self) -> None:
        self._replan()

    # -- the start --------------------------------------------------------------------------------------------

    def action_start(self) -> None:
        self._replan()  # what was typed a moment ago may not have been read yet
        if self._starting:
            return
        if self._plan is None:
            self.notify("the plan at the right says what is in the way", severity="error")
            return
        self._starting = True
        self.notify("checking data and device ...")
        self.start(self._plan, self._typed().get("tags", "").split())

    @work(thread=True, exclusive=True, group="launch")
    def start(self, planned: LaunchPlan, tags: list[str]) -> None:
        """Check once for each kind of run, then submit them all; in a thread, as data may have to be fetched."""
        try:
            self._submit(planned, tags)
        except (UserError, OSError) as error:
            self.app.notify(one_line(str(error)), severity="error", timeout=20, markup=False)
            self.post_message(self.Refused())
        else:
            self.post_message(self.Submitted())

    def on_launch_screen_refused(self) -> None:
        self._starting = False

    def on_launch_screen_submitted(self) -> None:
        self._submitted = True
        self._leave()

    def on_screen_resume(self) -> None:
        self._leave()

    def _leave(self) -> None:
        """Once its runs are submitted the form goes, but not while another screen is above it."""
        if self._submitted and self.is_active:
            self.dismiss()

    def _submit(self, planned: LaunchPlan, tags: list[str]) -> None:
        def change(notes: Notes) -> None:
            notes.tags = tags

        for config in engine_client.runs_to_check(planned.configs):
            engine_client.check(config)
        for config in planned.configs:
            rundir = create_run(config, planned.command)
            control.spawn(rundir)
            try:
                History().edit(rundir, change)
            except UserError as error:  # the run is on its way all the same, and so are those to come
                self.app.notify(one_line(str(error)), severity="warning", timeout=20, markup=False)


def line_by_line(text: str) -> str:
    """Several lines, each safe to show."""
    return "\n".join(one_line(part) for part in text.split("\n"))


def _meaning(key: str) -> str:
    own = {
        "tags": "words for the group, with spaces between",
        "seed": "weights, data order, noise; 0-4 starts five runs",
    }
    return own.get(key) or meaning(key)


def _id(key: str) -> str:
    return f"field-{key.replace('.', '-')}"
