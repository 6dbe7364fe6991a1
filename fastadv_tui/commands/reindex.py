"""`reindex`: rebuilds the history from the run folders."""

import sys

import typer


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv reindex")(reindex)


def reindex() -> None:
    """Rebuild the history from the run folders."""
    from fastadv_tui.history.index import History

    history = History()
    count = history.reindex()
    print(f"{history.path}: {count:,} run(s) indexed", file=sys.stderr)
