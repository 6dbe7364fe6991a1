"""Training minibatches of images in files. Workers decode the files; the device flips the pixels and casts them."""

import os
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.config.errors import DataError
from engine.data.folder.decode import GREY, DecodeError, GoneError, train_crop
from engine.data.folder.file_facts import KnownFiles, changed_remark
from engine.data.folder.transfer import DeviceTensors, Receive, transfer_to
from engine.data.folder.workers import (
    Room,
    WorkerPool,
    WorkersError,
    decoded_here,
    workers_for,
    workers_that_fit,
)
from engine.data.minibatch import Minibatch
from engine.runtime.host_memory import free_memory
from engine.runtime.rng import generator

MAX_MISSING_FRACTION = 0.1  # above this share of a minibatch the data set itself must be gone

# How the decoding of an image ended. Changed: it was read, but the file is not the one that was fingerprinted.
IMAGE_READ, IMAGE_CHANGED, IMAGE_UNREADABLE, IMAGE_GONE = range(4)

Place = tuple[int, int]  # the epoch, and the number of the minibatch in it
Request = tuple[Place, NDArray[np.int64]]  # a minibatch: its place, and the indices of its images


class _Crops:
    """Decodes minibatches of random crops into memory: the pixels, and after them one byte for each image, IMAGE_*."""

    def __init__(self, files: NDArray[np.bytes_], crop: int, seed: int, known: KnownFiles | None) -> None:
        self.files, self.crop, self.seed, self.known = files, crop, seed, known

    def room_bytes(self, images: int) -> int:
        """The memory that a minibatch takes."""
        return images * (3 * self.crop**2 + 1)

    def parts(self, room: Room, images: int) -> tuple[Room, Room]:
        """The pixels (B, crop, crop, 3) and the endings (B,) in the memory of a minibatch."""
        pixels, endings = np.split(room[: self.room_bytes(images)], [images * 3 * self.crop**2])
        return pixels.reshape(images, self.crop, self.crop, 3), endings

    def decode(self, request: Request, room: Room) -> None:
        (epoch, _), indices = request
        pixels, endings = self.parts(room, len(indices))
        for row, index in enumerate(indices):
            endings[row] = IMAGE_READ
            try:
                pixels[row] = train_crop(self.files[index], self.crop, self.seed, epoch, int(index)).numpy()
                if self.known and self.known.differs(index, self.files[index]):
                    endings[row] = IMAGE_CHANGED
            except DecodeError as error:
                pixels[row] = GREY
                endings[row] = IMAGE_GONE if isinstance(error, GoneError) else IMAGE_UNREADABLE


class _Stream:
    """Minibatches on the device, from one place on, over epochs. The next minibatch is always prefetched."""

    def __init__(self, minibatches: Iterator[tuple[Place, Receive]]) -> None:
        self._minibatches = minibatches
        self._next = next(minibatches, None)

    @property
    def place(self) -> Place | None:
        return self._next and self._next[0]

    def take(self) -> DeviceTensors:
        assert self._next is not None  # callers take no more minibatches than the epochs have
        (_, receive), self._next = self._next, next(self._minibatches, None)
        return receive()


