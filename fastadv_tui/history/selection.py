"""The runs that a command acts on: the runs that its arguments name, or those that pass its `--filter`."""

from collections.abc import Callable, Sequence

from engine.protocol.rundir import RunDir
from fastadv_tui.errors import UserError
from fastadv_tui.history.index import History
from fastadv_tui.history.query import parse
from fastadv_tui.history.row import Row
from fastadv_tui.paths import runs_dir
from fastadv_tui.runs.find import RunNotFoundError


def selected_rows(
    words: Sequence[str], filter_: str, suits: Callable[[Row], bool] = lambda row: True, history: History | None = None
) -> list[Row]:
    """The rows of the selected runs, each run once: in the order of the words, or the first submitted run first.

    suits: whether the command makes sense for a run that passes the filter. Other runs are left out without an error,
    unlike a run that a word names.

    Raises: UserError, if there are no words and no filter, or both, or if no run passes; QueryError; RunNotFoundError.
    """
    check_given(words, filter_)
    history = history or History()
    if words:
        return list({row.id: row for row in history.find_all(words)}.values())
    matches = parse(filter_)
    passing = [row for row in reversed(history.rows()) if matches(row)]
    if not passing:
        raise RunNotFoundError(f"no run passes the filter {filter_!r}; `fastadv runs` lists all runs")
    found = [row for row in passing if suits(row)]
    if not found:
        raise UserError(f"none of the {len(passing)} run(s) that pass the filter {filter_!r} can be used for this")
    return found


def selected_ids(words: Sequence[str], filter_: str, suits: Callable[[Row], bool] = lambda row: True) -> list[str]:
    """The ids of the selected runs. As `selected_rows`, but runs named by id need no look at the history."""
    check_given(words, filter_)
    return History().find_ids(words) if words else [row.id for row in selected_rows((), filter_, suits)]


def check_given(words: Sequence[str], filter_: str) -> None:
    """Raises: UserError, unless there are either words or a filter."""
    if words and filter_:
        raise UserError("type either runs or --filter, not both")
    if not words and not filter_.strip():
        raise UserError("type a run, such as `last`, or --filter; `fastadv runs` lists all runs")


def run_folder(run_id: str) -> RunDir:
    """The folder of a run. Raises: RunNotFoundError, if only its row in the history is left."""
    rundir = RunDir(runs_dir() / run_id)
    if not rundir.path.is_dir():
        raise RunNotFoundError(f"the folder of {run_id} is gone; only its row in the history is left")
    return rundir


def find_run(word: str) -> RunDir:
    """The folder of the run that one word means (see `RowFinder.find`). Raises: RunNotFoundError."""
    return run_folder(History().find_ids([word])[0])
