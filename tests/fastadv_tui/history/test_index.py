"""The history under faults: many writers, damaged files, full and read-only disks."""

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from engine.config.presets import build
from engine.protocol.events import Finished
from engine.protocol.rundir import RunDir
from fastadv_tui.history.derive_row import MAX_CURVE_POINTS, row_of, thinned
from fastadv_tui.history.index import History, HistoryError
from fastadv_tui.history.row import Row
from fastadv_tui.history.store.migrations import SCHEMA
from fastadv_tui.history.store.reader import read_rows
from fastadv_tui.paths import ensure_home, history_path, runs_dir
from fastadv_tui.runs.find import RunNotFoundError
from tests.support.events import evaluated, started, step, write_events
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


def done_run(name: str = "k3f9") -> RunDir:
    """The run directory of a finished run."""
    rundir = make_run(runs_dir() / name, chosen=build("cifar", {"eps": 4 / 255, "model.width": 16, "seed": 3}))
    write_events(
        rundir, started(), step(50), evaluated(50, clean=0.5, robust=0.3), step(100), evaluated(100, clean=0.6),
        evaluated(100, "final", attack="pgd-50-10", clean=0.6, robust=0.35, images=1000),
        Finished(status="done", step=100, elapsed=120.0),
    )  # fmt: skip
    return rundir


def test_a_row_of_the_history_says_what_the_run_directory_says(home: Path) -> None:
    row = History().record(done_run())
    assert row.settings == {"eps": 4 / 255, "model.width": 16}
    assert (row.dataset, row.method, row.preset, row.seed) == ("cifar10", "fgsm", "wong2020", 3)
    assert (row.status, row.clean, row.robust, row.attack, row.images) == ("done", 0.6, 0.35, "pgd-50-10", 1000)
    assert row.final
    assert row.curve == [(5.0, 0.5, 0.3), (10.0, 0.6, 0.4)]
    assert (row.epochs, row.duration, row.data_fingerprint) == (10.0, 120.0, "abc")
    assert History().rows() == [row]


def test_a_row_without_a_final_evaluation_has_the_last_watched_figures_and_says_so(home: Path) -> None:
    rundir = make_run(runs_dir() / "k3f9")
    write_events(rundir, started(), step(50), evaluated(50, clean=0.5, robust=0.3), Finished(status="stopped", step=50))
    row = row_of(rundir)
    assert (row.clean, row.robust, row.attack, row.final) == (0.5, 0.3, "pgd-10", False)


def test_curves_in_a_row_are_thinned_to_fifty_points_with_both_ends() -> None:
    points = thinned([evaluated(number) for number in range(1, 1001)])
    assert len(points) == MAX_CURVE_POINTS
    assert (points[0][0], points[-1][0]) == (0.1, 100.0)


@pytest.mark.parametrize("place", [1, 2, 503, 999, 1000])
def test_a_thinned_curve_keeps_its_best_point(place: int) -> None:
    curve = thinned([evaluated(number, robust=0.45 if number == place else 0.4) for number in range(1, 1001)])
    assert len(curve) == MAX_CURVE_POINTS
    assert curve == sorted(curve)
    assert [epoch for epoch, _, robust in curve if robust == 0.45] == [pytest.approx(place / 10)]


def test_a_row_that_says_running_is_derived_again(home: Path) -> None:
    rundir = done_run()
    History().upsert([msgspec.structs.replace(row_of(rundir), status="running")])
    assert [row.status for row in History().rows()] == ["done"]
    stored = json.loads(history_path().read_text())["runs"]
    assert [row["status"] for row in stored.values()] == ["done"]  # the derived status was written back


@pytest.mark.parametrize("reason", ["its folder is gone", "its config.json cannot be read", "it was never started"])
def test_a_row_with_the_reason_text_of_an_earlier_version_is_derived_again(home: Path, reason: str) -> None:
    rundir = done_run()
    History().upsert([msgspec.structs.replace(row_of(rundir), status="lost", reason=reason)])
    assert [(row.status, row.reason) for row in History().rows()] == [("done", "")]


@pytest.mark.parametrize("way", ["read", "record", "reindex"])
def test_the_row_of_a_run_with_a_newer_configuration_stays_with_the_reason(home: Path, way: str) -> None:
    rundir = done_run()
    before, written = History().record(rundir), rundir.config.read_bytes()
    rundir.config.write_bytes(written.replace(b'"seed":', b'"sead":1,"seed":'))
    if way == "record":
        History().record(rundir)
    if way == "reindex":
        History().reindex()
    row = History().find("k3f9")
    reason = "config.json has the unknown setting sead; was it written by a newer version of fastadv?"
    assert row == msgspec.structs.replace(before, reason=reason)
    rundir.config.write_bytes(written)
    assert (History().find("k3f9"), *History().rows()) == (before, before)  # the file has come back


