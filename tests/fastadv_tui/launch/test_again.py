"""Runs that are submitted once more, and the runs that a sweep lacks."""

import shutil
from pathlib import Path

import msgspec
import pytest

from engine.protocol.events import Finished
from engine.protocol.rundir import RunDir
from fastadv_tui.commands.rerun import recorded_sweep
from fastadv_tui.errors import UserError
from fastadv_tui.history.index import History
from fastadv_tui.history.notes import read_notes
from fastadv_tui.launch import again
from fastadv_tui.launch.group import submit_group
from fastadv_tui.paths import ensure_home, runs_dir
from fastadv_tui.supervise.queue import RunQueue
from tests.support.events import started, write_events
from tests.support.runs import verdict, wait_for_status
from tests.support.shell import fastadv

SWEEP = ["fastadv", "sweep", "digits", "--grid", "eps=2,4", "--seeds", "0-1", "--device", "cpu", "--tag", "mine"]


@pytest.fixture
def runs(home: Path, fake_engine: None) -> list[RunDir]:
    """The four runs of a sweep, which wait in a queue that is held."""
    ensure_home()
    RunQueue.of_home().pause()
    found: list[RunDir] = []
    submit_group(recorded_sweep(SWEEP[2:]), SWEEP, ["mine"], queued=found.append)
    return found


def end(rundir: RunDir, status: str) -> None:
    RunQueue.of_home().remove(rundir.id)
    rundir.queued.unlink()
    write_events(rundir, started(), Finished(status=status, t=1.0))  # type: ignore[arg-type]


def lacking() -> list[tuple[float, int]]:
    """Eps in 1/255 and seed of the runs that the sweep lacks."""
    rows = [row for row in History().rows() if "mine" in row.tags]
    return [(round(255 * one.config.eps), one.config.seed) for one in again.missing(rows, rows, recorded_sweep)]


def test_a_sweep_lacks_what_was_deleted_or_cancelled_and_what_lost_its_folder_before_it_was_done(
    runs: list[RunDir],
) -> None:
    assert lacking() == []  # all wait
    for rundir, status in zip(runs, ("done", "failed", "failed", "failed"), strict=True):
        end(rundir, status)
    History().rows()
    assert lacking() == []  # each has trained, and can be resumed or submitted again
    shutil.rmtree(runs[0].path)
    assert lacking() == []  # its result is in the history
    shutil.rmtree(runs[1].path)
    assert lacking() == [(2, 1)]
    shutil.rmtree(runs[2].path)
    History().remove(runs[2].id)
    assert lacking() == [(2, 1), (4, 0)]


def test_a_cancelled_run_is_missing(runs: list[RunDir]) -> None:
    from fastadv_tui.runs.control import stop

    stop(runs[3])
    assert lacking() == [(4, 1)]


def test_runs_without_a_sweep_lack_nothing_that_anybody_knows(home: Path) -> None:
    with pytest.raises(UserError, match="none of these runs is of a sweep"):
        again.missing([], [], recorded_sweep)


def test_what_is_submitted_again_has_the_settings_the_tags_and_the_command_of_the_first(runs: list[RunDir]) -> None:
    end(runs[1], "failed")
    rows = {row.id: row for row in History().rows()}
    with pytest.raises(UserError, match=f"{runs[0].id} is queued"):
        again.again(rows[runs[0].id])
    new: list[RunDir] = []
    assert again.submit_again([again.again(rows[runs[1].id])], new.append) == []
    (rundir,) = new
    assert rundir.id != runs[1].id
    assert rundir.submission().config == runs[1].submission().config
    assert (rundir.submission().command, read_notes(rundir).tags) == (SWEEP, ["mine"])
    assert verdict(rundir).status == "queued"


def test_rerun_over_a_filter_leaves_out_runs_that_are_done_or_live(runs: list[RunDir]) -> None:
    end(runs[0], "done")
    before = len([*runs_dir().iterdir()])
    done = fastadv("rerun", "--filter", "tag:mine")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "0 run(s) to submit again\n")
    assert len([*runs_dir().iterdir()]) == before
    assert wait_for_status(runs[1], "queued")
    assert "is queued; wait for its end" in fastadv("rerun", runs[1].id).stderr


def test_what_was_submitted_again_is_not_submitted_a_third_time(runs: list[RunDir]) -> None:
    for rundir in runs:
        end(rundir, "failed")
    failed = History().rows()
    assert {row.id for row in again.to_repeat(failed, failed)} == {rundir.id for rundir in runs}
    again.submit_again([again.again(row) for row in failed if row.id == runs[0].id], lambda rundir: None)
    everything = History().rows()
    assert {row.id for row in again.to_repeat(failed, everything)} == {rundir.id for rundir in runs[1:]}
    other = msgspec.structs.replace(next(row for row in everything if row.live), tags=["another sweep"])
    assert len(again.to_repeat(failed, [*failed, other])) == len(runs)


def test_a_recorded_command_that_this_version_does_not_know_is_said(home: Path) -> None:
    with pytest.raises(UserError, match="is not understood: No such option"):
        recorded_sweep(["digits", "--no-such-option", "1"])


def test_a_sweep_of_an_own_network_lacks_runs_of_the_code_of_that_time(
    home: Path, fake_engine: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the file has changed since: other code would be another sweep."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text("then")
    ensure_home()
    RunQueue.of_home().pause()
    words = ["fastadv", "sweep", "digits", "--set", "model=net.py:Net", "--seeds", "0-1", "--tag", "mine"]
    runs: list[RunDir] = []
    submit_group(recorded_sweep(words[2:]), words, ["mine"], queued=runs.append)
    History().rows()
    RunQueue.of_home().remove(runs[1].id)
    shutil.rmtree(runs[1].path)
    (tmp_path / "net.py").write_text("now")
    rows = [row for row in History().rows() if "mine" in row.tags]
    (lacked,) = again.missing(rows, rows, recorded_sweep)
    assert lacked.config.seed == 1
    assert lacked.config.model == runs[0].submission().config.model
    submitted: list[RunDir] = []
    again.submit_again([lacked], submitted.append)
    assert submitted[0].model_code.read_text() == "then"
