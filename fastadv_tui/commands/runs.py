"""`runs`: lists the present and past runs."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from fastadv_tui.terminal.output import print_notices
from fastadv_tui.text.quantities import GLYPHS
from fastadv_tui.text.table import aligned

if TYPE_CHECKING:
    from fastadv_tui.history.row import Row
    from fastadv_tui.history.seed_groups import Group

COLUMN_KEYS = ("name", "clean", "robust", "attack", "epochs", "duration")  # between the status and the age


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv runs --filter 'method=fgsm eps>=8 since:7d' --sort robust")(runs)


def runs(
    filter_: Annotated[
        str,
        typer.Option(
            "--filter",
            help="Show only the runs that match, e.g. 'method=fgsm eps>=8 "
            "robust>0.4 tag:paper since:7d text'. Any other "
            "word must occur in the id, name, data set, method, tags or note; -word excludes the runs that match it.",
        ),
    ] = "",
    sort: Annotated[
        str, typer.Option(help="Column or setting to sort by, in descending order; +KEY: in ascending order.")
    ] = "submitted",
    limit: Annotated[int, typer.Option(min=0, help="Number of rows to show; 0: all.")] = 50,
    seeds: Annotated[
        bool, typer.Option("--seeds", help="Show runs that differ only in their seed as one row: mean ± std.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """List runs, the newest first."""
    from fastadv_tui.history.index import History
    from fastadv_tui.history.query import ordered, parse

    matches = parse(filter_)
    history = History()
    everything = history.rows()
    print_notices(history.notices)
    found = ordered((row for row in everything if matches(row)), sort)
    groups = _groups(found) if seeds else []
    shown = found[: limit or None]
    if as_json:
        from fastadv_tui.history.row_data import row_as_data

        sys.stdout.write(msgspec.json.encode([row_as_data(row) for row in shown]).decode() + "\n")
    elif not found:
        print("no run matches the filter" if everything else "no runs yet; start one with `fastadv run digits`")
    elif seeds:
        print("\n".join(aligned(_group_lines(groups[: limit or None]))))
        print_notices(f"warning: {text}" for text in _counted_twice(groups[: limit or None]))
    else:
        print("\n".join(aligned(_row_lines(shown))))
    lines = len(groups) if seeds and not as_json else len(found)
    if limit and lines > limit:
        print(f"{lines - limit:,} more; --limit 0 shows all", file=sys.stderr)


def _row_lines(rows: Sequence["Row"]) -> list[Sequence[str]]:
    """The heading and one line per run. The glyph of the status has its own column."""
    from fastadv_tui.history.columns import COLUMNS, age_text

    columns = [COLUMNS[key] for key in COLUMN_KEYS]
    lines: list[Sequence[str]] = [("", "id", "status", *(column.title for column in columns), "when")]
    return lines + [
        (GLYPHS[row.status], row.id, _status(row), *(column.text(row) for column in columns), age_text(row))
        for row in rows
    ]


def _status(row: "Row") -> str:
    from fastadv_tui.history.columns import status_word

    return f"{status_word(row)} ({row.outcome})" if row.outcome else status_word(row)


def _groups(rows: "Sequence[Row]") -> "list[Group]":
    from fastadv_tui.history.seed_groups import group_by_seed  # loads statistics, which most calls do without

    return group_by_seed(rows)


def _counted_twice(groups: "Sequence[Group]") -> list[str]:
    from fastadv_tui.history.seed_groups import counted_twice

    return counted_twice(groups)


def _group_lines(groups: Sequence["Group"]) -> list[Sequence[str]]:
    from fastadv_tui.history.seed_groups import mean_std, seeds_text

    lines: list[Sequence[str]] = [("n", "name", "clean", "robust", "seeds", "first run")]
    for group in groups:
        clean, robust = mean_std(group.clean, group.clean_std), mean_std(group.robust, group.robust_std)
        lines.append((str(group.count), group.rows[0].name, clean, robust, seeds_text(group.rows), group.rows[0].id))
    return lines
