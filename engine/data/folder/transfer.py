"""Brings decoded minibatches to the device. A GPU copies a minibatch while it trains on the one before."""

import math
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

DeviceTensors = tuple[Tensor, Tensor, Tensor]  # pixels, labels and indices on the device
Receive = Callable[[], DeviceTensors]  # gives the tensors of a minibatch that is on its way, ready for use
PINNED = 2  # minibatches in pinned memory: the GPU copies one while the next one is put into the other
INDEX_BYTES = 16  # of an image: its label and its index, which stand before the pixels, since they must be aligned


class Transfer(Protocol):
    """Sends minibatches to a device. The arrays may be overwritten as soon as `send` has returned."""

    def send(self, pixels: NDArray[np.uint8], labels: NDArray[np.int64], indices: NDArray[np.int64]) -> Receive: ...


class Lane(Protocol):
    """A way to the device beside the one on which the training runs."""

    def pinned(self, size: int) -> Tensor:
        """Memory of the host that the device reads by itself: uint8, (size,)."""
        ...

    def send(self, content: Tensor) -> tuple[Tensor, Any]:
        """Begin to copy pinned memory. Returns the copy on the device, and a mark for the end of the copying."""
        ...

    def wait(self, mark: Any) -> None:
        """Wait in this process until the copying is over."""
        ...

    def join(self, mark: Any, copy: Tensor) -> None:
        """Let the training go on after the copying, and keep the copy's memory until the training has used it."""
        ...


def transfer_to(device: torch.device) -> Transfer:
    return PinnedTransfer(CudaLane(device)) if device.type == "cuda" else PlainTransfer(device)


class PlainTransfer:
    """Copies at once."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def send(self, pixels: NDArray[np.uint8], labels: NDArray[np.int64], indices: NDArray[np.int64]) -> Receive:
        there = tuple(torch.from_numpy(array).clone().to(self._device) for array in (pixels, labels, indices))
        return lambda: (there[0], there[1], there[2])


class PinnedTransfer:
    """Copies through PINNED buffers, which are reused: pinned memory is never given back to the system."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._buffers: deque[tuple[Tensor, Any]] = deque()  # each with the mark of its last copying, the oldest first

    def send(self, pixels: NDArray[np.uint8], labels: NDArray[np.int64], indices: NDArray[np.int64]) -> Receive:
        shape, used = pixels.shape, INDEX_BYTES * len(pixels) + pixels.nbytes
        buffer = self._free_buffer(used)
        for part, array in zip(_parts(buffer[:used], shape), (pixels, labels, indices), strict=True):
            part.copy_(torch.from_numpy(array))
        copy, mark = self._lane.send(buffer[:used])
        self._buffers.append((buffer, mark))

        def receive() -> DeviceTensors:
            self._lane.join(mark, copy)
            return _parts(copy, shape)

        return receive

    def _free_buffer(self, size: int) -> Tensor:
        """A buffer of at least `size` bytes that the device reads no longer."""
        if len(self._buffers) == PINNED:
            buffer, mark = self._buffers.popleft()
            self._lane.wait(mark)
            if len(buffer) >= size:
                return buffer
        return self._lane.pinned(size)


def _parts(content: Tensor, shape: tuple[int, ...]) -> DeviceTensors:
    """Pixels, labels and indices in the bytes of a minibatch. shape: of the pixels."""
    labels, indices, pixels = torch.split(content, [8 * shape[0], 8 * shape[0], math.prod(shape)])
    return pixels.view(shape), labels.view(torch.int64), indices.view(torch.int64)


class CudaLane:
    """A stream of a GPU besides the current one."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._stream = device, torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def pinned(self, size: int) -> Tensor:
        return torch.empty(size, dtype=torch.uint8, pin_memory=True)

    def send(self, content: Tensor) -> tuple[Tensor, Any]:
        with torch.cuda.stream(self._stream):
            copy = content.to(self._device, non_blocking=True)
        return copy, self._stream.record_event()

    def wait(self, mark: Any) -> None:
        mark.synchronize()

    def join(self, mark: Any, copy: Tensor) -> None:
        training = torch.cuda.current_stream(self._device)
        training.wait_event(mark)
        copy.record_stream(training)  # the copy was made on the other stream, whose memory would be reused at once
