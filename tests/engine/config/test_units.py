"""Parsing of typed perturbation sizes (eps, step sizes) and of attack names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.errors import ConfigError
from engine.config.units import (
    both_units,
    eps_text,
    parse_size,
    reading_of,
    threat_text,
    typed_size,
    units,
    with_unit,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8", 8 / 255),
        ("8/255", 8 / 255),
        (" 8 / 255 ", 8 / 255),
        ("0.3", 0.3),
        (".5", 0.5),
        ("1", 1 / 255),
        ("1.0", 1 / 255),
        ("1/1", 1.0),
        ("255", 1.0),
        ("0", 0.0),
        ("0/7", 0.0),
        ("2.5", 2.5 / 255),
        ("1e-3", 0.001),
        ("1e1", 10 / 255),
    ],
)
def test_a_typed_size_is_read_in_every_unit(text: str, size: float) -> None:
    assert parse_size(text) == pytest.approx(size, abs=1e-15)


@pytest.mark.parametrize(
    "text",
    [
        "-1",
        "-0.1",
        "256",
        "abc",
        "",
        "8/",
        "/255",
        "8/0",
        "0/0",
        "1e400",
        "1e400/1e400",
        "nan",
        "inf",
        "8//255",
        "1/1/1",
        "8,0",
        "0x8",
        "1_0",
        "8 8",
        "--8",
        "e",
        "256/255",
        "8/-255",
    ],
)
def test_a_text_that_is_no_size_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_size(text)
    assert "\n" not in str(caught.value)
    assert repr(text) in str(caught.value)
    assert "8/255" in str(caught.value)


@given(st.text(max_size=20))
def test_any_text_is_read_as_a_size_in_0_to_1_or_refused(text: str) -> None:
    try:
        size = parse_size(text)
    except ConfigError:
        return
    assert 0 <= size <= 1


@given(st.integers(0, 255))
def test_a_size_that_is_shown_is_read_back_as_the_same_size(n: int) -> None:
    assert units(n / 255) == str(n)
    assert parse_size(units(n / 255)) == n / 255
    assert both_units(n / 255).startswith(f"{n}/255 = ")


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("0.5", "0.5 of 1 = 127.5/255"),
        (" .1 ", ".1 of 1 = 25.5/255"),
        ("1e-3", "1e-3 of 1 = 0.255/255"),
        ("0", ""),
        ("1", ""),
        ("8", ""),
        ("0.5/255", ""),
        ("1/2", ""),
        ("2,4", ""),
        ("-0.5", ""),
        ("x", ""),
        ("", ""),
    ],
)
def test_a_size_whose_unit_is_in_doubt_says_how_it_was_read(text: str, reading: str) -> None:
    assert reading_of(text) == reading


@pytest.mark.parametrize(
    ("text", "size"), [("0.5", 0.5), ("128/255", 128 / 255), ("8", 8.0), ("1.5", 1.5), ("3/2", 1.5), ("0", 0.0)]
)
def test_a_size_of_norm_l2_is_the_number_that_it_says(text: str, size: float) -> None:
    assert parse_size(text, "l2") == size


@pytest.mark.parametrize("text", ["-1", "abc", "", "1e400", "nan", "8//255", "1/0"])
def test_a_text_that_is_no_size_of_norm_l2_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match=r"0\.5 or 128/255"):
        parse_size(text, "l2")


@given(st.sampled_from(["linf", "l2"]), st.floats(0, 1))
def test_the_text_to_type_gives_exactly_the_size_again(norm: str, size: float) -> None:
    assert parse_size(typed_size(size, norm), norm) == size


def test_sizes_of_norm_l2_are_shown_without_a_unit_and_name_their_norm() -> None:
    assert (units(0.5, "l2"), with_unit(0.5, "l2"), eps_text(1.5, "l2")) == ("0.5", "0.5", "l2 1.5")
    assert both_units(0.5, "l2") == "0.5 (l2)"
    assert threat_text("l2", 0.25, 0.5) == "l2 eps 0.25, 0.5"
    assert typed_size(128 / 255, "l2") == "128/255"
    assert (with_unit(8 / 255), eps_text(8 / 255)) == ("8/255", "8")
    assert threat_text("linf", 2 / 255, 4 / 255) == "eps 2, 4/255"
    assert reading_of("0.5", "l2") == ""  # no other unit might be meant
