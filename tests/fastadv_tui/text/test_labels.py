"""Short labels of runs: what tells their names apart, and an id where nothing does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastadv_tui.text.labels import shortened_apart, telling_apart


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["cifar-fgsm-eps8-s0", "cifar-pgd-eps8-s1"], ["fgsm s0", "pgd s1"]),
        (["cifar-fgsm-eps8"], ["cifar-fgsm-eps8"]),
        (["run 1", "run 2", "run 3"], ["1", "2", "3"]),
        (["same", "same"], ["id0", "id1"]),
        (["baseline", "my run"], ["baseline", "my run"]),
        (["a\x1b[31m", "b"], ["a\\x1b[31m", "b"]),
    ],
)
def test_labels_of_known_names(names: list[str], labels: list[str]) -> None:
    assert telling_apart([(name, f"id{number}") for number, name in enumerate(names)], 24) == labels


@pytest.mark.parametrize(
    ("names", "width", "wanted"),
    [
        (
            ["digits-pgd-eps51 s1", "digits-fgsm-eps51 s1", "digits-fgsm-eps51 s0"],
            16,
            ["…pgd-eps51 s1", "…fgsm-eps51 s1", "…fgsm-eps51 s0"],
        ),
        (["digits-pgd-eps51 s1", "digits-fgsm-eps51 s0"], 10, ["…pgd-…s1", "…fgsm-…s0"]),
        (["digits-pgd", "a-long-name-alone"], 12, ["digits-pgd", "a-long…alone"]),
        (["the-very-same-name", "the-very-same-name"], 10, ["the-v…name"] * 2),
    ],
)
def test_words_that_names_share_are_the_first_to_go(names: list[str], width: int, wanted: list[str]) -> None:
    assert shortened_apart(names, width) == wanted


@given(st.lists(st.text("ab-_ 1…", max_size=30), min_size=1, max_size=6), st.integers(1, 40))
def test_shortened_names_fit(names: list[str], width: int) -> None:
    assert all(len(name) <= width for name in shortened_apart(names, width))


@given(st.lists(st.text("ab-_ 1", max_size=30), min_size=1, max_size=6), st.integers(8, 40))
def test_labels_are_short_and_tell_runs_with_different_ids_apart(names: list[str], limit: int) -> None:
    runs = [(name, f"id{number}") for number, name in enumerate(names)]
    labels = telling_apart(runs, limit)
    assert all(len(label) <= limit for label in labels)
