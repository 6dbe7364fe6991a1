"""A short run of the kill storm; `python -m tests.end_to_end.kill_storm` is the long one."""

import pytest

from tests.end_to_end import kill_storm


def test_whatever_is_killed_the_status_is_true_and_nothing_is_lost(
    home: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kill_storm, "SLOTS", 2)
    monkeypatch.setattr(kill_storm, "AT_ONCE", 3)
    findings = kill_storm.torment(runs=15, real=0, seed=1)
    assert findings.wrong == []
    assert findings.tried.total() == 15
