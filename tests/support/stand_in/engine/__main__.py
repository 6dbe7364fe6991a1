"""A training process without torch: it writes events, obeys a stop, and goes on from `last.pt` (a step's number).

What else it does is told by the words in the run's name: `forever`, `deaf` (obeys no stop), `crash`, `fail`,
`segfault`, `family` (children in groups and sessions of their own), `hog` (takes all the memory it can get), `worker`
(ends well, and leaves a child behind), `alarms` (raises fifty alarms at once), `compiling` (compiles until 3 s
after a stop request), `refuse` (its check refuses the run).
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from engine.config.run import RunConfig
from engine.protocol.answers import answer, refuse
from engine.protocol.evaluations import EvaluationRecord, append, iso_time
from engine.protocol.event_log import Writer
from engine.protocol.events import COMPILING, Alarm, Finished, Progress, Saved, Started, Starting, Step
from engine.protocol.handover import wait_for_run
from engine.protocol.requests import Checked, EvalRequest
from engine.protocol.rundir import RunDir
from engine.protocol.stop import StopRequest
from engine.protocol.streams import release_questions

STEPS = 10
PAUSE = 0.02
SLEEP = [sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"]


def main(rundir: RunDir) -> int:
    stop = StopRequest(rundir.stop_asked)
    behaviour = rundir.submission().config.name.split()
    with Writer(rundir.events) as writer:
        if rundir.request.exists():
            return evaluate(rundir, stop, behaviour, writer)
        return train(rundir, stop, behaviour, writer)


def evaluate(rundir: RunDir, stop: StopRequest, behaviour: list[str], writer: Writer) -> int:
    """Write progress, and the record of a result into the folder of the run."""
    request = msgspec.json.decode(rundir.request.read_bytes(), type=EvalRequest)
    done = 0
    while done < STEPS or "forever" in behaviour:
        if stop.requested():
            writer.write(Finished(status="stopped"))
            return 130
        time.sleep(PAUSE)
        done += 1
        writer.write(Progress(attack=request.config.eval.attack, done=min(done, STEPS // 2), total=STEPS))
    if "fail" in behaviour:
        writer.write(Finished(status="failed", error="as told"))
        return 1
    append(RunDir(Path(request.run)).evaluations, [_record(request, eps) for eps in request.eps])
    writer.write(Finished(status="done"))
    return 0


def _record(request: EvalRequest, eps: float) -> EvaluationRecord:
    return EvaluationRecord(
        time=iso_time(time.time()),
        checkpoint="last",
        weights="fake",
        dataset="digits",
        data="fake",
        attack=request.config.eval.attack,
        eps=eps,
        step_size=0.01,
        seed=0,
        images=100,
        clean=0.9,
        robust=0.5,
    )


def train(rundir: RunDir, stop: StopRequest, behaviour: list[str], writer: Writer) -> int:
    if "crash" in behaviour:
        raise RuntimeError("no last word")
    attempt, done = _before(rundir)
    if "compiling" in behaviour:
        _compile(rundir, stop, writer)
    writer.write(_started(attempt, done))
    if "family" in behaviour or "worker" in behaviour:
        _have_children(rundir)
    while done < STEPS or "forever" in behaviour:
        if stop.requested() and "deaf" not in behaviour:
            rundir.last.write_text(str(done))
            writer.write(Saved(step=done, file="last.pt", bytes=1))
            writer.write(Finished(status="stopped", step=done))
            return 130
        time.sleep(PAUSE)
        done += 1
        writer.write(
            Step(step=done, elapsed=done * PAUSE, epoch=done / 10, lr=0.1, loss=1.0, accuracy=0.5, images_per_second=1)
        )
        _misbehave(behaviour, done, writer)
    failed = "fail" in behaviour
    writer.write(Finished(status="failed" if failed else "done", step=done, error="as told" if failed else ""))
    return 1 if failed else 0


def _before(rundir: RunDir) -> tuple[int, int]:
    """The number of this attempt, and the weight updates made before it."""
    text = rundir.events.read_text() if rundir.events.exists() else ""
    return 1 + text.count('"type":"started"'), int(rundir.last.read_text()) if rundir.last.exists() else 0


def _started(attempt: int, done: int) -> Started:
    return Started(
        attempt=attempt,
        from_step=done,
        total_steps=STEPS,
        steps_per_epoch=10,
        device=os.environ["FASTADV_DEVICE"],
        precision="fp32",
        threads=1,
        parameters=1,
        train_images=1,
        test_images=1,
        data_fingerprint="fake",
        official_data=True,
        versions={name: value for name, value in os.environ.items() if name.startswith(("MALLOC", "CUDA"))},
    )


def _compile(rundir: RunDir, stop: StopRequest, writer: Writer) -> None:
    writer.write(Starting(phase=COMPILING))
    while not stop.requested():
        time.sleep(PAUSE)
    time.sleep(3.0)


def _have_children(rundir: RunDir) -> None:
    children = [subprocess.Popen(SLEEP, process_group=0), subprocess.Popen(SLEEP, start_new_session=True)]
    (rundir.path / "children").write_text(" ".join(str(child.pid) for child in children))


def _misbehave(behaviour: list[str], done: int, writer: Writer) -> None:
    if "alarms" in behaviour and done == 5:
        for number in range(1, 51):
            writer.write(Alarm(kind="collapse", step=done, epoch=0.5, message=f"alarm {number}"))
    if "segfault" in behaviour:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "hog" in behaviour:
        hoard = bytearray(1 << 32)
        for page in range(0, len(hoard), 4096):
            hoard[page] = 1


def check_and_train(handle: int) -> int:
    """The answer to a check, and the run when it comes."""
    config = msgspec.json.decode(sys.stdin.buffer.read(), type=RunConfig)
    if "refuse" in config.name.split():
        return refuse("as told")
    answer(Checked(train_images=7, test_images=3, official_data=None, data_fingerprint="abc"))
    release_questions()
    rundir = wait_for_run(handle)
    return main(rundir) if rundir else 130


if __name__ == "__main__":
    warm = sys.argv[1] == "--warm"
    sys.exit(check_and_train(int(sys.argv[2])) if warm else main(RunDir(Path(sys.argv[1]))))
