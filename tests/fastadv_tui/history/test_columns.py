"""The columns of the history: every field of Row has a column or is listed without one, and each cell has a text."""

import msgspec
import pytest
from msgspec.structs import replace

from fastadv_tui.dashboard.settings import COLUMNS as SHOWN_AT_FIRST
from fastadv_tui.history.columns import COLUMNS, COMPUTED, FIELDS_WITHOUT_COLUMN, SHOWABLE, text_of_mean
from fastadv_tui.history.query import QueryError, ordered, parse
from fastadv_tui.history.row import Row
from fastadv_tui.terminal.runs_output import USUAL
from tests.support.evaluations import evaluation

FULL = Row(
    id="a1", name="try", dataset="cifar10", method="fgsm", eps=8 / 255, alpha=10 / 255, preset="wong2020", seed=3,
    status="done", host="h", submitted=1e9, started=1e9, ended=1e9, duration=60.0, training_time=50.0,
    epochs=4.0, total_epochs=15.0,
    clean=0.8, robust=0.4, attack="pgd-10", images=1000, final=True, peak_memory=10**9, images_per_second=1234.0,
    flops=10**15, data_fingerprint="d", code_fingerprint="c", tags=["x", "y"], note="n", pinned=True,
    curve=[(1.0, 0.5, 0.2), (2.0, 0.6, 0.45), (4.0, 0.8, 0.4)],
    evaluations=[evaluation(robust=0.25), evaluation(eps=16 / 255, robust=0.1)],
)  # fmt: skip
EMPTY = Row(id="b2")


def test_every_field_of_a_row_has_a_column_or_is_listed_without_one() -> None:
    fields = {field.name for field in msgspec.structs.fields(Row)}
    assert {*COLUMNS} | {*FIELDS_WITHOUT_COLUMN} == fields | {*COMPUTED}
    assert not {*COLUMNS} & {*FIELDS_WITHOUT_COLUMN}
    assert all(key == column.key for key, column in COLUMNS.items())


def test_every_list_of_keys_names_columns() -> None:
    assert {*SHOWABLE, *USUAL, *SHOWN_AT_FIRST} <= {*COLUMNS}
    assert {*SHOWN_AT_FIRST} <= {*SHOWABLE}


@pytest.mark.parametrize("key", [key for key in COLUMNS if key != "flops"])
def test_a_column_has_the_value_and_the_text_of_its_field_and_accepts_an_empty_row(key: str) -> None:
    column = COLUMNS[key]
    assert column.value(FULL) == getattr(FULL, key)
    assert column.text(FULL)
    assert isinstance(column.text(EMPTY), str)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("eps", "8"),
        ("alpha", "10"),
        ("clean", "80.0%"),
        ("best_robust", "45.0%"),
        ("best_epoch", "2"),
        ("status", "✓ done"),
        ("epochs", "4/15"),
        ("duration", "1 min 00 s"),
        ("images_per_second", "1,234"),
        ("peak_memory", "1.0 GB"),
        ("flops", "0.267 of 1 PFLOP"),
        ("tags", "x y"),
        ("attack", "PGD-10"),
        ("evaluations", "10.0% PGD-20 eps 16/255 on 1,000; 25.0% PGD-20 eps 8/255 on 1,000"),  # the newest first
    ],
)
def test_the_text_of_a_column_is_in_the_units_that_people_read(key: str, text: str) -> None:
    assert COLUMNS[key].text(FULL) == text


def test_the_work_of_a_stopped_run_is_what_it_did_and_that_of_a_whole_one_what_was_planned() -> None:
    stopped, whole = replace(FULL, epochs=3.0), replace(FULL, epochs=15.0)
    assert [COLUMNS["flops"].value(row) for row in (stopped, whole)] == [0.2 * 10**15, 10**15]
    assert COLUMNS["flops"].text(whole) == "1 PFLOP"
    assert COLUMNS["flops"].text(EMPTY) == ""


@pytest.mark.parametrize(
    ("epochs", "total", "text"), [(2.217, 8, "2.22/8"), (6, 1000, "6/1000"), (999.6, 1e4, "1000/10000")]
)
def test_epochs_are_never_in_powers_of_ten(epochs: float, total: float, text: str) -> None:
    row = msgspec.structs.replace(FULL, epochs=epochs, total_epochs=total)
    assert COLUMNS["epochs"].text(row) == text


def test_the_attack_of_an_evaluation_while_training_is_in_parentheses() -> None:
    assert COLUMNS["attack"].text(msgspec.structs.replace(FULL, final=False)) == "(PGD-10)"
    assert COLUMNS["attack"].text(EMPTY) == ""


@pytest.mark.parametrize("key", ["submitted", "started", "ended", "duration", "peak_memory", "flops", "clean"])
def test_an_unknown_figure_has_no_value_and_is_shown_as_unknown(key: str) -> None:
    assert COLUMNS[key].value(EMPTY) is None
    assert COLUMNS[key].text_or(EMPTY, "-") == "-"
    assert COLUMNS[key].text_or(FULL, "-") == COLUMNS[key].text(FULL)


@pytest.mark.parametrize(
    ("gpu_memory", "value", "text"),
    [(None, 3e9, "3.0 GB"), (9_200_000_000, 9.2e9, "9.2 GB GPU"), (0, None, "")],
)
def test_the_memory_of_a_run_is_that_of_its_device(gpu_memory: int | None, value: float | None, text: str) -> None:
    """Main memory is not taken for that of a GPU, also where an older version recorded none of a GPU."""
    row = replace(FULL, peak_memory=3 * 10**9, gpu_memory=gpu_memory)
    assert (COLUMNS["peak_memory"].value(row), COLUMNS["peak_memory"].text(row)) == (value, text)
    assert text_of_mean(COLUMNS["peak_memory"], row, 4e9) == ("4.0 GB" if gpu_memory is None else "4.0 GB GPU")


@pytest.mark.parametrize("key", COLUMNS)
def test_rows_can_be_sorted_by_exactly_the_sortable_columns(key: str) -> None:
    if COLUMNS[key].sortable:
        assert {row.id for row in ordered([FULL, EMPTY], key)} == {"a1", "b2"}
    else:
        with pytest.raises(QueryError, match=f"{key} is a list and has no order; .*use id, name"):
            ordered([FULL, EMPTY], key)


@pytest.mark.parametrize(
    "text",
    ["eps=8", "robust=40%", "duration=1min", "submitted<2020-01-01", "final=true", "seed=3", "images>999", "host=H"],
)
def test_a_filter_reads_a_value_as_the_kind_of_its_column_says(text: str) -> None:
    assert parse(text)(FULL)
    assert not parse(text)(EMPTY)
