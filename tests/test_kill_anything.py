"""A short run of the stress script; `python tests/stress/kill_anything.py` is the long one."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "stress"))
import kill_anything


def test_whatever_is_killed_the_status_is_true_and_nothing_is_lost(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kill_anything, "AT_ONCE", 2)
    findings = kill_anything.torment(runs=12, real=0, seed=1)
    assert findings.wrong == []
    assert findings.tried.total() == 12
