"""The dialog that asks what to measure on runs: the attack, the sizes and the number of images."""

from collections.abc import Sequence

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from engine.config.norms import L2, LINF
from engine.config.units import typed_size
from engine.protocol.requests import EvalRequest
from engine.protocol.rundir import RunDir, SubmissionError
from fastadv_tui.dashboard.focus import step_focus
from fastadv_tui.dashboard.widgets.text_field import TextField
from fastadv_tui.errors import UserError
from fastadv_tui.launch import eval_request
from fastadv_tui.launch.submission import readings
from fastadv_tui.paths import runs_dir
from fastadv_tui.runs.evaluation_submission import submit_evaluation
from fastadv_tui.text.sanitize import one_line

FIELDS = {
    "attack": ("attack", "pgd-20, pgd-50-10 (10 restarts), aa-quick or aa"),
    "eps": ("eps", "in 1/255, or several: 2,4,8"),
    "images": ("images", "0 for all; but 1,000 for auto on a CPU"),
}
EPS_MEANINGS = {L2: "a number, or several: 0.5,1", "": "in the unit of each run"}  # by the norm of the runs; "" mixed
MAX_NAMED = 3  # runs that the dialog names
OWN = "of each run"  # placeholder of a field in which several runs differ


class EvaluateDialog(ModalScreen[bool]):
    """Puts an evaluation of each run into the queue. Returns whether it has done so."""

    class Submitted(Message):
        """All evaluations have their places in the queue."""

    class Refused(Message):
        """An evaluation could not be queued. Those before it have their places."""

        def __init__(self, why: str) -> None:
            super().__init__()
            self.why = why

    BINDINGS = [
        Binding("escape", "dismiss(False)", "Cancel"),
        # with priority: a letter typed right after the key must not go to the field before
        Binding("tab", "app.focus_next", show=False, priority=True),
        Binding("shift+tab", "app.focus_previous", show=False, priority=True),
        Binding("down", "step(1)", show=False, priority=True),
        Binding("up", "step(-1)", show=False, priority=True),
    ]

    def __init__(self, runs: Sequence[tuple[str, str]]) -> None:
        """runs: ids and names."""
        super().__init__()
        self._runs, self._busy = runs, False
        self._norm: str = LINF  # of the runs; empty where they differ

    def compose(self) -> ComposeResult:
        texts = _defaults([run_id for run_id, _ in self._runs])
        self._norm = texts["norm"]
        with Vertical(id="dialog"):
            yield Label(f"Evaluate {_named(self._runs)}", markup=False)
            for key, (label, meaning) in FIELDS.items():
                with Horizontal(classes="asked"):
                    yield Label(label, classes="key", markup=False)
                    yield TextField(texts[key], placeholder=OWN, id=key, compact=True)
                    shown = EPS_MEANINGS.get(self._norm, meaning) if key == "eps" else meaning
                    yield Label(shown, classes="meaning", markup=False)
            yield Static(id="problem", markup=False)
            yield Label("enter puts it into the queue, escape cancels", markup=False)

    def on_mount(self) -> None:
        self.set_focus(self.query_one("#attack"))

    def action_step(self, by: int) -> None:
        step_focus(self, by)

    def on_input_changed(self) -> None:
        in_doubt = readings({"norm": self._norm, "eps": self.query_one("#eps", Input).value})
        self.query_one("#problem", Static).update(one_line(". ".join(in_doubt)))

    def on_input_submitted(self) -> None:
        if self._busy:
            return
        try:
            requests = self._requests()
        except (UserError, OSError) as error:
            self._show_problem(str(error))
            return
        self._busy = True
        self._submit(requests)

    def _requests(self) -> list[EvalRequest]:
        """Raises: UserError, if a value is not allowed or a run has no checkpoint."""
        attack, eps, images = (self.query_one(f"#{key}", Input).value.strip() or None for key in FIELDS)
        typed = {"eval.attack": attack, "eval.images": images}
        return [eval_request.request(run_id, None, typed, eps, None, "last") for run_id, _ in self._runs]

    @work(thread=True, exclusive=True, group="evaluate")
    def _submit(self, requests: Sequence[EvalRequest]) -> None:
        """Submit the evaluations, in a thread, because each may start a process."""
        try:
            for request in requests:
                submit_evaluation(request)
        except (UserError, OSError) as error:
            self.post_message(self.Refused(str(error)))
        else:
            self.post_message(self.Submitted())

    def on_evaluate_dialog_refused(self, message: Refused) -> None:
        self._busy = False
        self._show_problem(message.why)

    def _show_problem(self, why: str) -> None:
        said = why.removeprefix("eval: ").removeprefix("eval.")  # the section of the settings is no news here
        self.query_one("#problem", Static).update(one_line(f"! {said}"))

    def on_evaluate_dialog_submitted(self) -> None:
        self.app.notify(f"in the queue: evaluation of {_named(self._runs)}", markup=False)
        self.dismiss(True)


def _named(runs: Sequence[tuple[str, str]]) -> str:
    """The runs in words: `fgsm s0, fgsm s1 and 3 more`."""
    names = one_line(", ".join(name for _, name in runs[:MAX_NAMED]), 80)
    return names + (f" and {len(runs) - MAX_NAMED} more" if len(runs) > MAX_NAMED else "")


def _defaults(run_ids: Sequence[str]) -> dict[str, str]:
    """The texts of the fields, and the norm: what all runs have in their settings; empty where they differ."""
    found = [_of_run(run_id) for run_id in run_ids]
    return {
        key: found[0][key] if found and len({each[key] for each in found}) == 1 else "" for key in (*FIELDS, "norm")
    }


def _of_run(run_id: str) -> dict[str, str]:
    try:
        config = RunDir(runs_dir() / run_id).submission().config
    except SubmissionError:
        return dict.fromkeys(FIELDS, "") | {"norm": LINF}
    attack = "auto" if config.eval.attack == "none" else config.eval.attack
    return {
        "attack": attack,
        "eps": typed_size(config.eps, config.norm),
        "images": str(config.eval.images),
        "norm": config.norm,
    }
