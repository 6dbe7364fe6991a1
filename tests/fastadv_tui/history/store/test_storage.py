"""The storage under TinyDB: killed writers leave a whole file, and TinyDB's own storage can read the file."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinydb import TinyDB
from tinydb.storages import JSONStorage

from fastadv_tui.history.store.migrations import SCHEMA, NewerSchemaError, Tables, migrate
from fastadv_tui.history.store.storage import AtomicStorage
from tests.support.waiting import wait_until

ROWS = 2000
OLD: Tables = {"runs": {str(n): {"id": f"r{n}", "note": "old " * 50} for n in range(ROWS)}}
REWRITE = f"""
import sys
from pathlib import Path
from fastadv_tui.history.store.storage import AtomicStorage
file = AtomicStorage(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    for word in ("new", "other"):
        file.write({{"runs": {{str(n): {{"id": f"r{{n}}", "note": (word + " ") * 50}} for n in range({ROWS})}}}})
"""


def test_a_stored_file_can_be_read_by_tinydb_itself(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    with TinyDB(path, storage=AtomicStorage) as ours:
        ours.table("runs").insert({"id": "a", "note": "漢 🦊 \x1b[31m \u202e"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with TinyDB(path, storage=JSONStorage, encoding="utf-8") as theirs:
        assert theirs.table("runs").all() == [{"id": "a", "note": "漢 🦊 \x1b[31m \u202e"}]


@given(st.text(max_size=200))
def test_any_text_is_read_back_as_it_was_stored(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = AtomicStorage(tmp_path_factory.getbasetemp() / "any.json")
    file.write({"runs": {"1": {"note": text}}})
    assert file.read() == {"runs": {"1": {"note": text}}}


def test_a_missing_history_file_reads_as_none(tmp_path: Path) -> None:
    assert AtomicStorage(tmp_path / "none.json").read() is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"runs": 3}', b"\xff\xfe", b'{"runs": {}} junk'])
def test_a_file_that_no_storage_wrote_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "history.json"
    path.write_bytes(content)
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        AtomicStorage(path).read()


def test_a_storage_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    AtomicStorage(path).write(OLD)
    for _ in range(8):
        before = path.stat().st_mtime_ns
        writer = subprocess.Popen(
            [sys.executable, "-P", "-c", REWRITE, str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        with writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            wait_until(lambda before=before: path.stat().st_mtime_ns != before)  # type: ignore[misc]
            writer.kill()
        rows = json.loads(path.read_bytes())["runs"]
        assert len(rows) == ROWS
        assert len({row["note"] for row in rows.values()}) == 1  # all rows come from the same write


def test_a_failed_write_leaves_the_old_file_and_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.json"
    AtomicStorage(path).write(OLD)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        AtomicStorage(path).write({"runs": {}})
    assert AtomicStorage(path).read() == OLD
    assert os.listdir(tmp_path) == ["history.json"]


def test_storing_a_value_that_json_cannot_hold_changes_nothing(tmp_path: Path) -> None:
    file = AtomicStorage(tmp_path / "history.json")
    file.write(OLD)
    with pytest.raises(TypeError):
        file.write({"runs": {"1": {"note": object()}}})
    assert file.read() == OLD


def test_migrations_lead_from_every_version_to_the_present_one() -> None:
    assert migrate({"runs": {"1": {"id": "a"}}}) == {"runs": {"1": {"id": "a"}}, "meta": {"1": {"schema": SCHEMA}}}
    with pytest.raises(NewerSchemaError):
        migrate({"meta": {"1": {"schema": SCHEMA + 1}}})
