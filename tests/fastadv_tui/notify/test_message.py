"""What a notification says about a run and about an evaluation of it."""

import pytest

from fastadv_tui.launch import eval_request
from fastadv_tui.notify.message import message_of
from fastadv_tui.runs.evaluation_submission import submit_evaluation
from tests.support.pilot import a_run
from tests.support.runs import wait_for_status


@pytest.mark.usefixtures("fake_engine")
def test_an_evaluation_is_told_apart_from_its_run_and_has_all_results() -> None:
    run = a_run("a1", device="cpu", name="demo")
    run.last.touch()
    assert message_of(run, "ended").title.startswith("demo (a1) ")
    evaluation = submit_evaluation(eval_request.request(run.id, None, {"eval.attack": "pgd-5"}, "2,4", None, "last"))
    wait_for_status(evaluation, "done")
    told = message_of(evaluation, "ended")
    assert (told.title, told.run, told.name) == ("evaluation of demo (a1) done", "a1", "demo")
    assert [eps in told.text for eps in ("eps 2/255", "eps 4/255")] == [True, True]
