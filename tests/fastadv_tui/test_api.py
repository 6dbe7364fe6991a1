"""The Python interface: its examples run as tests, on a home of 1,000 runs."""

import doctest
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fastadv_tui.api
from engine.config.presets import build
from engine.protocol.evaluations import append
from engine.protocol.rundir import RunDir
from fastadv_tui.api import find_runs
from fastadv_tui.extras import MissingExtraError
from fastadv_tui.history.index import History
from fastadv_tui.history.query import QueryError
from fastadv_tui.library.curve import NAMES, CurveError
from fastadv_tui.paths import runs_dir
from tests.support import demo_home
from tests.support.evaluations import evaluation
from tests.support.events import evaluated, started, step, write_events
from tests.support.runs import make_run


@pytest.fixture
def thousand(home: Path) -> None:
    """1,000 rows whose folders are gone, and three runs with folders."""
    demo_home.fill("thousand")
    demo_home.past()
    History().rows()


@pytest.mark.usefixtures("thousand")
def test_the_examples_hold_on_a_home_of_a_thousand_runs_within_a_second() -> None:
    begun = time.process_time()
    outcome = doctest.testmod(fastadv_tui.api)
    assert outcome.attempted > 8
    assert outcome.failed == 0
    assert time.process_time() - begun < 1.0


@pytest.mark.usefixtures("thousand")
def test_nothing_but_load_model_loads_torch() -> None:
    code = """
import sys
from fastadv_tui.api import find_runs
runs = find_runs("p0st00")
run = runs[0]
run.settings, run.results, run.curve("loss"), run.steps(), run.path, runs.to_dict(), repr(run)
print(sorted({"torch", "numpy", "textual", "tinydb"} & {*sys.modules}))
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.usefixtures("home")
def test_runs_come_in_the_order_that_was_asked_for() -> None:
    demo_home.fill("thousand")
    rows = History().rows()
    found = find_runs("eps>=8", sort="+robust")
    wanted = sorted((row for row in rows if row.eps >= 7.9 / 255), key=lambda row: row.robust or 0)
    assert [run.id for run in found] == [row.id for row in wanted]
    assert [run.id for run in found[:3]] == [row.id for row in wanted[:3]]
    assert [run.id for run in find_runs()] == [row.id for row in rows]


def test_what_the_history_says_on_the_way_is_a_warning(home: Path) -> None:
    write_events(make_run(home / "runs" / "abc123"), started())
    with pytest.warns(UserWarning, match=r"history\.json was missing and has been rebuilt"):
        assert len(find_runs()) == 1


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(("query", "sort"), [("epps>=8", "submitted"), ("", "robbust")])
def test_a_query_with_a_typing_error_is_refused_with_a_hint(query: str, sort: str) -> None:
    with pytest.raises(QueryError, match="did you mean"):
        find_runs(query, sort)


def test_a_curve_leaves_out_what_a_resume_and_a_rollback_have_replaced(home: Path) -> None:
    rundir = make_run(home / "runs" / "abc123")
    write_events(
        rundir,
        started(),
        *(step(number, loss=9.0) for number in (5, 10, 15)),
        evaluated(10, robust=0.1),
        started(attempt=2, from_step=8),
        step(9, loss=1.0),
        step(10, loss=0.5, signal=0.25),
        evaluated(10, robust=0.3),
        evaluated(10, "guard", robust=0.4, fgsm=0.6),
    )
    History().reindex()
    (run,) = find_runs()
    loss = run.curve("loss")
    assert (loss.steps, loss.values) == ([5, 9, 10], [9.0, 1.0, 0.5])
    assert [*run.curve("robust")] == [(1.0, 0.3)]
    assert [*run.curve("guard_fgsm")] == [(1.0, 0.6)]
    assert run.curve("signal").steps == [10]
    assert [event.step for event in run.steps()] == [5, 9, 10]
    assert len(run.curve("alignment")) == 0


@pytest.mark.usefixtures("home")
def test_every_name_of_a_curve_can_be_asked_for_and_no_other() -> None:
    demo_home.fill("live")
    run = find_runs("p0st00")[0]
    for name in NAMES:
        curve = run.curve(name)
        assert len(curve) == len(curve.steps) == len(curve.epochs)
    with pytest.raises(CurveError, match="did you mean robust"):
        run.curve("robsut")


@pytest.mark.usefixtures("home")
def test_a_run_without_a_folder_has_the_curve_of_the_history() -> None:
    demo_home.fill("thousand")
    run, row = find_runs()[0], History().rows()[0]
    assert not run.path.exists()
    assert [*run.curve("robust")] == [(epoch, robust) for epoch, _, robust in row.curve]
    assert [*run.curve("loss")] == []
    assert run.steps() == []


@pytest.mark.usefixtures("home")
def test_results_are_the_own_evaluation_and_those_of_eval() -> None:
    demo_home.fill("live")
    record = evaluation(attack="aa-quick", eps=4 / 255, robust=0.28, checkpoint="best")
    append(RunDir(runs_dir() / "p1st00").evaluations, [record])
    History().reindex()
    own, asked = find_runs("p1st00")[0].results
    assert (own.source, own.attack, own.eps, own.images) == ("final", "pgd-50-10", 8 / 255, 10_000)
    assert (asked.source, asked.attack, asked.eps, asked.robust) == ("eval", "aa-quick", 4 / 255, 0.28)
    assert asked.checkpoint == "best"
    assert asked.time is not None
    assert asked.time.isoformat() == record.time


@pytest.mark.usefixtures("home")
def test_a_frame_has_numbers_as_numbers_and_a_column_for_each_changed_setting() -> None:
    demo_home.fill("thousand")
    table = find_runs().to_dict()
    assert {len(values) for values in table.values()} == {1000}
    assert {type(value) for value in table["robust"]} == {float}
    assert {type(value) for value in table["model.width"]} <= {int}
    assert all(moment.tzinfo for moment in table["submitted"])


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_a_frame_of_a_package_equals_the_table(package: str) -> None:
    pytest.importorskip(package)
    demo_home.fill("thousand")
    runs = find_runs()
    frame = getattr(runs, f"to_{package}")()
    assert [*frame["robust"]] == runs.to_dict()["robust"]
    assert frame["robust"].dtype.is_numeric() if package == "polars" else frame["robust"].dtype == float
    assert [*frame.columns] == [*runs.to_dict()]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_a_missing_package_is_named(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'fastadv\[{package}\]'"):
        getattr(find_runs(), f"to_{package}")()


def test_the_network_of_a_run_is_that_of_its_checkpoint(home: Path) -> None:
    import torch

    from engine.training.checkpoint import save
    from tests.support.networks import digits_model

    rundir = make_run(home / "runs" / "abc123")
    History().reindex()
    wanted = digits_model(seed=9).eval()
    save(rundir.last, build("digits", {"model.width": 4}), {"model": wanted.state_dict()})
    model, images = find_runs()[0].load_model(), torch.rand(3, 1, 8, 8)
    assert not model.training
    assert torch.equal(model(images), wanted(images))
