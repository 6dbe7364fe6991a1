"""The form of a new run, and the plan of what it would start."""

import shlex
import time
from collections.abc import Mapping

from msgspec import structs
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.events import DescendantFocus, Resize
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static
from textual.worker import get_current_worker

from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.focus import step_focus
from fastadv_tui.dashboard.messages import RunsSubmitted
from fastadv_tui.dashboard.screens.base import Screen
from fastadv_tui.dashboard.screens.confirm_dialog import ConfirmDialog
from fastadv_tui.dashboard.screens.run_dialog import RunDialog
from fastadv_tui.dashboard.screens.text_dialog import TextDialog
from fastadv_tui.dashboard.snapshot import Snapshot
from fastadv_tui.dashboard.widgets.form_field import FormField
from fastadv_tui.dashboard.widgets.key_bar import KeyBar
from fastadv_tui.dashboard.widgets.launch_form import LaunchForm
from fastadv_tui.dashboard.widgets.plan_panel import PlanPanel
from fastadv_tui.dashboard.widgets.top_bar import TopBar
from fastadv_tui.errors import UserError
from fastadv_tui.hardware.sampler import Sample
from fastadv_tui.history.row import Row
from fastadv_tui.launch.confirm import MAX_UNCONFIRMED
from fastadv_tui.launch.device_choices import device_choices
from fastadv_tui.launch.draft import Draft, load_draft
from fastadv_tui.launch.estimate import Estimator
from fastadv_tui.launch.form import FIRST_DATASET, FormReading, LaunchPlan, read_form
from fastadv_tui.launch.form_fields import help_of, title_of
from fastadv_tui.launch.plan_text import Estimates
from fastadv_tui.launch.start import start_form
from fastadv_tui.launch.submission import readings
from fastadv_tui.launch.texts import texts_of_config, texts_of_row
from fastadv_tui.launch.toml_text import read_toml
from fastadv_tui.paths import typed_path
from fastadv_tui.runs.engine_server import SupersededError
from fastadv_tui.text.sanitize import one_line

HINT = "↑↓ move   ◂▸ choose   8,16 starts two runs"
CHECKING = "checking data and device ..."
READ_DELAY = 0.1  # seconds without a key before the form is read and its draft is saved
COUNT_DELAY = 0.3  # seconds before the engine is asked, so that its start does not delay the first picture
EMPTY_FORM = {"dataset": FIRST_DATASET}


