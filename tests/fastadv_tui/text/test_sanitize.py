"""Foreign text is safe on a terminal and in tables; figures are shown in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from fastadv_tui.text.quantities import first_images, format_duration, format_percent, ordinal
from fastadv_tui.text.sanitize import one_line
from fastadv_tui.text.table import aligned


@given(st.text())
def test_no_control_character_reaches_the_terminal(text: str) -> None:
    shown = one_line(text)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown)
    assert not set(shown) & set("\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
    shown.encode()  # no lone surrogates


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\t\x1b[31m", r"a\nb\t\x1b[31m"),
        ("[red]x[/red]", "[red]x[/red]"),
        ("🦊 é 漢 👩\u200d🔬", "🦊 é 漢 👩\u200d🔬"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("a\u200d b", r"a\u200d b"),
        ("👩\u200d", r"👩\u200d"),
    ],
)
def test_control_characters_are_shown_escaped_and_other_text_unchanged(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_a_long_text_is_cut_to_the_given_width() -> None:
    assert one_line("x" * 10_000, 10) == "x" * 9 + "…"


CELLS = st.text(max_size=60) | st.text(st.sampled_from("a👩\u200d\ufe0f🔬漢"), max_size=6)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5))
def test_columns_of_a_table_line_up_whatever_their_cells_hold(rows: list[tuple[str, str]]) -> None:
    lines = aligned([(*row, "|") for row in rows])
    assert len({cell_len(text.rpartition("|")[0]) for text in lines}) == 1


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "-"), (0.4, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (3599.6, "1 h 00 min"), (90061, "1 d 01 h")],
)
def test_a_duration_is_shown_in_its_two_largest_units(seconds: float | None, said: str) -> None:
    assert format_duration(seconds) == said


def test_ordinals_percentages_and_counts_of_images_are_worded() -> None:
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th",
    ]  # fmt: skip
    assert format_percent(0.4535) == "45.4%"
    assert format_percent(None) == "-"
    assert first_images(1000, 10_000) == "the first 1,000 test images"
    assert first_images(360, 360) == "all 360 test images"
