"""`fastadv runs`: columns and formats, for people and for programs."""

import csv
import io
import json
import os
import pty
import subprocess
from pathlib import Path

import msgspec
import pytest

from fastadv_tui.history.index import History
from fastadv_tui.history.row import Row
from fastadv_tui.paths import ensure_home
from fastadv_tui.terminal import runs_output
from tests.support.shell import FASTADV, fastadv
from tests.support.waiting import seconds

COMMON = {
    "name": "=1+1 | *x*", "dataset": "cifar10", "method": "fgsm", "preset": "wong2020", "eps": 8 / 255,
    "attack": "pgd-50-10", "images": 10_000, "final": True, "settings": {"optim.lr": 0.1},
}  # fmt: skip
OF_FIRST = {
    "duration": 3725.0, "epochs": 15.0, "total_epochs": 15.0, "peak_memory": 3_000_000_000, "submitted": 2e9,
    "ended": 2e9 + 60, "tags": ["paper", "two"],
}  # fmt: skip
FIRST = {"id": "a1", "seed": 0, "clean": 0.8, "robust": 0.45, "status": "done", **OF_FIRST}
SECOND = {"id": "b2", "seed": 1, "clean": 0.82, "robust": 0.47, "status": "failed", "submitted": 1e9}
ROWS = [msgspec.convert(COMMON | row, Row) for row in (FIRST, SECOND)]


@pytest.fixture(autouse=True)
def _history(home: Path) -> None:
    ensure_home()
    History().upsert(ROWS)


def table(*words: str) -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(fastadv("runs", "--format", "csv", *words).stdout))]


def test_csv_has_numbers_as_numbers_and_a_line_for_each_run() -> None:
    first, second = table()
    assert [float(first[key]) for key in ("eps", "robust", "duration", "peak_memory", "images")] == [
        8 / 255, 0.45, 3725.0, 3e9, 10_000,
    ]  # fmt: skip
    assert first["duration"] == "3725"  # as whole numbers are written in every CSV
    assert (first["tags"], first["name"]) == ("paper two", "'=1+1 | *x*")  # no formula for a spreadsheet
    assert (second["id"], second["duration"], second["peak_memory"]) == ("b2", "", "")
    assert first["ended"].startswith("2033-05-18T")


def test_the_chosen_columns_are_shown_in_their_order_in_every_format() -> None:
    words = "--columns", "robust,id,lr,ended"
    assert list(table(*words)[0]) == ["robust", "id", "lr", "ended"]
    first, _ = json.loads(fastadv("runs", "--json", *words).stdout)
    assert {key: first[key] for key in ("robust", "id", "lr")} == {"robust": 0.45, "id": "a1", "lr": 0.1}
    assert fastadv("runs", *words).stdout.splitlines()[0].split() == ["robust", "id", "lr", "ended"]
    heading, rule, line, _ = fastadv("runs", "--format", "md", *words).stdout.splitlines()
    assert (heading, rule) == ("| robust | id | lr | ended |", "| --- | --- | --- | --- |")
    assert line.startswith("| 45.0% | a1 | 0.1 | 2033")


def test_markdown_escapes_what_a_name_holds() -> None:
    assert r"=1+1 \| \*x\*" in fastadv("runs", "--format", "md").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--columns", "robst"], "unknown column 'robst'; did you mean robust?"),
        (["--columns", ","], "names no column"),
        (["--format", "xml"], "use table, csv, json or md"),
        (["--seeds", "--columns", "id"], "--seeds has columns of its own"),
    ],
)
def test_what_is_not_understood_is_refused_in_one_line(words: list[str], said: str) -> None:
    done = fastadv("runs", *words)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert said in done.stderr


def test_groups_of_seeds_have_their_figures_in_every_format() -> None:
    (group,) = json.loads(fastadv("runs", "--seeds", "--json").stdout)
    assert (group["runs"], group["seeds"], group["ids"]) == (2, [0, 1], ["a1", "b2"])
    assert (group["robust"], group["robust_std"]) == (pytest.approx(0.46), None)  # two are too few
    (line,) = table("--seeds")
    assert float(line["clean"]) == pytest.approx(0.81)
    assert "46.0%" in fastadv("runs", "--seeds").stdout
    assert "46.0%" in fastadv("runs", "--seeds", "--format", "md").stdout


def test_a_filter_that_nothing_passes_gives_empty_tables() -> None:
    assert fastadv("runs", "--filter", "status=lost").stdout == "no run matches the filter\n"
    assert table("--filter", "status=lost") == []
    assert json.loads(fastadv("runs", "--filter", "status=lost", "--json").stdout) == []


def in_a_terminal(*words: str) -> str:
    """The output of a command that runs in a terminal."""
    shown, terminal = pty.openpty()
    subprocess.run([*FASTADV, *words], stdout=terminal, stdin=terminal, timeout=seconds(20), check=True)
    output = os.read(shown, 1 << 16).decode()
    os.close(shown)
    os.close(terminal)
    return output


def test_the_list_fits_the_terminal_and_is_whole_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    lines = in_a_terminal("runs").splitlines()
    assert max(map(len, lines)) <= 60
    assert {"id", "status", "name", "robust"} <= {*lines[0].split()}
    assert max(map(len, fastadv("runs").stdout.splitlines())) > 60


@pytest.mark.parametrize(("no_colour", "coloured"), [("", True), ("1", False)])
def test_colours_are_for_terminals_that_want_them(
    no_colour: str, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_colour)
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b" not in fastadv("runs").stdout
    assert ("\x1b[" in in_a_terminal("runs")) == coloured


def test_the_table_has_the_seeds_where_they_differ_or_names_repeat() -> None:
    one = msgspec.structs.replace(ROWS[0], name="one")
    cases = {
        "seeds differ": [one, msgspec.structs.replace(ROWS[1], name="two")],
        "names repeat": [one, msgspec.structs.replace(one, id="c3")],
        "neither": [one, msgspec.structs.replace(one, id="c3", name="two")],
    }
    headings = {case: runs_output.table(rows, None, None, False)[0].split() for case, rows in cases.items()}
    assert ["seed" in heading for heading in headings.values()] == [True, True, False]
