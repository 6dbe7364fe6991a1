"""The list of runs: as a table for people, and as CSV, Markdown or JSON."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from fastadv_tui.history.columns import COLUMNS, Column, ended_text, status_word
from fastadv_tui.history.row import Row
from fastadv_tui.history.row_data import row_as_data
from fastadv_tui.terminal import colours
from fastadv_tui.terminal.fitted_table import TableColumn, table_lines
from fastadv_tui.text.quantities import GLYPHS
from fastadv_tui.text.sanitize import one_line

IMPORTANCE = {"attack": 1, "epochs": 2, "duration": 3}  # of the usual columns that a narrow terminal goes without
USUAL = ("name", "clean", "robust", "attack", "epochs", "duration")  # between the status and the time of the end
WORDS = ("word", "list")  # kinds whose cells may be cut
NOT_IN_CSV = ("evaluations",)  # several values in one cell


def table(rows: Sequence[Row], columns: Sequence[Column] | None, width: int | None, coloured: bool) -> list[str]:
    """The heading and one line per run. columns: default: the usual ones. width: None for no limit."""
    paint = _painter(rows) if coloured else None
    if columns is not None:
        chosen = [
            TableColumn(
                column.title,
                [column.text_or(row, "-") for row in rows],
                cuttable=column.kind in WORDS and column.key not in ("id", "status"),
                paint=paint if column.key == "status" else None,
            )
            for column in columns
        ]
        return table_lines(chosen, width)
    usual = [
        TableColumn("", [GLYPHS[row.state] for row in rows], paint=paint),
        TableColumn("id", [row.id for row in rows]),
        TableColumn("status", [_status(row) for row in rows], paint=paint),
        *(
            TableColumn(
                COLUMNS[key].title,
                [COLUMNS[key].text_or(row, "-") for row in rows],
                importance=IMPORTANCE.get(key),
                cuttable=key == "name",
            )
            for key in USUAL
        ),
        *_seeds(rows),
        TableColumn("ended", [ended_text(row) for row in rows], importance=4),
    ]
    return table_lines(usual, width)


def _seeds(rows: Sequence[Row]) -> list[TableColumn]:
    """The column of seeds, if it tells runs apart: their seeds differ, or several have the same name."""
    if len({row.seed for row in rows}) < 2 and len({row.name for row in rows}) == len(rows):
        return []
    return [TableColumn("seed", [str(row.seed) for row in rows], importance=5)]


def _painter(rows: Sequence[Row]) -> Callable[[int, str], str]:
    return lambda number, cell: colours.of_state(rows[number].state, cell)


def _status(row: Row) -> str:
    """The state, and what went wrong in training unless the state says so: `collapsed`, `failed (diverged)`."""
    word = status_word(row) if row.live else row.state
    return f"{word} ({row.outcome})" if row.outcome and row.outcome != word else word


# -- for other programs -------------------------------------------------------------------------------------------


def to_json(rows: Sequence[Row], columns: Sequence[Column] | None) -> str:
    """The rows as JSON, with all fields, or with those of the columns. Fractions, sizes and times as `row_as_data`."""
    found = [
        row_as_data(row) if columns is None else {column.key: _value(column, row) for column in columns} for row in rows
    ]
    return msgspec.json.encode(found).decode() + "\n"


def to_csv(rows: Sequence[Row], columns: Sequence[Column] | None) -> str:
    """The rows as CSV, with the keys of the columns as its heading. Numbers stay numbers; accuracies are in [0,1]."""
    chosen = _all_or(columns)
    return csv_text([column.key for column in chosen], [[_value(column, row) for column in chosen] for row in rows])


def to_markdown(rows: Sequence[Row], columns: Sequence[Column] | None) -> str:
    """The rows as a Markdown table, with the texts that the table for people has."""
    chosen = [COLUMNS[key] for key in ("id", "status", *USUAL)] if columns is None else columns
    return markdown_text(
        [column.title for column in chosen], [[column.text_or(row, "-") for column in chosen] for row in rows]
    )


FORMATS: dict[str, Callable[[Sequence[Row], Sequence[Column] | None], str]] = {
    "csv": to_csv,
    "json": to_json,
    "md": to_markdown,
}


def csv_text(heading: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
    """CSV. A text that begins like a formula gets a quote before it; a list becomes one text; None becomes empty."""
    from fastadv_tui.history.comparison_formats import csv_cell, csv_number

    def cell(value: Any) -> Any:
        value = " ".join(map(str, value)) if isinstance(value, list | tuple) else value
        if isinstance(value, float):
            return csv_number(value)
        return csv_cell(one_line(value)) if isinstance(value, str) else value

    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([heading, *([cell(value) for value in line] for line in lines)])
    return out.getvalue()


def markdown_text(heading: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    from fastadv_tui.history.comparison_formats import markdown_cell

    escaped = [[markdown_cell(one_line(cell)) for cell in line] for line in (heading, *lines)]
    return "".join(f"| {' | '.join(line)} |\n" for line in (escaped[0], ["---"] * len(heading), *escaped[1:]))


def _all_or(columns: Sequence[Column] | None) -> Sequence[Column]:
    return [column for column in COLUMNS.values() if column.key not in NOT_IN_CSV] if columns is None else columns


def _value(column: Column, row: Row) -> Any:
    """The value of a cell for other programs: a number, a text, a list or None."""
    if column.kind == "time":
        return row_as_data(row)[column.key]
    if column.key == "evaluations":
        return json.loads(msgspec.json.encode(row.evaluations))
    return msgspec.to_builtins(column.value(row))
