"""What the dashboard announces names one run."""

from pathlib import Path

from msgspec.structs import replace

from engine.protocol.events import Saved
from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.screens.announcements import Announcer
from fastadv_tui.dashboard.snapshot import LiveRun, Snapshot
from fastadv_tui.history.row import Row
from fastadv_tui.runs.state import RunState, apply
from fastadv_tui.runs.status import KILLED, RunStatus
from tests.support.events import started, step


def test_the_end_of_a_run_is_told_with_the_seed_that_tells_it_from_its_like() -> None:
    announcer = Announcer()
    rows = [Row(id=f"r{seed}", name="fgsm", seed=seed, status="running") for seed in range(3)]
    assert not [*announcer.news(Snapshot(rows, {}))]
    after = [rows[0], replace(rows[1], status="done"), replace(rows[2], status="failed", reason="boom")]
    assert [said.text for said in announcer.news(Snapshot(after, {}))] == ["fgsm s1 is done", "fgsm s2 failed: boom"]


def test_a_killed_run_is_told_with_its_last_checkpoint() -> None:
    announcer, state = Announcer(), RunState()
    for event in (started(), step(30), Saved(step=20, file="last.pt", bytes=1), step(37)):
        apply(state, event)
    row = Row(id="a1", name="fgsm", status="running")
    assert not [*announcer.news(Snapshot([row], {}))]
    status = RunStatus(status="stopped", reason=KILLED)
    after = replace(row, status=status.status, reason=status.reason)
    view = LiveRun(RunDir(Path("a1")), state, (0, 0), status)
    (said,) = announcer.news(Snapshot([after], {"a1": view}))
    assert said.text == "fgsm was killed at epoch 3.70; press R to resume it from epoch 2.00, its last checkpoint"
