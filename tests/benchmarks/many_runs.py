"""What a queue of many runs costs: `python -m tests.benchmarks.many_runs [--runs 1000]` submits a sweep of digits runs.

Time of the submission, processes and memory with the queue beside those without, processor time of the keeper, and the
dashboard over the queue: first paint and idle. The slot of the CPU is held all the while, so no run starts.
"""

import argparse
import os
import platform
import subprocess
import sys
import time

import psutil

from fastadv_tui.history.index import History
from fastadv_tui.supervise import records
from fastadv_tui.supervise.process_identity import ProcessIdentity
from fastadv_tui.supervise.queue import RunQueue
from fastadv_tui.supervise.slots import CPU, free_slot
from tests.benchmarks.dashboard import cpu_share, home, megabytes, opened

FASTADV = [sys.executable, "-P", "-m", "fastadv_tui"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    print(f"{platform.machine()}, {os.cpu_count()} cores, {platform.python_version()}, {time.strftime('%Y-%m-%d')}")
    with home():
        queue = RunQueue.of_home()
        queue.slots.mkdir()
        slot = free_slot(queue.slots, CPU, 1)
        assert slot is not None
        before = ours()
        submit(runs)
        report_processes(before)
        report_order(queue)
        report_commands()
        report_dashboard(runs)
        report_keeper(queue)


def submit(runs: int) -> None:
    begun = time.perf_counter()
    words = ["sweep", "digits", "--seeds", f"0-{runs - 1}", "--set", "device=cpu", "--yes"]
    subprocess.run([*FASTADV, *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print(f"{runs:,} runs submitted by one sweep in {time.perf_counter() - begun:.1f} s")


def ours() -> dict[int, float]:
    """Megabytes, by pid, of the processes that work on this home."""
    found = {}
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("FASTADV_HOME") == os.environ["FASTADV_HOME"]:
                found[process.pid] = process.memory_full_info().pss / 1e6
        except psutil.Error:
            continue
    return found


def report_processes(before: dict[int, float]) -> None:
    more = {pid: size for pid, size in ours().items() if pid not in before}
    print(f"{len(more)} process(es) more than without the queue, {sum(more.values()):.1f} MB")


def report_order(queue: RunQueue) -> None:
    rows = {row.id: row for row in History().rows()}
    seeds = [rows[ticket.id].seed for ticket in queue.waiting()]
    print(f"{len(seeds):,} wait, in the order of submission: {seeds == sorted(seeds)}")


def report_commands() -> None:
    for words in (["queue"], ["runs"], ["--version"]):
        times = []
        for _ in range(5):
            begun = time.perf_counter()
            subprocess.run([*FASTADV, *words], check=True, stdout=subprocess.DEVNULL)
            times.append(time.perf_counter() - begun)
        print(f"fastadv {' '.join(words)}: {1000 * min(times):.0f} ms (best of 5)")


def report_dashboard(runs: int) -> None:
    paints = []
    for _ in range(5):
        begun = time.perf_counter()
        with opened() as (_, terminal):
            paints.append((terminal.wait(b"Runs") - begun, terminal.wait(f"{runs:,} queued".encode()) - begun))
    frame, rows = min(paints)
    print(f"dashboard: first paint {1000 * frame:.0f} ms, runs counted {1000 * rows:.0f} ms (best of 5)")
    with opened() as (process, _):
        print(f"dashboard, idle: {cpu_share(process):.1%} of a core, {megabytes(process):.0f} MB")


def report_keeper(queue: RunQueue) -> None:
    record = records.read(queue.slots / "keeper.json", ProcessIdentity)
    assert record is not None
    process = psutil.Process(record.pid)
    print(f"keeper, idle: {cpu_share(process):.2%} of a core, {megabytes(process):.0f} MB resident")


if __name__ == "__main__":
    main()
