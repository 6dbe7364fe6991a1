"""`unbundle`: unpacks runs that `bundle` has packed."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fastadv_tui.text.sanitize import one_line

if TYPE_CHECKING:
    from engine.protocol.rundir import RunDir


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv unbundle run.tar.zst")(unbundle)


def unbundle(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `fastadv bundle` wrote.")],
    new_ids: Annotated[
        bool, typer.Option("--new-ids", help="Give the runs new ids: copies beside the runs that are here already.")
    ] = False,
    data_dir: Annotated[
        str | None,
        typer.Option(
            help="Folder of the data sets on this machine. Default: the folder that the run names if it is here, else "
            "$FASTADV_HOME/data."
        ),
    ] = None,
) -> None:
    """Unpack the runs of a bundle into the history, to look at, evaluate and resume. Every file is compared first."""
    from fastadv_tui.bundle.unpack import unpack
    from fastadv_tui.history.index import History
    from fastadv_tui.paths import typed_path
    from fastadv_tui.terminal.slow_progress import SlowProgress

    folder = str(typed_path(data_dir)) if data_dir else ""
    with SlowProgress("unpacking") as progress:
        found = unpack(file.expanduser(), new_ids, folder, progress)
    history = History()
    history.record_all(found)
    for rundir in found:
        _tell(rundir)
        print(rundir.id)


def _tell(rundir: "RunDir") -> None:
    """Say what a run is, and what it needs on this machine."""
    from fastadv_tui.bundle.needs import needs_of

    for text in needs_of(rundir):
        print(f"{rundir.id}: {one_line(text)}", file=sys.stderr)
