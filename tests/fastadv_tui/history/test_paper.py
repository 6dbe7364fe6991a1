"""Published results as rows: which of them stand beside one's own runs, and how a comparison marks them."""

import csv
import io

import pytest
from msgspec.structs import replace

from fastadv_tui.history import paper
from fastadv_tui.history.comparison import compare
from fastadv_tui.history.comparison_formats import FORMATS
from fastadv_tui.history.published_results import PUBLISHED
from fastadv_tui.history.row import Row

RUN = Row(
    id="a1", name="mine", dataset="cifar10", method="fgsm", preset="wong2020", eps=8 / 255, status="done", clean=0.8,
    robust=0.45, attack="pgd-50-10", images=10_000, final=True, data_fingerprint="d",
)  # fmt: skip
NARROW = replace(RUN, id="b2", name="narrow", settings={"model.width": 16}, robust=0.40)


def ids(rows: list[Row], every: bool = False) -> list[str]:
    return [row.id.removeprefix("paper:") for row in paper.fitting(rows, every)]


def test_every_published_result_is_a_row_with_its_source_and_figures_in_fractions() -> None:
    rows = paper.published_rows()
    assert len(rows) == len(PUBLISHED)
    for row, published in zip(rows, PUBLISHED, strict=True):
        assert paper.is_published(row)
        assert row.note.startswith(published.source.words)
        assert all(0 <= figure <= 1 for figure in (row.clean, row.robust) if figure is not None)
        assert [record.robust for record in row.evaluations] in ([], [(published.autoattack or 0) / 100])


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (RUN, ["pgd-7", "fgsm"]),
        (replace(RUN, settings={"method.init": "zero"}), ["pgd-7", "fgsm", "fgsm-zero"]),
        (replace(RUN, settings={"method.alpha": 16 / 255}), ["pgd-7", "fgsm", "fgsm-alpha-16"]),
        (replace(RUN, method="nfgsm"), ["pgd-7", "fgsm", "fastat-n-fgsm"]),
        (replace(RUN, method="standard"), ["pgd-7", "fgsm"]),
        (replace(RUN, eps=4 / 255), []),
        (replace(RUN, dataset="mnist", preset="wong2020-mnist", eps=0.3), ["fgsm-mnist"]),
    ],
)
def test_the_variant_of_a_run_decides_which_results_stand_beside_it(run: Row, expected: list[str]) -> None:
    assert ids([run]) == expected


def test_every_result_of_a_variant_is_shown_where_it_is_asked_for() -> None:
    assert ids([RUN], every=True) == ["pgd-7", "fgsm", "fgsm-rerun-8", "fgsm-rerun-17", "fgsm-weights"]
    two_steps = replace(RUN, method="pgd", settings={"method.steps": 2})
    assert "pgd-7-rerun-8" not in ids([two_steps], every=True)


def test_a_comparison_marks_published_results_and_keeps_them_out_of_differences_settings_and_warnings() -> None:
    alone = compare([RUN, NARROW])
    table = compare([RUN, NARROW, *paper.fitting([RUN])])
    assert table.runs == ["a1", "b2", "paper:pgd-7", "paper:fgsm"]
    robust = next(cells for label, cells in table.results if label == "robust")
    assert [cell.unlike for cell in robust] == ["", "", "published", "published"]
    assert [cell.difference is None for cell in robust] == [True, False, True, True]
    assert [(label, cells[:2]) for label, cells in table.settings] == alone.settings
    assert table.warnings == alone.warnings
    assert any("PGD-7: published result, Wong" in note for note in table.notes)


def test_published_results_are_no_seeds_and_no_baseline() -> None:
    table = compare([*paper.fitting([RUN], every=True), replace(RUN, seed=1), replace(RUN, id="c", seed=2)], True)
    assert table.runs[:2] == ["a1 (2 runs)", "paper:pgd-7"]
    assert (table.baseline, len(table.runs)) == (0, 6)


def test_what_was_measured_unlike_is_said() -> None:
    fastat = next(row for row in paper.published_rows() if row.id == "paper:fastat-n-fgsm")
    table = compare([replace(RUN, images=1000), fastat])
    assert next(cells for label, cells in table.results if label == "robust")[1].unlike == (
        "published, PGD-50, 10,000 images"
    )


def test_a_comparison_in_csv_has_the_published_figures_as_fractions() -> None:
    read = {row[0]: row[1:] for row in csv.reader(io.StringIO(FORMATS["csv"](compare([RUN, *paper.fitting([RUN])]))))}
    assert [*map(float, read["robust"])] == [0.45, 0.5069, 0.4606]
    assert read["status"] == ["done", "paper", "paper"]
