"""The panel with the facts of one run: a label and a value per line."""

from collections.abc import Sequence
from pathlib import PurePath

from engine.config.norms import LINF
from engine.config.units import eps_text, with_unit
from fastadv_tui.dashboard.snapshot import Evaluation, LiveRun
from fastadv_tui.dashboard.widgets.hanging import HangingFacts
from fastadv_tui.history.columns import COLUMNS, age_text, evaluation_text, reason_text, status_text
from fastadv_tui.history.evaluations import replaced_text, short_text
from fastadv_tui.history.row import Row
from fastadv_tui.launch.command_line import as_text
from fastadv_tui.text.quantities import format_duration, format_loss, format_progress, phase_words

STOPPING = "stopping ..."  # as `status_word` says of a run
SHOWN_ABOVE = {"norm", "eps", "epochs", "method.name", "method.alpha"}  # settings that have a line of their own


class RunFacts(HangingFacts):
    """Shows the settings, results and progress of one run."""

    fixed_size = True
    nothing = "no run chosen"

    def show(self, row: Row | None, view: LiveRun | None, evaluations: Sequence[Evaluation] = ()) -> None:
        """Show one run, or say that no run is chosen. evaluations: those of the run that have no result."""
        self.show_facts(facts(row, view, evaluations) if row else [])


def facts(row: Row, view: LiveRun | None, evaluations: Sequence[Evaluation] = ()) -> list[tuple[str, str]]:
    """Labels and values of a run. Values that are empty are left out."""
    found = [
        ("status", status_text(row) if row.live else f"{status_text(row)}, {age_text(row)}"),
        ("", reason_text(row)),
        *[("evaluate", _evaluation_text(evaluation)) for evaluation in evaluations],
        ("method", f"{row.method} {with_unit(row.alpha, row.norm)}" if row.method != "standard" else "standard"),
        ("eps", with_unit(row.eps) if row.norm == LINF else eps_text(row.eps, row.norm)),
        ("clean", COLUMNS["clean"].text(row)),
        ("robust", COLUMNS["robust"].text(row)),
        ("attack", evaluation_text(row) if row.attack and row.images else ""),
        *[("measured", short_text(record)) for record in reversed(row.evaluations)],
        *[("measured", replaced_text(*each)) for each in reversed(row.replaced)],
        ("epoch", f"{row.epochs:.2f} of {row.total_epochs:.4g}"),
        *_pace(view),
        ("data", f"{PurePath(row.dataset).name} {row.data_fingerprint}"),
        *[(key, as_text(key, value, row.norm)) for key, value in row.settings.items() if key not in SHOWN_ABOVE],
        ("work", COLUMNS["flops"].text(row)),
        ("memory", COLUMNS["peak_memory"].text(row)),
        ("seed", str(row.seed)),
        ("tags", ", ".join(row.tags)),
        ("note", row.note),
        ("id", row.id),
    ]
    return [(label, value) for label, value in found if value]


def _evaluation_text(evaluation: Evaluation) -> str:
    """What an evaluation measures, and how far it is or how it ended."""
    status, done = evaluation.status, evaluation.done
    if status.stopping:
        return f"{STOPPING}, {evaluation.what}"
    share = f" {format_progress(done)}" if status.status == "running" and done is not None else ""
    reason = f": {evaluation.starting or status.reason}" if evaluation.starting or status.reason else ""
    return f"{status.status}{share}{reason if not share else ''}, {evaluation.what}"


def _pace(view: LiveRun | None) -> list[tuple[str, str]]:
    starting = [("phase", view.state.starting)] if view and view.verdict.status == "running" else []
    if view is None or view.state.started is None:
        return starting
    state, started = view.state, view.state.started
    found = [
        (
            "device",
            f"{started.device.removeprefix('NVIDIA ')}, {started.precision}{', compiled' if started.compiled else ''}",
        )
    ]
    if state.last_step is not None:
        found += [("loss", format_loss(state.last_step.loss)), ("lr", f"{state.last_step.lr:.4g}")]
        found += [("speed", f"{state.last_step.images_per_second:,.0f} images/s")]
    if state.timeline and len(state.timeline.stretches) > 1:
        found += [("phase", phase_words(state.timeline.at(state.step).phase))]
    if (evaluated := state.evaluated_fraction) is not None:
        found += [("eval", format_progress(evaluated))]
    return [*starting, *found, ("ETA", format_duration(state.eta_seconds) if state.eta_seconds else "")]
