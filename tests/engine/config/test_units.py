"""Parsing of typed perturbation sizes (eps, step sizes) and of attack names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.errors import ConfigError
from engine.config.units import both_units, parse_size, reading_of, units


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
