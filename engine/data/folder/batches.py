"""Minibatches of images that lie in files: worker processes decode them, the device gets bytes, flips and casts."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from engine.config.errors import DataError
from engine.data.folder.decode import DecodeError, GoneError, eval_crop, train_crop
from engine.data.folder.workers import MOST_WORKERS, init_worker, polled, workers_for
from engine.data.memory.batches import to_images
from engine.data.minibatch import Minibatch
from engine.runtime.rng import generator

GREY = 128
MAX_MISSING_FRACTION = 0.1  # share of a minibatch that may be gone: of more it is the data set that is
UNREADABLE = -1  # the label of a test image that nobody can see, which no network answers
KEPT_BYTES = 2 * 10**9  # of decoded test images: an attack comes back to the survivors of each restart
SHUFFLED = 0  # seed of the order of test images

Place = tuple[int, int]  # epoch, number of a minibatch in it
# uint8 (B, crop, crop, 3), labels (B,), indices (B,), files that cannot be read, those among them that are gone
Decoded = tuple[Place, Tensor, Tensor, Tensor, list[str], list[str]]
Moved = tuple[Tensor, Tensor, Tensor]  # pixels, labels and indices on the device


class _Crops(Dataset[Decoded]):
    """Whole minibatches of random crops, asked for by their place and the images in them."""

    def __init__(self, files: NDArray[np.bytes_], labels: NDArray[np.int64], crop: int, seed: int) -> None:
        self.files, self.labels, self.crop, self.seed = files, labels, crop, seed

    def __getitem__(self, asked: tuple[Place, NDArray[np.int64]]) -> Decoded:
        (epoch, number), indices = asked
        pixels = torch.full((len(indices), self.crop, self.crop, 3), GREY, dtype=torch.uint8)
        broken: list[str] = []
        gone: list[str] = []
        for row, index in enumerate(indices):
            try:
                pixels[row] = train_crop(self.files[index], self.crop, self.seed, epoch, int(index))
            except DecodeError as error:
                broken.append(os.fsdecode(self.files[index]))
                gone += broken[-1:] if isinstance(error, GoneError) else []
        labels, numbers = torch.from_numpy(self.labels[indices]), torch.from_numpy(indices)
        return (epoch, number), pixels, labels, numbers, broken, gone


class _Stream:
    """Minibatches on the device from one place on, epoch after epoch; the next one is always on its way."""

    def __init__(self, moved: Iterator[tuple[Place, Moved]]) -> None:
        self._moved = moved
        self._coming = next(moved, None)

    @property
    def place(self) -> Place | None:
        return self._coming and self._coming[0]

    def take(self) -> Moved:
        assert self._coming is not None  # asked for no more than the epochs have
        (_, moved), self._coming = self._coming, next(self._moved, None)
        return moved


class FolderBatches:
    """Shuffled random crops: each minibatch is a function of (seed, epoch, its number), whoever decodes it.

    files, labels: of the training images; rank of world: this process's share of them, the same number in each;
    end: the epoch up to which workers decode ahead, None: no further than the epoch that is asked for.
    `broken` collects the files that could not be read; they are grey.
    """

    def __init__(
        self,
        files: NDArray[np.bytes_],
        labels: NDArray[np.int64],
        crop: int,
        batch_size: int,
        seed: int,
        device: torch.device,
        workers: int | None = None,
        rank: int = 0,
        world: int = 1,
        end: int | None = None,
    ) -> None:
        self._crops = _Crops(files, labels, crop, seed)
        self.batch_size, self.seed, self.device, self.end = batch_size, seed, device, end
        self.workers = workers_for(device) if workers is None else workers
        self.rank, self.world = rank, world
        self.broken: set[str] = set()
        self._waiting: _Stream | None = None  # where the epoch before has ended

    def __len__(self) -> int:
        """Minibatches in an epoch; the last one may be smaller."""
        return -(-(len(self._crops.labels) // self.world) // self.batch_size)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Minibatch]:
        """The minibatches of an epoch from number `first` on.

        Workers go on with the next epoch, if there is one, while the end of this one is evaluated.
        """
        stream, self._waiting = self._waiting, None
        if stream is None or stream.place != (epoch, first):
            stream = _Stream(self._from(epoch, first))
        for number in range(first, len(self)):
            yield self._flipped(epoch, number, *stream.take())
        self._waiting = stream

    def batch(self, epoch: int, number: int) -> Minibatch:
        """One minibatch alone, decoded here."""
        _, *decoded, _, _ = self._crops[(epoch, number), self._indices(epoch)[number]]
        return self._flipped(epoch, number, *self._moved(*decoded))

    def _indices(self, epoch: int) -> list[NDArray[np.int64]]:
        """The images of each minibatch."""
        count = len(self._crops.labels)
        order = torch.randperm(count, generator=generator(torch.device("cpu"), self.seed, "order", epoch)).numpy()
        mine = order[self.rank :: self.world][: count // self.world]
        return [mine[begin : begin + self.batch_size] for begin in range(0, len(mine), self.batch_size)]

    def _from(self, epoch: int, first: int) -> Iterator[tuple[Place, Moved]]:
        """Raises: DataError, if so much is gone that it is no longer the data set, or a worker was killed."""
        for minibatch in polled(self._loader(self._asked(epoch, first))):
            (now, number), pixels, labels, index, broken, gone = minibatch  # the loader makes lists of tuples
            if len(gone) > max(1, MAX_MISSING_FRACTION * len(labels)):
                raise DataError(f"{len(gone)} of {len(labels)} images are gone, {gone[0]} for one: put them back")
            self.broken.update(broken)
            yield (now, number), self._moved(pixels, labels, index)

    def _asked(self, epoch: int, first: int) -> Iterator[tuple[Place, NDArray[np.int64]]]:
        for later in range(epoch, max(self.end or 0, epoch + 1)):
            for number, indices in enumerate(self._indices(later)):
                if (later, number) >= (epoch, first):
                    yield (later, number), indices

    def _loader(self, asked: Iterable[tuple[Place, NDArray[np.int64]]]) -> DataLoader[Decoded]:
        # Forked, as workers share the list of files; they run no OpenMP, which a fork would break, and no CUDA.
        forked = {"multiprocessing_context": "fork", "worker_init_fn": init_worker} if self.workers else {}
        return DataLoader(
            self._crops,
            batch_size=None,
            sampler=asked,
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator(),  # the global one is the network's
            **forked,  # type: ignore[arg-type]
        )

    def _moved(self, pixels: Tensor, labels: Tensor, index: Tensor) -> Moved:
        there = [tensor.to(self.device, non_blocking=True) for tensor in (pixels, labels, index)]
        return there[0], there[1], there[2]

    def _flipped(self, epoch: int, number: int, pixels: Tensor, labels: Tensor, index: Tensor) -> Minibatch:
        rng = generator(self.device, self.seed, "augment", epoch, number, self.rank)
        flip = torch.randint(2, (len(pixels), 1, 1, 1), generator=rng, device=self.device).bool()
        across = pixels.permute(0, 3, 1, 2)  # in this order torch mirrors with vector instructions
        return Minibatch(torch.where(flip, across.flip(3), across).float().div_(255), labels, index)


class FolderImages:
    """Test images by their number, in an order that mixes the classes and is always the same.

    `broken` collects the files that could not be read.
    """

    def __init__(
        self, files: NDArray[np.bytes_], labels: NDArray[np.int64], resize: int, crop: int, device: torch.device
    ) -> None:
        order = np.random.default_rng(SHUFFLED).permutation(len(labels))
        self.broken: set[str] = set()
        self._take(files[order], torch.from_numpy(labels[order]).to(device), resize, crop)

    def _take(self, files: NDArray[np.bytes_], labels: Tensor, resize: int, crop: int) -> None:
        self._files, self.labels, self._resize, self._crop = files, labels, resize, crop
        fits = 3 * crop**2 * len(labels) <= KEPT_BYTES
        self._kept: dict[int, NDArray[np.uint8]] | None = {} if fits else None

    def first(self, count: int) -> "FolderImages":
        """The first `count` images, or all if it is 0."""
        if not count or count >= len(self):
            return self  # and what it has decoded
        some = FolderImages.__new__(FolderImages)
        some.broken = self.broken
        some._take(self._files[:count], self.labels[:count], self._resize, self._crop)
        if self._kept is not None:
            some._kept = self._kept  # they have the same numbers
        return some

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Images in [0,1] (B, C, H, W) and labels (B,); one that cannot be read is grey and counts as wrong."""
        with ThreadPoolExecutor(min(MOST_WORKERS, os.cpu_count() or 1)) as pool:
            found = list(pool.map(self._decoded, indices.tolist()))
        grey = np.full((self._crop, self._crop, 3), GREY, dtype=np.uint8)
        pixels = np.stack([grey if pixels is None else pixels for pixels in found])
        seen = torch.tensor([pixels is not None for pixels in found], device=self.labels.device)
        return to_images(torch.from_numpy(pixels).to(self.labels.device)), self.labels[indices].where(seen, UNREADABLE)

    def _decoded(self, index: int) -> NDArray[np.uint8] | None:
        """The pixels of an image, None if it cannot be read."""
        if self._kept is not None and index in self._kept:
            return self._kept[index]
        try:
            pixels = eval_crop(self._files[index], self._resize, self._crop)
        except DecodeError:
            self.broken.add(os.fsdecode(self._files[index]))
            return None
        if self._kept is not None:
            self._kept[index] = pixels
        return pixels
