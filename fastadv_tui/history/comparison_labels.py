"""The labels of a comparison's lines in a paper or a document: words in place of the keys of settings."""

from collections import Counter
from collections.abc import Sequence

from engine.config.methods import methods
from engine.config.settings import settings
from fastadv_tui.history.comparison_table import Cell, Line, Table

RESULTS = {
    "best robust": "best robust while training",
    "at epoch": "epoch of best robust",
    "training": "training time",
    "took": "time with evaluations",
    "images/s": "images per second",
    "work": "training work",
    "memory": "peak memory",
}  # labels of results that say too little outside a terminal


def plain_results(table: Table) -> list[Line]:
    """The lines of results with labels that are plain outside a terminal, the same in every file."""
    return [(RESULTS.get(label, label), cells) for label, cells in table.results]


def with_plain_labels(table: Table) -> list[tuple[str, Line]]:
    """The lines of a table, each as its label in the table and the line with a plain label: `learning rate`.

    Settings have their titles, and the names of methods are those of figures. No two lines share a label: a setting
    whose title another line has keeps its key behind it.
    """
    titles = [_title(key) for key, _ in table.settings]
    results = plain_results(table)
    shared = Counter([*(label for label, _ in results), *titles])
    lines = [(label, line) for (label, _), line in zip(table.results, results, strict=True)]
    for title, (key, cells) in zip(titles, table.settings, strict=True):
        plain = f"{title} ({key})" if shared[title] > 1 else title
        lines.append((key, (plain, _method_names(cells) if key == "method.name" else cells)))
    return lines


def _title(key: str) -> str:
    """The title of a setting; its key if this version does not know the setting."""
    return settings()[key].title if key in settings() else key


def _method_names(cells: Sequence[Cell]) -> list[Cell]:
    found = [methods().get(cell.text) for cell in cells]
    return [
        Cell(text=spec.title or cell.text, value=cell.value) if spec else cell
        for spec, cell in zip(found, cells, strict=True)
    ]
