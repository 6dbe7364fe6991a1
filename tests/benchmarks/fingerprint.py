"""What listing and fingerprinting 1.3 million files cost: `python -m tests.benchmarks.fingerprint --folder /dev/shm`.

It makes 1,000 class folders of empty files in a new folder inside `--folder`, opens them as a run does, each time in a
new process, and deletes them. First time: nothing is kept. Second time: everything is. Then after each of three
changes: a file added, a file removed, and all files of a class rewritten in place. On a busy machine look at the
processor time.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
CLASSES, TRAIN, VAL = 1000, 1300, 50
OPEN = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from engine.data.folder import file_facts
from engine.data.folder.dataset import FolderDataset
looked, look = [0], file_facts.look
def counting(paths):
    looked[0] += len(paths)
    return look(paths)
file_facts.look = counting
begun, worked = time.perf_counter(), time.process_time()
data = FolderDataset(Path(sys.argv[1]))
listed = time.perf_counter()
fingerprint = data.fingerprint()
end = time.perf_counter()
worked = time.process_time() - worked
images = data.train_images + data.test_images
print(f"{listed - begun:.2f} {end - listed:.2f} {worked:.2f} {looked[0]} {images} {fingerprint}")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--classes", type=int, default=CLASSES)
    given = parser.parse_args()
    if os.statvfs(given.folder).f_favail < given.classes * (TRAIN + VAL + 10):
        sys.exit(f"{given.folder} has too few free inodes; name another --folder")
    cores = len(os.sched_getaffinity(0))
    print(f"{platform.machine()}, {cores} core(s), {given.folder}, {time.strftime('%Y-%m-%d')}")
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        measure(Path(folder) / "data", Path(folder) / "home", given.classes)


def measure(root: Path, home: Path, classes: int) -> None:
    home.mkdir()
    begun = time.perf_counter()
    for split, count in (("train", TRAIN), ("val", VAL)):
        for number in range(classes):
            fill(root / split / f"n{number:08d}", count)
    print(f"made {classes * (TRAIN + VAL):,} files in {time.perf_counter() - begun:.0f} s")
    time.sleep(3)  # a folder that has just changed is not trusted, see `listing.YOUNG`
    first = opened("first time", root, home)
    for number in range(3):
        assert opened(f"second time ({number + 1})", root, home) == first
    changed = root / "train" / f"n{classes // 2:08d}"
    (changed / "new.JPEG").touch()
    assert opened("after a file was added", root, home) != first
    (changed / "new.JPEG").unlink()
    assert opened("after it was removed", root, home) == first
    for path in changed.iterdir():
        path.write_bytes(b"x")
    assert opened("after a class was rewritten in place", root, home) != first


def fill(folder: Path, count: int) -> None:
    """Make a class folder with empty files."""
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"{folder.name}_{number}.JPEG").touch()


def opened(name: str, root: Path, home: Path) -> str:
    """Open the data set in a new process, print what it cost, and return the fingerprint."""
    environment = {**os.environ, "FASTADV_HOME": str(home)}
    command = [sys.executable, "-c", OPEN, str(root), str(ROOT)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    listed, hashed, worked, looked, images, fingerprint = done.stdout.split()
    total, share = float(listed) + float(hashed), int(looked) / int(images)
    parts = f"{listed} s for the list, {hashed} s for the fingerprint; {worked} s of processor time"
    print(f"{name}: {total:.2f} s ({parts}); {share:.0%} of the files looked at", flush=True)
    return fingerprint


if __name__ == "__main__":
    main()
