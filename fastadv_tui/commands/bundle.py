"""`bundle`: packs runs into one file."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from fastadv_tui.commands.arguments import Filter, Runs

EXAMPLES = "Examples: fastadv bundle last -o run.tar.zst · fastadv bundle --filter tag:paper -o paper.tar.gz"


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(bundle)


def bundle(
    runs: Runs = None,
    filter_: Filter = "",
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            help="The file to write: .tar.zst (needs the extra `bundle`) or .tar.gz. Default: ID.tar.gz.",
        ),
    ] = None,
) -> None:
    """Pack runs that have ended into one file, to mail or to archive. `fastadv unbundle` unpacks it on any machine.

    The file holds settings, events, logs, notes and checkpoints, with their sizes and SHA-256, but no data set. It is
    read back and compared before it gets its name.
    """
    from fastadv_tui.bundle.pack import pack
    from fastadv_tui.history.selection import run_folder, selected_ids
    from fastadv_tui.terminal.slow_progress import SlowProgress
    from fastadv_tui.text.quantities import format_bytes

    ids = selected_ids(runs or (), filter_)
    path = (out or Path(f"{ids[0]}.tar.gz" if len(ids) == 1 else "runs.tar.gz")).expanduser()
    with SlowProgress("packing") as progress:
        manifest = pack([run_folder(run_id) for run_id in ids], path, progress)
    files = sum(len(run.files) for run in manifest.runs)
    print(
        f"{len(ids)} run(s), {files:,} files, {format_bytes(manifest.size)} in {format_bytes(path.stat().st_size)}",
        file=sys.stderr,
    )
    print(path)
