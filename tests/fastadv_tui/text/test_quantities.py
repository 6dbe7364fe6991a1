"""Quantities as people read and type them."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastadv_tui.text.quantities import (
    figure_warnings,
    format_bytes,
    format_loss,
    format_progress,
    known_iso_time,
    parse_age,
    stages_text,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30min", 1800),
        ("12h", 43_200),
        ("30d", 2_592_000),
        ("1.5w", 907_200),
        (" 2 d ", 172_800),
        ("0d", 0),
    ],
)
def test_an_age_is_read_in_seconds(text: str, seconds: float) -> None:
    assert parse_age(text) == seconds


@pytest.mark.parametrize("text", ["", "d", "30", "-3d", "1e3d", "3 months", "3m", "1.d", "yesterday", "2026-11-01"])
def test_what_is_no_age_is_none(text: str) -> None:
    assert parse_age(text) is None


@given(st.text(max_size=20))
def test_any_text_is_an_age_or_none_and_never_an_error(text: str) -> None:
    assert (parse_age(text) or 0.0) >= 0


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 kB"),
        (4_200, "4 kB"),
        (44_800_000, "44.8 MB"),
        (2.5e9, "2.5 GB"),
        (1.2e12, "1.2 TB"),
        (4e15, "4,000.0 TB"),
    ],
)
def test_bytes_are_in_the_unit_that_needs_few_digits(count: float, text: str) -> None:
    assert format_bytes(count) == text


@pytest.fixture
def in_zone(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_zone")
@pytest.mark.parametrize(
    ("in_zone", "text"),
    [
        ("UTC0", "2026-11-26T14:22:39.125+00:00"),
        ("CET-1", "2026-11-26T15:22:39.125+01:00"),
        ("NST3:30", "2026-11-26T10:52:39.125-03:30"),
    ],
    indirect=["in_zone"],
)
def test_a_time_for_other_programs_says_its_zone(text: str) -> None:
    moment = datetime(2026, 11, 26, 14, 22, 39, 125_000, UTC)
    assert known_iso_time(moment.timestamp()) == text
    assert abs(datetime.fromisoformat(text) - moment) < timedelta(milliseconds=1)


def test_an_unknown_time_is_none() -> None:
    assert known_iso_time(0.0) is None


@pytest.mark.parametrize(
    ("loss", "text"),
    [(2.302585, "2.303"), (0.0, "0.000"), (9999.0, "9999.000"), (1.2345e30, "1.2e+30"), (3e38, "3.0e+38")],
)
def test_a_large_loss_has_few_digits(loss: float, text: str) -> None:
    assert format_loss(loss) == text


@pytest.mark.parametrize(("done", "text"), [(0, "0%"), (29, "29%"), (69, "69%"), (99, "99%"), (100, "100%")])
def test_progress_is_the_percent_that_is_done(done: int, text: str) -> None:
    assert format_progress(done / 100) == text


def test_only_work_that_is_over_is_at_100_percent() -> None:
    assert format_progress(0.9999) == "99%"


def test_what_each_stage_fooled_is_said_in_their_order() -> None:
    assert stages_text([("apgd-ce", 1144), ("apgd-t", 8)]) == "APGD-CE fooled 1,144 images, APGD-T 8"
    assert stages_text([]) == ""


@pytest.mark.parametrize(("count", "warned"), [(0, False), (2, False), (3, True)])
def test_more_than_a_fifth_of_a_point_by_square_is_a_sign_of_masked_gradients(count: int, warned: bool) -> None:
    text = " ".join(figure_warnings(0, 1000, 10, [("apgd-ce", 500), ("square", count)]))
    assert ("masked gradients" in text) is warned
    assert figure_warnings(0, 1000, 10, [("square", 500), ("apgd-ce", 1)]) == []  # Square came first
