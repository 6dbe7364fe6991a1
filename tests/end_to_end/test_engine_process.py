"""The engine as a process: seeds, signals, deaths and exit codes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from engine.protocol import event_log, events
from engine.protocol.rundir import RunDir
from tests.support.engine import (
    assert_same,
    assert_same_end,
    command,
    environment,
    evaluations,
    finish,
    of_kind,
    run_folder,
    start,
    weights,
)
from tests.support.runs import gone
from tests.support.waiting import wait_until

OFTEN = 1.5e-3  # checkpoint_minutes: every 90 ms
STEPS = 4 * 90
LONGER = {"epochs": 4, "batch_size": 16, "watch.steps": 2, "eval.attack": "pgd-2-2", "eval.images": 100}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """An uninterrupted run. Its log names each module that the engine imported."""
    rundir = run_folder(tmp_path_factory.mktemp("engine") / "reference", LONGER)
    assert finish(start(rundir, PYTHONPROFILEIMPORTTIME="1")) == 0, rundir.log.read_text()
    return rundir


def test_training_and_evaluation_start_without_the_modules_that_only_a_compiler_needs(reference: RunDir) -> None:
    imported = {line.rpartition("|")[2].strip() for line in reference.log.read_text().splitlines()}
    assert {"torch", "torch.optim"} <= imported
    assert not {"torch._dynamo", "sympy", "triton", "torchvision"} & imported


def test_two_engine_processes_with_the_same_seed_agree(reference: RunDir, tmp_path: Path) -> None:
    other = run_folder(tmp_path / "other", LONGER)
    assert finish(start(other)) == 0
    assert_same_end(reference, other)
    one, two = _steps(reference), _steps(other)
    common = one.keys() & two.keys()
    assert {1, STEPS // 2, STEPS} <= common
    assert all(one[step] == two[step] for step in common)
    assert _finished(other) == events.Finished(status="done", step=STEPS)
    assert other.log.read_text() == ""
    times = [event.trained for event in event_log.read(other.events)]
    assert times[-1] == max(times) > 0  # the last event has the training time, too


NO_CLOCK = {"t": 0.0, "elapsed": 0.0, "trained": 0.0}


def _steps(rundir: RunDir) -> dict[int, events.Step]:
    """The finished event without its clock."""
    found = of_kind(rundir, events.Step)
    return {event.step: msgspec.structs.replace(event, **NO_CLOCK, images_per_second=0.0) for event in found}


def _finished(rundir: RunDir) -> events.Finished:
    last = list(event_log.read(rundir.events))[-1]
    assert isinstance(last, events.Finished)
    return msgspec.structs.replace(last, **NO_CLOCK)


def _started_and_under_way(rundir: RunDir) -> subprocess.Popen[bytes]:
    """An engine that has written a checkpoint in this attempt."""
    before = len(of_kind(rundir, events.Saved))
    process = start(rundir)

    def look() -> bool:
        assert process.poll() is None, rundir.log.read_text()
        return len(of_kind(rundir, events.Saved)) > before

    wait_until(look, timeout=60)
    return process


def test_a_run_that_is_stopped_and_killed_on_its_way_ends_like_an_uninterrupted_one(
    reference: RunDir, tmp_path: Path
) -> None:
    rundir = run_folder(tmp_path / "run", LONGER | {"checkpoint_minutes": OFTEN})

    process = _started_and_under_way(rundir)
    process.send_signal(signal.SIGHUP)  # a lost terminal sends this signal; the engine ignores it
    process.send_signal(signal.SIGTERM)
    assert finish(process) == 130
    _stopped_where_it_saved(rundir)

    process = _started_and_under_way(rundir)
    rundir.request_stop()
    assert finish(process) == 130
    _stopped_where_it_saved(rundir)
    rundir.stop.unlink()

    process = _started_and_under_way(rundir)
    process.kill()
    process.wait()
    known = [event.step for event in of_kind(rundir, events.Saved) if event.file == "last.pt"][-1]
    with rundir.events.open("ab") as file:
        file.write(b'{"type":"step","st')  # the kill came in the middle of a line

    assert finish(start(rundir)) == 0
    assert _finished(rundir) == events.Finished(status="done", step=STEPS)
    began = of_kind(rundir, events.Started)
    saved = {event.step for event in of_kind(rundir, events.Saved) if event.file == "last.pt"}
    assert [event.attempt for event in began] == [1, 2, 3, 4]
    assert {event.from_step for event in began[1:3]} <= saved
    # The kill may come between a checkpoint and the event that tells of that checkpoint.
    assert known <= began[3].from_step < STEPS
    _same_weights_and_results(reference, rundir)


def _stopped_where_it_saved(rundir: RunDir) -> None:
    saved = of_kind(rundir, events.Saved)[-1]
    assert 0 < saved.step < STEPS
    assert _finished(rundir) == events.Finished(status="stopped", step=saved.step)


def _same_weights_and_results(reference: RunDir, resumed: RunDir) -> None:
    assert_same(weights(reference)["model"], weights(resumed)["model"])
    assert_same(weights(reference)["optimizer"], weights(resumed)["optimizer"])
    assert_same(weights(reference)["delta"], weights(resumed)["delta"])
    assert evaluations(reference)[-2:] == evaluations(resumed)[-2:]


PARENT = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:])
print(child.pid, flush=True)
time.sleep(600)
"""


def test_an_engine_whose_parent_dies_saves_and_ends(tmp_path: Path) -> None:
    rundir = run_folder(tmp_path / "run", LONGER | {"epochs": 1000, "checkpoint_minutes": OFTEN})
    arguments = [sys.executable, "-c", PARENT, *command(rundir.path)]
    parent = subprocess.Popen(arguments, stdout=subprocess.PIPE, env=environment())
    assert parent.stdout is not None
    with parent.stdout:
        engine = int(parent.stdout.readline())
    try:
        wait_until(lambda: of_kind(rundir, events.Saved), timeout=60)
        parent.kill()
        parent.wait()
        wait_until(lambda: gone(engine), timeout=30)
    finally:
        parent.kill()
        if not gone(engine):
            os.kill(engine, signal.SIGKILL)
    assert _finished(rundir) == events.Finished(status="stopped", step=weights(rundir)["step"])


def test_an_engine_that_is_told_to_stop_before_it_begins_ends_with_a_stopped_event(tmp_path: Path) -> None:
    rundir = run_folder(tmp_path / "run", LONGER)
    rundir.request_stop()
    assert finish(start(rundir)) == 130
    assert _finished(rundir) == events.Finished(status="stopped")
    assert len(list(event_log.read(rundir.events))) == 1
