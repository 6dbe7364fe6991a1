"""Where a run's images come from: arrays in memory, or a folder with a file for each."""

from collections.abc import Iterator, Set
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from engine.config.datasets import FOLDER, DatasetFacts, facts_of
from engine.config.errors import ConfigError
from engine.config.phases import Phase
from engine.config.run import RunConfig
from engine.data.memory.dataset import MemoryDataset
from engine.data.memory.datasets import hold_out, open_arrays
from engine.data.minibatch import Minibatch


class Batches(Protocol):
    """The training minibatches of a phase: each is a function of (seed, epoch, its number) alone.

    `broken`: files that could not be read so far.
    """

    @property
    def broken(self) -> Set[str]: ...

    def __len__(self) -> int:
        """Minibatches in an epoch; the last one may be smaller."""
        ...

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Minibatch]:
        """The minibatches of an epoch from number `first` on."""
        ...

    def batch(self, epoch: int, number: int) -> Minibatch:
        """One of them."""
        ...


class Images(Protocol):
    """Test images by their number. labels: int64, (N,); `broken`: files that could not be read so far."""

    labels: Tensor

    @property
    def broken(self) -> Set[str]: ...

    def first(self, count: int) -> "Images":
        """The first `count` images, or all if it is 0."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Images in [0,1] (B, C, H, W) and labels (B,), -1 for an image that cannot be read."""
        ...


class Dataset(Protocol):
    """A data set that has been found. official: whether its files have the checksums of the release, None where nobody
    published any; shape: what must not change while a run is trained on it, in words.
    """

    facts: DatasetFacts
    shape: str
    official: bool | None
    train_images: int
    test_images: int

    @property
    def remarks(self) -> list[str]:
        """What a user should know of the data before it is trained on, in a line each."""
        ...

    def fingerprint(self) -> str: ...

    def filled(self, phase: Phase) -> Phase:
        """The phase with its sizes filled in. Raises: ConfigError, if this data does not have them."""
        ...

    def batches(self, phase: Phase, seed: int, device: torch.device) -> Batches:
        """phase: as `filled`."""
        ...

    def test(self, phase: Phase, device: torch.device) -> Images:
        """The test images in the size that a run with this last phase (as `filled`) is judged by."""
        ...


def open_dataset(config: RunConfig, fetch: bool = False) -> Dataset:
    """The data of a run. fetch: download what is missing.

    Raises: DataError, if the files are missing, damaged or not that data set; ConfigError.
    """
    if not config.in_folder:
        arrays = hold_out(open_arrays(config.dataset, config.data_dir, fetch), config.holdout)
        return MemoryDataset(arrays, facts_of(config.dataset))
    from engine.data.folder.dataset import FolderDataset  # and the decoder of its images

    if config.holdout:
        raise ConfigError(f"holdout = {config.holdout}: only data in memory can be held out; use a folder's own val")
    path = Path(config.data_dir) / "imagenet" if config.dataset == "imagenet" else config.dataset.removeprefix(FOLDER)
    return FolderDataset(Path(path))
