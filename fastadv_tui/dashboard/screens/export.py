"""Writes what a screen shows into the current folder."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.protocol.files import FOR_ALL, WriteError, write_atomic
from fastadv_tui.dashboard.screens.base import Screen


def export(screen: Screen[Any], what: str, contents: Mapping[str, str]) -> None:
    """Write one file for each suffix, and say where or why not. what: the second part of their common name.

    A read-only dashboard writes no files, because its reader may sit at another machine.
    """
    if screen.fastadv.readonly:
        screen.notify("this dashboard is read-only", severity="warning")
        return
    name = f"fastadv-{what}-{time.strftime('%Y%m%d-%H%M%S')}"
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
        screen.notify(f"written: {stem}.{first}{''.join(f', .{s}' for s in others)}", markup=False, timeout=10)
