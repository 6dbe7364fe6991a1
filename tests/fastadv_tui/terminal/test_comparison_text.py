"""`fastadv compare` on screens of different widths."""

import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from fastadv_tui.history.comparison import compare
from fastadv_tui.history.row import Row
from fastadv_tui.terminal.comparison_text import comparison_lines

BASE = Row(
    id="r00000", name="base", dataset="cifar10", method="fgsm", preset="wong2020", eps=8 / 255, status="done",
    clean=0.8, robust=0.45, attack="pgd-50-10", images=10_000, final=True, duration=900.0, epochs=15.0,
    total_epochs=15.0, images_per_second=12_000.0,
)  # fmt: skip


def sweep(count: int) -> list[Row]:
    """Runs of several eps and seeds. Each has an accuracy of its own."""
    return [
        replace(
            BASE, id=f"r{number:05d}", name=f"fgsm-eps{2 + number % 7}", seed=number, eps=(2 + number % 7) / 255,
            settings={"eps": (2 + number % 7) / 255}, clean=0.5 + number / 500, duration=900.0 + number,
        )
        for number in range(count)
    ]  # fmt: skip


def test_runs_that_fit_are_columns() -> None:
    lines = comparison_lines(compare(sweep(3)), width=80)
    assert lines[0].split() == ["r00000", "r00001", "r00002"]
    assert ["name", "fgsm-eps2", "fgsm-eps3", "fgsm-eps4"] in [line.split() for line in lines]


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_runs_that_do_not_fit_are_rows_and_no_line_is_wider_than_the_screen(width: int) -> None:
    rows = sweep(60)
    lines = comparison_lines(compare(rows), width)
    assert max(map(cell_len, lines)) <= width
    for row in rows:
        own = " ".join(line for line in lines if line.startswith(row.id)).split()
        assert {row.name, f"{100 * row.clean:.1f}", str(row.seed), f"{round(255 * row.eps)}/255"} <= {*own}  # type: ignore[operator]


def test_a_value_that_all_runs_share_is_printed_once_and_the_footnotes_come_last() -> None:
    lines = comparison_lines(compare(sweep(60)), width=80)
    text = "\n".join(lines)
    assert text.count("PGD-50-10 on 10,000") == text.count("12,000") == 1
    assert "memory" not in text  # no run has it
    assert [
        line[:20]
        for line in lines[
            lines.index("± standard error for the number of images; from 3 seeds on, standard deviation") :
        ]
    ] == [
        "± standard error for",
        "  over seeds",
        "differences in perce",
        "* differs from fgsm-",
        "a reason in parenthe",
        "  without difference",
        "the runs were evalua",
    ]
    assert lines[-1] == "the runs were evaluated with different eps"


def test_where_runs_are_rows_the_accuracies_stand_before_the_attack() -> None:
    """The words on the attack would push them off a narrow screen."""
    rows = [replace(row, attack=f"pgd-{10 + n}", robust=0.4 + n / 50) for n, row in enumerate(sweep(12))]
    text = "\n".join(comparison_lines(compare(rows), width=60))
    assert -1 < text.index("clean") < text.index("robust") < text.index("attack")
    alike = [line.split() for line in comparison_lines(compare(sweep(3)), width=200)]
    labels = [line[0] for line in alike if line]
    assert labels.index("attack") < labels.index("clean")  # side by side, what was measured comes first


def test_wide_characters_count_twice() -> None:
    rows = [replace(row, name="実験" * 8 + row.id) for row in sweep(12)]
    assert max(map(cell_len, comparison_lines(compare(rows), width=50))) <= 50
