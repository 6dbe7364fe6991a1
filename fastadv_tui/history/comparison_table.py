"""The parts of a comparison: columns, cells, and the table that they make."""

from collections.abc import Sequence
from typing import Any, TypeVar

from msgspec import Struct

from fastadv_tui.history.row import Row

ACCURACIES = ("clean", "robust")  # labels of the lines of a run's own accuracies
Cells = TypeVar("Cells")
Value = str | float | bool | list[Any] | None


class Cell(Struct, frozen=True, kw_only=True):
    """One cell of a comparison.

    text: for people, without the parts below. value: the same for programs: an accuracy or a size in [0,1], seconds,
    bytes or operations. plus_minus, difference: fractions in [0,1]; the difference is that to the baseline.
    star: whether an accuracy differs from that of the baseline by more than noise.
    unlike: in what an accuracy was measured unlike that of the baseline. Then it has neither difference nor star.
    runs: number of runs in an accuracy, 0 in other cells. seeds: number of seeds whose spread is `plus_minus`; 0 if
    that is the standard error for the number of images.
    """

    text: str
    value: Value = None
    plus_minus: float | None = None
    difference: float | None = None
    star: bool = False
    unlike: str = ""
    runs: int = 0
    seeds: int = 0

    @property
    def words(self) -> str:
        """All parts of the cell: `48.6 ± 0.2% +3.6 *`, `50.1 ± 1.6% (PGD-10 while training, eps 25)`."""
        return " ".join(filter(None, (self.text, self.difference_text, "*" * self.star, self.unlike_text)))

    @property
    def difference_text(self) -> str:
        """The difference in percentage points, with its sign: `+3.6`."""
        return "" if self.difference is None else f"{100 * self.difference:+.1f}"

    @property
    def unlike_text(self) -> str:
        return f"({self.unlike})" if self.unlike else ""


Line = tuple[str, list[Cell]]  # a label, and one cell for each column


def accuracies_first(lines: Sequence[tuple[str, Cells]]) -> list[tuple[str, Cells]]:
    """Labelled lines, with the attack behind the accuracies: in a table whose rows are runs, it would push them out."""
    others = [line for line in lines if line[0] != "attack"]
    behind = max((number + 1 for number, (label, _) in enumerate(others) if label in ACCURACIES), default=0)
    return [*others[:behind], *(line for line in lines if line[0] == "attack"), *others[behind:]]


class Column(Struct, frozen=True):
    """One column: a run, or runs that differ only in their seed.

    label: the id of a run; for a group, that of its first run and the number of runs. name: distinct, for people.
    """

    label: str
    name: str
    rows: list[Row]

    @property
    def first(self) -> Row:
        return self.rows[0]


class Table(Struct, frozen=True):
    """A comparison.

    baseline: the column that differences refer to; None if there is only one column. pinned: whether the user chose it.
    settings: the settings that differ, of `known_settings` in total. Those that the results show are no part of either.
    notes: what the signs in the cells mean. cautions: what a reader must know of the figures of single runs.
    warnings: sentences that say why results might not be comparable.
    """

    columns: list[Column]
    baseline: int | None
    pinned: bool
    results: list[Line]
    settings: list[Line]
    known_settings: int
    notes: list[str]
    cautions: list[str]
    warnings: list[str]

    @property
    def grouped(self) -> bool:
        """Whether some column stands for several runs."""
        return any(len(column.rows) > 1 for column in self.columns)

    @property
    def runs(self) -> list[str]:
        return [column.label for column in self.columns]

    @property
    def footnotes(self) -> list[str]:
        """What every printed form says below the cells."""
        return [*self.notes, *self.cautions, *self.warnings]
