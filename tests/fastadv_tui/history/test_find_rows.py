"""The words that mean a run: ids, their beginnings, names, and the last run of a status."""

import os
from pathlib import Path

import pytest

from engine.protocol.events import Finished
from engine.protocol.rundir import RunDir
from fastadv_tui.history.index import History
from fastadv_tui.history.row import Row
from fastadv_tui.history.selection import find_run, selected_ids, selected_rows
from fastadv_tui.paths import ensure_home, runs_dir
from fastadv_tui.runs.find import RunNotFoundError
from tests.support.events import write_events
from tests.support.runs import config, make_run


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    ensure_home()


def ended(run_id: str, submitted: float, status: str = "done", name: str = "") -> RunDir:
    rundir = make_run(runs_dir() / run_id, submitted, config(name or run_id))
    os.utime(rundir.config, (submitted, submitted))
    write_events(rundir, Finished(status=status, t=submitted + 1))  # type: ignore[arg-type]
    return rundir


def test_a_run_is_found_by_its_name_if_no_other_run_has_the_name() -> None:
    ended("a1", 1.0, name="wide net")
    ended("b2", 2.0, name="narrow")
    ended("c3", 3.0, name="narrow")
    History().rows()
    assert History().find("wide net").id == "a1"
    with pytest.raises(RunNotFoundError, match=r"'narrow' means 2 runs, by id or by name: b2, c3"):
        History().find_ids(["narrow"])


def test_a_word_that_is_the_name_of_one_run_and_begins_the_id_of_another_is_refused() -> None:
    ended("abc", 1.0, name="other")
    ended("xyz", 2.0, name="ab")
    History().rows()
    with pytest.raises(RunNotFoundError, match="abc, xyz"):
        find_run("ab")


def test_a_whole_id_means_its_run_though_another_run_has_it_as_its_name() -> None:
    ended("a1", 1.0)
    ended("b2", 2.0, name="a1")
    History().rows()
    assert find_run("a1").id == "a1"


def test_the_last_run_of_a_status_is_the_one_that_was_submitted_last() -> None:
    for number, status in enumerate(("done", "failed", "done", "failed", "stopped")):
        ended(f"r{number}", float(1 + number), status)
    assert History().find_ids(["last", "last-done", "last-failed", "last-stopped"]) == ["r4", "r2", "r3"]
    with pytest.raises(RunNotFoundError, match="no run is running"):
        find_run("last-running")
    with pytest.raises(RunNotFoundError, match="did you mean last-failed"):
        find_run("last-fail")


def test_a_filter_selects_the_first_submitted_run_first_and_leaves_out_what_does_not_suit() -> None:
    ended("b2", 2.0, "failed")
    ended("a1", 3.0)
    ended("c3", 1.0)
    assert selected_ids((), "status=done") == ["c3", "a1"]
    assert selected_ids((), "id!=c3", lambda row: row.status == "failed") == ["b2"]
    with pytest.raises(RunNotFoundError, match="no run passes the filter 'status=lost'"):
        selected_ids((), "status=lost")
    with pytest.raises(Exception, match=r"none of the 2 run\(s\)"):
        selected_ids((), "status=done", lambda row: False)


def test_words_select_their_runs_once_in_their_order() -> None:
    for number, run_id in enumerate(("a1", "b2", "c3")):
        ended(run_id, 1.0 + number)
    assert [row.id for row in selected_rows(["c3", "a1", "c"], "")] == ["c3", "a1"]


@pytest.mark.parametrize(("words", "filter_"), [([], ""), ([], "  "), (["a1"], "status=done")])
def test_a_command_wants_either_words_or_a_filter(words: list[str], filter_: str) -> None:
    with pytest.raises(Exception, match="--filter"):
        selected_ids(words, filter_)


def test_a_run_whose_folder_is_gone_has_a_row_but_no_folder() -> None:
    History().upsert([Row(id="gone", name="old one", status="done")])
    assert [row.id for row in selected_rows(["old one"], "")] == ["gone"]
    with pytest.raises(RunNotFoundError, match="folder of gone is gone"):
        find_run("gon")
