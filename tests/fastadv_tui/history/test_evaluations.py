"""Results of `fastadv eval` in the row of a run: the newest of each kind, and only of the weights that the run has."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.protocol.evaluations import append
from engine.protocol.events import Finished, Saved
from engine.protocol.rundir import RunDir
from fastadv_tui.commands.show import facts as show_facts
from fastadv_tui.dashboard.widgets.run_facts import facts
from fastadv_tui.history.derive_row import row_of
from fastadv_tui.history.evaluations import MAX_EVALUATIONS
from fastadv_tui.history.index import History
from fastadv_tui.paths import runs_dir
from tests.support.evaluations import evaluation
from tests.support.events import started, step, write_events
from tests.support.runs import make_run


def time_of_day(*parts: int) -> str:
    """A time in UTC as all times are shown: local, without an offset."""
    return datetime(*parts, tzinfo=UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")  # type: ignore[arg-type,misc]


@pytest.fixture
def rundir(home: Path) -> RunDir:
    """A run that is done, with its last checkpoint at step 100."""
    rundir = make_run(runs_dir() / "k3f9")
    write_events(rundir, started(), step(100), Saved(step=100, file="last.pt", bytes=1), Finished(status="done"))
    return rundir


def test_the_newest_result_of_each_kind_is_in_the_row_and_in_the_history_file(rundir: RunDir) -> None:
    older, other, newer = evaluation(robust=0.3), evaluation(eps=4 / 255, robust=0.5), evaluation(robust=0.29)
    append(rundir.evaluations, [older, other, newer])
    assert History().record(rundir).evaluations == [other, newer]
    assert History().rows()[0].evaluations == [other, newer]


def test_results_of_weights_that_were_trained_further_are_not_those_of_the_run(rundir: RunDir) -> None:
    append(rundir.evaluations, [evaluation(step=50, attack="pgd-10"), evaluation(step=50, checkpoint="best")])
    (kept,) = row_of(rundir).evaluations
    assert kept.checkpoint == "best"  # these weights stay until better ones come
    write_events(rundir, started(attempt=2, from_step=50))
    assert len(row_of(rundir).evaluations) == 2  # the checkpoint that is there now


def test_results_of_weights_that_were_trained_further_are_kept_with_their_epoch(rundir: RunDir) -> None:
    append(rundir.evaluations, [evaluation(step=50, attack="pgd-10"), evaluation(step=50), evaluation(step=100)])
    row = History().record(rundir)
    assert [(epoch, record.attack) for epoch, record in row.replaced] == [(5.0, "pgd-10")]
    assert [value for label, value in facts(row, None) if label == "measured"] == [
        "31.0% PGD-20 eps 8/255 on 1,000",
        "31.0% PGD-10 eps 8/255 on 1,000, at epoch 5",
    ]
    assert dict(show_facts(row))["evaluated"].endswith("on 1,000, at epoch 5")


def test_a_row_keeps_a_few_results_only(rundir: RunDir) -> None:
    append(rundir.evaluations, [evaluation(attack=f"pgd-{number}") for number in range(1, 2 * MAX_EVALUATIONS)])
    attacks = [record.attack for record in row_of(rundir).evaluations]
    assert attacks == [f"pgd-{number}" for number in range(MAX_EVALUATIONS, 2 * MAX_EVALUATIONS)]


def test_show_and_the_facts_of_the_dashboard_tell_the_results(rundir: RunDir) -> None:
    append(rundir.evaluations, [evaluation(without_gradient=7, held_out=True, checkpoint="best")])
    row = row_of(rundir)
    assert [value for label, value in show_facts(row) if label == "evaluated"] == [
        "clean 60.0%, robust 31.0% under PGD-20, eps 8/255, 1,000 held-out training images of cifar10, best.pt; "
        f"{time_of_day(2026, 11, 26, 13, 30, 5)}, weights 0123456789abcdef; warning: 7 of 1,000 images have zero "
        "gradient under this attack: the figure may overstate robustness"
    ]
    assert dict(facts(row, None))["measured"] == "31.0% PGD-20 eps 8/255 on 1,000 best.pt"
