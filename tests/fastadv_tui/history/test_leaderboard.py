"""The lines of the history: groups, their order and texts, the best among comparable ones, and published results."""

import statistics

import pytest
from msgspec.structs import replace

from fastadv_tui.history import paper
from fastadv_tui.history.columns import column_of, known_columns
from fastadv_tui.history.leaderboard import best_lines, grouped, line_text, sorted_lines
from fastadv_tui.history.query import QueryError, ordered
from fastadv_tui.history.row import Row
from tests.support.evaluations import evaluation

BASE = Row(
    id="a", name="base", dataset="cifar10", method="fgsm", preset="wong2020", eps=8 / 255, status="done", clean=0.8,
    robust=0.45, attack="pgd-50-10", images=1000, final=True, duration=60.0, data_fingerprint="d", seed=0, tags=["x"],
)  # fmt: skip
SEEDS = [replace(BASE, id=f"a{n}", seed=n, robust=value, duration=60.0 + n) for n, value in enumerate((0.4, 0.5, 0.48))]
PGD = replace(BASE, id="p", method="pgd", settings={"method.name": "pgd"}, robust=0.47)


def ids(lines: list[list[Row]]) -> list[list[str]]:
    return [[row.id for row in rows] for rows in lines]


def column(key: str):  # type: ignore[no-untyped-def]
    found = column_of(key)
    assert found is not None
    return found


def test_groups_by_seed_by_a_setting_and_none() -> None:
    rows = [*SEEDS, PGD]
    assert ids(grouped(rows, "")) == [["a0"], ["a1"], ["a2"], ["p"]]
    assert ids(grouped(rows, "seeds")) == [["a0", "a1", "a2"], ["p"]]
    assert ids(grouped(rows, "optim.lr")) == [["a0", "a1", "a2", "p"]]
    assert ids(grouped(rows, "method")) == [["a0", "a1", "a2"], ["p"]]
    with pytest.raises(QueryError):
        grouped(rows, "tags")


def test_a_line_of_runs_with_several_names_has_them_all() -> None:
    assert line_text([BASE, replace(BASE, id="b", name="mine")], column("name")) == f"{BASE.name}, mine"


def test_runs_that_were_measured_unlike_are_never_in_one_mean() -> None:
    others = [replace(BASE, id="n", images=500), replace(BASE, id="e", eps=4 / 255), replace(BASE, id="w", final=False)]
    assert len(grouped([BASE, *others], "optim.lr")) == 4


@pytest.mark.parametrize("by", ["seeds", "status"])
def test_runs_that_never_started_are_split_by_eps(by: str) -> None:
    never = [
        replace(BASE, id=f"{eps}-{n}", status="cancelled", attack="", images=0, final=False, robust=None, eps=eps / 255)
        for eps in (20, 24, 51)
        for n in range(2)
    ]
    assert [len(rows) for rows in grouped(never, by)] == [2, 2, 2]


def test_runs_whose_settings_are_unknown_are_no_group() -> None:
    assert len(grouped([Row(id="a", status="lost"), Row(id="b", status="lost")], "seeds")) == 2


def test_the_text_of_a_group_is_a_mean_or_what_its_runs_share() -> None:
    robust = [row.robust or 0.0 for row in SEEDS]
    expected = f"{100 * statistics.mean(robust):.1f} ± {100 * statistics.stdev(robust):.1f}%"
    texts = {key: line_text(SEEDS, column(key)) for key in ("robust", "duration", "method", "seed", "tags", "name")}
    assert texts == {
        "robust": expected, "duration": "1 min 01 s", "method": "fgsm", "seed": "0,1,2", "tags": "x", "name": "base",
    }  # fmt: skip
    assert line_text([*SEEDS, PGD], column("method")) == "several"


def test_lines_are_sorted_by_the_mean_of_a_group_and_unknown_values_come_last() -> None:
    unknown = replace(PGD, id="u", robust=None)
    lines = [[unknown], [PGD], SEEDS]
    assert ids(sorted_lines(lines, "robust")) == [["p"], ["a0", "a1", "a2"], ["u"]]
    assert ids(sorted_lines(lines, "+robust")) == [["a0", "a1", "a2"], ["p"], ["u"]]


def test_the_best_is_chosen_among_at_least_two_lines_that_were_measured_alike() -> None:
    alone = replace(BASE, id="e", eps=4 / 255, robust=0.9)
    equal = [replace(BASE, id=name, images=77, robust=0.2) for name in "xy"]
    lines = [[BASE], [PGD], [alone], *([row] for row in equal)]
    assert best_lines(lines, column("robust")) == {"p"}


def test_settings_and_results_of_attacks_are_columns_that_can_be_sorted() -> None:
    records = [evaluation(attack="pgd-100", robust=0.41), evaluation(attack="pgd-100", eps=4 / 255, robust=0.6)]
    run = replace(PGD, evaluations=records, settings={"optim.lr": 0.3, "optim.milestones": [0.5, 0.7]})
    assert {"eval:pgd-100", "optim.lr", "model.width"} <= {*known_columns([run])}
    assert column("eval:pgd-100").text(run) == "41.0%"  # at the eps of the run
    assert column("optim.lr").text(run) == "0.3"
    assert column("optim.milestones").text(run) == "0.5,0.7"
    assert column("early_stop.enabled").text(run) == "no"
    assert [row.id for row in ordered([BASE, run], "optim.lr")] == ["p", "a"]
    assert [row.id for row in ordered([BASE, run], "eval:pgd-100")] == ["p", "a"]
    assert column_of("no.such.key") is None
    assert len({*known_columns([run])}) == len(known_columns([run]))


def test_published_results_fit_only_rows_of_one_data_set_and_one_eps() -> None:
    assert [row.robust for row in paper.fitting([BASE, PGD])] == [0.5069, 0.4606]
    assert paper.fitting([BASE, replace(PGD, eps=4 / 255)]) == []
    assert paper.fitting([]) == []
    assert [row.robust for row in paper.fitting([replace(BASE, dataset="mnist", eps=0.3)])] == [0.8877]
    assert all(paper.is_published(row) for row in paper.published_rows())
    assert not paper.is_published(BASE)
