"""`runs` and `show`: what is going on and what was."""

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from engine.config import both_units
from fastadv_tui.commands.running import Run
from fastadv_tui.safe import line
from fastadv_tui.table import aligned
from fastadv_tui.words import ago, attack_name, duration, percent, size, when

if TYPE_CHECKING:
    from fastadv_tui.rows import Row

GLYPHS = {"queued": "◌", "running": "●", "done": "✓", "stopped": "■", "failed": "✗", "lost": "?"}
COLUMNS = ("", "id", "status", "name", "clean", "robust", "attack", "epochs", "took", "when")


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv runs --json")(runs)
    app.command(epilog="Example: fastadv show last")(show)


def runs(as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False) -> None:
    """List all runs, the newest first."""
    from fastadv_tui.history import History

    history = History()
    rows = history.rows()
    tell(history.notices)
    if as_json:
        sys.stdout.write(msgspec.json.encode(rows).decode() + "\n")
    elif not rows:
        print("no runs yet; start one with `fastadv run digits`")
    else:
        print("\n".join(aligned([COLUMNS, *(_cells(row) for row in rows)])))


def show(run: Run, as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """Everything about one run, and where its files are."""
    from fastadv_tui.history import History
    from fastadv_tui.home import find_run
    from fastadv_tui.rows import row_of

    rundir = find_run(run)
    row = row_of(rundir)
    if as_json:
        sys.stdout.write(json.dumps({**msgspec.to_builtins(row), "folder": str(rundir.path)}) + "\n")
        return
    history = History()
    history.upsert([row])
    files = [("folder", str(rundir.path)), ("in Python", f"engine.checkpoint.load_model({str(rundir.path)!r})")]
    print("\n".join(aligned([*facts(row), *files], limit=10_000)))


def tell(notices: Iterable[str]) -> None:
    """What the history had to say."""
    for notice in notices:
        print(f"fastadv: {line(notice)}", file=sys.stderr)


def facts(row: "Row") -> list[tuple[str, str]]:
    """What `show` says of a run: label and value."""
    found = [
        ("run", row.id),
        ("name", row.name),
        ("status", f"{GLYPHS[row.status]} {row.status}{f', {row.reason}' if row.reason else ''}"),
        ("data", f"{row.dataset}, fingerprint {row.data_fingerprint or '-'}"),
        ("method", row.method),
        ("eps", both_units(row.eps)),
        ("alpha", both_units(row.alpha)),
        ("preset", row.preset),
        ("changed", ", ".join(f"{key}={value}" for key, value in row.settings.items()) or "nothing"),
        ("seed", str(row.seed)),
        ("epochs", f"{row.epochs:.4g} of {row.total_epochs:.4g}"),
        ("clean", percent(row.clean)),
        ("robust", f"{percent(row.robust)}{_measured(row)}"),
        ("took", f"{duration(row.duration)}, {row.images_per_second:,.0f} images/s"),
        ("memory", size(row.peak_memory) if row.peak_memory else "-"),
        ("submitted", when(row.submitted)),
        ("ended", when(row.ended)),
        ("code", row.code_fingerprint),
    ]
    found += [("alarms", ", ".join(row.alarms))] if row.alarms else []
    found += [("tags", ", ".join(row.tags))] if row.tags else []
    return found + ([("note", row.note)] if row.note else [])


def _measured(row: "Row") -> str:
    if not row.attack:
        return ""
    stage = "final evaluation" if row.final else "watched while training"
    return f" under {attack_name(row.attack)} on {row.images:,} test images, {stage}"


def _cells(row: "Row") -> list[str]:
    return [
        GLYPHS[row.status],
        row.id,
        row.status,
        row.name,
        percent(row.clean),
        percent(row.robust),
        attack_name(row.attack) if row.final else f"({attack_name(row.attack)})" if row.attack else "",
        f"{row.epochs:.3g}/{row.total_epochs:.3g}",
        duration(row.duration),
        ago(row.submitted),
    ]
