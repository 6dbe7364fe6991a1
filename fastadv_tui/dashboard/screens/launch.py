"""The form of a new run. Its fields are the settings of RunConfig, read as the command line reads them."""

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
from fastadv_tui.dashboard.widgets.top_bar import TopBar
from fastadv_tui.errors import UserError
from fastadv_tui.launch.cost import FlopCounter, PastPaces
from fastadv_tui.launch.form import LaunchPlan, meaning, placeholder, plan_form, texts_of
from fastadv_tui.launch.group import submit_group
from fastadv_tui.launch.submission import scaled_phases, sweep_tag, understood
from fastadv_tui.runs import engine_client
from fastadv_tui.text.quantities import format_duration, phase_words
from fastadv_tui.text.quantities import format_flops as work_of
from fastadv_tui.text.sanitize import one_line

HINT = "↑↓ move   8,16 starts two runs"
COUNT_DELAY = 0.3  # seconds without a key before the FLOPs of a network are counted
MAIN_FIELDS = (
    "dataset", "method.name", "preset", "eps", "method.alpha", "epochs", "batch_size", "seed", "precision", "device",
    "name",
)  # fmt: skip


class MoreFields(Collapsible, inherit_css=False):
    """A Collapsible without its `:focus-within`, which would style all fields anew at every tab."""

    DEFAULT_CSS = """
    MoreFields { width: 1fr; height: auto; padding-bottom: 1; padding-left: 1; }
    MoreFields.-collapsed > Contents { display: none; }
    """


class LaunchScreen(Screen[None]):
    """A form for one run, or for a sweep if a field holds several values.

    Its workers report by messages, since Textual drops messages to a form that was closed.
    """

    class Counted(Message):
        """The FLOPs of the planned networks are counted."""

    class Refused(Message):
        """The start failed. Runs submitted before the error go on."""

    class Submitted(Message):
        """All runs were submitted: they run or wait in the queue."""

    BINDINGS = [
        Binding("ctrl+s", "start", "Start", id="launch-start", priority=True),
        Binding("escape", "app.pop_screen", "Back", id="launch-back"),
        # priority: a letter typed right after tab must not go to the field before
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
        yield TopBar("New")
        with Horizontal(id="launch"):
            with VerticalScroll(id="form"):
                for key in MAIN_FIELDS:
                    yield from self._field(key)
                yield from self._field("tags")
                with MoreFields(title="everything else", id="more"):
                    for key in settings():
                        if key not in (*MAIN_FIELDS, "data_dir"):
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
            yield Label(_meaning(key).partition(". ")[0], classes="meaning", markup=False)  # the first sentence

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Show the full meaning of a field in the plan; the column beside the field may be too narrow."""
        if not self.ready:
            return
        form = self.query_one("#form")
        # `:focus-within` would style all fields anew at every tab, which takes a fifth of a second
        form.set_class(form in event.widget.ancestors, "active")
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
        """Show what would start or the error of the form, and show the defaults in the empty fields."""
        if not self.ready:
            return
        typed = self._typed()
        typed.pop("tags", None)
        try:
            self._plan = plan_form(typed)
            text = self._plan_text(self._plan)
        except UserError as error:
            self._plan, text = None, f"! {error}"
        self.query_one("#planned", Static).update(safe_lines(text))
        if self._plan:
            if self._flops.missing(self._plan.configs):
                self.count_flops(self._plan)
            for key in settings():
                self.query_one(f"#{_id(key)}", Input).placeholder = placeholder(self._plan.configs[0], key)

    def _plan_text(self, planned: LaunchPlan) -> str:
        count = len(planned.configs)
        paces = PastPaces(self.fastadv.snapshot.rows)
        seconds = [paces.seconds(config) for config in planned.configs]
        known = [second for second in seconds if second is not None]
        all_known = len(known) == count
        time_text = (
            f"about {format_duration(sum(known))}, from past runs here" if all_known else "unknown, no similar run"
        )
        count_text = f"{count} runs, the first one:" if count > 1 else "1 run"
        parts = [count_text, understood(planned.configs[0]).replace(" · ", "\n")]
        parts += [*filter(None, [scaled_phases(planned.configs[0])])]
        if planned.configs[0].phases:
            parts.append("\n".join(phase_words(phase) for phase in planned.configs[0].phase_list))
        parts.append(f"work: {self._work(planned)}\ntime: {time_text}")
        return "\n\n".join([*parts, f"as a command:\n{shlex.join(planned.command)}"])

    def _work(self, planned: LaunchPlan) -> str:
        if self._flops.missing(planned.configs):
            return "counting ..."
        totals = [total for config in planned.configs if (total := self._flops.total(config))]
        return f"{work_of(sum(totals))} of training" if len(totals) == len(planned.configs) else "unknown"

    @work(thread=True, exclusive=True, group="flops")
    def count_flops(self, planned: LaunchPlan) -> None:
        """Count the FLOPs of new networks, in a thread. Stops if the form has changed meanwhile."""
        worker = get_current_worker()
        time.sleep(COUNT_DELAY)
        for config in self._flops.missing(planned.configs):
            if worker.is_cancelled:
                return
            self._flops.count(config)
        if not worker.is_cancelled:
            self.post_message(self.Counted())

    def on_unmount(self) -> None:
        self._flops.stop()

    def on_launch_screen_counted(self) -> None:
        self._replan()

    # -- the start --------------------------------------------------------------------------------------------

    def action_start(self) -> None:
        self._replan()  # the last keys may not have reached the plan yet
        if self._starting:
            return
        if self._plan is None:
            self.notify("cannot start: the plan at the right names the error", severity="error")
            return
        self._starting = True
        self.notify("checking data and device ...")
        self.start(self._plan, self._tags(self._plan))

    def _tags(self, planned: LaunchPlan) -> list[str]:
        """The typed tags; a sweep without one gets a new random tag, as a sweep from the shell does."""
        return self._typed().get("tags", "").split() or ([sweep_tag()] if len(planned.configs) > 1 else [])

    @work(thread=True, exclusive=True, group="launch")
    def start(self, planned: LaunchPlan, tags: list[str]) -> None:
        """Check one run of each kind, then submit all runs; in a thread, as the check may download data."""
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
        self._dismiss_if_submitted()

    def on_screen_resume(self) -> None:
        self._dismiss_if_submitted()

    def _dismiss_if_submitted(self) -> None:
        """Close the form if its runs are submitted and no other screen is above it."""
        if self._submitted and self.is_active:
            self.dismiss()

    def _submit(self, planned: LaunchPlan, tags: list[str]) -> None:
        for config in engine_client.runs_to_check(planned.configs):
            engine_client.check(config)
        for warning in submit_group(planned.configs, planned.command, tags):
            self.app.notify(one_line(warning), severity="warning", timeout=20, markup=False)


def safe_lines(text: str) -> str:
    """A text of several lines, with the control characters of each line escaped."""
    return "\n".join(one_line(part) for part in text.split("\n"))


def _meaning(key: str) -> str:
    overrides = {
        "tags": "labels in the history, separated by spaces. A sweep without a tag gets a random one",
        "seed": "weights, data order, noise; 0-4 starts five runs",
    }
    return overrides.get(key) or meaning(key)


def _id(key: str) -> str:
    return f"field-{key.replace('.', '-')}"
