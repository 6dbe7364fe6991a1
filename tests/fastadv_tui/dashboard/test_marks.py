"""A marked run keeps its colour and glyph until it is unmarked, whatever happens to the others."""

from hypothesis import given
from hypothesis import strategies as st

from fastadv_tui.dashboard.marks import BEYOND, GLYPHS, Marks


@given(st.lists(st.sampled_from("abcdefghij"), max_size=40))
def test_a_run_keeps_its_place_while_others_come_and_go(toggled: list[str]) -> None:
    marks, expected = Marks(), dict[str, int]()
    for run_id in toggled:
        before = {known: marks.place(known) for known in marks if known != run_id}
        free = marks.free_place
        marks.toggle(run_id)
        assert {known: marks.place(known) for known in marks if known != run_id} == before
        if expected.pop(run_id, None) is None:
            expected[run_id] = free
            assert free == min(set(range(len(before) + 1)) - set(before.values()))
        assert {known: marks.place(known) for known in marks} == expected
        assert list(marks) == list(expected)


def test_runs_beyond_the_seventh_share_a_glyph() -> None:
    marks = Marks()
    for run_id in "abcdefghi":
        marks.toggle(run_id)
    assert [marks.glyph(run_id) for run_id in "abcdefghiz"] == [*GLYPHS, BEYOND, BEYOND, " "]
