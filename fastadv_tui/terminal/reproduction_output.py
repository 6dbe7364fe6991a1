"""A table of `fastadv reproduce --show`: for a terminal, and as CSV, Markdown or LaTeX, each with its notes."""

from collections.abc import Callable, Sequence

from fastadv_tui.history.comparison_formats import latex_cell, latex_row, markdown_cell
from fastadv_tui.history.reproduction import Cell, Reproduction
from fastadv_tui.terminal.runs_output import csv_text, markdown_text
from fastadv_tui.text.sanitize import one_line
from fastadv_tui.text.table import aligned

MAX_NAME = 40  # characters of a cell


def to_table(shown: Reproduction) -> str:
    """Aligned columns. Columns without any figure are left out, because the table is wide."""
    kept = [number for number in range(len(shown.columns)) if any(line[number].text != "-" for line in shown.lines)]
    rows = [shown.columns, *_texts(shown)]
    lines = aligned([[row[number] for number in kept] for row in rows], MAX_NAME)
    return "\n".join([*lines, "", *map(one_line, shown.notes)]) + "\n"


def to_csv(shown: Reproduction) -> str:
    """Accuracies are fractions in [0,1]; the noise of an accuracy has a column of its own. The notes are last lines."""
    noisy = [any(line[number].plus_minus is not None for line in shown.lines) for number in range(len(shown.columns))]
    heading = [
        title
        for name, with_noise in zip(shown.columns, noisy, strict=True)
        for title in ((name, f"{name} ±") if with_noise else (name,))
    ]
    lines = [_values(line, noisy) for line in shown.lines]
    notes = [["note", note, *[None] * (len(heading) - 2)] for note in shown.notes]
    return csv_text(heading, [*lines, *notes])


def to_markdown(shown: Reproduction) -> str:
    notes = "".join(f"- {markdown_cell(one_line(note))}\n" for note in shown.notes)
    return f"{markdown_text(shown.columns, _texts(shown))}\n{notes}"


def to_latex(shown: Reproduction) -> str:
    """A tabular with the rules of the package booktabs. The notes are its last lines."""
    rows = [[latex_cell(one_line(text)) for text in row] for row in (shown.columns, *_texts(shown))]
    width = len(shown.columns)
    notes = [rf"\multicolumn{{{width}}}{{l}}{{\footnotesize {latex_cell(one_line(note))}}} \\" for note in shown.notes]
    head, *body = map(latex_row, rows)
    begin = [rf"\begin{{tabular}}{{l{'r' * (width - 1)}}}", r"\toprule", head, r"\midrule"]
    return "\n".join([*begin, *body, r"\bottomrule", *notes, r"\end{tabular}"]) + "\n"


FORMATS: dict[str, Callable[[Reproduction], str]] = {
    "table": to_table,
    "csv": to_csv,
    "md": to_markdown,
    "latex": to_latex,
}


def _texts(shown: Reproduction) -> list[list[str]]:
    return [[cell.text for cell in line] for line in shown.lines]


def _values(line: Sequence[Cell], noisy: Sequence[bool]) -> list[str | float | None]:
    values: list[str | float | None] = []
    for cell, with_noise in zip(line, noisy, strict=True):
        values += [cell.value, cell.plus_minus] if with_noise else [cell.value]
    return values
