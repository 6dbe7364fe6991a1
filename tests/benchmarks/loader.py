"""How fast images of a folder are loaded: `python tests/benchmarks/loader.py FOLDER`, with train/CLASS/FILE in it.

Beside each other on the same files: torchvision's ImageFolder with RandomResizedCrop, flip and ToTensor through a
DataLoader whose workers persist; this project's minibatches; and its decoder alone. A few epochs each, the start of the
workers included; once for the files as they are, once for copies of them enlarged to 500x375, which is ImageNet's usual
size. And the memory of all processes over 20 epochs.
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL
import psutil
import simplejpeg
import torch
import torchvision
from numpy.typing import NDArray
from PIL import Image
from timing import resident
from torch.utils.data import DataLoader
from torchvision import transforms

from engine.data.folder.batches import FolderBatches
from engine.data.folder.decode import train_crop
from engine.data.folder.image_folder import ImageFolder

CROP, BATCH = 128, 128
EPOCHS = 3  # in each measurement: workers start once in a training
USUAL = (500, 375)
CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20, help="over which memory is looked at")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, torchvision "
        f"{torchvision.__version__}, Pillow {PIL.__version__}, simplejpeg {simplejpeg.__version__}, "
        f"{time.strftime('%Y-%m-%d')}; {given.workers} worker(s), crop {CROP}, medians of {given.repeats}"
    )
    with tempfile.TemporaryDirectory() as folder:
        enlarged(given.folder, Path(folder))
        for name, root in (("as they are", given.folder), (f"{USUAL[0]}x{USUAL[1]}", Path(folder))):
            compare(name, root, given.workers, given.repeats)
    memory(given.folder, given.workers, given.epochs)


def enlarged(source: Path, target: Path) -> None:
    """Copies of every second training image and every test image, in the usual size."""
    for path in sorted(source.glob("train/*/*"))[::2] + sorted(source.glob("val/*/*")):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        Image.open(path).convert("RGB").resize(USUAL).save(copy, "JPEG", quality=90)


def compare(name: str, root: Path, workers: int, repeats: int) -> None:
    files, labels = ImageFolder(root).files("train", 0)
    rates: dict[str, list[float]] = {"torchvision": [], "ours": [], "decoder": []}
    for number in range(repeats):
        rates["torchvision"].append(rate(lambda: plain(root, workers)))
        rates["ours"].append(rate(lambda seed=number: ours(files, labels, seed, workers)))
        rates["decoder"].append(rate(lambda seed=number: decoded(files, seed)))
    median = {key: statistics.median(found) for key, found in rates.items()}
    theirs, mine, alone = (median[key] for key in ("torchvision", "ours", "decoder"))
    print(
        f"{name}, {len(labels):,} images: torchvision {theirs:,.0f} images/s, ours {mine:,.0f} ({mine / theirs:.2f}x; "
        f"{min(rates['ours']):,.0f} to {max(rates['ours']):,.0f}), decoder alone {alone:,.0f} a process "
        f"({mine / alone / workers:.0%} of it)"
    )


def rate(load: Callable[[], int]) -> float:
    """Images a second."""
    begun = time.perf_counter()
    return load() / (time.perf_counter() - begun)


def plain(root: Path, workers: int) -> int:
    steps = [transforms.RandomResizedCrop(CROP), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    images = torchvision.datasets.ImageFolder(str(root / "train"), transforms.Compose(steps))
    loader = DataLoader(images, BATCH, shuffle=True, num_workers=workers, persistent_workers=True)
    return sum(len(y) for _ in range(EPOCHS) for _, y in loader)


def ours(files: NDArray[np.bytes_], labels: NDArray[np.int64], seed: int, workers: int) -> int:
    batches = FolderBatches(files, labels, CROP, BATCH, seed, CPU, workers, end=EPOCHS)
    return sum(len(batch) for epoch in range(EPOCHS) for batch in batches.epoch(epoch))


def decoded(files: NDArray[np.bytes_], seed: int) -> int:
    """Random crops into a minibatch, as a worker makes them."""
    room = torch.empty(BATCH, CROP, CROP, 3, dtype=torch.uint8)
    for number in np.random.default_rng(seed).permutation(len(files)):
        room[number % BATCH] = train_crop(files[number], CROP, seed, 0, int(number))
    return len(files)


def memory(root: Path, workers: int, epochs: int) -> None:
    """Bytes of this process and its workers at the end of each epoch, none of which is the workers' last one."""
    batches = FolderBatches(*ImageFolder(root).files("train", 0), CROP, BATCH, 0, CPU, workers, end=epochs + 1)
    sizes = []
    for epoch in range(epochs):
        for _ in batches.epoch(epoch):
            pass
        sizes.append(resident(psutil.Process()) / 1e6)
    print(f"memory at the end of epochs 2, {epochs // 2} and {epochs}: ", end="")
    print(", ".join(f"{sizes[n]:.0f} MB" for n in (1, epochs // 2 - 1, epochs - 1)))


if __name__ == "__main__":
    main()
