"""A comparison as CSV, Markdown, LaTeX or JSON: what is text stays text in each of them."""

import csv
import io
import json
import re
from collections.abc import Callable

from fastadv_tui.compare import Table
from fastadv_tui.safe import line

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$",
}  # fmt: skip
FORMULA = re.compile(r"[=+\-@\t\r]")


def to_csv(table: Table) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([_no_formula(cell) for cell in row] for row in _lines(table))
    return out.getvalue()


def to_markdown(table: Table) -> str:
    head, *body = _lines(table, bold="**")
    rows = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(_markdown(cell) for cell in row)} |" for row in rows) + "\n"


def to_latex(table: Table) -> str:
    """A tabular with booktabs rules."""
    head, *body = [[_latex(cell) for cell in row] for row in _lines(table)]
    lines = [rf"\begin{{tabular}}{{l{'r' * len(table.runs)}}}", r"\toprule", _latex_row(head), r"\midrule"]
    return "\n".join([*lines, *map(_latex_row, body), r"\bottomrule", r"\end{tabular}"]) + "\n"


def to_json(table: Table) -> str:
    parts = {"results": table.results, "settings": table.settings}
    content = {
        name: {label: {run: cell.text for run, cell in zip(table.runs, cells, strict=True)} for label, cells in lines}
        for name, lines in parts.items()
    }
    return json.dumps({"runs": table.runs, **content, "warnings": table.warnings}, indent=2) + "\n"


FORMATS: dict[str, Callable[[Table], str]] = {
    "csv": to_csv,
    "md": to_markdown,
    "latex": to_latex,
    "json": to_json,
}


def _lines(table: Table, bold: str = "") -> list[list[str]]:
    body = [
        [label, *(f"{bold}{line(cell.text)}{bold}" if cell.best else line(cell.text) for cell in cells)]
        for label, cells in (*table.results, *table.settings)
    ]
    return [["", *table.runs], *body]


def _no_formula(cell: str) -> str:
    """A spreadsheet runs a cell that begins like a formula; a quote in front keeps it text."""
    return f"'{cell}" if FORMULA.match(cell) and not re.fullmatch(r"-|[-+]?[\d.,]+%?", cell) else cell


def _markdown(cell: str) -> str:
    return re.sub(r"([|\\`<>\[\]])", r"\\\1", cell)


def _latex(cell: str) -> str:
    return "".join(LATEX.get(character, character) for character in cell)


def _latex_row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"
