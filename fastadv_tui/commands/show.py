"""`show`: everything about one run."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from engine.config.units import both_units
from fastadv_tui.commands.arguments import Run
from fastadv_tui.text.quantities import (
    GLYPHS,
    attack_name,
    format_bytes,
    format_duration,
    format_percent,
    format_time,
    kind_of_images,
)
from fastadv_tui.text.table import aligned

if TYPE_CHECKING:
    from fastadv_tui.history.row import Row


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv show last")(show)


def show(run: Run, as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """Everything about one run, and where its files are."""
    from fastadv_tui.history.index import History
    from fastadv_tui.paths import runs_dir

    row = History().find(run)
    folder = runs_dir() / row.id
    if as_json:
        sys.stdout.write(json.dumps({**msgspec.to_builtins(row), "folder": str(folder)}) + "\n")
        return
    files = [("folder", str(folder)), ("in Python", f"engine.training.checkpoint.load_model({str(folder)!r})")]
    files = files if folder.exists() else [("folder", "gone; this row is what is left")]
    print("\n".join(aligned([*facts(row), *files], limit=10_000)))


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
        ("clean", format_percent(row.clean)),
        ("robust", f"{format_percent(row.robust)}{_measured(row)}"),
        ("took", f"{format_duration(row.duration)}, {row.images_per_second:,.0f} images/s"),
        ("memory", format_bytes(row.peak_memory) if row.peak_memory else "-"),
        ("submitted", format_time(row.submitted)),
        ("ended", format_time(row.ended)),
        ("code", row.code_fingerprint),
    ]
    found += [("alarms", ", ".join(row.alarms))] if row.alarms else []
    found += [("tags", ", ".join(row.tags))] if row.tags else []
    return found + ([("note", row.note)] if row.note else [])


def _measured(row: "Row") -> str:
    if not row.attack:
        return ""
    held_out = bool(row.settings.get("holdout"))
    stage = "final evaluation" if row.final else "watched while training"
    return f" under {attack_name(row.attack)} on {row.images:,} {kind_of_images(held_out)}, {stage}"
