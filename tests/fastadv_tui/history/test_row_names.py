"""Runs of one name are told apart by their seeds."""

from fastadv_tui.history.row import Row
from fastadv_tui.history.row_names import names_with_seeds


def test_a_shared_name_has_the_seed_and_other_names_stay() -> None:
    rows = [Row(id="a", name="fgsm", seed=0), Row(id="b", name="fgsm", seed=1), Row(id="c", name="pgd", seed=1)]
    assert names_with_seeds(rows) == {"a": "fgsm s0", "b": "fgsm s1", "c": "pgd"}
    assert names_with_seeds([Row(id="a", name="x"), Row(id="b", name="x")]) == {"a": "x", "b": "x"}
