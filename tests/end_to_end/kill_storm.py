"""Kill anything at any moment: `python -m tests.end_to_end.kill_storm [--runs 200] [--real 4] [--seed 0]`.

For each run the script kills (SIGKILL) the engine, its supervisor, the keeper of the queue, a viewer or a process that
writes the history, at a random moment. More runs are there than there are slots, so some always wait. Then the script
checks: no row of the history is lost, the history is readable, no run says `running` two seconds after it died, no
process is left ten seconds later, and every run resumes to its end. Most runs have a stand-in for the engine that needs
no torch; `--real` runs train on the digits. The script prints what it tried and what it found. It exits with 1 if
anything was wrong.
"""

import argparse
import collections
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.config.presets import build
from engine.config.run import RunConfig
from engine.protocol.rundir import RunDir
from fastadv_tui.history.index import History
from fastadv_tui.history.store.reader import read_rows
from fastadv_tui.paths import history_path
from fastadv_tui.runs import control
from fastadv_tui.runs.create import create_run
from fastadv_tui.runs.submit import submit_run
from fastadv_tui.supervise import keeper, records
from fastadv_tui.supervise.process_identity import ProcessIdentity
from fastadv_tui.supervise.queue import RunQueue
from fastadv_tui.supervise.records import ProcessRecord
from tests.support.runs import FAKE, gone, verdict

VICTIMS = ("engine", "supervisor", "keeper", "viewer", "writer")
SLOTS, AT_ONCE = 3, 5  # runs that train at once, runs that are there at once
WRITER = "import sys\nfrom pathlib import Path\n"
WRITER += "from engine.protocol.rundir import RunDir\nfrom fastadv_tui.history.index import History\n"
WRITER += "while True: History().record(RunDir(Path(sys.argv[1])))"


class Findings:
    """What was tried, and what was wrong."""

    def __init__(self) -> None:
        self.tried: collections.Counter[str] = collections.Counter()
        self.wrong: list[str] = []
        self.slowest_truth = 0.0

    def expect(self, fine: bool, what: str) -> None:
        if not fine:
            self.wrong.append(what)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--real", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(FASTADV_HOME=folder, OMP_NUM_THREADS="1")
        findings = torment(options.runs, options.real, options.seed)
    report(findings)
    return 1 if findings.wrong else 0


def torment(runs: int, real: int, seed: int) -> Findings:
    """Kill one process in each of `runs` runs. The first `real` runs have the real engine."""
    findings, dice = Findings(), random.Random(seed)
    plans = [(number < real, VICTIMS[number % len(VICTIMS)], dice.random()) for number in range(runs)]
    with readers(findings):
        for is_real in (True, False):
            with engine_of(is_real), ThreadPoolExecutor(AT_ONCE) as pool:
                chosen = [plan for plan in plans if plan[0] == is_real]
                for outcome in pool.map(lambda plan: one(plan[0], plan[1], plan[2], findings), chosen):
                    findings.tried[outcome] += 1
    rows = History().rows()
    findings.expect(len(rows) == runs, f"{len(rows)} rows of {runs} runs")
    findings.expect(len({row.id for row in rows}) == len(rows), "a row stands twice")
    findings.expect(all(row.status == "done" for row in rows), "a row does not say done at the end")
    return findings


def one(real: bool, victim: str, chance: float, findings: Findings) -> str:
    """Start a run and kill one process of it. Returns what was killed."""
    rundir = create_run(config(real), ["stress"], slots=SLOTS)
    History().record(rundir)
    submit_run(rundir)
    bystanders = {
        "viewer": spawn("-P", "-m", "fastadv_tui", "watch", rundir.id),
        "writer": spawn("-P", "-c", WRITER, str(rundir.path)),
    }
    try:
        time.sleep(chance * (8 if real else 0.5))  # the test needs a random moment
        killed = kill(victim, rundir, bystanders)
    finally:
        for bystander in bystanders.values():
            bystander.kill()
            bystander.wait()
    settle(rundir, findings, f"{rundir.id}: {victim}")
    return f"{'real' if real else 'simulated'} run, {victim} {'killed' if killed else 'had ended before'}"


