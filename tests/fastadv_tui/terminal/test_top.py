"""`fastadv top`: the runs as they are now, beside the devices, in place or as one frame."""

import os
import pty
import re
import select
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs

from engine.protocol.events import Finished
from fastadv_tui.hardware.nvml import Gpu, MigInstance
from fastadv_tui.history.index import History
from fastadv_tui.history.query import parse
from fastadv_tui.history.row import Row
from fastadv_tui.paths import ensure_home, runs_dir
from fastadv_tui.runs import control
from fastadv_tui.supervise import process_identity, records
from fastadv_tui.supervise.queue import RunQueue
from fastadv_tui.supervise.records import ProcessRecord
from fastadv_tui.terminal.top_runs import SeenRun, TopRuns
from fastadv_tui.terminal.top_text import frame
from fastadv_tui.text.table import cell_width
from tests.support.demo_home import StillSampler
from tests.support.events import evaluated, started, step, write_events
from tests.support.runs import engine_pid, make_run, submit, wait_for_status
from tests.support.shell import FASTADV, fastadv
from tests.support.waiting import seconds, wait_until


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    ensure_home()


def test_the_runs_follow_what_happens_on_the_disk() -> None:
    top, me = TopRuns(), process_identity.me()
    assert top.look(10) == []
    rundir = make_run(runs_dir() / "a1")
    records.write(rundir.process, ProcessRecord(attempt=1, supervisor=me, engine=me, device="GPU-aaaa"))
    write_events(rundir, started(), step(10, elapsed=5.0), step(20, elapsed=10.0))
    (seen,) = top.look(0)
    assert (seen.row.status, seen.row.epochs, seen.device) == ("running", 2.0, "GPU-aaaa")
    write_events(rundir, step(50), evaluated(50, robust=0.3))
    (seen,) = top.look(0)
    assert (seen.row.epochs, seen.row.robust) == (5.0, 0.3)
    write_events(rundir, Finished(status="done", step=100))
    rundir.process.unlink()
    assert top.look(0) == []
    assert [run.row.status for run in top.look(1)] == ["done"]
    History().edit(rundir, lambda notes: setattr(notes, "name", "new"))
    assert [run.row.name for run in top.look(1)] == ["new"]
    History().upsert([Row(id="b2", status="done", submitted=1.0), Row(id="c3", status="failed", ended=2.0)])
    assert [run.row.id for run in top.look(2)] == ["a1", "c3"]
    assert [run.row.id for run in TopRuns(parse("status=failed")).look(9)] == ["c3"]


def test_a_frame_fits_sixty_columns_and_has_colours_only_if_asked() -> None:
    row = Row(id="k3f9aa", name="a long name of a run", status="running", clean=0.5, robust=0.3, epochs=3.0)
    runs = [SeenRun(row, 3725.0, None, "GPU-bbbb"), SeenRun(Row(id="b2", name="\x1b[2J", status="done"))]
    sample = StillSampler().sample()
    plain = frame(sample, runs, True, 60, False)
    assert max(map(cell_width, plain[3:])) <= 60
    assert plain[0] == "GPU 0  NVIDIA H100 80GB HBM3   97%  21.0 GB of 80.0 GB  61 °C  412 W"
    assert plain[2] == "CPU  32 cores   12%  30.0 GB of 256.0 GB"
    assert plain[4].endswith("1 running, 0 queued, queue paused")
    assert "\x1b" not in "".join(plain)
    assert "GPU 1" in frame(sample, runs, False, None, False)[6]
    assert "\x1b[33m" in "".join(frame(sample, runs, False, 60, True))


def test_a_run_on_an_instance_of_a_gpu_is_shown_by_its_number() -> None:
    mig = (MigInstance(uuid="MIG-0"), MigInstance(uuid="MIG-1"))
    partitioned = Gpu(index=3, uuid="GPU-a", mig=mig, partitioned=True)
    sample = structs.replace(StillSampler().sample(), gpus=(partitioned,))
    row = Row(id="k3f9aa", status="running")
    assert "GPU 3:1" in frame(sample, [SeenRun(row, None, None, "MIG-1")], False, None, False)[-1]


@pytest.mark.usefixtures("fake_engine")
def test_one_frame_for_a_pipe() -> None:
    rundir = submit("forever")
    engine_pid(rundir)
    for words in (["--once"], []):
        done = fastadv("top", *words)
        assert done.returncode == 0
        assert re.search(rf"^●  {rundir.id}  forever +running", done.stdout, re.MULTILINE)
        assert "\x1b" not in done.stdout
    control.stop(rundir, now=True)
    wait_for_status(rundir, "stopped")


@pytest.mark.usefixtures("fake_engine")
def test_in_a_terminal_it_is_refreshed_in_place_until_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    rundir = submit("forever")
    engine_pid(rundir)
    shown, terminal = pty.openpty()
    with subprocess.Popen([*FASTADV, "top", "--interval", "0.2"], stdin=terminal, stdout=terminal) as top:
        screen = bytearray()

        def comes(text: str) -> Callable[[], bool]:
            def look() -> bool:
                while select.select([shown], [], [], 0)[0]:
                    screen.extend(os.read(shown, 1 << 16))
                return text.encode() in screen

            return look

        wait_until(comes("running"))
        control.stop(rundir)
        wait_until(comes("stopped"))
        assert b"\x1b[1A" in screen  # the cursor went up: the frame was drawn over the last one
        top.send_signal(signal.SIGINT)
        assert top.wait(seconds(20)) == 0
    os.close(shown)
    os.close(terminal)


@pytest.mark.usefixtures("fake_engine")
def test_the_queue_is_in_its_order_whatever_was_submitted_first() -> None:
    first = submit("forever")
    engine_pid(first)
    second, third = submit(), submit()
    RunQueue.of_home().move(third.id, 1)
    assert [run.row.id for run in TopRuns().look(0)] == [first.id, third.id, second.id]
