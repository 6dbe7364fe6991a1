"""Finds the rows of the runs that a user names."""

from collections.abc import Callable, Iterable

from engine.protocol.rundir import RunDir
from fastadv_tui.history.derive_row import row_of
from fastadv_tui.history.row import Row
from fastadv_tui.paths import runs_dir
from fastadv_tui.runs.find import RunFinder, RunNotFoundError


def find_rows(names: Iterable[str], rows: Iterable[Row], derive_again: Callable[[Row], bool]) -> list[Row]:
    """The row of each named run (see `runs.find.find_run`). A run without a folder is found in `rows`.

    rows: the rows of the history. derive_again: whether the row must be derived from the run folder, which takes
    milliseconds. A run without a row in the history is always derived. Raises: RunNotFoundError.
    """
    finder, known = RunFinder(), {row.id: row for row in rows}
    return [_row(_id_of(name, finder, known), known, derive_again) for name in names]


def _id_of(name: str, finder: RunFinder, known: dict[str, Row]) -> str:
    try:
        return finder.find(name).id
    except RunNotFoundError:
        found = [run_id for run_id in known if name and run_id.startswith(name)]
        if len(found) != 1 or name == "last":
            raise
        return found[0]


def _row(run_id: str, known: dict[str, Row], derive_again: Callable[[Row], bool]) -> Row:
    row, rundir = known.get(run_id), RunDir(runs_dir() / run_id)
    if row is not None and not (derive_again(row) and rundir.path.exists()):
        return row
    return row_of(rundir, row)
