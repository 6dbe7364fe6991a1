"""`evaluations.jsonl`: appended by several processes, read with torn lines, left whole by a full disk."""

import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from engine.protocol.evaluations import EvaluationRecord, append, iso_time, read
from engine.protocol.files import WriteError
from tests.support.engine import ROOT
from tests.support.evaluations import evaluation
from tests.support.small_disk import small_disk

WRITERS, EACH = 4, 50
APPENDS = f"""
import sys
from pathlib import Path
from engine.protocol.evaluations import append
from tests.support.evaluations import evaluation
for number in range({EACH}):
    append(Path(sys.argv[1]), [evaluation(seed={EACH} * int(sys.argv[2]) + number), evaluation(seed=-1)])
"""


def test_a_record_is_read_as_it_was_appended(tmp_path: Path) -> None:
    records = [evaluation(eps=8 / 255), evaluation(eps=4 / 255, held_out=True, without_gradient=3)]
    append(tmp_path / "file", records[:1])
    append(tmp_path / "file", records[1:])
    assert read(tmp_path / "file") == records
    assert read(tmp_path / "missing") == []


def test_a_time_is_iso_8601_with_the_offset_from_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert iso_time(1_795_000_000.0) == "2026-11-18T16:36:40+05:30"
        assert datetime.fromisoformat(iso_time(1_795_000_000.0)).timestamp() == 1_795_000_000.0
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_a_torn_last_line_is_skipped_and_does_not_swallow_the_next_record(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "file"
    append(path, [evaluation(seed=1), evaluation(seed=2)])
    path.write_bytes(path.read_bytes()[:-cut])
    kept = read(path)
    assert [record.seed for record in kept] in ([1], [1, 2])  # a line without its line break may be whole
    append(path, [evaluation(seed=3)])
    assert read(path) == [*kept, evaluation(seed=3)]


def test_lines_of_an_unknown_form_are_left_out_and_unknown_fields_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "file"
    newer = msgspec.to_builtins(evaluation(seed=5)) | {"of_a_later_version": 1}
    path.write_bytes(b'\xff\xfe\n{"attack": 3}\n\n[]\n' + msgspec.json.encode(newer) + b"\n")
    assert read(path) == [evaluation(seed=5)]


def test_processes_that_append_at_once_lose_no_record(tmp_path: Path) -> None:
    words = [sys.executable, "-c", APPENDS, str(tmp_path / "file")]
    writers = [subprocess.Popen([*words, str(number)], cwd=ROOT) for number in range(WRITERS)]
    assert [writer.wait() for writer in writers] == [0] * WRITERS
    seeds = [record.seed for record in read(tmp_path / "file")]
    assert sorted(seed for seed in seeds if seed >= 0) == list(range(WRITERS * EACH))
    assert len(seeds) == 2 * WRITERS * EACH


def test_a_full_disk_leaves_the_records_that_are_there(tmp_path: Path) -> None:
    with small_disk(tmp_path / "tiny", "64k") as folder:
        path = folder / "evaluations.jsonl"
        append(path, [evaluation(seed=1)])
        before = path.read_bytes()
        many = [evaluation(seed=number) for number in range(500)]
        with pytest.raises(WriteError, match=r"^cannot write .*/evaluations\.jsonl: No space left on device"):
            append(path, many)
        assert path.read_bytes() == before


def test_a_question_is_the_same_whenever_it_is_asked() -> None:
    one, later = evaluation(), msgspec.structs.replace(evaluation(), time="2027-01-01T00:00:00+00:00", robust=0.1)
    assert isinstance(one, EvaluationRecord)
    assert one.question() == later.question()
    assert one.question() != evaluation(eps=0.3).question()
