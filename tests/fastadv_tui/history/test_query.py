"""The filter language: the meaning of each word, and the messages for words without a meaning."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fastadv_tui.history.query import QueryError, ordered, parse
from fastadv_tui.history.row import Row

DAY = 86400
NUMERIC = Row(id="007", name="1e5")
NOW = time.time()
ROWS = [
    Row(id="a1", name="first try", dataset="cifar10", method="fgsm", preset="wong2020", eps=8 / 255, alpha=10 / 255,
        seed=0, status="done", submitted=NOW - DAY, duration=7200.0, clean=0.8, robust=0.45, attack="pgd-50-10",
        tags=["paper"], settings={"model.width": 16}),
    Row(id="b2", name="Slow", dataset="cifar10", method="pgd", preset="wong2020", eps=4 / 255, status="failed",
        submitted=NOW - 30 * DAY, duration=60.0, note="ran out of patience"),
    Row(id="c3", name="free", dataset="mnist", method="free", preset="wong2020-mnist", eps=0.3, status="done",
        submitted=NOW - 60, clean=0.99, robust=0.88, pinned=True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", "a1 b2 c3"),
        ("method=fgsm", "a1"),
        ("method!=fgsm", "b2 c3"),
        ("METHOD=fgsm", None),
        ("eps=8", "a1"),
        ("eps=8/255", "a1"),
        ("eps>=8", "a1 c3"),
        ("eps<8", "b2"),
        ("eps=0.3", "c3"),
        ("alpha=10", "a1"),
        ("robust>0.4", "a1 c3"),
        ("robust>40", "a1 c3"),
        ("robust>=88%", "c3"),
        ("robust<1", "a1 c3"),  # a run without a figure matches no comparison of it
        ("tag:paper", "a1"),
        ("-tag:paper", "b2 c3"),
        ("status:done -mnist", "a1"),
        ("since:7d", "a1 c3"),
        ("before:7d", "b2"),
        ("since:2h", "c3"),
        ("since:2000-01-01", "a1 b2 c3"),
        ("patience", "b2"),
        ("'first try'", "a1"),
        ("slow", "b2"),
        ("model.width=16", "a1"),
        ("width=64", "b2 c3"),  # a setting that a run did not change is the preset's or the default
        ("optim.name=adam", "c3"),
        ("pinned=true", "c3"),
        ("method=fgsm robust>0.5", ""),
        ("dataset=cifar", "a1 b2"),
        ("id=007", "n4"),  # a text column compares texts, though both look like numbers
        ("name=1e5", "n4"),
        ("submitted>2000-01-01", "a1 b2 c3"),
        ("submitted<2000-01-01", ""),  # a run without a time of submission is not an old one
        ("duration>90min", "a1"),
        ("duration<7200", "b2"),
        ("seed=1e400", ""),
        ("--tag:paper", "a1"),
        ("optim.milestones=0.5,0.75", "a1 b2 c3 n4"),
    ],
)
def test_a_filter_finds_the_rows_that_it_describes(text: str, ids: str | None) -> None:
    if ids is None:
        with pytest.raises(QueryError, match="unknown key"):
            parse(text)
        return
    test = parse(text)
    rows = ROWS + [NUMERIC] * ("n4" in ids)
    assert " ".join(row.id for row in rows if test(row)) == ids.replace("n4", NUMERIC.id)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("robst>0.4", "did you mean robust?"),
        ("eps>=eight", "type 8"),
        ("since:yesterday", "write 7d"),
        ("'open", "no closing quotation"),
        ("robust>high", "robust: 'high' is not a number; write 0.4 or 40%"),
        ("duration>long", "write 90min"),
        ("tags=paper", "tags is a list and has no order; filter with tag:NAME"),
        ("qqqqqq>1", "submitted.* or any setting"),
        ("status:running2", "did you mean running"),
        ("status:zzzzzzz", "use queued, running, done"),
        ("final=perhaps", "neither yes nor no"),
        ("'open", "quotes stand in pairs"),
        ("ended>soon", "write 7d"),
        ("tag=paper", "did you mean tag:"),
    ],
)
def test_the_message_for_a_bad_filter_says_what_can_be_typed(text: str, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        parse(text)


@given(st.text(max_size=40))
def test_any_text_is_a_filter_or_refused_with_a_query_error(text: str) -> None:
    with contextlib.suppress(QueryError):
        test = parse(text)
        assert all(test(row) in (True, False) for row in ROWS)


def test_a_filter_of_nothing_but_dashes_is_searched_for() -> None:
    assert not any(map(parse("-" * 5000), ROWS))
    assert parse("-")(Row(id="a-b"))


@pytest.mark.parametrize(
    ("key", "ids"),
    [
        ("robust", "c3 a1 b2"),
        ("+robust", "a1 c3 b2"),
        ("name", "b2 c3 a1"),
        ("submitted", "c3 a1 b2"),
        ("+duration", "b2 a1 c3"),  # c3 has no figures
        ("width", "b2 c3 a1"),
    ],
)
def test_sorting_puts_rows_without_a_value_last(key: str, ids: str) -> None:
    assert " ".join(row.id for row in ordered(ROWS, key)) == ids


def test_sorting_by_an_unknown_column_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(QueryError, match="did you mean robust"):
        ordered(ROWS, "robst")


def test_a_flag_is_typed_as_the_table_shows_it() -> None:
    rows = [replace(ROWS[0], pinned=True), ROWS[1]]
    assert [parse("pinned=yes")(row) for row in rows] == [parse("pinned=true")(row) for row in rows] == [True, False]
    assert [parse("pinned=no")(row) for row in rows] == [False, True]


def test_collapsed_runs_are_found_by_the_word_that_the_table_shows() -> None:
    rows = [replace(ROWS[0], status="done", alarms=["collapse"]), replace(ROWS[0], status="done", alarms=[])]
    assert [parse("status:collapsed")(row) for row in rows] == [True, False]
    assert [parse("status!=collapsed")(row) for row in rows] == [False, True]
    assert [parse("status:done")(row) for row in rows] == [True, True]


L2 = Row(id="l2", norm="l2", eps=0.5, alpha=1.5, settings={"norm": "l2", "eval.step_size": 0.125})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("norm=l2", True),
        ("eps=0.5", True),
        ("eps=8", False),
        ("eps<8", True),  # the number 8 for this run
        ("eps>=8", False),
        ("alpha=1.5", True),
        ("alpha>1", True),
        ("eval.step_size=0.125", True),
        ("eps!=8", True),
        ("eps<300", True),  # no size for linf
    ],
)
def test_a_typed_size_is_in_the_unit_of_the_norm_of_each_run(text: str, found: bool) -> None:
    assert parse(text)(L2) is found
    assert not parse("eps<300")(ROWS[0])
    assert parse("eps!=300")(ROWS[0])
