"""`show`: prints everything about one run."""

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.config.units import both_units
from fastadv_tui.commands.arguments import Run
from fastadv_tui.text.quantities import figure_warnings, format_bytes, format_duration, format_time, kind_of_images
from fastadv_tui.text.table import aligned

if TYPE_CHECKING:
    from fastadv_tui.history.row import Row


def register(app: typer.Typer) -> None:
    app.command(epilog="Examples: fastadv show last · fastadv show k3f9 --toml > again.toml")(show)


def show(
    run: Run,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the run's row of the history, as JSON.")] = False,
    as_toml: Annotated[
        bool, typer.Option("--toml", help="Print only the settings, for `fastadv run --config FILE`.")
    ] = False,
) -> None:
    """Show everything about one run, where its files are, and the command that repeats it."""
    from fastadv_tui.history.index import History
    from fastadv_tui.history.row_data import row_as_data
    from fastadv_tui.paths import runs_dir

    row = History().find(run)
    folder = runs_dir() / row.id
    if as_json:
        found = {**row_as_data(row), "corruptions": _corruptions(folder), "folder": str(folder)}
        sys.stdout.write(json.dumps(found) + "\n")
        return
    if as_toml:
        from fastadv_tui.history.selection import run_folder
        from fastadv_tui.launch.repeat import as_typed
        from fastadv_tui.launch.toml_text import toml_text

        sys.stdout.write(toml_text(as_typed(run_folder(row.id).submission().config)))
        return
    files = _files(folder) if folder.exists() else [("folder", "gone; only this row of the history is left")]
    print("\n".join(aligned([*facts(row), *files], limit=10_000)))


def facts(row: "Row") -> list[tuple[str, str]]:
    """The lines that `show` prints about a run: label and value."""
    from fastadv_tui.history.columns import COLUMNS, reason_text, status_text
    from fastadv_tui.history.evaluations import full_texts, replaced_text
    from fastadv_tui.runs.foreign import FOREIGN

    own = " and of the network's" if row.settings.get("model.code") else ""
    found = [
        ("run", row.id),
        ("name", row.name),
        ("status", ", ".join(filter(None, [status_text(row), reason_text(row)]))),
        ("data", f"{row.dataset}, fingerprint {row.data_fingerprint or '-'}"),
        ("method", row.method),
        ("eps", both_units(row.eps, row.norm)),
        ("alpha", both_units(row.alpha, row.norm)),
        ("preset", row.preset),
        ("changed", ", ".join(f"{key}={value}" for key, value in row.settings.items()) or "nothing"),
        ("seed", str(row.seed)),
        ("epochs", f"{row.epochs:.4g} of {row.total_epochs:.4g}"),
        ("clean", COLUMNS["clean"].text(row)),
        ("robust", f"{COLUMNS['robust'].text(row)}{_measured(row)}"),
        ("took", _took(row)),
        ("memory", COLUMNS["peak_memory"].text_or(row, "-")),
        *([("main memory", format_bytes(row.peak_memory))] if row.gpu_memory is not None and row.peak_memory else []),
        ("submitted", format_time(row.submitted)),
        ("ended", COLUMNS["ended"].text(row)),
        ("code", f"fingerprint {row.code_fingerprint or '-'} of the engine's files{own}"),
    ]
    found += [("warning", text) for text in figure_warnings(row.without_gradient, row.images, row.answers)]
    found += [("evaluated", text) for text in full_texts(row.evaluations)]
    found += [("evaluated", replaced_text(*each)) for each in row.replaced]
    if row.origin not in ("", row.id):
        found.append(("copy of", f"{row.origin}: the run folder was copied or renamed"))
    found += [("alarms", ", ".join(row.alarms))] if row.alarms else []
    found += [("rolled back", f"at epoch {epoch:.4g}: {methods}") for epoch, methods in row.rollbacks]
    found += [("tags", ", ".join(row.tags))] if row.tags else []
    found += [("note", row.note)] if row.note else []
    return _told_of_foreign(found) if row.status == FOREIGN else found


def _told_of_foreign(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The lines that hold for a run of another program. Nobody knows the others."""
    unknown = ("alpha", "preset", "took", "memory", "ended", "code")
    renamed = {"changed": "settings", "submitted": "imported"}
    return [(renamed.get(label, label), text) for label, text in found if label not in unknown]


def _took(row: "Row") -> str:
    from fastadv_tui.history.columns import COLUMNS

    if not row.duration:
        return "-"
    return f"{COLUMNS['duration'].text(row)}, {COLUMNS['images_per_second'].text_or(row, '-')} images/s"


def _corruptions(folder: Path) -> list[Any]:
    """The run's results on corrupted images, as plain values."""
    from msgspec import to_builtins

    from engine.protocol.corruptions import read
    from engine.protocol.rundir import RunDir

    return [to_builtins(record) for record in read(RunDir(folder).corruptions)]


def _version(version: str, commit: str) -> str:
    return f"{version}, git commit {commit}" if commit else version


def _measured(row: "Row") -> str:
    if not row.attack:
        return ""
    from fastadv_tui.history.columns import evaluation_text

    held_out = bool(row.settings.get("holdout"))
    stage = "final evaluation" if row.final else "measured during training"
    return f" under {evaluation_text(row)} {kind_of_images(held_out)}, {stage}"


def _files(folder: Path) -> list[tuple[str, str]]:
    """The lines that only the files of a run can tell."""
    from engine.protocol.corruptions import read
    from engine.protocol.rundir import RunDir
    from fastadv_tui.launch.repeat import repeating_command
    from fastadv_tui.runs.foreign import read_foreign
    from fastadv_tui.runs.observe import observe
    from fastadv_tui.text.corruptions import summary

    found: list[tuple[str, str]] = []
    if read_foreign(RunDir(folder)) is not None:
        return [("folder", str(folder))]
    found += [("corrupted", text) for record in read(RunDir(folder).corruptions) for text in summary(record)]
    seen = observe(RunDir(folder))
    if started := seen.state.started:
        found.append(("trained on", f"{started.device}, {started.threads} CPU thread(s), {started.precision}"))
    if seen.exit and seen.exit.cpu_seconds:
        found.append(("CPU time", f"{format_duration(seen.exit.cpu_seconds)} in attempt {seen.exit.attempt}"))
    if seen.submission:
        found += [("version", _version(seen.submission.version, seen.submission.commit))]
        found += [("command", shlex.join(seen.submission.command))]
        found += [("repeat", shlex.join(repeating_command(seen.submission.config)))]
    return [*found, ("folder", str(folder)), ("in Python", f"engine.training.checkpoint.load_model({str(folder)!r})")]
