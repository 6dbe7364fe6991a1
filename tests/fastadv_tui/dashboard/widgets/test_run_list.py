"""The two lines of a run in the list, beside the facts of the same run."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from textual.app import App, ComposeResult

from engine.protocol.events import Finished, Progress
from engine.protocol.requests import EvalRequest
from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.colours import DARK
from fastadv_tui.dashboard.evaluation_monitor import EvaluationMonitor
from fastadv_tui.dashboard.marks import Marks
from fastadv_tui.dashboard.snapshot import Evaluation, LiveRun, Snapshot
from fastadv_tui.dashboard.widgets.run_facts import facts
from fastadv_tui.dashboard.widgets.run_list import MAX_ENDED, MAX_QUEUED, RunList, in_order, prompt
from fastadv_tui.history.columns import age_text
from fastadv_tui.history.row import Row
from fastadv_tui.paths import evaluation_jobs_dir, runs_dir
from fastadv_tui.runs.state import RunState, apply
from fastadv_tui.runs.status import RunStatus
from fastadv_tui.supervise import process_identity, records
from fastadv_tui.supervise.records import ProcessRecord
from tests.support.events import started, step, write_events
from tests.support.runs import config, make_run

ROW = Row(id="a1", name="run", status="running", epochs=10.0, total_epochs=10.0)


def view(*progress: tuple[int, int]) -> LiveRun:
    """A run that has trained to the end and then evaluates. progress: done and total."""
    state = apply(apply(RunState(), started()), step(100))
    for done, total in progress:
        state = apply(state, Progress(attack="pgd-50-10", done=done, total=total))
    return LiveRun(RunDir(runs_dir() / "a1"), state, (1, 0), RunStatus(status="running"))


def second_line(row: Row, live: LiveRun | None = None) -> str:
    snapshot = Snapshot([row], {row.id: live} if live else {})
    return prompt(row, snapshot, Marks(), DARK, row.name).plain.splitlines()[1].strip()


@pytest.mark.parametrize(
    ("done", "total", "text"), [(0, 1000, "0%"), (690, 1000, "69%"), (999, 1000, "99%"), (1000, 1000, "100%")]
)
def test_the_list_and_the_facts_tell_the_same_progress_of_an_evaluation(
    home: object, done: int, total: int, text: str
) -> None:
    live = view((done, total))
    assert second_line(ROW, live).split()[0] == "evaluating"
    assert second_line(ROW, live).split()[-1] == dict(facts(ROW, live))["eval"] == text


def test_a_run_that_trains_shows_how_much_it_has_trained(home: object) -> None:
    assert second_line(ROW, view()).split()[::2] == ["running", "100%"]
    assert "eval" not in dict(facts(ROW, view()))


@pytest.mark.parametrize(
    ("status", "alarms", "reason", "words"),
    [
        ("done", [], "", ["ended"]),
        ("done", ["overfitting", "collapse"], "", ["collapsed"]),
        ("stopped", ["collapse"], "", ["collapsed"]),
        ("failed", ["diverged"], "diverged: the loss is nan at step 3; lower it", ["failed", "diverged"]),
        ("failed", ["collapse", "diverged"], "diverged: the loss is nan at step 3; lower it", ["failed", "diverged"]),
        ("failed", ["collapse"], "cannot write last.pt", ["failed", "collapsed"]),
    ],
)
def test_a_run_that_diverged_is_not_called_collapsed(
    status: str, alarms: list[str], reason: str, words: list[str]
) -> None:
    row = Row(id="a1", name="run", status=status, alarms=alarms, reason=reason)
    assert second_line(row).removesuffix(f" {age_text(row)}").split(", ") == words
    found = [value for label, value in facts(row, None) if not label]
    assert "".join(found).startswith(row.outcome if row.state != row.outcome else "")
    assert "".join(found).endswith(reason)


def test_a_name_has_what_the_accuracies_leave_of_their_place() -> None:
    name = "digits-fgsm-eps51 s0"
    queued, measured = Row(id="a1", name=name, status="queued"), Row(id="b2", name=name, clean=0.5, robust=0.2)
    perfect = Row(id="c3", name=name, clean=1.0, robust=1.0)
    for row, shown in ((queued, name), (measured, f"{name} 50.0/20.0"), (perfect, "digits-fg…eps51 s0 100.0/100.0")):
        first = prompt(row, Snapshot([row], {}), Marks(), DARK, name).plain.splitlines()[0]
        assert first[4:].rstrip() == shown
        assert len(first) == 34


def test_a_run_that_waits_shows_its_place_and_what_holds_the_queue_up(home: object) -> None:
    row = Row(id="a1", name="run", status="queued")
    shown = [
        prompt(row, Snapshot([row], {}, {"a1": 11}, held), Marks(), DARK, row.name).plain.splitlines()[1].strip()
        for held in ("", "queue paused")
    ]
    assert shown[0] == "queued, 11th in line"
    assert shown[1].startswith("queue paused, 11th")


def test_running_runs_come_first_then_the_queue_in_its_order_then_the_last_ended() -> None:
    rows = [
        Row(id="done1", status="done", submitted=90, ended=95),
        Row(id="q2", status="queued", submitted=80),
        Row(id="train", status="running", submitted=70),
        Row(id="gone", status="cancelled", submitted=60, ended=99),
        Row(id="q1", status="queued", submitted=85),
        Row(id="failed", status="failed", submitted=10, ended=98),
    ]
    order = [row.id for row in in_order(rows, {"q1": 1, "q2": 2}, ())]
    assert order == ["train", "q1", "q2", "failed", "done1"]
    assert "gone" in [row.id for row in in_order(rows, {}, {"gone"})]


def test_a_long_queue_leaves_room_for_the_runs_that_ended() -> None:
    rows = [Row(id=f"q{n}", status="queued", submitted=n) for n in range(500)]
    rows += [Row(id=f"d{n}", status="done", ended=n) for n in range(500)]
    listed = in_order(rows, {f"q{n}": n + 1 for n in range(500)}, {"q499"})
    assert [row.id for row in listed[:MAX_QUEUED]] == [f"q{n}" for n in range(MAX_QUEUED)]
    assert [row.id for row in listed[MAX_QUEUED:]] == ["q499", *(f"d{499 - n}" for n in range(MAX_ENDED))]


def test_the_cursor_goes_to_a_submitted_run_until_the_user_moves_it_and_stays_at_the_ends() -> None:
    def shown_runs(*ids: str) -> Snapshot:
        return Snapshot([Row(id=run_id, name=run_id, status="done", ended=float(run_id)) for run_id in ids], {})

    class ListApp(App[None]):
        def compose(self) -> ComposeResult:
            yield RunList()

    async def script() -> None:
        app = ListApp()
        async with app.run_test() as pilot:
            runs, marks = app.query_one(RunList), Marks()
            runs.focus()
            runs.show(shown_runs("2", "1"), marks)
            assert runs.chosen == "2"
            runs.expect("3")
            runs.show(shown_runs("2", "1"), marks)  # the list does not have it yet
            assert runs.chosen == "2"
            runs.show(shown_runs("3", "2", "1"), marks)
            assert runs.chosen == "3"
            runs.show(shown_runs("4", "3", "2", "1"), marks)  # which the user did not submit
            assert runs.chosen == "3"
            await pilot.press("up", "up", "up")
            assert runs.chosen == "4"
            runs.expect("5")
            runs.show(shown_runs("5", "4", "3", "2", "1"), marks)
            assert runs.chosen == "4"
            await pilot.press(*["down"] * 9)
            assert runs.chosen == "1"

    asyncio.run(script())


@pytest.mark.parametrize("progress", [0.36, None])
def test_an_evaluation_that_stops_says_so_whether_its_progress_is_known_or_not(
    home: object, progress: float | None
) -> None:
    stopping = RunStatus(status="running", stopping=True)
    evaluation = Evaluation(RunDir(runs_dir() / "e1"), "PGD-50-10, eps 8/255", stopping, progress, "ending")
    row = Row(id="a1", name="run", status="done")
    snapshot = Snapshot([row], {}, evaluations={"a1": [evaluation]})
    line = prompt(row, snapshot, Marks(), DARK, row.name).plain.splitlines()[1].strip()
    assert line == "evaluation stops ..."
    assert dict(facts(row, None, [evaluation]))["evaluate"] == "stopping ..., PGD-50-10, eps 8/255"


def test_an_evaluation_that_has_told_its_end_does_not_start(home: Path) -> None:
    """Between its last event and the end of its process."""
    me = process_identity.me()
    folder = make_run(evaluation_jobs_dir() / "e1")
    request = EvalRequest(config=config(), weights="w", folder="", run="a1", eps=(8 / 255,))
    folder.request.write_bytes(msgspec.json.encode(request))
    records.write(folder.process, ProcessRecord(attempt=1, supervisor=me, engine=me))
    write_events(folder, Progress(attack="pgd-50-10", done=36, total=100))
    monitor = EvaluationMonitor()
    assert monitor.look()["a1"][0].done == 0.36
    write_events(folder, Finished(status="done"))
    (evaluation,) = monitor.look()["a1"]
    assert (evaluation.status.live, evaluation.done, evaluation.starting) == (True, None, "ending")
