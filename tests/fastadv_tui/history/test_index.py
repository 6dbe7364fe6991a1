"""The history under faults: many writers, damaged files, full and read-only disks."""

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from engine.config.presets import build
from engine.protocol.events import Finished
from fastadv_tui.history.derive_row import MAX_CURVE_POINTS, row_of, thinned
from fastadv_tui.history.index import History
from fastadv_tui.history.row import Row
from fastadv_tui.history.store.reader import read_rows
from fastadv_tui.paths import ensure_home, history_path, runs_dir
from fastadv_tui.runs.find import RunNotFoundError
from tests.support.events import evaluated, started, step, write_events
from tests.support.histories import done_run
from tests.support.runs import make_run


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
