"""The interface of a data set to training and evaluation, and the function that opens the data set of a run.

Opening a data set in memory loads no torch: the check of a run would take ten times as long.
"""

from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from engine.config.datasets import FOLDER, DatasetFacts, spec_of
from engine.config.errors import ConfigError
from engine.config.phases import Phase
from engine.config.run import RunConfig
from engine.data.memory.dataset import MemoryDataset
from engine.data.memory.datasets import hold_out, open_arrays
from engine.data.memory.extra import open_extra
from engine.data.memory.facts import augmented, facts_from
from engine.data.memory.user_function import change_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from engine.data.minibatch import Minibatch


class Batches(Protocol):
    """The training minibatches of a phase. Each minibatch is a function of (seed, epoch, its number) alone.

    unreadable: the paths of files that could not be read so far. remarks: what a user should know about the loading.
    """

    @property
    def unreadable(self) -> Set[str]: ...

    @property
    def remarks(self) -> Sequence[str]: ...

    def __len__(self) -> int:
        """The number of minibatches in an epoch. The last minibatch may be smaller."""
        ...

    def epoch(self, epoch: int, first: int = 0) -> "Iterator[Minibatch]":
        """The minibatches of an epoch, from number `first` on."""
        ...

    def batch(self, epoch: int, number: int) -> "Minibatch":
        """Minibatch `number` of an epoch."""
        ...


class Images(Protocol):
    """Test images by index.

    labels: int64, (N,). unreadable: the paths of files that could not be read so far. remarks: as those of `Batches`.
    """

    labels: "Tensor"

    @property
    def unreadable(self) -> Set[str]: ...

    @property
    def remarks(self) -> Sequence[str]: ...

    def first(self, count: int) -> "Images":
        """The first `count` images, or all images if `count` is 0."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, indices: "Tensor") -> "tuple[Tensor, Tensor]":
        """Images in [0,1], (B, C, H, W), and labels, (B,). An image that cannot be read has the label -1."""
        ...


class Dataset(Protocol):
    """A data set that `open_dataset` has found.

    official: whether its files have the checksums of the release; None where no checksums are published.
    shape: how many training images (and which classes) there are, in words. It must stay the same when a run resumes.
    extra_images: number and fingerprint of the extra images, None without any. They must stay the same, too.
    """

    facts: DatasetFacts
    shape: str
    official: bool | None
    extra_images: tuple[int, str] | None
    train_images: int
    test_images: int

    @property
    def remarks(self) -> list[str]:
        """What a user should know about the data before training, one line per remark."""
        ...

    def fingerprint(self) -> str: ...

    def filled(self, phase: Phase) -> Phase:
        """The phase with its crop filled in. Raises: ConfigError, if the data does not fit the phase."""
        ...

    def batches(self, phase: Phase, seed: int, device: "torch.device") -> Batches:
        """The training minibatches of a phase that `filled` returned."""
        ...

    def test(self, phase: Phase, device: "torch.device") -> Images:
        """The test images in the size of the evaluation. phase: the last phase of the run, as `filled` returned it."""
        ...


def open_training_data(config: RunConfig, fetch: bool = False, folder: Path | None = None) -> Dataset:
    """As `open_dataset`, with the extra images of the run, if it has any.

    Raises: as `open_dataset`; DataError, if the extra images cannot be used.
    """
    dataset = open_dataset(config, fetch, folder)
    if config.extra_data:
        assert isinstance(dataset, MemoryDataset)  # RunConfig refuses extra data for folders
        dataset.add_extra(open_extra(Path(config.extra_data), dataset.facts), config.extra_fraction)
    return dataset


def open_dataset(config: RunConfig, fetch: bool = False, folder: Path | None = None) -> Dataset:
    """The data set of a run. fetch: whether to download missing files.

    folder: the run directory, which holds a copy of the user's file if a function gives the data; None before the run
    is submitted.

    Raises: DataError, if files are missing, damaged or of another data set; ConfigError, if the data set is unknown
    or `holdout` does not fit it.
    """
    if not config.in_folder:
        arrays = open_arrays(config.dataset, config.data_dir, fetch, config.data_code, folder)
        facts = augmented(spec_of(config.dataset).facts or facts_from(arrays), config)
        changes = change_of(config.dataset, config.data_code)
        return MemoryDataset(hold_out(arrays, config.holdout), facts, config.padding == "reflect", changes)
    from engine.data.folder.dataset import FolderDataset  # imported late: loads the JPEG decoder

    if config.holdout:
        raise ConfigError(f"holdout = {config.holdout}: a folder of images is evaluated on val; set holdout = 0")
    path = Path(config.data_dir) / "imagenet" if config.dataset == "imagenet" else config.dataset.removeprefix(FOLDER)
    return FolderDataset(Path(path))