class FolderBatches:
    """Shuffled random crops. A minibatch is a function of (seed, epoch, its number), whatever process decodes it.

    files, labels: of all training images. crop: in pixels. workers: processes that decode; None is `workers_for`.
    rank, world: this process takes share number `rank`, from 0, of `world` equal shares of the images.
    end: workers decode ahead the epochs before number `end`; None: no further than the epoch that is asked for.
    known: the files as the data set was fingerprinted; a file that has changed since is used, and a remark names it.
    unreadable: the paths of files that could not be read. Grey images replace them.
    remarks: what a user should know, such as that no worker can be started.
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
        known: KnownFiles | None = None,
    ) -> None:
        self._crops, self._labels = _Crops(files, crop, seed, known), labels
        self.batch_size, self.seed, self.device, self.end = batch_size, seed, device, end
        self.workers = workers_for(device) if workers is None else workers
        self.rank, self.world = rank, world
        self.unreadable: set[str] = set()
        self.remarks: list[str] = []
        self._prefetched: _Stream | None = None  # continues where the last epoch ended

    def __len__(self) -> int:
        """The number of minibatches in an epoch. The last minibatch may be smaller."""
        return -(-(len(self._labels) // self.world) // self.batch_size)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Minibatch]:
        """The minibatches of an epoch, from number `first` on.

        After the last minibatch the workers decode the next epoch, if there is one, while the caller evaluates.
        """
        stream, self._prefetched = self._prefetched, None
        if stream is None or stream.place != (epoch, first):
            stream = _Stream(self._stream_from(epoch, first))
        for number in range(first, len(self)):
            yield self._flipped(epoch, number, *stream.take())
        self._prefetched = stream

    def batch(self, epoch: int, number: int) -> Minibatch:
        """One minibatch, decoded in this process."""
        request = (epoch, number), self._indices(epoch)[number]
        ((_, receive),) = self._sent(decoded_here(self._crops.decode, self._room_bytes, iter([request])))
        return self._flipped(epoch, number, *receive())

    def _indices(self, epoch: int) -> list[NDArray[np.int64]]:
        """The indices of the images in each minibatch of an epoch."""
        count = len(self._labels)
        order = torch.randperm(count, generator=generator(torch.device("cpu"), self.seed, "order", epoch)).numpy()
        mine = order[self.rank :: self.world][: count // self.world]
        return [mine[begin : begin + self.batch_size] for begin in range(0, len(mine), self.batch_size)]

    @property
    def _room_bytes(self) -> int:
        return self._crops.room_bytes(self.batch_size)

    def _stream_from(self, epoch: int, first: int) -> Iterator[tuple[Place, Receive]]:
        """Minibatches from a place on. Raises: DataError, if too many files are gone, or a worker was killed."""
        requests = self._requests(epoch, first)
        if (pool := self._pool()) is None:
            yield from self._sent(decoded_here(self._crops.decode, self._room_bytes, requests))
        else:
            with pool:
                yield from self._sent(pool.decoded(requests))

    def _pool(self) -> WorkerPool[Request] | None:
        """The processes that decode. None if this process decodes: it was asked to, or no other can be started."""
        count = workers_that_fit(self.workers, self._room_bytes, free_memory())
        if count < self.workers:
            self.remarks.append(_few_workers_remark(count, self.workers, self._room_bytes))
        if not count:
            return None
        try:
            return WorkerPool(self._crops.decode, self._room_bytes, count)
        except WorkersError as error:
            self.remarks.append(f"the training process decodes the images itself, which is slower: {error}")
            return None

    def _sent(self, decoded: Iterator[tuple[Request, Room]]) -> Iterator[tuple[Place, Receive]]:
        """Send decoded minibatches to the device. Raises: DataError, if too many files are gone."""
        transfer = transfer_to(self.device)
        for (place, indices), room in decoded:
            pixels, endings = self._crops.parts(room, len(indices))
            self._note_endings(self._crops.files[indices], endings)
            yield place, transfer.send(pixels, self._labels[indices], indices)

    def _note_endings(self, files: NDArray[np.bytes_], endings: NDArray[np.uint8]) -> None:
        """Raises: DataError, if too many of these files are gone."""
        gone = files[endings == IMAGE_GONE]
        if len(gone) > max(1, MAX_MISSING_FRACTION * len(files)):
            missing = f"{len(gone)} of {len(files)} images are missing"
            raise DataError(f"{missing}, such as {os.fsdecode(gone[0])}; restore them")
        self.unreadable.update(map(os.fsdecode, files[endings >= IMAGE_UNREADABLE]))
        if self._crops.known and (endings == IMAGE_CHANGED).any():
            self.remarks.append(changed_remark(files[endings == IMAGE_CHANGED][0]))
            self._crops.known.forget()
            self._crops.known = None  # one such file is enough to know

    def _requests(self, epoch: int, first: int) -> Iterator[Request]:
        for later in range(epoch, max(self.end or 0, epoch + 1)):
            for number, indices in enumerate(self._indices(later)):
                if (later, number) >= (epoch, first):
                    yield (later, number), indices

    def _flipped(self, epoch: int, number: int, pixels: Tensor, labels: Tensor, index: Tensor) -> Minibatch:
        rng = generator(self.device, self.seed, "augment", epoch, number, self.rank)
        flip = torch.randint(2, (len(pixels), 1, 1, 1), generator=rng, device=self.device).bool()
        images = pixels.permute(0, 3, 1, 2)  # in this order torch flips with vector instructions
        return Minibatch(torch.where(flip, images.flip(3), images).float().div_(255), labels, index)


def _few_workers_remark(count: int, wanted: int, room_bytes: int) -> str:
    """A line for the user. room_bytes: of a minibatch."""
    who = f"{count} of {wanted} processes decode images" if count else "the training process decodes the images itself"
    way_out = "make memory free, lower batch_size, or raise the limit of the container (docker run --memory)"
    size = f"{room_bytes / 1e6:,.1f} MB"
    return f"{who}, which is slower: memory is short of room for more minibatches of {size}; {way_out}"
