"""The history at size: `python tests/benchmarks/history.py [ROWS]` prints what looking and writing cost."""

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec.structs import replace

from engine.config.presets import build
from engine.protocol.event_log import Writer
from engine.protocol.events import Evaluated, Finished, Started, Step
from engine.protocol.rundir import RunDir
from engine.protocol.submission import Submission
from fastadv_tui.history.derive_row import row_of
from fastadv_tui.history.index import History

POINTS = 15


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    print(f"{platform.machine()}, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FASTADV_HOME"] = folder
        for count in sorted({1000, rows}):
            measure(Path(folder), count)
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def measure(home: Path, count: int) -> None:
    """Fill the home up to `count` runs with 100 events each, and time the work on them."""
    for number in range(count):
        make_run(home / "runs" / f"run{number:05d}")
    history = History()
    rebuilt = best(lambda: history.reindex(), 1)
    print(f"{count:>6,} runs: reindex {count / rebuilt:,.0f} runs/s")
    row = row_of(RunDir(home / "runs" / "run00000"))
    print(f"{count:>6,} runs: upsert {1000 * best(lambda: history.upsert([replace(row, note='x')]), 5):.0f} ms")
    size = history.path.stat().st_size / 1e6
    print(f"{count:>6,} runs: rows() {1000 * best(history.rows, 5):.0f} ms, file {size:.1f} MB")
    bare = best(lambda: run("-c", "pass"), 5)
    words = ("-P", "-m", "fastadv_tui", "runs", "--filter", "robust>0.1", "--sort", "robust")
    listing = best(lambda: run(*words), 5)
    print(f"{count:>6,} runs: `fastadv runs` {1000 * listing:.0f} ms, of which a bare python {1000 * bare:.0f} ms")


def make_run(folder: Path) -> None:
    if folder.exists():
        return
    folder.mkdir(parents=True)
    rundir = RunDir(folder)
    config = build("cifar", {"seed": int(folder.name[3:]), "model.width": 16})
    submission = Submission(id=rundir.id, submitted=time.time(), config=config)
    rundir.config.write_bytes(msgspec.json.encode(submission))
    with Writer(rundir.events) as writer:
        writer.write(STARTED)
        for epoch in range(POINTS):
            for step in range(5):
                number = 5 * epoch + step + 1
                writer.write(Step(step=number, epoch=number / 5, lr=0.1, loss=2.0, accuracy=0.3, images_per_second=900))
            writer.write(evaluated("watch", number, epoch))
        writer.write(evaluated("final", number, POINTS))
        writer.write(Finished(status="done", step=number))


def evaluated(stage: str, step: int, epoch: int) -> Evaluated:
    figures = {"stage": stage, "split": "test", "step": step, "epoch": epoch + 1.0, "attack": "pgd-10"}
    return msgspec.convert({**figures, "clean": 0.8, "robust": 0.4, "images": 1000}, Evaluated)


STARTED = Started(
    attempt=1,
    from_step=0,
    total_steps=5 * POINTS,
    steps_per_epoch=5,
    device="cpu",
    precision="fp32",
    threads=2,
    parameters=701_018,
    train_images=50_000,
    test_images=10_000,
    data_fingerprint="49f851515346",
    official_data=True,
)


def run(*words: str) -> None:
    subprocess.run([sys.executable, *words], check=True, capture_output=True)


def best(action: Callable[[], object], times: int) -> float:
    """Seconds of the quickest of several tries."""
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        action()
        found.append(time.perf_counter() - begun)
    return min(found)


if __name__ == "__main__":
    main()
