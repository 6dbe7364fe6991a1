"""A comparison as CSV, Markdown, LaTeX or JSON, with the special characters of each format escaped.

Each form has the footnotes of the comparison inside. CSV and JSON have numbers as numbers: accuracies and sizes in
[0,1], times in seconds, memory in bytes, work in operations.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from fastadv_tui.history.comparison_labels import plain_results, with_plain_labels
from fastadv_tui.history.comparison_table import Cell, Line, Table, Value
from fastadv_tui.text.sanitize import one_line

LATEX_ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}",
}  # fmt: skip
NEEDS_BOOKTABS = r"% The rules of this table need \usepackage{booktabs} in the preamble."
NOT_IN_LATEX = ("name", "status", "images/s", "memory", "tags", "note")  # labels of lines
FORMULA_START = re.compile(r"[=+\-@\t\r]")
PARTS: dict[str, Callable[[Cell], Value]] = {  # of an accuracy, each a line of its own in CSV; n: runs in a mean
    "±": lambda cell: cell.plus_minus,
    "n": lambda cell: cell.runs or None,
    "difference": lambda cell: cell.difference,
    "star": lambda cell: "*" if cell.star else None,
    "measured unlike": lambda cell: cell.unlike or None,
}
JSON_PARTS = {"plus_minus": "±", "n": "n", "differences": "difference", "measured_unlike": "measured unlike"}


def to_csv(table: Table) -> str:
    """A line for each figure and setting, and a column for each run. An accuracy has its noise in the lines below.

    Settings have their keys, because a program that reads the file may want to set them.
    """
    lines: list[list[Value]] = [["", *table.runs]]
    for label, cells in (*plain_results(table), *table.settings):
        lines.append([label, *(cell.value for cell in cells)])
        lines += [[f"{label} {part}", *values] for part, values in _parts(table, cells)]
    lines += [["note", text] for text in table.footnotes]
    width = max(map(len, lines))
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(
        [*map(csv_value, line), *[""] * (width - len(line))] for line in lines
    )
    return out.getvalue()


def to_markdown(table: Table) -> str:
    """A table with plain labels, and its footnotes below."""
    head, *body = _markdown_lines(table)
    rows = [head, ["---"] * len(head), *body]
    notes = "\n".join(f"- {markdown_cell(one_line(text))}" for text in table.footnotes)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n" + (f"\n{notes}\n" if notes else "")


def to_latex(table: Table) -> str:
    """A LaTeX tabular with the rules of the package booktabs, and its footnotes below, as wide as the text.

    It is made for a paper: columns have the names of the runs, lines have plain labels, differences have lines of their
    own, and what only tells of the machine is left out.
    """
    head = ["", *(latex_cell(one_line(column.name)) for column in table.columns)]
    shown = [line for label, line in with_plain_labels(table) if label not in NOT_IN_LATEX]
    body = [row for line in shown for row in _latex_rows(line)]
    lines = [
        NEEDS_BOOKTABS,
        rf"\begin{{tabular}}{{l{'r' * len(table.runs)}}}",
        r"\toprule",
        latex_row(head),
        r"\midrule",
        *map(latex_row, body),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join([*lines, *_latex_notes(table.footnotes)]) + "\n"


def _latex_notes(footnotes: Sequence[str]) -> list[str]:
    """The footnotes as paragraphs of a box: a cell of the tabular would not break its lines at the edge of the page."""
    if not footnotes:
        return []
    notes = [rf"{latex_cell(one_line(text))}\par" for text in footnotes]
    return [r"\par\smallskip", r"\begin{minipage}{\linewidth}\footnotesize\raggedright", *notes, r"\end{minipage}"]


def _latex_rows(line: Line) -> list[list[str]]:
    """A line as a row of escaped cells, and its differences, if it has any, as a row below."""
    label, cells = line
    name = latex_cell(one_line(label))
    rows = [[name, *(latex_cell(one_line(replace(cell, difference=None).words)) for cell in cells)]]
    if any(cell.difference is not None for cell in cells):
        rows.append(
            [rf"{name} difference", *(f"${cell.difference_text}$" * bool(cell.difference_text) for cell in cells)]
        )
    return rows


def to_json(table: Table) -> str:
    """By label and run: `results` and `settings`, and the parts of accuracies that exist. Labels as in CSV."""
    lines = {"results": plain_results(table), "settings": table.settings}
    content = {
        name: {label: _by_run(table, [cell.value for cell in cells]) for label, cells in found}
        for name, found in lines.items()
    }
    parts: dict[str, dict[str, dict[str, Value]]] = {name: {} for name in JSON_PARTS}
    stars: dict[str, list[str]] = {}
    for label, cells in plain_results(table):
        found = dict(_parts(table, cells))
        for name, part in JSON_PARTS.items():
            if part in found:
                known = _by_run(table, found[part])
                parts[name][label] = {run: value for run, value in known.items() if value is not None}
        if "star" in found:
            stars[label] = [run for run, cell in zip(table.runs, cells, strict=True) if cell.star]
    baseline = None if table.baseline is None else table.runs[table.baseline]
    whole = {
        "runs": table.runs, "baseline": baseline, **content, **parts, "stars": stars,
        "footnotes": table.footnotes, "warnings": table.warnings,
    }  # fmt: skip
    return json.dumps(whole, indent=2) + "\n"


FORMATS: dict[str, Callable[[Table], str]] = {
    "csv": to_csv,
    "md": to_markdown,
    "latex": to_latex,
    "json": to_json,
}


def _parts(table: Table, cells: Sequence[Cell]) -> list[tuple[str, list[Value]]]:
    """The parts that some cell of a line has, and one value for each cell. Single runs have no n."""
    parts = {name: part for name, part in PARTS.items() if table.grouped or name != "n"}
    found = [(name, [part(cell) for cell in cells]) for name, part in parts.items()]
    return [(name, values) for name, values in found if any(value is not None for value in values)]


def _by_run(table: Table, values: Sequence[Value]) -> dict[str, Value]:
    return dict(zip(table.runs, values, strict=True))


def _markdown_lines(table: Table) -> list[list[str]]:
    """The table as lines of escaped cells, the head first."""

    def shown(text: str) -> str:
        return markdown_cell(one_line(text))

    lines = [line for _, line in with_plain_labels(table)]
    body = [[shown(label), *(shown(cell.words) for cell in cells)] for label, cells in lines]
    return [["", *map(shown, table.runs)], *body]


def csv_value(value: Value) -> Value:
    """A value as CSV has it: plain numbers, texts on one line and never a formula, lists with commas."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return csv_number(value)
    return csv_cell(one_line(value if isinstance(value, str) else ",".join(map(str, value))))


def csv_number(value: float) -> float:
    """A number; a whole one without a point, so that a column of epochs does not mix `25.0` and `30`."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def csv_cell(cell: str) -> str:
    """Put a quote before a cell that begins like a formula, because a spreadsheet would run the formula."""
    return f"'{cell}" if FORMULA_START.match(cell) and not re.fullmatch(r"-|[-+]?[\d.,]+%?", cell) else cell


def markdown_cell(cell: str) -> str:
    """Escape the characters that mean something in Markdown."""
    return re.sub(r"([|\\`<>\[\]*_~&$])", r"\\\1", cell)


def latex_cell(cell: str) -> str:
    """Escape the characters that mean something in LaTeX."""
    text = "".join(LATEX_ESCAPES.get(character, character) for character in cell)
    return re.sub(r"(?<= )([-+])(?=\d+\.\d)", r"$\1$", text)  # a minus, not a hyphen, before a difference


def latex_row(cells: Sequence[str]) -> str:
    """A line of a tabular. cells: escaped."""
    return " & ".join(cells) + r" \\"
