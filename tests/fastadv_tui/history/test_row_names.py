"""Runs of one name are told apart by their seeds."""

from fastadv_tui.history.row import Row
from fastadv_tui.history.row_names import distinct_names, label_among, name_among, names_apart, names_with_seeds


def test_a_shared_name_has_the_seed_and_other_names_stay() -> None:
    rows = [Row(id="a", name="fgsm", seed=0), Row(id="b", name="fgsm", seed=1), Row(id="c", name="pgd", seed=1)]
    assert names_with_seeds(rows) == {"a": "fgsm s0", "b": "fgsm s1", "c": "pgd"}
    assert names_with_seeds([Row(id="a", name="x"), Row(id="b", name="x")]) == {"a": "x", "b": "x"}


def test_runs_that_share_name_and_seed_have_their_id_behind_the_name() -> None:
    rows = [
        Row(id="a", name="fgsm"),
        Row(id="b", name="fgsm"),
        Row(id="c", name="pgd"),
        Row(id="d", name="pgd", seed=1),
    ]
    assert distinct_names(rows, 32) == ["fgsm a", "fgsm b", "pgd s0", "pgd s1"]
    assert distinct_names(rows, 32, with_seeds=False) == ["fgsm a", "fgsm b", "pgd c", "pgd d"]


def test_a_name_tells_a_run_from_all_others() -> None:
    rows = [
        Row(id="a1", name="fgsm", seed=0),
        Row(id="b2", name="fgsm", seed=1),
        Row(id="c3", name="fgsm", seed=1),
        Row(id="d4", name="pgd", seed=1),
    ]
    names = ["fgsm s0", "fgsm s1 b2", "fgsm s1 c3", "pgd"]
    assert [*names_apart(rows).values()] == names
    assert [name_among(row, rows) for row in rows] == names
    assert [label_among(row, rows) for row in rows] == ["fgsm s0 (a1)", "fgsm s1 (b2)", "fgsm s1 (c3)", "pgd (d4)"]


def test_a_run_that_is_gone_from_the_history_has_a_name() -> None:
    assert name_among(Row(id="a1", name="fgsm"), []) == "fgsm"
