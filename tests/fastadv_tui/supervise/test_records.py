"""The records of a run's processes."""

import json
from pathlib import Path

from fastadv_tui.supervise import records
from fastadv_tui.supervise.records import ExitRecord


def test_the_memory_of_a_run_is_the_most_of_all_its_attempts(tmp_path: Path) -> None:
    """A resumed run may need less than the attempt before, or not even start."""
    path = tmp_path / "exit.json"
    for attempt, held, most in ((1, 700, 700), (2, 900, 900), (3, 200, 900), (4, 0, 900)):
        records.write_exit(path, ExitRecord(attempt=attempt, t=0.0, code=None, peak_memory=held))
        assert json.loads(path.read_bytes())["peak_memory"] == most
    path.write_bytes(b"torn")
    records.write_exit(path, ExitRecord(attempt=5, t=0.0, code=0, peak_memory=100))
    assert json.loads(path.read_bytes())["peak_memory"] == 100
