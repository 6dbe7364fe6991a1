"""The rows of the history as CSV, read back by a parser that knows nothing of the code."""

import csv

from fastadv_tui.history.row import Row
from fastadv_tui.history.rows_csv import rows_as_csv
from tests.support.evaluations import evaluation

RUN = Row(id="a1", name="base", dataset="cifar10", eps=8 / 255, robust=0.45, epochs=25.0, total_epochs=30.0)


def lines(*rows: Row) -> list[dict[str, str]]:
    return [*csv.DictReader(rows_as_csv(rows).splitlines())]


def test_each_kind_of_evaluation_is_a_column_with_the_whole_number() -> None:
    measured = Row(id="b2", evaluations=[evaluation(robust=0.123456), evaluation(attack="pgd-100", robust=0.1)])
    first, second = lines(RUN, measured)
    kinds = [f"{attack}, eps 8/255, 1,000 test images of cifar10" for attack in ("PGD-20", "PGD-100")]
    assert [second[kind] for kind in kinds] == ["0.123456", "0.1"]
    assert [first[kind] for kind in kinds] == ["", ""]
    assert "evaluations" not in first


def test_whole_numbers_have_no_point() -> None:
    (line,) = lines(RUN)
    assert (line["epochs"], line["total_epochs"], line["robust"], line["seed"]) == ("25", "30", "0.45", "0")
