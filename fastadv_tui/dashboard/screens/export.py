"""Writes what a screen shows into the current folder."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.protocol.files import FOR_ALL, WriteError, write_atomic
from fastadv_tui.dashboard.readonly import READONLY
from fastadv_tui.dashboard.screens.base import Screen
from fastadv_tui.dashboard.toasts import NARROW
from fastadv_tui.errors import FigureError
from fastadv_tui.history.row import Row


def export(screen: Screen[Any], what: str, contents: Mapping[str, str]) -> None:
    """Write one file for each suffix, and say where or why not. what: the second part of their common name.

    A read-only dashboard writes no files, because its reader may sit at another machine.
    """
    if _refused(screen):
        return
    name = _name(what)
    try:
        stem = Path.cwd() / name  # fails if the current folder was deleted
        for suffix, text in contents.items():
            write_atomic(stem.with_suffix(f".{suffix}"), text.encode(), FOR_ALL)
    except WriteError as error:
        screen.notify(str(error), severity="error", markup=False)
    except OSError as error:
        screen.notify(f"cannot write {name}.*: {error.strerror}", severity="error", markup=False)
    else:
        first, *others = contents
        where = f"{_where(screen, stem)}.{first}{''.join(f', .{s}' for s in others)}"
        screen.notify(f"written:{where}", markup=False, timeout=10)


def export_figure(screen: Screen[Any], rows: Sequence[Row], group: bool = False) -> None:
    """Draw the accuracy of runs as a figure for a paper, a PDF, in a thread; say where the file is, or why not.

    group: one line for the seeds of each recipe.
    """

    def write() -> None:
        from fastadv_tui.figure.write import write_figure  # few people export, and the screen opens sooner

        try:
            path = Path.cwd() / f"{_name('figure')}.pdf"
            write_figure(rows, "accuracy", path, group)
        except (FigureError, OSError) as error:
            screen.app.notify(str(error), severity="error", markup=False, timeout=20)
        else:
            screen.app.notify(f"written:{_where(screen, path)}", markup=False, timeout=10)

    if not _refused(screen):
        screen.notify("drawing the figure ...")
        screen.run_worker(write, thread=True, group="figure", exclusive=True)


def _refused(screen: Screen[Any]) -> bool:
    """Whether the dashboard is read-only; the user is told."""
    if screen.fastadv.readonly:
        screen.notify(READONLY, severity="warning")
    return screen.fastadv.readonly


def _where(screen: Screen[Any], path: Path) -> str:
    """A file in a toast. A narrow toast would break a path in the middle, so it has the name in a line of its own."""
    return f"\n{path.name}" if screen.app.size.width < NARROW else f" {path}"


def _name(what: str) -> str:
    return f"fastadv-{what}-{time.strftime('%Y%m%d-%H%M%S')}"
