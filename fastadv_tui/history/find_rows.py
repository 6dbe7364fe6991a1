"""Finds the runs that a user means: by id, by the beginning of an id, by name, or as the last run of a kind.

Every command resolves its arguments here, so that a word means the same run everywhere.
"""

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import get_args

from engine.config.suggest import did_you_mean
from engine.protocol.rundir import RunDir
from fastadv_tui.history.derive_row import row_of
from fastadv_tui.history.row import Row
from fastadv_tui.paths import runs_dir
from fastadv_tui.runs.find import RunFolders, RunNotFoundError
from fastadv_tui.runs.status import Status

LAST = "last"  # the run that was submitted last
LAST_OF_STATUS = {f"{LAST}-{status}": status for status in get_args(Status)}  # the last one that is done, failed, ...
ALL_HINT = "--filter acts on all runs that pass it, such as --filter status=running"
MAX_NAMED = 10  # ids that an error lists


class RowFinder:
    """Finds runs by the words that users type.

    known: reads the rows of the history, which may be out of date. current: all rows, up to date, the last submitted
    run first. Each is called only if a word needs it, since reading a long history takes time.
    """

    def __init__(self, known: Callable[[], Iterable[Row]], current: Callable[[], Iterable[Row]]) -> None:
        self._read_known, self._read_current, self._folders = known, current, RunFolders()

    @cached_property
    def known(self) -> dict[str, Row]:
        """The rows of the history by id, as the history file has them."""
        return {row.id: row for row in self._read_known()}

    def find(self, word: str) -> str:
        """The id of the run that a word means. Raises: RunNotFoundError, if there is no such run or more than one.

        A whole id means its run, whatever else begins with it. A run without a folder is found by its row.
        """
        if word in self._folders.ids:
            return word
        if word == LAST:
            return self._folders.last
        if word in LAST_OF_STATUS:
            return self._last_of(LAST_OF_STATUS[word])
        if word in self.known:
            return word
        beginning = [run_id for run_id in self.known if word and run_id.startswith(word)]
        found = {*self._folders.beginning_with(word), *beginning, *_named(word, self.known.values())}
        found = found or {*_named(word, self._current)}  # a run that the history has not seen yet
        if len(found) == 1:
            return found.pop()
        raise RunNotFoundError(_ambiguous(word, sorted(found)) if found else _unknown(word))

    @cached_property
    def _current(self) -> list[Row]:
        return list(self._read_current())

    def _last_of(self, status: str) -> str:
        found = next((row.id for row in self._current if row.status == status), None)
        if found is None:
            raise RunNotFoundError(f"no run is {status}; `fastadv runs` lists all runs")
        return found


def find_rows(words: Iterable[str], finder: RowFinder, derive_again: Callable[[Row], bool]) -> list[Row]:
    """The row of the run that each word means.

    derive_again: whether the row must be derived from the run folder, which takes milliseconds. A run without a row in
    the history is always derived. Raises: RunNotFoundError.
    """
    return [_row(finder.find(word), finder.known, derive_again) for word in words]


def _row(run_id: str, known: dict[str, Row], derive_again: Callable[[Row], bool]) -> Row:
    row, rundir = known.get(run_id), RunDir(runs_dir() / run_id)
    if row is not None and not (derive_again(row) and rundir.path.exists()):
        return row
    return row_of(rundir, row)


def _named(word: str, rows: Iterable[Row]) -> list[str]:
    return [row.id for row in rows if word and row.name == word]


def _ambiguous(word: str, ids: list[str]) -> str:
    some = ", ".join(ids[:MAX_NAMED]) + ", ..." * (len(ids) > MAX_NAMED)
    return f"{word!r} means {len(ids)} runs, by id or by name: {some}; type more of an id"


def _unknown(word: str) -> str:
    hint = did_you_mean(word, LAST_OF_STATUS) if word.startswith(f"{LAST}-") else ALL_HINT if word == "all" else ""
    return f"no run has the name {word!r} or an id that begins so; {hint or '`fastadv runs` lists all runs'}"
