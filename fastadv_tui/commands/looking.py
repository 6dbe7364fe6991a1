"""`runs`, `show`, `logs`, `export`: what is going on and what was."""

import json
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from engine.config.units import both_units
from fastadv_tui.commands.running import Run
from fastadv_tui.errors import UserError
from fastadv_tui.text.quantities import GLYPHS, ago, attack_name, duration, kind_of_images, percent, size, when
from fastadv_tui.text.sanitize import line
from fastadv_tui.text.table import aligned

if TYPE_CHECKING:
    from fastadv_tui.history.row import Row
    from fastadv_tui.history.seed_groups import Group

POLL = 0.5  # seconds between looks at a log
COLUMNS = ("", "id", "status", "name", "clean", "robust", "attack", "epochs", "took", "when")


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv runs --filter 'method=fgsm eps>=8 since:7d' --sort robust")(runs)
    app.command(epilog="Example: fastadv show last")(show)
    app.command(epilog="Example: fastadv logs last -f")(logs)
    app.command(epilog="Example: fastadv export last --format csv > events.csv")(export)


def runs(
    filter_: Annotated[
        str, typer.Option("--filter", help="E.g. 'method=fgsm eps>=8 robust>0.4 tag:paper since:7d text'; -word: not.")
    ] = "",
    sort: Annotated[str, typer.Option(help="Key to sort by, the largest first; +KEY: the smallest.")] = "submitted",
    limit: Annotated[int, typer.Option(min=0, help="Rows to show; 0 is all.")] = 50,
    seeds: Annotated[bool, typer.Option("--seeds", help="Runs that differ in their seed only as mean ± std.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """List runs, the newest first."""
    from fastadv_tui.history.index import History
    from fastadv_tui.history.query import ordered, parse
    from fastadv_tui.history.seed_groups import group_by_seed

    matches = parse(filter_)
    history = History()
    everything = history.rows()
    tell(history.notices)
    found = ordered((row for row in everything if matches(row)), sort)
    groups = group_by_seed(found) if seeds else []
    shown = found[: limit or None]
    if as_json:
        sys.stdout.write(msgspec.json.encode(shown).decode() + "\n")
    elif not found:
        print("no run matches the filter" if everything else "no runs yet; start one with `fastadv run digits`")
    elif seeds:
        print("\n".join(aligned(_group_lines(groups[: limit or None]))))
    else:
        print("\n".join(aligned([COLUMNS, *(_cells(row) for row in shown)])))
    lines = len(groups) if seeds and not as_json else len(found)
    if limit and lines > limit:
        print(f"{lines - limit:,} more; --limit 0 shows all", file=sys.stderr)


def _group_lines(groups: Sequence["Group"]) -> list[Sequence[str]]:
    from fastadv_tui.history.seed_groups import mean_std

    lines: list[Sequence[str]] = [("n", "name", "clean", "robust", "seeds", "first run")]
    for group in groups:
        clean, robust = mean_std(group.clean, group.clean_std), mean_std(group.robust, group.robust_std)
        seeds = ",".join(str(row.seed) for row in group.rows)
        lines.append((str(group.count), group.rows[0].name, clean, robust, seeds, group.rows[0].id))
    return lines


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


def logs(
    run: Run,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Lines of the end to show.")] = 50,
) -> None:
    """What the run's process printed."""
    from fastadv_tui.runs import control
    from fastadv_tui.runs.find import find_run
    from fastadv_tui.text.tail import LineFollower, tail

    rundir = find_run(run)
    follower = LineFollower(rundir.log) if follow else None
    for text in tail(rundir.log, lines):
        print(line(text))
    while follower:
        live = control.verdict(rundir).live
        for text in follower.poll():
            print(line(text), flush=True)
        if not live:
            return
        time.sleep(POLL)


def export(
    names: Annotated[list[str], typer.Argument(metavar="RUN...", help="Runs, as in the other commands.")],
    form: Annotated[str, typer.Option("--format", help="jsonl, or csv (step and evaluated events).")] = "jsonl",
) -> None:
    """Print the events of runs, each with the run's id in front."""
    from fastadv_tui.export import EXPORTS
    from fastadv_tui.runs.find import find_run

    if form not in EXPORTS:
        raise UserError(f"--format {form!r}: use {' or '.join(EXPORTS)}")
    EXPORTS[form]([find_run(name) for name in names], sys.stdout)


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
    held_out = bool(row.settings.get("holdout"))
    stage = "final evaluation" if row.final else "watched while training"
    return f" under {attack_name(row.attack)} on {row.images:,} {kind_of_images(held_out)}, {stage}"


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
