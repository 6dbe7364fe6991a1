"""A run moves to another home as one file, and goes on there where it was."""

from pathlib import Path

import pytest

from engine.data.memory import digits
from engine.protocol import event_log
from engine.protocol.events import Finished, Started
from engine.protocol.rundir import RunDir
from engine.protocol.stop import Stopped
from fastadv_tui.bundle.pack import pack
from fastadv_tui.bundle.unpack import unpack
from fastadv_tui.paths import runs_dir
from fastadv_tui.runs.state import load
from tests.support.engine import TIMES, assert_same, evaluations, run_folder, weights
from tests.support.events import write_events
from tests.support.shell import LONG, QUICK, fastadv, only_run, start, wait_for_steps
from tests.support.training import few_digits, train
from tests.support.waiting import wait_until

MOVED = {**TIMES, "config": ""}  # the data folder is another one


def test_a_resumed_run_ends_in_another_home_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digits, "read", lambda folder: few_digits())
    monkeypatch.setenv("FASTADV_HOME", str(tmp_path / "here"))
    whole = run_folder(tmp_path / "whole", {"data_dir": "/only/here"})
    train(whole)
    moved = run_folder(runs_dir() / "moved", {"data_dir": "/only/here"})
    with pytest.raises(Stopped):
        train(moved, looks=5)
    write_events(moved, Finished(status="stopped"))  # as the engine's process does
    pack([moved], tmp_path / "moved.tar.gz")
    monkeypatch.setenv("FASTADV_HOME", str(tmp_path / "there"))
    (arrived,) = unpack(tmp_path / "moved.tar.gz")
    assert arrived.path != moved.path
    train(arrived, attempt=2)
    assert_same(weights(arrived) | MOVED, weights(whole) | MOVED)
    assert evaluations(arrived) == evaluations(whole)


def test_bundle_and_unbundle_on_the_command_line(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = start("run", "digits", *LONG)
    rundir = wait_for_steps(home)
    path = tmp_path / "run.tar.gz"
    refused = fastadv("bundle", rundir.id, "-o", str(path))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == f"fastadv: {rundir.id} has not ended; stop it first with `fastadv stop {rundir.id}`\n"
    running.send_signal(2)
    running.communicate()
    packed = fastadv("bundle", rundir.id, "-o", str(path))
    assert (packed.returncode, packed.stdout) == (0, f"{path}\n"), packed.stderr
    again = fastadv("unbundle", str(path))
    assert again.returncode == 2
    assert "this home has already" in again.stderr
    monkeypatch.setenv("FASTADV_HOME", str(tmp_path / "there"))
    assert fastadv("unbundle", str(path)).stdout == f"{rundir.id}\n"
    arrived = RunDir(tmp_path / "there" / "runs" / rundir.id)
    assert arrived.submission().config.data_dir == str(home / "data")  # that folder is here still
    assert rundir.id in fastadv("runs").stdout
    measured = fastadv("eval", "last", "--attack", "pgd-2", "--limit", "50")
    assert measured.returncode == 0, measured.stderr
    trained = load(arrived).step
    resumed = start("resume", rundir.id)
    wait_until(lambda: load(arrived).step > trained, timeout=60)
    resumed.send_signal(2)
    resumed.communicate()
    (begun,) = [event for event in event_log.read(arrived.events) if isinstance(event, Started) and event.attempt == 2]
    assert begun.from_step == trained


def test_a_home_without_the_run_says_what_to_type(home: Path) -> None:
    assert fastadv("run", "digits", *QUICK).returncode == 0
    run_id = only_run(home).id
    assert "let the name end in .tar.zst or .tar.gz" in fastadv("bundle", run_id, "-o", "x.zip").stderr
    missing = fastadv("unbundle", "missing.tar.gz")
    assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)
