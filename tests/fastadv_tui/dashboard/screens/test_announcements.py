"""What the dashboard announces names one run."""

from msgspec.structs import replace

from fastadv_tui.dashboard.screens.announcements import Announcer
from fastadv_tui.dashboard.snapshot import Snapshot
from fastadv_tui.history.row import Row


def test_the_end_of_a_run_is_told_with_the_seed_that_tells_it_from_its_like() -> None:
    announcer = Announcer()
    rows = [Row(id=f"r{seed}", name="fgsm", seed=seed, status="running") for seed in range(3)]
    assert not [*announcer.news(Snapshot(rows, {}))]
    after = [rows[0], replace(rows[1], status="done"), replace(rows[2], status="failed", reason="boom")]
    assert [said.text for said in announcer.news(Snapshot(after, {}))] == ["fgsm s1 is done", "fgsm s2 failed: boom"]
