"""A comparison as CSV, Markdown, LaTeX or JSON, with the special characters of each format escaped."""

import csv
import io
import json
import re
from collections.abc import Callable

from fastadv_tui.history.comparison import Table
from fastadv_tui.text.sanitize import one_line

LATEX_ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}",
}  # fmt: skip
FORMULA_START = re.compile(r"[=+\-@\t\r]")


def to_csv(table: Table) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(_lines(table, csv_cell))
    return out.getvalue()


def to_markdown(table: Table) -> str:
    head, *body = _lines(table, markdown_cell, "**{}**")
    rows = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def to_latex(table: Table) -> str:
    """A LaTeX tabular with the rules of the package booktabs."""
    head, *body = _lines(table, _latex, r"\textbf{{{}}}")
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


def _lines(table: Table, escaped: Callable[[str], str], best: str = "{}") -> list[list[str]]:
    """The table as lines of escaped cells, the head first. `best` is the format string of the best cell of a line."""

    def shown(text: str, mark: str = "{}") -> str:
        return mark.format(escaped(one_line(text)))

    body = [
        [shown(label), *(shown(cell.text, best if cell.best else "{}") for cell in cells)]
        for label, cells in (*table.results, *table.settings)
    ]
    return [["", *map(shown, table.runs)], *body]


def csv_cell(cell: str) -> str:
    """Put a quote before a cell that begins like a formula, because a spreadsheet would run the formula."""
    return f"'{cell}" if FORMULA_START.match(cell) and not re.fullmatch(r"-|[-+]?[\d.,]+%?", cell) else cell


def markdown_cell(cell: str) -> str:
    """Escape the characters that mean something in Markdown."""
    return re.sub(r"([|\\`<>\[\]*_~&$])", r"\\\1", cell)


def _latex(cell: str) -> str:
    return "".join(LATEX_ESCAPES.get(character, character) for character in cell)


def _latex_row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"
