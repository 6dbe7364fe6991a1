"""Runs that differ only in their seed, one line for each group: as a table, and as CSV, Markdown or JSON."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from fastadv_tui.history.row_names import names_text
from fastadv_tui.history.seed_groups import Group, mean_std, seeds_text
from fastadv_tui.terminal.fitted_table import TableColumn, table_lines
from fastadv_tui.terminal.runs_output import csv_text, markdown_text

HEADING = ("n", "name", "clean", "robust", "seeds", "first run")


def table(groups: Sequence[Group], width: int | None) -> list[str]:
    """The heading and one line per group. width: None for no limit."""
    columns = zip(*map(_texts, groups), strict=True)
    return table_lines(
        [
            TableColumn(title, cells, importance={"seeds": 1, "first run": 2}.get(title), cuttable=title == "name")
            for title, cells in zip(HEADING, columns, strict=True)
        ],
        width,
    )


def to_csv(groups: Sequence[Group]) -> str:
    heading = list(_as_data(groups[0])) if groups else []
    return csv_text(heading, [list(_as_data(group).values()) for group in groups])


def to_json(groups: Sequence[Group]) -> str:
    return json.dumps([_as_data(group) for group in groups]) + "\n"


def to_markdown(groups: Sequence[Group]) -> str:
    return markdown_text(HEADING, [_texts(group) for group in groups])


FORMATS: dict[str, Callable[[Sequence[Group]], str]] = {"csv": to_csv, "json": to_json, "md": to_markdown}


def _texts(group: Group) -> tuple[str, ...]:
    clean, robust = mean_std(group.clean, group.clean_std), mean_std(group.robust, group.robust_std)
    return str(group.count), names_text(group.rows), clean, robust, seeds_text(group.rows), group.rows[0].id


def _as_data(group: Group) -> dict[str, Any]:
    """The figures of a group; accuracies and their standard deviations are fractions in [0,1], None if unknown."""
    return {
        "name": names_text(group.rows), "runs": group.count, "clean": group.clean, "clean_std": group.clean_std,
        "robust": group.robust, "robust_std": group.robust_std, "seeds": [row.seed for row in group.rows],
        "ids": [row.id for row in group.rows],
    }  # fmt: skip
