"""Runs of one name are told apart by their seeds."""

from fastadv_tui.history.row import Row
from fastadv_tui.history.row_names import distinct_names, names_with_seeds


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
