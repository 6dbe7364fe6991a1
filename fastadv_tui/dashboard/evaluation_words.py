"""The words for an evaluation that waits or is under way, the same in the list of runs and in the history."""

from fastadv_tui.dashboard.snapshot import Evaluation, Snapshot
from fastadv_tui.text.quantities import format_progress, ordinal

BAR_WIDTH = 8  # of a progress bar, in cells
STOPS = "evaluation stops ..."


def evaluation_words(evaluation: Evaluation, snapshot: Snapshot, with_bar: bool = False, brief: bool = False) -> str:
    """Where an evaluation is: in line, how far, or about to stop.

    with_bar: draw the progress as a bar, too. brief: for a column that must stay narrow.
    """
    if place := snapshot.places.get(evaluation.rundir.id):
        if brief:
            return f"eval {ordinal(place)} in line"
        return f"evaluation {snapshot.held_up or 'queued'}, {ordinal(place)} in line"
    if evaluation.status.stopping:
        return STOPS
    if evaluation.done is None:
        return "eval starting" if brief else f"evaluation: {evaluation.starting or 'starting'}"
    share = f"{bar(evaluation.done)} " if with_bar else ""
    return f"evaluating {share}{format_progress(evaluation.done):>4}"


def bar(share: float) -> str:
    """A progress bar. share: the part that is done, in [0,1]."""
    return f"{'━' * round(share * BAR_WIDTH):╌<{BAR_WIDTH}}"
