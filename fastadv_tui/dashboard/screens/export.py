"""Asks in which form runs are to be exported, and writes that into the current folder."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine.protocol.files import FOR_ALL, WriteError, write_atomic
from fastadv_tui.dashboard.readonly import READONLY
from fastadv_tui.dashboard.screens.base import Screen
from fastadv_tui.dashboard.screens.choice_dialog import ChoiceDialog
from fastadv_tui.dashboard.toasts import NARROW
from fastadv_tui.errors import FigureError
from fastadv_tui.history.row import Row

if TYPE_CHECKING:
    from fastadv_tui.history.comparison_table import Table

COMPARISON = "comparison: csv, md and tex"
NUMBERS = "all numbers of each run: csv"
FIGURE = "figure of accuracy by epoch: pdf, svg, png"
FIGURES = {  # each with its kind, as in `figure.kinds`
    FIGURE: "accuracy",
    "figure of training loss by epoch: pdf, svg, png": "loss",
    "figure of robust accuracy by time: pdf, svg, png": "time",
    "figure of robust accuracy by work: pdf, svg, png": "work",
    "figure of robust accuracy by eps: pdf, svg, png": "eps",
}
SUFFIXES = {"csv": "csv", "md": "md", "latex": "tex"}  # of the forms of a comparison


class Exported(Struct, frozen=True):
    """What is exported. by_seed: the seeds of a recipe are one column, or one line. table: the comparison on screen."""

    rows: Sequence[Row]
    by_seed: bool = False
    table: "Callable[[], Table] | None" = None

    def comparison(self) -> "Table":
        from fastadv_tui.history.comparison import compare  # few people export, and the screens open sooner

        return self.table() if self.table else compare(self.rows, self.by_seed)


def offer_export(screen: Screen[Any], what: Exported, first: str, about: str = "") -> None:
    """Let the user choose a form, and write it. first: the form under the cursor at the start.

    about: what is exported, in words; by default the number of runs. Figures are offered once a run has an evaluation.

    A read-only dashboard writes no files, because its reader may sit at another machine.
    """

    def chosen(choice: str | None) -> None:
        if choice in FIGURES:
            screen.notify("drawing the figure ...")
            screen.run_worker(lambda: _write_figure(screen, what, FIGURES[choice]), thread=True, group="export")
        elif choice:
            screen.run_worker(lambda: _write_text(screen, what, choice), thread=True, group="export")

    if screen.fastadv.readonly:
        screen.notify(READONLY, severity="warning")
        return
    count = f"{len(what.rows):,} run{'s' * (len(what.rows) != 1)}"
    title = f"Export {about or count} into the current folder, as"
    figures = FIGURES if any(row.curve or row.evaluations for row in what.rows) else ()
    screen.app.push_screen(ChoiceDialog(title, [COMPARISON, NUMBERS, *figures], first), chosen)


def _write_text(screen: Screen[Any], what: Exported, choice: str) -> None:
    """Write the comparison or the numbers, and say where the files are, or why not."""
    from fastadv_tui.history.comparison_formats import FORMATS
    from fastadv_tui.history.rows_csv import rows_as_csv

    if choice == NUMBERS:
        name, contents = _name("runs"), {"csv": rows_as_csv(what.rows)}
    else:
        table = what.comparison()
        name, contents = _name("compare"), {suffix: FORMATS[form](table) for form, suffix in SUFFIXES.items()}
    try:
        stem = Path.cwd() / name  # fails if the current folder was deleted
        _write_all(stem, contents)
    except WriteError as error:
        _refuse(screen, str(error))
    except OSError as error:
        _refuse(screen, f"cannot write {name}.*: {error.strerror}")
    else:
        _tell(screen, stem, contents)


def _write_all(stem: Path, contents: Mapping[str, str]) -> None:
    """Write one file for each suffix."""
    for suffix, text in contents.items():
        write_atomic(stem.with_suffix(f".{suffix}"), text.encode(), FOR_ALL)


def _write_figure(screen: Screen[Any], what: Exported, kind: str) -> None:
    """Draw the runs that have an evaluation, in each format. Say where the files are, or why there are none.

    Runs that are left out are named. kind: as in `figure.kinds`.
    """
    from fastadv_tui.figure.write import FORMATS, write_figures

    measured = [row for row in what.rows if row.curve] or what.rows
    if left_out := [row.name for row in what.rows if row not in measured]:
        words = f"not in the figure, without an evaluation: {', '.join(left_out)}"
        screen.app.notify(words, markup=False, timeout=10)
    try:
        stem = Path.cwd() / _name(kind)
        write_figures(measured, kind, stem, what.by_seed)
    except (FigureError, OSError) as error:
        _refuse(screen, str(error))
    else:
        _tell(screen, stem, FORMATS)


def _tell(screen: Screen[Any], stem: Path, suffixes: Iterable[str]) -> None:
    """Say where the files are, which differ only in their suffixes."""
    where = f"{_where(screen, stem)}.{', .'.join(suffixes)}"
    screen.app.notify(f"written:{where}", markup=False, timeout=10)


def _refuse(screen: Screen[Any], why: str) -> None:
    screen.app.notify(why, severity="error", markup=False, timeout=20)


def _where(screen: Screen[Any], path: Path) -> str:
    """A file in a toast. A narrow toast would break a path in the middle, so it has the name in a line of its own."""
    return f"\n{path.name}" if screen.app.size.width < NARROW else f" {path}"


def _name(what: str) -> str:
    return f"fastadv-{what}-{time.strftime('%Y%m%d-%H%M%S')}"
