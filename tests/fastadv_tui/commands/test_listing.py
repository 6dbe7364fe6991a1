"""Commands that show runs: `runs`, `show`, `export`, `compare` and `watch`, on runs with invented events."""

import csv
import io
import json
import re
import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from engine.protocol.events import Finished
from engine.protocol.rundir import RunDir
from fastadv_tui.history.index import History
from fastadv_tui.paths import ensure_home, runs_dir
from fastadv_tui.supervise import process_identity, records
from fastadv_tui.supervise.records import ProcessRecord
from tests.support.events import evaluated, started, step, write_events
from tests.support.runs import engine_pid, make_run, submit
from tests.support.shell import FASTADV, fastadv
from tests.support.waiting import seconds, wait_until

DAY = 86400.0


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    ensure_home()


def ended_run(name: str = "a1", submitted: float = 3 * DAY, ended: float = 7200.0) -> RunDir:
    """A run that was submitted and ended so many seconds ago."""
    now = time.time()
    rundir = make_run(runs_dir() / name, submitted=now - submitted)
    write_events(
        rundir, started(t=now - submitted), step(50, t=now - ended - 9), evaluated(50, t=now - ended - 5),
        Finished(status="done", step=50, t=now - ended),
    )  # fmt: skip
    return rundir


def stopping_run(name: str = "s1") -> RunDir:
    """A run whose engine, for which this process stands, was asked to stop and still saves its checkpoint."""
    rundir, me = make_run(runs_dir() / name), process_identity.me()
    records.write(rundir.process, ProcessRecord(attempt=1, supervisor=me, engine=me))
    write_events(rundir, started(t=time.time()), step(1, t=time.time()))
    rundir.request_stop()
    return rundir


def test_a_run_that_ended_has_the_age_of_its_end() -> None:
    ended_run()
    heading, line = fastadv("runs").stdout.splitlines()
    assert heading.endswith("ended")
    assert line.endswith("2 h ago")


@pytest.mark.usefixtures("fake_engine")
def test_a_run_that_waits_has_neither_taken_time_nor_ended() -> None:
    engine_pid(submit("forever"))
    waiting = submit()
    line = next(line for line in fastadv("runs").stdout.splitlines() if waiting.id in line)
    assert line.split()[-1] == "-"
    assert "0 s" not in line
    shown = fastadv("show", waiting.id).stdout
    assert re.search(r"^took +-$", shown, re.MULTILINE)
    assert re.search(r"^code +fingerprint \S+ of the engine's files$", shown, re.MULTILINE)
    assert re.search(r"^version +\S+(, git commit \S+)?$", shown, re.MULTILINE)


def test_a_run_that_was_asked_to_stop_is_stopping_until_it_has_stopped() -> None:
    rundir = stopping_run()
    assert fastadv("runs").stdout.splitlines()[1].split()[:4] == ["●", "s1", "stopping", "..."]
    assert "● stopping ..." in fastadv("show", "s1").stdout
    (row,) = json.loads(fastadv("runs", "--json").stdout)
    assert (row["status"], row["stopping"]) == ("running", True)
    write_events(rundir, Finished(status="stopped", step=1, t=time.time()))
    rundir.process.unlink()
    (row,) = json.loads(fastadv("runs", "--json").stdout)
    assert (row["status"], row["stopping"]) == ("stopped", False)
    assert "stopping" not in fastadv("runs").stdout + fastadv("show", "s1").stdout


def test_watch_says_that_a_run_is_stopping_and_waits_for_its_end(tmp_path: Path) -> None:
    rundir, said = stopping_run(), tmp_path / "said"
    with said.open("w") as out, subprocess.Popen([*FASTADV, "watch", "s1"], stdout=out, stderr=out) as watcher:
        wait_until(lambda: "stopping ... the run was asked to stop" in said.read_text())
        assert watcher.poll() is None
        write_events(rundir, Finished(status="stopped", step=1, t=time.time()))
        rundir.process.unlink()
        assert watcher.wait(seconds(20)) == 130
    assert said.read_text().count("stopping ...") == 1


def from_runs() -> list[tuple[str, str]]:
    (row,) = json.loads(fastadv("runs", "--json").stdout)
    return [(key, row[key]) for key in ("submitted", "started", "ended")]


def from_show() -> list[tuple[str, str]]:
    row = json.loads(fastadv("show", "a1", "--json").stdout)
    return [(key, row[key]) for key in ("submitted", "started", "ended")]


def from_jsonl() -> list[tuple[str, str]]:
    events = [json.loads(line) for line in fastadv("export", "a1").stdout.splitlines()]
    return [(event["type"], event["t"]) for event in events]


def from_csv() -> list[tuple[str, str]]:
    lines = csv.DictReader(io.StringIO(fastadv("export", "a1", "--format", "csv").stdout))
    return [(line["type"], line["t"]) for line in lines]


@pytest.mark.parametrize("printed", [from_runs, from_show, from_jsonl, from_csv])
def test_times_for_other_programs_carry_their_zone(
    printed: Callable[[], list[tuple[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "IST-5:30")
    rundir = ended_run()
    of_row: Any = History().find("a1")
    of_event = {event["type"]: event["t"] for event in map(json.loads, rundir.events.read_text().splitlines())}
    found = printed()
    assert found
    for name, text in found:
        unix = of_event[name] if name in of_event and printed in (from_jsonl, from_csv) else getattr(of_row, name)
        assert text.endswith("+05:30")
        assert datetime.fromisoformat(text).timestamp() == pytest.approx(unix, abs=0.001)


def test_a_time_that_is_unknown_is_null() -> None:
    make_run(runs_dir() / "q1")
    (row,) = json.loads(fastadv("runs", "--json").stdout)
    assert (row["started"], row["ended"]) == (None, None)


def test_a_comparison_of_many_runs_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"r{number:02d}" for number in range(30)]
    for name in names:
        ended_run(name)
    monkeypatch.setenv("COLUMNS", "80")
    lines = fastadv("compare", *names).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if "PGD-10 on 500" in line] == lines[5:6]  # said once for all runs
    assert [line.split()[0] for line in lines if line.startswith("r")] == names
    assert "no difference is beyond 2 standard errors" in lines