def kill(victim: str, rundir: RunDir, bystanders: "dict[str, subprocess.Popen[bytes]]") -> bool:
    """SIGKILL the victim, if it still runs. Returns whether it did."""
    if victim in bystanders:
        bystanders[victim].kill()
        return True
    if victim == "keeper":
        found = records.read(RunQueue.of_home().slots / "keeper.json", ProcessIdentity)
        return found is not None and _kill(found.pid)
    record = records.read(rundir.process, ProcessRecord)
    target = record and getattr(record, victim)
    return target is not None and _kill(target.pid)


def _kill(pid: int) -> bool:
    if gone(pid):
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return True


def settle(rundir: RunDir, findings: Findings, what: str) -> None:
    """Wait for the end of the run, and resume it until it is done."""
    for _ in range(5):
        if not wait(lambda: not at_work(rundir), 120):
            findings.wrong.append(f"{what}: still at work after 120 s")
            return
        died = time.monotonic()
        fine = wait(lambda: not verdict(rundir).live, 10)
        findings.slowest_truth = max(findings.slowest_truth, time.monotonic() - died)
        findings.expect(fine and time.monotonic() - died < 2, f"{what}: says {verdict(rundir)} though it is dead")
        if verdict(rundir).status == "done":
            break
        control.resume(rundir)
    findings.expect(verdict(rundir).status == "done", f"{what}: could not be resumed to its end")
    findings.expect(wait(lambda: not leftovers(rundir), 10), f"{what}: {leftovers(rundir)} left behind")
    History().record(rundir)


def at_work(rundir: RunDir) -> bool:
    """Whether the run waits or one of its processes runs. Revives a keeper that was killed, as any command does."""
    queue = RunQueue.of_home()
    keeper.revive(queue)
    return queue.holds(rundir.id) or alive(rundir)


def alive(rundir: RunDir) -> bool:
    """Whether the supervisor or the engine of the run still runs."""
    record = records.read(rundir.process, ProcessRecord)
    members = [record.supervisor, record.engine] if record else []
    return any(member is not None and not gone(member.pid) for member in members)


def leftovers(rundir: RunDir) -> list[int]:
    """Every process on this machine that works on the run."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if str(rundir.path).encode() in command:
                found.append(int(folder.name))
    return found


@contextmanager
def readers(findings: Findings) -> Iterator[None]:
    """Read the history in a thread all the while. Each read must find it whole."""
    done = False

    def read() -> None:
        while not done:
            history = History()
            try:
                if history_path().exists():
                    read_rows(history.path)
            except Exception as error:
                findings.wrong.append(f"the history could not be read: {error!r}")
            time.sleep(0.05)

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        try:
            yield
        finally:
            done = True
            reading.result()


@contextmanager
def engine_of(real: bool) -> Iterator[None]:
    if not real:
        os.environ["PYTHONPATH"] = str(FAKE)
    try:
        yield
    finally:
        os.environ.pop("PYTHONPATH", None)


def config(real: bool) -> RunConfig:
    settings = {"device": "cpu", "checkpoint_minutes": 0.02}
    quick = {"epochs": 3, "model.width": 4, "watch.images": 50, "eval.attack": "pgd-2"}
    return build("digits", {**settings, **(quick if real else {})})


def spawn(*words: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def report(findings: Findings) -> None:
    for what, count in sorted(findings.tried.items()):
        print(f"{count:>5}  {what}")
    print(f"the truth was told at the latest {findings.slowest_truth:.2f} s after a death")
    print(
        "\n".join(["", f"{len(findings.wrong)} things wrong:", *findings.wrong]) if findings.wrong else "nothing wrong"
    )


if __name__ == "__main__":
    sys.exit(main())
