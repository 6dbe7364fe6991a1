"""One look at a run while another process writes: no event is lost, whatever happens between two reads."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.protocol import event_log
from engine.protocol.events import AnyEvent, Finished, Step
from engine.protocol.rundir import RunDir
from fastadv_tui.history.derive_row import row_of
from fastadv_tui.runs.observe import RunObserver, observe
from fastadv_tui.runs.state import RunState
from fastadv_tui.supervise import process_identity, records
from fastadv_tui.supervise.process_identity import ProcessIdentity
from fastadv_tui.supervise.records import ExitRecord, ProcessRecord
from tests.support.events import evaluated, started, step, write_events
from tests.support.runs import make_run


@pytest.fixture
def rundir(tmp_path: Path) -> RunDir:
    return make_run(tmp_path / "run")


@pytest.fixture
def engine() -> Iterator["subprocess.Popen[bytes]"]:
    """A process in place of the engine."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process
        process.kill()


def trains(rundir: RunDir, engine: "subprocess.Popen[bytes]") -> None:
    """Let the run train in the process `engine`, after its supervisor was killed."""
    who = process_identity.of(engine.pid)
    assert who is not None
    gone = ProcessIdentity(host=who.host, boot=who.boot, pid=who.pid, start=who.start - 1000)
    records.write(rundir.process, ProcessRecord(attempt=1, supervisor=gone, engine=who))
    write_events(rundir, started(), step(1))


def ends(rundir: RunDir, engine: "subprocess.Popen[bytes]", recorded: bool = False) -> None:
    """Let the run end: write the last events, end the process, write the exit record."""
    write_events(rundir, step(2), evaluated(2, "final"), Finished(status="done", step=2, t=77.0))
    engine.kill()
    engine.wait()
    if recorded:
        records.write(rundir.exit, ExitRecord(attempt=1, t=78.0, code=0, peak_memory=5))


def once(action: Callable[[], None], function: Callable[..., Any], before: bool) -> Callable[..., Any]:
    """A function that calls `function`, and calls `action` once, before or after the first call."""
    pending = [action]

    def wrapped(*arguments: Any, **options: Any) -> Any:
        if before and pending:
            pending.pop()()
        found = function(*arguments, **options)
        if not before and pending:
            pending.pop()()
        return found

    return wrapped


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "supervisor-killed"])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("moment", [(records, "read"), (process_identity, "alive")], ids=["records", "processes"])
def test_a_run_that_ends_between_two_reads_is_live_or_whole_and_never_lost(
    rundir: RunDir,
    engine: "subprocess.Popen[bytes]",
    monkeypatch: pytest.MonkeyPatch,
    moment: tuple[Any, str],
    before: bool,
    recorded: bool,
) -> None:
    trains(rundir, engine)
    module, name = moment
    end = once(lambda: ends(rundir, engine, recorded), getattr(module, name), before)
    monkeypatch.setattr(module, name, end)
    seen = observe(rundir)
    assert seen.status.status in ("running", "done")
    if seen.status.status == "done":
        assert (seen.state.finished is not None, seen.state.step, len(seen.state.final)) == (True, 2, 1)
        assert seen.status.ended == 77.0
    now = observe(rundir)
    assert (now.status.status, now.state.step, now.exit is not None) == ("done", 2, recorded)


