"""CUDA graphs: the work of a training step, recorded once and started again as a whole.

A GPU that gets its kernels one by one waits for the host between small ones. A graph is one launch.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import torch

from engine.config.errors import UserError


class CaptureError(UserError):
    """A training step cannot be captured. The message is a cause in words."""


class Graphs(Protocol):
    """Makes graphs of work on one device. Tests have graphs of a CPU."""

    def warming_up(self) -> AbstractContextManager[None]:
        """Inside the block, the work to capture runs as it is. Libraries choose their kernels and allocate memory."""
        ...

    def capture(self, work: Callable[[], None], rng: torch.Generator) -> Callable[[], None]:
        """Record `work` without doing it. Returns a function that does it, with the same numbers at other addresses.

        The work reads and writes the tensors that it had when it was recorded. rng: the generator of its random
        numbers, which may have another seed each time. Raises: CaptureError, or an error of torch.
        """
        ...


class CudaGraphs:
    """Graphs on a GPU. The work to capture runs and is recorded on a stream of its own, because CUDA wants that."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._stream = device, torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._needed = 0  # bytes of GPU memory that the work has needed, beside the tensors that stay

    @contextmanager
    def warming_up(self) -> Iterator[None]:
        main = torch.cuda.current_stream(self._device)
        torch.cuda.empty_cache()  # so that what is reserved afterwards is what the work needs
        before = torch.cuda.memory_reserved(self._device)
        self._stream.wait_stream(main)
        with torch.cuda.stream(self._stream):
            yield
        main.wait_stream(self._stream)
        self._needed = torch.cuda.memory_reserved(self._device) - before

    def capture(self, work: Callable[[], None], rng: torch.Generator) -> Callable[[], None]:
        self._check_room()
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(rng)
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        try:
            # `graph` leaves its stream current if the capture fails, so the outer block restores the stream. Loaders
            # have threads that pin memory, which a capture of mode `global` forbids all threads.
            with (
                torch.cuda.stream(self._stream),
                torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"),
            ):
                work()
        except BaseException:  # also an interrupt: the generators must not stay in a capture
            for generator in (rng, torch.cuda.default_generators[self._device.index or 0]):
                _forget_capture(generator)
            raise
        return graph.replay

    def _check_room(self) -> None:
        """A graph keeps its memory. As much again must be free, for evaluations and smaller minibatches."""
        torch.cuda.empty_cache()
        free = torch.cuda.mem_get_info(self._device)[0]
        if free < 2 * self._needed:
            raise CaptureError(f"it needs {2 * self._needed / 1e9:.1f} GB of GPU memory, and {free / 1e9:.1f} are free")


def open_graphs(device: torch.device) -> Graphs | None:
    """Graphs on a device, or None if it has none."""
    return CudaGraphs(device) if device.type == "cuda" else None


def cause_in_words(error: BaseException) -> str:
    """Why a capture has failed, in one line. CUDA reports a failure at the end of the capture, far from its cause."""
    while error.__context__ is not None:
        error = error.__context__
    text = str(error).strip().partition("\n")[0]
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text}".removesuffix(": ")


def _forget_capture(generator: torch.Generator) -> None:
    """Let a generator draw numbers again. Until torch 2.10 or so, it refuses them after a capture that has failed."""
    generator.graphsafe_set_state(generator.clone_state())