def test_several_rows_are_found_with_one_reading_of_the_history(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    History().upsert([row_of(done_run(name)) for name in ("a1", "b2")])
    History().upsert([Row(id="gone", status="done", robust=0.5), Row(id="live", status="running")])
    done_run("live")
    done_run("new")
    readings = []
    monkeypatch.setattr("fastadv_tui.history.index.read_rows", lambda path: readings.append(path) or read_rows(path))
    rows = History().find_all(["b2", "a", "gone", "live", "new", "a1"])
    assert [row.id for row in rows] == ["b2", "a1", "gone", "live", "new", "a1"]
    assert [row.status for row in rows] == ["done"] * 6  # the row of a live run was derived from its folder
    assert rows[0] == History().find("b2")
    assert readings[:-1] == [history_path()]
    with pytest.raises(RunNotFoundError, match="nothing"):
        History().find_all(["a1", "nothing"])


def test_a_row_without_a_known_configuration_has_the_time_of_its_start(home: Path) -> None:
    rundir = done_run()
    rundir.config.write_text("{")
    (row,) = History().rows()
    assert row.submitted == row.started > 0
    assert row.reason.startswith("config.json is damaged")


def test_a_live_row_whose_folder_is_gone_becomes_lost_and_others_stay(home: Path) -> None:
    History().upsert([Row(id="gone1", status="running"), Row(id="gone2", status="done", robust=0.5)])
    assert {row.id: row.status for row in History().rows()} == {"gone1": "lost", "gone2": "done"}


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


def test_a_sync_never_overwrites_what_was_written_meanwhile(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sync derives a row. Before it writes the row, another process tags or deletes the run."""
    tagged, deleted = done_run("tagged"), done_run("deleted")
    History().upsert([Row(id=rundir.id, status="running") for rundir in (tagged, deleted)])
    look = History()
    write = look._write_if_possible

    def write_late(rows: list[Row]) -> None:
        History().edit(tagged, lambda notes: notes.tags.append("paper"))
        shutil.rmtree(deleted.path)
        History().remove(deleted.id)
        write(rows)

    monkeypatch.setattr(look, "_write_if_possible", write_late)
    look.sync()
    assert {row.id: row.tags for row in read_rows(history_path())} == {"tagged": ["paper"]}


def test_a_run_that_cannot_be_read_hides_no_other(home: Path) -> None:
    row = History().record(done_run())
    unreadable = make_run(runs_dir() / "odd", submitted=0.0)
    unreadable.events.mkdir()
    os.mkdir(os.fsencode(runs_dir()) + b"/no\xfftext")  # noqa: PTH102
    assert {found.id: found.status for found in History().rows()} == {row.id: "done", "odd": "lost"}


def test_a_row_is_read_from_the_file_as_it_was_derived(home: Path) -> None:
    chosen = build("cifar", {"optim.milestones": (0.3, 0.6), "method.alpha": 10 / 255, "early_stop.enabled": True})
    rundir = make_run(runs_dir() / "k3f9", chosen=chosen)
    write_events(rundir, started(), evaluated(10), Finished(status="done", step=100))
    row = History().record(rundir)
    assert read_rows(history_path()) == [row]
    assert row.settings["optim.milestones"] == [0.3, 0.6]


def test_twenty_thousand_upserts_take_less_than_five_seconds_of_processor_time(home: Path) -> None:
    """TinyDB's own upsert took a hundred seconds for these rows."""
    rows = [Row(id=f"r{number}", status="done") for number in range(10_000)]
    begun = time.process_time()
    History().upsert(rows)
    History().upsert(rows)
    assert time.process_time() - begun < 5.0
    assert len(read_rows(history_path())) == len(rows)


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


def test_a_removed_row_is_gone_and_the_others_stay(home: Path) -> None:
    History().upsert([Row(id="a", status="done"), Row(id="b", status="done")])
    History().remove("a")
    History().remove("never there")
    assert [row.id for row in History().rows()] == ["b"]


def test_only_the_user_can_read_the_home(home: Path) -> None:
    ensure_home()
    History().record(done_run())
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (home, runs_dir(), history_path())}
    assert modes == {"home": 0o700, "runs": 0o700, "history.json": 0o600}


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


NASTY = "a\nb[red]x[/red] 'q' \"d\" ../../etc \x1b[31m\u202e 🦊 " + "z" * 10_000


def test_names_notes_and_tags_are_stored_as_typed_and_create_no_files(home: Path) -> None:
    rundir = done_run()

    def change(notes: object) -> None:
        notes.name = notes.note = NASTY  # type: ignore[attr-defined]
        notes.tags = [NASTY]  # type: ignore[attr-defined]

    row = History().edit(rundir, change)
    assert (row.name, row.note, row.tags) == (NASTY, NASTY, [NASTY])
    assert History().rows() == [row]
    assert {path.name for path in home.iterdir()} <= {
        "runs",
        "data",
        "slots",
        "evaluations",
        "history.json",
        "history.json.lock",
    }
    listed = subprocess.run(
        [sys.executable, "-P", "-m", "fastadv_tui", "runs"], capture_output=True, text=True, check=True
    ).stdout
    assert "\x1b" not in listed
    assert "\u202e" not in listed
    assert len(listed.splitlines()) == 2
    shown = subprocess.run(
        [sys.executable, "-P", "-m", "fastadv_tui", "show", "last"], capture_output=True, text=True, check=True
    ).stdout
    assert r"a\nb[red]x[/red]" in shown
    assert "\x1b" not in shown
    assert os.listdir(runs_dir()) == ["k3f9"]