class LaunchScreen(Screen[None]):
    """A form for one run, or for a sweep if a field holds several values.

    Its workers report by messages, since Textual drops messages to a form that was closed.
    """

    class Estimated(Message):
        """An estimate of the plan has become known."""

    class Refused(Message):
        """The start failed. Runs submitted before the error go on."""

        def __init__(self, why: str) -> None:
            super().__init__()
            self.why = why

    class Submitted(Message):
        """All runs were submitted: they run or wait in the queue."""

    BINDINGS = [
        Binding(
            "ctrl+s",
            "start",
            "Start",
            id="launch-start",
            tooltip="check the data and the device, then submit the runs",
            priority=True,
        ),
        Binding(
            "f2", "past_run", "Past run", id="launch-past-run", tooltip="fill the form with the settings of a past run"
        ),
        Binding("f3", "file", "File", id="launch-file", tooltip="fill the form from a TOML file"),
        Binding("f4", "toml", "TOML", id="launch-toml", tooltip="show the plan as a TOML file, or as words again"),
        Binding("f5", "copy", "Copy", id="launch-copy", tooltip="copy the command that submits the same runs"),
        Binding("f6", "empty", "Empty", id="launch-empty", tooltip="empty the form and forget the draft"),
        Binding("escape", "leave", "Keep and leave", id="launch-back", tooltip="leave the form; it keeps a draft"),
        # priority: a letter typed right after tab must not go to the field before
        Binding("tab", "app.focus_next", priority=True, show=False),
        Binding("shift+tab", "app.focus_previous", priority=True, show=False),
        Binding("down", "step(1)", priority=True, show=False),
        Binding("up", "step(-1)", priority=True, show=False),
    ]

    def __init__(self, like: RunDir | None = None) -> None:
        """Raises: SubmissionError."""
        super().__init__()
        draft = {} if like else load_draft()
        self._texts = texts_of_config(like.submission().config) if like else draft or EMPTY_FORM
        self._subtitle = "your draft; f6 empties it" if draft else HINT
        self._draft = Draft()
        self._reading: FormReading | None = None
        self._read_timer: Timer | None = None
        self._starting = self._submitted = False
        self._queue_seen: object = None

    def compose(self) -> ComposeResult:
        yield TopBar("New")
        with Horizontal(id="launch"):
            yield LaunchForm(self._texts, self._devices())
            yield PlanPanel(id="plan")
        yield Static(id="field-help", markup=False)
        yield KeyBar()

    def begin(self) -> None:
        self._estimator = Estimator(self.fastadv.engine.count_flops)
        self._kept = self._form.texts  # that the draft has, or that need none
        self.query_one("#form").border_title = "New run"
        self.query_one("#form").border_subtitle = self._subtitle
        self.query_one("#plan").border_title = "Plan"
        self.set_focus(self.query_one(FormField))
        self._read()

    @property
    def _form(self) -> LaunchForm:
        return self.query_one(LaunchForm)

    def _devices(self) -> dict[str, str]:
        sample = self.fastadv.samples.last
        return device_choices(sample.gpus if sample else (), self.fastadv.snapshot.devices())

    def take(self, snapshot: Snapshot) -> None:
        """Look at the queue again if it has changed since the last snapshot."""
        seen, self._queue_seen = self._queue_seen, (snapshot.places, snapshot.held_up)
        if self._queue_seen != seen and self._reading is not None and self._reading.plan is not None:
            self._look(self._reading.plan)

    def take_machine(self, sample: Sample) -> None:
        if self._reading is not None:
            self._form.show(self._reading, self._devices())

    # -- reading the form -------------------------------------------------------------------------------------

    def on_launch_form_edited(self) -> None:
        """Read the form a moment later, so that no key waits for it."""
        self._stop_timer()
        self._read_timer = self.set_timer(READ_DELAY, self._read_and_keep)

    def _stop_timer(self) -> None:
        timer, self._read_timer = self._read_timer, None
        if timer is not None:
            timer.stop()

    def _read_and_keep(self) -> None:
        self._stop_timer()
        self._read()
        self._keep_draft()

    def _read(self, texts: Mapping[str, str] | None = None) -> None:
        """Read the form; show what it says, and look for estimates of a plan. texts: by default those of the fields."""
        if not self.ready:
            return
        try:
            self._reading = reading = read_form(self._form.texts if texts is None else texts)
        except UserError as error:  # such as an unusable home folder
            self.notify(one_line(str(error)), severity="error", timeout=20, markup=False)
            return
        self._form.show(reading, self._devices())
        self._show_help()
        self._show_plan()
        if reading.plan is not None:
            self._look(reading.plan)
            if self._estimator.uncounted(reading.plan) and not self._starting:
                self._count(reading.plan)

    def _show_plan(self) -> None:
        if (reading := self._reading) is None:
            return
        sample = self.fastadv.samples.last
        total = sample.host.memory_total if sample else None
        panel, brief = self.query_one(PlanPanel), self.has_class("-narrow")
        known = self._estimator.known(reading.plan, total) if reading.plan else Estimates()
        panel.show(reading, self._form.texts, known, brief)

    @work(thread=True, exclusive=True, group="flops")
    def _count(self, plan: LaunchPlan) -> None:
        worker = get_current_worker()
        time.sleep(COUNT_DELAY)
        try:
            self._estimator.count(plan, lambda: worker.is_cancelled)
        except SupersededError:  # a newer plan is counted, or the start checks the data
            return
        self.post_message(self.Estimated())

    @work(thread=True, exclusive=True, group="place")
    def _look(self, plan: LaunchPlan) -> None:
        try:
            self._estimator.look(plan, self.fastadv.snapshot.rows)
        except OSError:  # such as a network file system that is away; the next change looks again
            return
        self.post_message(self.Estimated())

    def on_launch_screen_estimated(self) -> None:
        self._show_plan()

    def on_resize(self, event: Resize) -> None:
        self._show_plan()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        # `:focus-within` would style all fields anew at every tab, which takes a fifth of a second
        if self.ready:
            self._show_help()

    def action_step(self, by: int) -> None:
        step_focus(self, by, scroll=False)  # an animation would leave the field out of sight for a moment
        self._form.keep_focus_in_sight()

    def _show_help(self) -> None:
        """One line about the focused field; its error first, because the line below the field may be too short."""
        field = self.focused
        text = "enter opens and closes a group"
        if isinstance(field, FormField):
            in_doubt = readings({key: self._form.texts.get(key) for key in ("norm", field.key)})
            told = [f"{reading.removeprefix(field.key).lstrip()}." for reading in in_doubt]
            text = f"{field.title}: {field.error or ' '.join([*told, help_of(field.key)])}"
        self.query_one("#field-help", Static).update(one_line(text))

    # -- filling the form -------------------------------------------------------------------------------------

    def _fill(self, texts: Mapping[str, str]) -> None:
        self._form.fill(texts)
        self._read_and_keep()

    def action_past_run(self) -> None:
        def chosen(row: Row | None) -> None:
            if row is not None:
                self._fill(texts_of_row(row))

        self.app.push_screen(RunDialog(self.fastadv.snapshot.rows), chosen)

    def action_file(self) -> None:
        def take(path: str) -> None:
            if not path.strip():
                raise UserError("write the path of a file")
            self._fill(read_toml(typed_path(path)))

        self.app.push_screen(TextDialog("a TOML file with settings", "", enter="opens it", take=take))

    def action_empty(self) -> None:
        self._fill(EMPTY_FORM)
        self.query_one("#form").border_subtitle = self._subtitle = HINT

    def action_leave(self) -> None:
        self._stop_timer()
        if self._form.texts != self._kept:
            self._keep_draft()
        self.dismiss()

    def on_unmount(self) -> None:
        self.fastadv.engine.cancel_count()

    def _keep_draft(self) -> None:
        if not self._submitted:
            self._kept = self._form.texts
            if self._kept == EMPTY_FORM:
                self._draft.forget()
            else:
                self._draft.keep(self._kept)
            self._save_draft()

    def _save_draft(self) -> None:
        """Write the draft in a thread, which belongs to the app, as the form may be closed meanwhile."""
        self.app.run_worker(self._write_draft, thread=True, group="draft")

    def _write_draft(self) -> None:
        try:
            self._draft.save()
        except OSError as error:
            self.app.notify(f"the draft is not saved: {one_line(str(error))}", severity="warning", markup=False)

    # -- the command ------------------------------------------------------------------------------------------

    def action_toml(self) -> None:
        panel = self.query_one(PlanPanel)
        panel.as_toml = not panel.as_toml
        self.query_one("#launch").set_class(panel.as_toml, "toml")
        self._show_plan()

    def action_copy(self) -> None:
        self._read()  # the last keys may not have been read yet
        if self._reading is None or self._reading.plan is None:
            self.notify("no command yet: the form has errors", severity="warning")
            return
        self.app.copy_to_clipboard(shlex.join(self._reading.plan.command))
        self.notify("copied the command")

    # -- the start --------------------------------------------------------------------------------------------

    def action_start(self) -> None:
        self._form.when_settled(self._start_texts)

    async def _start_texts(self, texts: Mapping[str, str]) -> None:
        """Start the runs of these texts, which stood in the fields when the user asked for it."""
        if self._starting or not self.ready:
            return
        self._read(texts)
        if self._reading is None:
            return
        if self._reading.plan is None:
            await self._go_to_first_error()
            return
        count = self._reading.plan.count
        if count > MAX_UNCONFIRMED:
            question = ConfirmDialog(f"Start {count:,} runs? They queue and start by themselves.", "Start")
            self.app.push_screen(question, lambda sure: self._start(texts) if sure else None)
        else:
            self._start(texts)

    def _start(self, texts: Mapping[str, str]) -> None:
        self._starting = True
        self.query_one("#form").border_subtitle = CHECKING  # no toast: it would stand beside the one of the submission
        self.start(texts)

    @work(thread=True, exclusive=True, group="launch")
    def start(self, texts: Mapping[str, str]) -> None:
        """Check one run of each kind, then submit all runs; in a thread, as the check may download data."""
        try:
            started = start_form(texts, self.fastadv.engine.check)
        except (UserError, OSError) as error:
            self.app.notify(one_line(str(error)), severity="error", timeout=20, markup=False)
            self.post_message(self.Refused(str(error)))
            return
        self.app.post_message(RunsSubmitted(started))
        self._submitted = True
        self._draft.forget()
        self._write_draft()
        self.post_message(self.Submitted())

    async def _go_to_first_error(self) -> None:
        if (key := await self._form.focus_first_error()) and self._reading:
            text = f"not started: {title_of(key)}: {self._reading.errors[key]}"
            self.notify(one_line(text), severity="error", markup=False)

    async def on_launch_screen_refused(self, message: Refused) -> None:
        """Show the error at its field, if it begins with the name of a setting, as those of the engine do."""
        self._starting = False
        self.query_one("#form").border_subtitle = self._subtitle
        self._read()
        key, _, error = message.why.partition(" ")
        if self._reading is not None and key in self._reading.shown:
            self._reading = structs.replace(self._reading, plan=None, errors={key: error.removeprefix("= ")})
            self._form.show(self._reading, self._devices())
            self._show_plan()
            await self._form.focus_first_error()

    def on_launch_screen_submitted(self) -> None:
        self._dismiss_if_submitted()

    def on_screen_resume(self) -> None:
        self._dismiss_if_submitted()

    def _dismiss_if_submitted(self) -> None:
        """Close the form if its runs are submitted and no other screen is above it."""
        if self._submitted and self.is_active:
            self.dismiss()
