"""The facts of a run have the unit of its norm."""

from engine.config.presets import build
from engine.protocol.requests import EvalRequest
from fastadv_tui.dashboard.evaluation_monitor import in_words
from fastadv_tui.dashboard.widgets.run_facts import facts
from fastadv_tui.history.row import Row
from tests.support.evaluations import evaluation

L2 = Row(
    id="a1", method="pgd", norm="l2", eps=0.5, alpha=0.125, status="done",
    settings={"norm": "l2", "eps": 0.5, "eval.step_size": 0.0625},
    evaluations=[evaluation(norm="l2", eps=1.5, step_size=0.375)],
)  # fmt: skip


def test_a_run_in_linf_has_its_sizes_in_1_255() -> None:
    found = dict(facts(Row(id="a1", method="pgd", eps=8 / 255, alpha=2 / 255), None))
    assert (found["eps"], found["method"]) == ("8/255", "pgd 2/255")


def test_a_run_in_l2_has_plain_numbers_and_names_its_norm() -> None:
    found = dict(facts(L2, None))
    assert (found["eps"], found["method"], found["eval.step_size"]) == ("l2 0.5", "pgd 0.125", "0.0625")
    assert found["measured"] == "31.0% PGD-20 l2 eps 1.5 on 1,000"
    assert "/255" not in str(found)


def test_an_evaluation_that_waits_says_its_threat_model() -> None:
    l2 = build("digits", {"norm": "l2", "eps": 0.5})
    asked = EvalRequest(config=l2, weights="", eps=(0.5, 1.5), folder="")
    assert in_words(asked) == "PGD-50-10, l2 eps 0.5, 1.5"
    asked = EvalRequest(config=build("digits"), weights="", eps=(2 / 255, 4 / 255), folder="")
    assert in_words(asked) == "PGD-50-10, eps 2, 4/255"
