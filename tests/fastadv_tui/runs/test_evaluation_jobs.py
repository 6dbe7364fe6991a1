"""An evaluation in line: it waits as a file, outlives who asked, can be stopped, and is never under way for ever."""

import os
import signal
from pathlib import Path

import pytest
from msgspec import structs

from engine.protocol.evaluations import read
from engine.protocol.requests import EvalRequest
from engine.protocol.rundir import RunDir
from fastadv_tui.errors import UserError
from fastadv_tui.history.index import History
from fastadv_tui.launch import eval_request
from fastadv_tui.launch.line import waiting_runs
from fastadv_tui.runs import control
from fastadv_tui.runs.evaluation_jobs import evaluation_ids, live_evaluations
from fastadv_tui.runs.evaluation_submission import submit_evaluation
from fastadv_tui.runs.observe import observe
from fastadv_tui.runs.submit import RunError
from fastadv_tui.supervise.queue import RunQueue
from fastadv_tui.supervise.records import ProcessRecord
from fastadv_tui.supervise.records import read as read_record
from tests.support.pilot import a_run
from tests.support.runs import submit, wait_for_status
from tests.support.shell import fastadv
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("fake_engine")


def trained(run_id: str = "a1", behaviour: str = "") -> RunDir:
    """A run that has ended with a checkpoint. behaviour: of the stand-in engine that evaluates it."""
    rundir = a_run(run_id, device="cpu", name=behaviour or run_id)
    rundir.last.touch()
    return rundir


def request(rundir: RunDir, eps: str = "2,4") -> EvalRequest:
    return eval_request.request(rundir.id, None, {"eval.attack": "pgd-5"}, eps, None, "last")


def engine_of(evaluation: RunDir) -> int:
    def look() -> int | None:
        record = read_record(evaluation.process, ProcessRecord)
        return record.engine.pid if record and record.engine and observe(evaluation).state.progress else None

    return wait_until(look)


def test_a_free_device_measures_at_once_and_the_result_is_in_the_run_and_in_the_history() -> None:
    rundir = trained()
    evaluation = submit_evaluation(request(rundir))
    wait_for_status(evaluation, "done")
    assert [round(255 * record.eps) for record in read(rundir.evaluations)] == [2, 4]
    row = next(row for row in History().rows() if row.id == rundir.id)
    assert [record.robust for record in row.evaluations] == [0.5, 0.5]
    assert evaluation_ids() == []  # the history has the result


def test_an_evaluation_waits_its_turn_behind_a_run_and_has_a_place_in_line() -> None:
    first, rundir = submit("forever"), trained()
    wait_until(lambda: observe(first).state.steps)
    evaluation = submit_evaluation(request(rundir))
    queue = RunQueue.of_home()
    assert observe(evaluation).status.status == "queued"
    assert queue.place_of(evaluation.id) == 1
    assert [waiting.name for waiting in waiting_runs(queue)] == ["evaluation of a1"]
    control.stop(first)
    wait_for_status(evaluation, "done")


def test_a_waiting_evaluation_is_cancelled_and_leaves_the_line() -> None:
    first, rundir = submit("forever"), trained()
    wait_until(lambda: observe(first).state.steps)
    evaluation = submit_evaluation(request(rundir))
    assert control.stop(evaluation)
    assert observe(evaluation).status.status == "cancelled"
    assert RunQueue.of_home().waiting() == []
    assert read(rundir.evaluations) == []


def test_a_stopped_evaluation_ends_and_another_one_takes_its_place() -> None:
    rundir = trained(behaviour="forever")
    evaluation = submit_evaluation(request(rundir))
    engine_of(evaluation)
    assert observe(evaluation).state.evaluated_fraction is not None
    done = fastadv("stop", rundir.id)
    assert "its evaluation was asked to stop" in done.stderr
    wait_for_status(evaluation, "stopped")
    again = submit_evaluation(request(rundir))
    assert evaluation_ids() == [again.id]
    control.stop(again, now=True)
    wait_for_status(again, "stopped")


def test_an_evaluator_that_is_killed_is_not_under_way_for_ever() -> None:
    rundir = trained(behaviour="forever")
    evaluation = submit_evaluation(request(rundir))
    os.kill(engine_of(evaluation), signal.SIGKILL)
    assert wait_for_status(evaluation, "lost").reason == "the engine was killed by SIGKILL"
    assert live_evaluations(rundir.id) == []
    assert evaluation_ids() == [evaluation.id]  # it tells why, until the next one


def test_an_evaluation_that_fails_tells_why() -> None:
    evaluation = submit_evaluation(request(trained(behaviour="fail")))
    assert wait_for_status(evaluation, "failed").reason == "as told"


def test_a_run_is_not_deleted_under_its_evaluation() -> None:
    rundir = trained(behaviour="forever")
    evaluation = submit_evaluation(request(rundir))
    engine_of(evaluation)
    with pytest.raises(RunError, match="in evaluation"):
        control.delete(rundir)
    control.stop(evaluation, now=True)
    wait_for_status(evaluation, "stopped")
    control.delete(rundir)
    assert evaluation_ids() == []


def test_a_place_whose_folder_is_gone_is_given_up(home: Path) -> None:
    first, rundir = submit("forever"), trained()
    wait_until(lambda: observe(first).state.steps)
    evaluation = submit_evaluation(request(rundir))
    evaluation.path.rename(home / "elsewhere")
    control.stop(first)
    wait_until(lambda: not RunQueue.of_home().waiting())


def test_the_shell_puts_an_evaluation_in_line_and_goes_on() -> None:
    rundir = trained()
    done = fastadv("eval", rundir.id, "--detach", "--eps", "2,4", "--attack", "pgd-5")
    assert done.returncode == 0, done.stderr
    wait_until(lambda: len(read(rundir.evaluations)) == 2)
    wait_until(lambda: "50.0%" in fastadv("show", rundir.id).stdout)


def test_a_file_of_weights_has_no_place_in_line(tmp_path: Path) -> None:
    (tmp_path / "weights.pt").touch()
    done = fastadv("eval", str(tmp_path / "weights.pt"), "--dataset", "digits", "--detach")
    assert done.returncode == 2
    assert "--detach is for the weights of a run" in done.stderr


def test_a_home_that_cannot_be_written_is_one_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = request(trained())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fastadv_tui.runs.evaluation_submission.create_whole_folder", full)
    with pytest.raises(UserError, match="No space left on device"):
        submit_evaluation(structs.replace(asked, again=True))
    assert evaluation_ids() == []