def test_a_run_that_is_killed_between_two_reads_still_says_what_killed_it(
    rundir: RunDir, engine: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    trains(rundir, engine)

    def killed() -> None:
        engine.kill()
        engine.wait()
        records.write(rundir.exit, ExitRecord(attempt=1, t=78.0, code=-signal.SIGKILL))

    monkeypatch.setattr(process_identity, "alive", once(killed, process_identity.alive, before=True))
    found = observe(rundir).status
    assert (found.status, found.reason, found.ended) == ("lost", "the engine was killed by SIGKILL", 78.0)


def test_a_row_derived_while_its_run_ends_holds_the_final_figures(
    rundir: RunDir, engine: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    trains(rundir, engine)
    end = once(lambda: ends(rundir, engine, recorded=True), process_identity.alive, before=True)
    monkeypatch.setattr(process_identity, "alive", end)
    row = row_of(rundir)
    assert (row.status, row.final, row.robust, row.peak_memory) == ("done", True, 0.4, 5)


@pytest.mark.parametrize(("device", "gpu_memory"), [("NVIDIA H100 80GB HBM3", 9 * 10**9), ("cpu (2 cores)", None)])
def test_a_row_has_the_most_memory_of_a_gpu_over_steps_and_attempts(
    rundir: RunDir, device: str, gpu_memory: int | None
) -> None:
    held = 10**9 if gpu_memory else 0
    for number, times in ((1, 8), (2, 9), (3, 7)):
        write_events(rundir, started(number, number - 1, device=device), step(number, gpu_memory=times * held))
    write_events(rundir, Finished(status="done", step=3, gpu_memory=6 * held))
    assert row_of(rundir).gpu_memory == gpu_memory


WRITER = """
import sys
from pathlib import Path
from engine.protocol import event_log, events
print(flush=True)
input()
with event_log.Writer(Path(sys.argv[1])) as writer:
    for number in range(1, 301):
        writer.write(events.Step(step=number, elapsed=number, epoch=0, lr=0, loss=0, accuracy=0, images_per_second=0))
    writer.write(events.Finished(status="done", step=300))
"""


def test_a_follower_of_a_real_process_gets_every_event_once_before_it_learns_of_the_end(rundir: RunDir) -> None:
    command = [sys.executable, "-c", WRITER, str(rundir.events)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        who = process_identity.of(process.pid)
        assert who is not None
        records.write(rundir.process, ProcessRecord(attempt=1, supervisor=who, engine=who))
        received: list[AnyEvent] = []
        observer = RunObserver(rundir, lambda event, state: received.append(event))
        assert observer.look().status.live
        process.stdin.write(b"\n")
        process.stdin.flush()
        while (seen := observer.look()).status.live:
            pass
    assert seen.status.status == "done"
    assert [event.step for event in received if isinstance(event, Step)] == list(range(1, 301))
    assert isinstance(received[-1], Finished)
    assert seen.state.finished is received[-1]


def test_each_event_comes_with_the_state_after_it(rundir: RunDir) -> None:
    write_events(rundir, started(), step(1), step(2))
    steps: list[int] = []
    observer = RunObserver(rundir, lambda event, state: steps.append(state.step))
    observer.look()
    write_events(rundir, step(3))
    observer.look()
    assert steps == [0, 1, 2, 3]


def test_a_submission_is_none_where_it_cannot_be_read_and_is_read_again_until_it_can(rundir: RunDir) -> None:
    records.write(rundir.process, ProcessRecord(attempt=1, supervisor=process_identity.me()))
    config, observer = rundir.config.read_bytes(), RunObserver(rundir)
    for content in (b"", b"{", b"\xff\xfe", b"[]"):
        rundir.config.write_bytes(content)
        assert observer.look().submission is None
    rundir.config.write_bytes(config)
    submission = observer.look().submission
    assert submission is not None
    assert submission.id == rundir.id


def test_a_run_whose_folder_went_away_is_lost_though_it_was_seen_before(rundir: RunDir) -> None:
    observer = RunObserver(rundir)
    assert observer.look().status.status == "queued"
    rundir.path.rename(rundir.path.with_name("away"))
    seen = observer.look()
    assert (seen.status.status, seen.submission, seen.state) == ("lost", None, RunState())


@pytest.mark.parametrize("content", [b"", b'{"type":"note","message":"anew","t":1.0}\n'], ids=["cut", "replaced"])
def test_events_of_a_file_that_was_cut_or_replaced_no_longer_count(rundir: RunDir, content: bytes) -> None:
    write_events(rundir, started(), step(1), Finished(status="failed"))
    observer = RunObserver(rundir)
    seen = observer.look()
    revision = observer.revision
    assert seen.state.finished is not None
    rundir.events.write_bytes(content)
    seen = observer.look()
    assert (seen.state.finished, seen.state.step, len(seen.state.notes)) == (None, 0, int(bool(content)))
    assert observer.revision > revision


def test_events_behind_megabytes_of_garbage_are_not_missed(rundir: RunDir) -> None:
    rundir.events.write_bytes((b"x" * 1000 + b"\n") * (3 * event_log.TAIL_BYTES // 1000))
    write_events(rundir, Finished(status="failed", error="why"))
    assert observe(rundir).status.reason == "why"


def test_a_look_at_a_run_that_has_not_changed_reads_none_of_its_events_again(
    rundir: RunDir, engine: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    trains(rundir, engine)
    observer = RunObserver(rundir)
    observer.look()
    revision, decoded = observer.revision, event_log.decode
    lines: list[bytes] = []

    def counted(line: bytes) -> AnyEvent | None:
        lines.append(line)
        return decoded(line)

    monkeypatch.setattr(event_log, "decode", counted)
    observer.look()
    assert (lines, observer.revision) == ([], revision)
    engine.send_signal(signal.SIGKILL)
    engine.wait()
    assert observer.look().status.status == "lost"
