"""Rows to compare."""

from msgspec.structs import replace

from fastadv_tui.history.comparison_table import Table
from fastadv_tui.history.row import Row

BASE = Row(
    id="a1", name="base", dataset="cifar10", method="fgsm", preset="wong2020", eps=8 / 255, status="done", clean=0.8,
    robust=0.45, attack="pgd-50-10", images=1000, final=True, duration=60.0, data_fingerprint="d", code_fingerprint="c",
)  # fmt: skip
NARROW = replace(BASE, id="b2", name="narrow", settings={"model.width": 16}, clean=0.7, robust=0.46, duration=30.0)
PGD20, PGD100 = "PGD-20, eps 8/255, 1,000 test images of cifar10", "PGD-100, eps 8/255, 1,000 test images of cifar10"


def line_of(table: Table, part: str, label: str) -> list[str]:
    """The cells of the line with a label in a part of a table."""
    return [cell.words for name, cells in getattr(table, part) if name == label for cell in cells]
