"""The history survives damage, other versions, and processes that write at the same time or are killed."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from fastadv_tui.history.index import History, HistoryError
from fastadv_tui.history.row import Row
from fastadv_tui.history.store.migrations import SCHEMA
from fastadv_tui.history.store.reader import read_rows
from fastadv_tui.paths import history_path, runs_dir
from tests.support.histories import done_run
from tests.support.runs import make_run
from tests.support.small_disk import small_disk
from tests.support.waiting import wait_until

WRITERS, UPSERTS = 16, 30
WRITE = f"""
import sys
from fastadv_tui.history.index import History
from fastadv_tui.history.derive_row import Row
for number in range({UPSERTS}):
    History().upsert([Row(id=f"w{{sys.argv[1]}}n{{number}}", status="done", submitted=float(number))])
"""


def test_sixteen_writers_lose_no_row_and_readers_never_see_a_broken_file(home: Path) -> None:
    """16 processes upsert 480 rows: no row is lost or doubled, and no reader sees a broken file."""
    History().upsert([Row(id="first", status="done")])
    writers = [subprocess.Popen([sys.executable, "-P", "-c", WRITE, str(number)]) for number in range(WRITERS)]

    def read_until_all_writers_end() -> int:
        reads, before = 0, 0
        while any(writer.poll() is None for writer in writers):
            count = len(read_rows(history_path()))  # raises if the file is broken
            assert count >= before
            reads, before = reads + 1, count
        return reads

    with ThreadPoolExecutor(2) as pool:
        reads = sum(pool.map(lambda _: read_until_all_writers_end(), range(2)))
    assert [writer.wait() for writer in writers] == [0] * WRITERS
    ids = [row.id for row in History().rows()]
    assert sorted(ids) == sorted(["first", *(f"w{w}n{n}" for w in range(WRITERS) for n in range(UPSERTS))])
    assert reads > 20


def test_a_killed_writer_of_the_history_loses_no_row(home: Path) -> None:
    History().upsert([Row(id=f"old{number}", status="done") for number in range(50)])
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-P", "-c", WRITE, "k"])
        before = history_path().stat().st_mtime_ns
        wait_until(lambda before=before: history_path().stat().st_mtime_ns != before)  # type: ignore[misc]
        writer.kill()
        writer.wait()
        assert {f"old{number}" for number in range(50)} <= {row.id for row in read_rows(history_path())}
    History().upsert([Row(id="after", status="done")])  # the dead writers' lock is free


ODD_KEY = b'{"runs": {"x": {"id": "a"}}, "meta": {"1": {"schema": 1}}}'


DAMAGED = [b"", b"garbage", b'{"runs": 3}', b'{"runs": {"1": {"id": 7}}}', b"\xff\xfe{}", ODD_KEY]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_history_file_is_kept_beside_and_rebuilt(home: Path, content: bytes) -> None:
    row = History().record(done_run())
    history_path().write_bytes(content)
    history = History()
    assert history.rows() == [row]
    (notice,) = history.notices
    assert "damaged" in notice
    assert "rebuilt" in notice
    (beside,) = home.glob("history.json.damaged-*")
    assert beside.read_bytes() == content
    again = History()
    assert (again.rows(), again.notices) == ([row], [])


@pytest.mark.parametrize("content", DAMAGED)
def test_reindex_repairs_a_damaged_history_file(home: Path, content: bytes) -> None:
    row = History().record(done_run())
    history_path().write_bytes(content)
    history = History()
    assert history.reindex() == 1
    assert "damaged" in history.notices[0]
    assert read_rows(history_path()) == [row]


def test_two_processes_that_find_the_same_damage_rebuild_the_history_once(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    History().record(done_run())
    history_path().write_bytes(b"garbage")
    meanwhile = iter([True])

    def read_slowly(path: Path) -> list[Row]:
        try:
            return read_rows(path)
        finally:
            if next(meanwhile, False):  # the other process rebuilds the file before this one goes on
                History().upsert([*History().rows(), Row(id="gone", status="done")])

    monkeypatch.setattr("fastadv_tui.history.index.read_rows", read_slowly)
    assert {row.id for row in History().rows()} == {"gone", "k3f9"}
    assert [path.read_bytes() for path in home.glob("history.json.damaged-*")] == [b"garbage"]


def test_two_damaged_files_within_a_second_are_both_kept(home: Path) -> None:
    History().record(done_run())
    for content in (b"garbage", b"rubbish"):
        history_path().write_bytes(content)
        assert len(History().rows()) == 1
    assert {path.read_bytes() for path in home.glob("history.json.damaged-*")} == {b"garbage", b"rubbish"}


def test_a_missing_history_file_is_rebuilt_with_a_notice(home: Path) -> None:
    row = History().record(done_run())
    history_path().unlink()
    history = History()
    assert history.rows() == [row]
    assert "was missing" in history.notices[0]


def test_a_home_whose_first_run_is_being_submitted_lost_no_history(home: Path) -> None:
    """Its folder is there a moment before its row."""
    make_run(runs_dir() / "first")
    history = History()
    assert [row.id for row in history.rows()] == ["first"]
    assert history.notices == []


def test_a_history_file_of_a_newer_version_is_kept_beside(home: Path) -> None:
    row = History().record(done_run())
    newer = json.dumps({"runs": {}, "meta": {"1": {"schema": SCHEMA + 1}}})
    history_path().write_text(newer)
    with pytest.raises(HistoryError, match=r"formats up to .*upgrade fastadv"):
        History().upsert([row])
    assert history_path().read_text() == newer  # a writer does not overwrite what it does not understand
    history = History()
    assert history.rows() == [row]
    assert "newer version" in history.notices[0]
    (beside,) = home.glob("history.json.newer-*")
    assert beside.read_text() == newer


def test_a_history_file_of_an_older_version_is_migrated(home: Path) -> None:
    History().upsert([Row(id="old", status="done", robust=0.4)])
    tables = json.loads(history_path().read_text())
    del tables["meta"]  # the first version of the file had no schema number
    history_path().write_text(json.dumps(tables))
    history = History()
    assert [(row.id, row.robust) for row in history.rows()] == [("old", 0.4)]
    assert history.notices == []
    history.upsert([Row(id="new", status="done")])
    assert json.loads(history_path().read_text())["meta"] == {"1": {"schema": SCHEMA}}


def test_reindex_keeps_rows_whose_folder_is_gone_and_what_the_user_wrote(home: Path) -> None:
    rundir = done_run()
    History().upsert([Row(id="gone", status="done", robust=0.4)])
    History().edit(rundir, lambda notes: notes.tags.append("paper"))
    assert History().reindex() == 1
    assert {row.id: row.tags for row in History().rows()} == {"gone": [], "k3f9": ["paper"]}
    history_path().unlink()
    assert {row.id: row.tags for row in History().rows()} == {"k3f9": ["paper"]}


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file system of 300 kB."""
    monkeypatch.setenv("FASTADV_HOME", str(tmp_path / "small" / "home"))
    with small_disk(tmp_path / "small", "300k") as folder:
        yield folder


def test_a_full_disk_loses_no_row_of_the_history(disk: Path) -> None:
    row = History().record(done_run())
    (disk / "filler").write_bytes(b"x" * (shutil.disk_usage(disk).free - 4096))
    with pytest.raises(HistoryError, match="cannot write the history"):
        History().upsert([msgspec.structs.replace(row, note="y" * 100_000)])
    assert History().rows() == [row]
    (disk / "filler").unlink()
    History().upsert([msgspec.structs.replace(row, note="y" * 1000)])
    assert History().rows()[0].note == "y" * 1000


def test_the_history_of_a_read_only_home_can_be_read(disk: Path) -> None:
    rundir = done_run()
    row = History().record(rundir)
    live = make_run(runs_dir() / "live", submitted=time.time())
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    history = History()
    assert {found.id: found.status for found in history.rows()} == {row.id: "done", live.id: "queued"}
    with pytest.raises(HistoryError):
        history.edit(rundir, lambda notes: None)
